"""CIFAR-10: 60,000 photographs of ten kinds of things, RGB, 32x32 px, 10,000 the official test set.

Reference:
    Krizhevsky, *Learning multiple layers of features from tiny images* (2009), chapter 3.
"""

import gzip
import io
import pickle
import pickletools
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tfcnn.base import files
from tfcnn.datasets._arrays import Arrays, ArraySet, Remote
from tfcnn.decode import Pixels

Labels = npt.NDArray[np.int64]
BATCHES = {
    "train": [f"cifar-10-batches-py/data_batch_{number}" for number in range(1, 6)],
    "test": ["cifar-10-batches-py/test_batch"],
}
MAX_BATCH_BYTES = 1 << 26  # the official ones have 31 MB
MAX_UNPACKED_BYTES = 1 << 30  # of the whole archive; the official one has 186 MB
MAX_MEMBERS = 1000  # the official one has 10
MAX_STEPS = 1 << 20  # of a pickle; the official ones have 41,000
SIDE = 32  # px
# what an unpickler and a reader of what it gives raise for something else
_PICKLE_ERRORS = (
    *(pickle.UnpicklingError, ArithmeticError, AttributeError, EOFError, LookupError),
    *(TypeError, ValueError),
)


class _Inert:
    """Takes the place of what a pickle would call: it keeps the arguments and does nothing."""

    def __init__(self, *arguments: Any) -> None:
        self.arguments = arguments
        self.state: tuple[Any, ...] = ()

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.state = state


