"""Checksums of the rows of an array file, at its end, so that it is believed only as it was made.

NumPy reads as many bytes as the header says, and passes over what follows them. There lies a CRC-32
of each row, begun with the hash of the image that the row was decoded from: a row that was zeroed,
that changed places with another, or that belongs to another image is found. CRC-32 finds damage,
not intent; of what the standard library has it is the fastest, twice as fast as SHA-256.
"""

import math
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["DamagedError", "of_row", "opened", "size_bytes", "write"]

Rows = npt.NDArray[np.uint8]
Sums = npt.NDArray[np.uint32]
KIND = np.dtype("<u4")


class DamagedError(ValueError):
    """An array file that is not as it was written; says what is wrong with it."""


def of_row(pixels: memoryview, sha256: str) -> int:
    """Return the checksum of an image's pixels and of the hash of its file."""
    return zlib.crc32(pixels, zlib.crc32(sha256.encode()))


def size_bytes(count: int) -> int:
    """Return how much room the checksums of so many rows take."""
    return count * KIND.itemsize


def write(path: Path, sums: Sums) -> None:
    """Write checksums to the end of an array file that has room for them."""
    with path.open("r+b") as file:
        file.seek(-sums.nbytes, 2)
        file.write(sums.astype(KIND).tobytes())


def opened(path: Path, shape: tuple[int, ...], hashes: Sequence[str]) -> Rows:
    """Map an array file into memory, after comparing every row with its checksum.

    Args:
        path: the file.
        shape: what it must hold, `(images, height, width, channels)`.
        hashes: the sha256 of each image's file.

    Returns:
        uint8 array of that shape in [0, 255], which cannot be written to.

    Raises:
        FileNotFoundError: if there is no file.
        DamagedError: if it is not what was written there.
    """
    try:
        images: np.memmap[Any, Any] = np.load(path, mmap_mode="r")
    except (OSError, MemoryError):  # which say nothing of the file's content
        raise
    except Exception as error:  # of a broken header NumPy raises nearly every type
        raise DamagedError(f"cut short, or with a damaged header ({error})") from error
    is_whole = images.shape == shape and images.dtype == np.uint8 and images.flags.c_contiguous
    count = len(hashes)
    if not is_whole or path.stat().st_size != images.offset + images.nbytes + size_bytes(count):
        raise DamagedError("with a damaged header, or of another length")
    sums = np.fromfile(path, KIND, count, offset=images.offset + images.nbytes)
    each, pixels = math.prod(shape[1:]), images.data.cast("B")
    found = (of_row(pixels[i * each : (i + 1) * each], one) for i, one in enumerate(hashes))
    wrong = int((np.fromiter(found, np.uint32, count) != sums).sum())
    if wrong:
        raise DamagedError(f"with other pixels than were written, of {wrong:,} images")
    return images
