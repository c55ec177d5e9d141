"""The authors' own containers, sound, damaged or hostile: idx files, pickled batches, `.npz`."""

import gzip
import io
import os
import pickle
import struct
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dataset_fakes import batch, fake_arrays, write_idx, write_npz, write_official, write_tar
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of

from tfcnn.base.errors import InputError
from tfcnn.datasets import cifar10, fashion_mnist, mnist
from tfcnn.datasets._arrays import read_npz
from tfcnn.decode import archives


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "data"


def one_line(info: pytest.ExceptionInfo[InputError]) -> str:
    assert "\n" not in str(info.value)
    return str(info.value)


class Bomb:
    """Makes a folder when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.mkdir, (self.path,)


def test_an_npz_file_with_code_in_it_is_refused(tmp_path: Path, folder: Path) -> None:
    arrays = fake_arrays("mnist")
    arrays["y_test"] = np.array([Bomb(tmp_path / "boom")] * 30, dtype=object)
    with pytest.raises(InputError):
        mnist.download(folder, mirror=str(write_npz(tmp_path / "mnist.npz", arrays)))
    assert not (tmp_path / "boom").exists()


@pytest.mark.parametrize("protocol", [0, 2, 5])
def test_a_batch_with_code_in_it_is_refused(protocol: int, tmp_path: Path, folder: Path) -> None:
    content = pickle.dumps({b"data": Bomb(tmp_path / "boom"), b"labels": [1]}, protocol)
    names = cifar10.BATCHES["train"] + cifar10.BATCHES["test"]
    archive = write_tar(tmp_path / "cifar-10-python.tar.gz", dict.fromkeys(names, content))
    with pytest.raises(InputError, match="no place there"):
        cifar10.download(folder, mirror=str(archive))
    assert not (tmp_path / "boom").exists()
    pickle.loads(content)
    assert (tmp_path / "boom").exists()  # it would have run


@pytest.mark.parametrize("is_fortran", [False, True])
def test_batches_are_read_as_numpy_reads_them(is_fortran: bool, tmp_path: Path) -> None:
    arrays = fake_arrays("cifar10")
    content = batch(arrays["x_test"], arrays["y_test"], is_fortran=is_fortran)
    oracle = pickle.loads(content, encoding="bytes")
    names = cifar10.BATCHES["train"] + cifar10.BATCHES["test"]
    archive = write_tar(tmp_path / "a.tar.gz", dict.fromkeys(names, content))
    read = cifar10.read_batches(archive)
    planes = oracle[b"data"].reshape(-1, 3, 32, 32)
    np.testing.assert_array_equal(np.moveaxis(planes, 1, -1), read["x_test"])
    np.testing.assert_array_equal(oracle[b"labels"], read["y_test"])
    assert read["x_train"].shape == (150, 32, 32, 3)


@pytest.mark.parametrize("wrong", ["missing", "folder", "text", "no data", "cut", "not gzip"])
def test_a_wrong_archive_of_batches_is_refused(wrong: str, tmp_path: Path, folder: Path) -> None:
    arrays = fake_arrays("cifar10")
    (archive,) = write_official("cifar10", tmp_path, arrays)
    members = {name: batch(arrays["x_test"], arrays["y_test"]) for name in cifar10.BATCHES["train"]}
    if wrong in ("text", "no data"):
        content = b"hello" if wrong == "text" else pickle.dumps({b"labels": [1]}, 2)
        write_tar(archive, members | {"cifar-10-batches-py/test_batch": content})
    elif wrong == "missing":
        write_tar(archive, members)
    elif wrong == "folder":
        write_tar(archive, members, folders=("cifar-10-batches-py/test_batch",))
    elif wrong == "cut":
        archive.write_bytes(archive.read_bytes()[:-2000])
    else:
        archive.write_bytes(b"hello")
    with pytest.raises(InputError) as info:
        cifar10.download(folder, mirror=str(archive))
    assert str(archive) in one_line(info)


@settings(deadline=None, max_examples=25)
@given(
    array=arrays_of.arrays(
        np.uint8, st.tuples(*[st.integers(0, 6)] * 3) | st.tuples(st.integers(0, 9))
    )
)
def test_idx_files_round_trip(tmp_path_factory: pytest.TempPathFactory, array: Any) -> None:
    path = write_idx(tmp_path_factory.getbasetemp() / "round-trip.gz", array)
    np.testing.assert_array_equal(fashion_mnist.read_idx(path), array)


IDX = struct.pack(">HBB1I", 0, 8, 1, 3) + b"abc"


@pytest.mark.parametrize(
    "content",
    [
        *(b"", IDX[:3], IDX[:6], IDX[:-1], IDX + b"d"),
        *(b"\0\1" + IDX[2:], b"\0\0\x0d" + IDX[3:]),
        struct.pack(">HBB3I", 0, 8, 3, 60000, 28000, 28000),
    ],
)
def test_idx_files_that_are_not_what_they_say_are_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "labels.gz"
    path.write_bytes(gzip.compress(IDX))
    assert fashion_mnist.read_idx(path).tobytes() == b"abc"
    path.write_bytes(gzip.compress(content))
    with pytest.raises(ValueError):
        fashion_mnist.read_idx(path)


@pytest.mark.parametrize("damage", ["cut", "not gzip", "checksum"])
def test_damaged_idx_files_are_refused_by_name(damage: str, tmp_path: Path, folder: Path) -> None:
    arrays = fake_arrays("fashion-mnist")
    first, *_ = write_official("fashion-mnist", tmp_path / "m", arrays)
    content = first.read_bytes()
    changed = {"cut": content[:-100], "not gzip": b"hello", "checksum": content[:-8] + b"\0" * 8}
    first.write_bytes(changed[damage])
    with pytest.raises(InputError) as info:
        fashion_mnist.download(folder, mirror=str(tmp_path / "m"))
    assert str(first) in one_line(info)


# --- labels that are not those of the images


def write_batches(path: Path, labels: dict[str, Any]) -> Path:
    """Write an archive of batches of 30 images, some with labels of their own."""
    arrays = fake_arrays("cifar10")
    members = {
        name: batch(arrays["x_test"], labels.get(name, arrays["y_test"]))
        for name in cifar10.BATCHES["train"] + cifar10.BATCHES["test"]
    }
    return write_tar(path / "cifar-10-python.tar.gz", members)


def test_labels_that_two_batches_share_wrongly_are_refused(tmp_path: Path, folder: Path) -> None:
    """One label too few in a batch and one too many in the next give the right number."""
    one, two = (f"cifar-10-batches-py/data_batch_{number}" for number in (1, 2))
    labels = fake_arrays("cifar10")["y_test"]
    archive = write_batches(tmp_path, {one: labels[1:], two: np.append(labels, 1)})
    with pytest.raises(InputError, match=r"data_batch_1: .*30 images, but labels") as info:
        cifar10.download(folder, mirror=str(archive))
    assert str(archive) in one_line(info)


def test_a_batch_in_an_archive_twice_is_refused(tmp_path: Path, folder: Path) -> None:
    archive = write_batches(tmp_path, {})
    content = gzip.decompress(archive.read_bytes())
    with tarfile.open(fileobj=io.BytesIO(content)) as made:
        first = made.getmembers()[0]
        end = max(info.offset_data + -(-info.size // 512) * 512 for info in made)
    size = first.offset_data + -(-first.size // 512) * 512
    archive.write_bytes(gzip.compress(content[:end] + content[:size] + bytes(1024)))
    with pytest.raises(InputError, match=r"_batch(_1)? twice"):
        cifar10.download(folder, mirror=str(archive))


@pytest.mark.parametrize("wrong", ["short", "long", "eleventh class", "flat images", "empty"])
@pytest.mark.parametrize("part", ["train", "test"])
def test_wrong_labels_name_their_file(part: str, wrong: str, tmp_path: Path, folder: Path) -> None:
    arrays = fake_arrays("fashion-mnist")
    labels = arrays[f"y_{part}"]
    arrays[f"y_{part}"] = {
        "short": labels[:-1],
        "long": np.append(labels, 0).astype(np.uint8),
        "eleventh class": np.where(labels == 9, 10, labels).astype(np.uint8),
        "flat images": arrays[f"x_{part}"],
        "empty": labels[:0],
    }[wrong]
    paths = write_official("fashion-mnist", tmp_path / "m", arrays)
    with pytest.raises(InputError) as info:
        fashion_mnist.download(folder, mirror=str(tmp_path / "m"))
    assert str(paths[1 if part == "train" else 3]) in one_line(info)
    npz = write_npz(tmp_path / "n" / "fashion_mnist.npz", arrays)
    with pytest.raises(InputError) as info:
        fashion_mnist.download(folder, mirror=str(npz))
    assert str(npz) in one_line(info)
    assert not folder.exists()


@pytest.mark.parametrize("labels", [[300] * 30, [-1] * 30, [2**70] * 30, ["x"] * 30, [[1]] * 30])
def test_labels_that_no_byte_holds_are_refused(
    labels: list[Any], tmp_path: Path, folder: Path
) -> None:
    archive = write_batches(tmp_path, {})
    content = batch(fake_arrays("cifar10")["x_test"], np.zeros(0, np.uint8))
    at = content.rindex(b"](")  # the list of labels, pickled anew
    text = pickle.dumps(labels, 2)[2:-1]
    members = dict.fromkeys(
        cifar10.BATCHES["train"] + cifar10.BATCHES["test"], content[:at] + text + b"u."
    )
    write_tar(archive, members)
    with pytest.raises(InputError) as info:
        cifar10.download(folder, mirror=str(archive))
    assert str(archive) in one_line(info)


@pytest.mark.parametrize("wrong", ["short", "long", "eleventh class", "no labels"])
def test_labels_changed_after_the_download_shift_nothing(
    wrong: str, tmp_path: Path, home: Path
) -> None:
    """Fewer training labels would give their images to the test set, one by one."""
    folder = home / "data" / "mnist"
    mirror = write_npz(tmp_path / "mnist.npz", fake_arrays("mnist"))
    mnist.download(folder, mirror=str(mirror))
    path = folder / "train_labels.npy"
    labels = np.load(path)
    changed = {
        "short": labels[:-1],
        "long": np.append(labels, 1).astype(np.uint8),
        "eleventh class": np.where(labels == 9, 10, labels).astype(np.uint8),
        "no labels": np.zeros((60, 28, 28), np.uint8),
    }
    np.save(path, changed[wrong])
    with pytest.raises(InputError) as info:
        mnist.open_source(folder)
    assert str(folder) in one_line(info)


# --- bombs

PEAK = r"""
import re, sys
from pathlib import Path
from tfcnn.datasets import cifar10, fashion_mnist, mnist
from tfcnn.base.errors import InputError
peak = lambda: int(re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[1])
before = peak()
find = {"cifar10": cifar10, "fashion-mnist": fashion_mnist, "mnist": mnist}
try: find[sys.argv[1]].download(Path(sys.argv[2]), mirror=sys.argv[3])
except InputError as error: print((peak() - before) // 1024, error)
"""


def peak_of(name: str, folder: Path, mirror: Path) -> tuple[int, str]:
    """Return by how many MB a download raises a process, and its error."""
    words = [sys.executable, "-c", PEAK, name, str(folder), str(mirror)]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    megabytes, _, error = done.stdout.strip().partition(" ")
    assert "\n" not in error and str(mirror) in error
    return int(megabytes), error


def tar_bomb(kind: str) -> bytes:
    name = "cifar-10-batches-py/data_batch_1"
    memo = b"\x80\x02}r" + struct.pack("<I", 100_000_000) + b"."
    contents = {
        "memo": memo,
        "bytearray": b"\x80\x05\x96" + struct.pack("<Q", 1 << 32) + b".",
        "dictionaries": b"\x80\x02" + b"}" * 20_000_000 + b".",
    }
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as made:
        info = tarfile.TarInfo(name)
        content = contents.get(kind, b"")
        info.size = len(content)
        if kind == "description":
            info.pax_headers = {"comment": "x" * 100}
        made.addfile(info, io.BytesIO(content))
    raw = file.getvalue()
    if kind == "description":  # which says that it has 1.6 GB
        size = raw.index(b"\0", 124)
        raw = bytearray(raw)
        raw[124:136] = b"14000000000\0"
        raw[148:156] = b" " * 8
        raw[148:156] = b"%06o\0 " % sum(raw[:512])
        assert size
    if kind == "many members":
        header = tarfile.TarInfo("a").tobuf()
        raw = header * 300_000
    if kind == "zeros":
        header = tarfile.TarInfo("a")
        header.size = 3 << 30
        raw = header.tobuf() + bytes(1 << 20)
    return gzip.compress(bytes(raw), 1)


@pytest.mark.parametrize(
    "kind", ["memo", "bytearray", "dictionaries", "description", "many members", "zeros"]
)
def test_archives_of_batches_that_ask_for_memory_are_refused(
    kind: str, tmp_path: Path, folder: Path
) -> None:
    """The first has 202 bytes, and made the memo of an unpickler 1.6 GB large."""
    archive = tmp_path / "cifar-10-python.tar.gz"
    archive.write_bytes(tar_bomb(kind))
    megabytes, _ = peak_of("cifar10", folder, archive)
    assert megabytes < 200


def test_idx_files_that_ask_for_memory_are_refused(tmp_path: Path, folder: Path) -> None:
    write_official("fashion-mnist", tmp_path, fake_arrays("fashion-mnist"))
    first = tmp_path / "train-images-idx3-ubyte.gz"
    first.write_bytes(gzip.compress(struct.pack(">HBB3I", 0, 8, 3, 2, 28, 28) + bytes(1 << 29), 1))
    megabytes, error = peak_of("fashion-mnist", folder, tmp_path)
    assert megabytes < 50 and "longer than its header says" in error


def test_arrays_that_ask_for_memory_are_refused(tmp_path: Path, folder: Path) -> None:
    arrays = fake_arrays("mnist")
    arrays["x_train"] = np.zeros((750_000, 28, 28), np.uint8)
    np.savez_compressed(tmp_path / "mnist.npz", **arrays)
    megabytes, error = peak_of("mnist", folder, tmp_path / "mnist.npz")
    assert megabytes < 50 and "where at most 537 MB are read" in error


# --- `.npz` files


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_arrays_come_back_as_they_were(tmp_path, save):
    path = tmp_path / "mnist.npz"
    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, (20, 28, 28), dtype=np.uint8)
    y = np.asfortranarray(rng.normal(size=(3, 4)))
    save(path, x=x, y=y, other=x, empty=np.zeros((0, 3), np.int32))
    arrays = read_npz(path, ("y", "x", "empty"))
    assert list(arrays) == ["y", "x", "empty"]
    np.testing.assert_array_equal(arrays["x"], x)
    np.testing.assert_array_equal(arrays["y"], y)
    assert arrays["x"].dtype == np.uint8
    assert arrays["empty"].shape == (0, 3)


def refused_array(path, name="x"):
    with pytest.raises(InputError) as info:
        read_npz(path, (name,))
    message = str(info.value)
    assert "\n" not in message
    assert str(path) in message
    return message


def test_missing_array_names_those_there_are(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, images=np.zeros(3), labels=np.zeros(3))
    message = refused_array(path, "x_train")
    assert "'x_train'" in message and "images, labels" in message


def test_pickled_array_is_not_run(tmp_path):
    path, proof = tmp_path / "a.npz", tmp_path / "run"

    class Hostile:
        def __reduce__(self):
            return os.mkdir, (str(proof),)

    np.savez(path, x=np.array([Hostile()], dtype=object))
    assert "allow_pickle=False" in refused_array(path)
    assert not proof.exists()


def test_truncated_and_foreign_files_are_one_line(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, x=np.zeros(1000))
    path.write_bytes(path.read_bytes()[:-200])
    assert "truncated" in refused_array(path)
    path.write_bytes(b"")
    assert "empty" in refused_array(path)
    np.save(tmp_path / "a.npy", np.zeros(3))
    assert "something else" in refused_array(tmp_path / "a.npy")
    assert "No such file" in refused_array(tmp_path / "none.npz")


def test_array_bomb_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "SMALL_BYTES", 1 << 20)
    path = tmp_path / "a.npz"
    np.savez_compressed(path, x=np.zeros(2 << 20, np.uint8))
    assert "expected at most 1 MB" in refused_array(path)


@pytest.mark.parametrize("shape", [(10**15,), (1001,), (999,), (-1,)])
def test_array_with_a_false_shape_is_refused(tmp_path, shape):
    """Too many elements cannot be read; too few would leave the CRC unchecked."""
    header = io.BytesIO()
    description = {"descr": "|u1", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(header, description)
    path = tmp_path / "a.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.npy", header.getvalue() + bytes(1000))
    assert "'x' damaged" in refused_array(path)


@settings(
    deadline=None, max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data(), save=st.sampled_from([np.savez, np.savez_compressed]))
def test_array_file_with_changed_bytes_gives_the_array_or_an_input_error(tmp_path, data, save):
    path, x = tmp_path / "a.npz", np.arange(50, dtype=np.uint8)
    save(path, x=x)
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    try:
        array = read_npz(path, ("x",))["x"]
    except InputError:
        return
    np.testing.assert_array_equal(array, x)