class _InertUnpickler(pickle.Unpickler):
    """Reads the plain values of a pickle; no class or function that it names is ever called."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in (
            ("numpy.core.multiarray", "_reconstruct"),
            ("numpy", "ndarray"),
            ("numpy", "dtype"),
        ):
            return _Inert
        raise pickle.UnpicklingError(f"a batch holds {module}.{name}, which has no place there")


def read_batches(path: Path) -> Arrays:
    """Read `cifar-10-python.tar.gz`, whose members are pickles, without running what they name.

    Returns:
        uint8 arrays: `x_train` and `x_test` of shape `(images, height, width, channels)` in
        [0, 255], `y_train` and `y_test` of shape `(images,)`.

    Raises:
        tarfile.TarError, OSError, EOFError, zlib.error: if the archive is damaged.
        pickle.UnpicklingError, LookupError, TypeError, ValueError: if a member is missing or is
            no batch of images.
    """
    batches = _batches(path)
    arrays = {}
    for part, members in BATCHES.items():
        arrays[f"x_{part}"] = np.concatenate([batches[name][0] for name in members])
        arrays[f"y_{part}"] = np.concatenate([batches[name][1] for name in members])
    return arrays


class _Bounded:
    """What a gzip file unpacks to, for `tarfile`, which trusts the sizes that it reads there."""

    def __init__(self, file: gzip.GzipFile) -> None:
        self._file = file
        self.tell = file.tell

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= MAX_BATCH_BYTES:
            raise tarfile.ReadError(f"a description of {size:,} bytes")
        # a buffer of the stated size would be filled with zeros first
        content = io.BytesIO()
        while left := size - content.tell():
            piece = self._file.read(min(left, 1 << 20))
            if not piece:
                break
            content.write(piece)
        self._check()
        return content.getvalue()

    def seek(self, place: int) -> int:
        if place > MAX_UNPACKED_BYTES:
            raise tarfile.ReadError(f"more than {MAX_UNPACKED_BYTES:,} bytes when unpacked")
        return self._file.seek(place)

    def _check(self) -> None:
        if self.tell() > MAX_UNPACKED_BYTES:
            raise tarfile.ReadError(f"more than {MAX_UNPACKED_BYTES:,} bytes when unpacked")


def _batches(path: Path) -> dict[str, tuple[Pixels, Labels]]:
    """Return the images and labels of each batch, read as they come; other members are skipped."""
    wanted = {name for members in BATCHES.values() for name in members}
    batches: dict[str, tuple[Pixels, Labels]] = {}
    with files.open_file(path) as packed, gzip.open(packed) as unpacked:
        source: Any = _Bounded(unpacked)
        with tarfile.open(fileobj=source, mode="r:") as archive:
            for count, info in enumerate(archive, start=1):
                if count > MAX_MEMBERS:
                    raise tarfile.ReadError(f"more than {MAX_MEMBERS:,} members")
                if info.name in wanted:
                    if info.name in batches:
                        raise ValueError(f"{info.name} twice")
                    batches[info.name] = _read_named(info.name, _content(archive, info))
    missing = sorted(wanted - set(batches))
    if missing:
        raise LookupError(f"no {missing[0]}")
    return batches


def _content(archive: tarfile.TarFile, info: tarfile.TarInfo) -> bytes:
    if not info.isreg() or info.issparse() or info.size > MAX_BATCH_BYTES:
        raise ValueError(f"{info.name} is no plain file of at most {MAX_BATCH_BYTES:,} bytes")
    member: Any = archive.extractfile(info)  # None for a folder or a link, which this is not
    return bytes(member.read())


def _read_named(name: str, content: bytes) -> tuple[Pixels, Labels]:
    """Return the images and labels of a batch; an error names it."""
    try:
        return _read_batch(content)
    except _PICKLE_ERRORS as error:
        raise ValueError(f"{name}: {type(error).__name__}: {error}") from error


def _read_batch(content: bytes) -> tuple[Pixels, Labels]:
    _check_steps(content)
    batch = _InertUnpickler(io.BytesIO(content), encoding="bytes").load()
    # as NumPy pickles an array: (version, shape, dtype, is_fortran, bytes)
    _, shape, dtype, is_fortran, data = batch[b"data"].state
    if dtype.arguments[0] != b"u1":
        raise ValueError(f"pixels of type {dtype.arguments[0]}, not u1")
    rows = np.frombuffer(data, np.uint8).reshape(shape, order="F" if is_fortran else "C")
    # a row holds the red plane, then the green, then the blue one
    images = rows.reshape(-1, 3, SIDE, SIDE).transpose(0, 2, 3, 1)
    labels = np.array(batch[b"labels"], dtype=np.int64)
    if labels.shape != images.shape[:1]:
        raise ValueError(f"{len(images):,} images, but labels of shape {labels.shape}")
    return images, labels


def _check_steps(content: bytes) -> None:
    """Refuse a pickle whose steps fill memory: 20 bytes can ask for a memo of gigabytes.

    Raises:
        ValueError: if it does.
    """
    for count, (step, argument, _) in enumerate(pickletools.genops(content), start=1):
        place = argument if step.name in ("PUT", "BINPUT", "LONG_BINPUT") else 0
        if count > MAX_STEPS or not 0 <= int(place or 0) <= MAX_STEPS:
            raise ValueError("a pickle made to fill memory")


CIFAR10 = ArraySet(
    name="cifar10",
    title="CIFAR-10",
    class_names=(
        *("airplane", "automobile", "bird", "cat", "deer"),
        *("dog", "frog", "horse", "ship", "truck"),
    ),
    remotes=(
        Remote(
            "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",
            # keras.datasets.cifar10
            "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
        ),
    ),
    sha256={
        "x_train": "47af8b02cfcfb6cdf3dbbd1969ad7f1b70f4413f6f80f437b020ee4e5bc8304a",
        "y_train": "2b7cd2f24487317614016b72ffd53071c3062f592f0eb300c18a770d41ae1253",
        "x_test": "f9b1e2130bab680db56eb06d886f7f1ad0f1183907ceff4659d1735c890f5b04",
        "y_test": "cec8a24a1e92aa2ecaa0bbd3dbfa86bf6cd8759fbd209a832824c8cf0afca9d5",
    },
    read=lambda paths: read_batches(paths[0]),
)

download = CIFAR10.download
open_source = CIFAR10.open_source
