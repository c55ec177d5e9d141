"""The authors' own containers, sound, damaged or hostile: idx files, pickled batches, `.npz`."""

import gzip
import pickle
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dataset_fakes import batch, fake_arrays, write_idx, write_npz, write_official, write_tar
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of

from tfcnn.datasets import cifar10, fashion_mnist, mnist
from tfcnn.errors import InputError


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
