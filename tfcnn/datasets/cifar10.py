"""CIFAR-10: 60,000 photographs of ten kinds of things, RGB, 32x32 px, 10,000 the official test set.

Reference:
    Krizhevsky, *Learning multiple layers of features from tiny images* (2009), chapter 3.
"""

import io
import pickle
import tarfile
from pathlib import Path
from typing import IO, Any

import numpy as np

from tfcnn.datasets._arrays import Arrays, ArraySet, Remote
from tfcnn.decode import Pixels

__all__ = ["CIFAR10", "download", "open_source", "read_batches"]

BATCHES = {
    "train": [f"cifar-10-batches-py/data_batch_{number}" for number in range(1, 6)],
    "test": ["cifar-10-batches-py/test_batch"],
}
MAX_BATCH_BYTES = 1 << 26  # the official ones have 31 MB
SIDE = 32  # px


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
    arrays = {}
    with tarfile.open(path, "r:gz") as archive:
        for part, members in BATCHES.items():
            batches = [_read_batch(archive.extractfile(member)) for member in members]
            arrays[f"x_{part}"] = np.concatenate([images for images, _ in batches])
            arrays[f"y_{part}"] = np.concatenate([labels for _, labels in batches])
    return arrays


def _read_batch(member: IO[bytes] | None) -> tuple[Pixels, Pixels]:
    """Return the images and labels of one member of the archive."""
    if member is None:
        raise ValueError("a folder or link in the place of a batch")
    with member:
        content = member.read(MAX_BATCH_BYTES)
    batch = _InertUnpickler(io.BytesIO(content), encoding="bytes").load()
    # as NumPy pickles an array: (version, shape, dtype, is_fortran, bytes)
    _, shape, dtype, is_fortran, data = batch[b"data"].state
    if dtype.arguments[0] != b"u1":
        raise ValueError(f"pixels of type {dtype.arguments[0]}, not u1")
    rows = np.frombuffer(data, np.uint8).reshape(shape, order="F" if is_fortran else "C")
    # a row holds the red plane, then the green, then the blue one
    images = rows.reshape(-1, 3, SIDE, SIDE).transpose(0, 2, 3, 1)
    return images, np.array(batch[b"labels"], dtype=np.uint8)


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
