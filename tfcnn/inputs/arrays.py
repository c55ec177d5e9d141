"""Arrays that are computed once and kept: memory-mapped files, checked whenever they are opened.

An array file ends in a CRC-32 of each row, which NumPy passes over, as it reads the bytes that the
header names. The checksum begins with the hash of the image file, so that a row that was zeroed,
that changed places with another, or that belongs to another image is noticed. CRC-32 detects damage
and not intent; it is the fastest checksum of the standard library, twice as fast as SHA-256.
A damaged array is made again.

The arrays are kept up to a bound, TFCNN_CACHE_GB, or else the smaller of 20 GB and a tenth of the
disk. After a training the least recently used arrays over the bound are removed.
"""

import contextlib
import hashlib
import json
import math
import os
import shutil
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import numpy.typing as npt

from tfcnn.base import atomic
from tfcnn.base.disk import disk_errors, locked
from tfcnn.base.errors import InputError
from tfcnn.datasets import data_home

Array = npt.NDArray[Any]
Store = Callable[[int, Array], None]  # called with the number of a row and its values

ATTEMPTS = 3
MAX_CACHE_BYTES, MAX_DISK_SHARE = 20 * 10**9, 0.1
BOUND = "TFCNN_CACHE_GB"
CHECKSUM = np.dtype("<u4")


class DamagedError(ValueError):
    """An array file is not as it was written; the message says what is wrong with it."""


@dataclass(frozen=True)
class Form:
    """What an array file holds: a row of values per image.

    Attributes:
        path: of the file; see `path_of`.
        row_shape: of the values of an image.
        kind: the type of a value.
        hashes: the sha256 of each image's file.
        noun: what the array is called in a message.
        advice: what follows where it is damaged.
    """

    path: Path
    row_shape: tuple[int, ...]
    kind: "np.dtype[Any]"
    hashes: Sequence[str]
    noun: str
    advice: str


@dataclass(frozen=True)
class Kept:
    """An array of the cache.

    Attributes:
        values: `(images, *row_shape)`; memory-mapped, read-only.
        seconds: time spent computing it; 0.0 where the cache had it.
        notes: which array was damaged, and so made again; mostly none.
    """

    values: Array
    seconds: float
    notes: tuple[str, ...] = ()


def path_of(key: Any, hashes: Sequence[str]) -> Path:
    """Return the path of an array: of what JSON calls `key`, for files of these sha256."""
    digest = hashlib.sha256(json.dumps(key, allow_nan=False).encode())
    for sha256 in hashes:
        digest.update(sha256.encode())
    return data_home() / "cache" / f"{digest.hexdigest()[:32]}.npy"


def kept(form: Form, fill: Callable[[Store], None]) -> Kept:
    """Return an array from the cache, or compute it and keep it.

    Args:
        form: what the file holds.
        fill: computes the array: it calls what it is given once for every row.

    Raises:
        InputError: if the disk does not keep what is written to it.
    """
    seconds, notes = 0.0, list[str]()
    for _ in range(ATTEMPTS):
        values, _ = _cached(form)
        if values is not None:
            with contextlib.suppress(OSError):  # a cache may be shared read-only
                os.utime(form.path)  # `array_files` sorts by it
            return Kept(values, seconds, tuple(notes))
        start = perf_counter()
        with disk_errors(form.path), locked(form.path, wait=True):
            values, damage = _cached(form)
            if values is None:  # else another process has made it
                if damage:
                    notes.append(f"{form.path}: {damage}; {form.advice}")
                atomic.remove_parts(form.path)
                _write(form, fill)
        seconds = perf_counter() - start
    expected = "a disk that keeps what is written to it"
    received = f"other values, {ATTEMPTS} times"
    raise InputError(form.path, expected, received, "another place for the data (TFCNN_HOME)")


def _cached(form: Form) -> tuple[Array | None, str]:
    """Return the array in a file, or None; and what is wrong with the file, "" where nothing is."""
    try:
        if form.path.exists():
            return open_array(form), ""
    except FileNotFoundError:  # another process has removed it
        pass
    except DamagedError as error:
        return None, f"{form.noun} {error}"
    return None, ""


def open_array(form: Form) -> Array:
    """Map an array file into memory, after comparing every row with its checksum.

    Returns:
        The array, read-only.

    Raises:
        FileNotFoundError: if there is no file.
        DamagedError: if it is not what was written there.
    """
    path, count = form.path, len(form.hashes)
    try:
        values: np.memmap[Any, Any] = np.load(path, mmap_mode="r")
    except (OSError, MemoryError):  # these say nothing about the file's content
        raise
    except Exception as error:  # for a broken header NumPy raises nearly every type
        raise DamagedError(f"cut short, or with a damaged header ({error})") from error
    is_whole = values.shape == (count, *form.row_shape) and values.dtype == form.kind
    end = values.offset + values.nbytes
    is_right_size = path.stat().st_size == end + count * CHECKSUM.itemsize
    if not (is_whole and values.flags.c_contiguous and is_right_size):
        raise DamagedError("with a damaged header, or of another length")
    expected = np.fromfile(path, CHECKSUM, count, offset=end)
    row_bytes, content = math.prod(form.row_shape) * form.kind.itemsize, values.data.cast("B")
    checksums = (
        checksum_of(content[i * row_bytes : (i + 1) * row_bytes], sha256)
        for i, sha256 in enumerate(form.hashes)
    )
    num_wrong = int((np.fromiter(checksums, np.uint32, count) != expected).sum())
    if num_wrong:
        raise DamagedError(f"with other values than were written, of {num_wrong:,} images")
    return values


def checksum_of(values: memoryview, sha256: str) -> int:
    """Return the CRC-32 of the hash of an image's file and of its row."""
    return zlib.crc32(values, zlib.crc32(sha256.encode()))


def _write(form: Form, fill: Callable[[Store], None]) -> None:
    """Write a new array file, which replaces a damaged one.

    The file is not flushed to the disk before it gets its name. What a power cut leaves of it does
    not match its checksums, and is made again.
    """
    part, checksums = atomic.part_path(form.path), np.zeros(len(form.hashes), CHECKSUM)
    try:
        values = np.lib.format.open_memmap(
            part, mode="w+", dtype=form.kind, shape=(len(form.hashes), *form.row_shape)
        )
        _reserve(part, checksums.nbytes)

        def store(i: int, row: Array) -> None:
            values[i] = row
            checksums[i] = checksum_of(values[i].data.cast("B"), form.hashes[i])

        fill(store)
        _write_checksums(part, checksums)
        part.replace(form.path)
    finally:
        part.unlink(missing_ok=True)


def _write_checksums(path: Path, checksums: npt.NDArray[np.uint32]) -> None:
    """Write checksums to the end of an array file, which has room for them."""
    with path.open("r+b") as file:
        file.seek(-checksums.nbytes, os.SEEK_END)
        file.write(checksums.tobytes())


def _reserve(path: Path, more_bytes: int) -> None:
    """Reserve the whole file's space: a mapped page without space on disk kills the process."""
    size = path.stat().st_size + more_bytes
    os.truncate(path, size)
    if hasattr(os, "posix_fallocate"):
        with path.open("r+b") as file:
            os.posix_fallocate(file.fileno(), 0, size)


@dataclass(frozen=True)
class ArrayFile:
    """An array of the cache: its file, its size, and when it was used last (s since 1970)."""

    path: Path
    size_bytes: int
    last_use: float


def array_files() -> list[ArrayFile]:
    """Return the arrays of the cache, least recently used first."""
    files = []
    for path in (data_home() / "cache").glob("[!.]*.npy"):
        with contextlib.suppress(FileNotFoundError):  # another process has removed it
            status = path.stat()
            files.append(ArrayFile(path, status.st_size, status.st_mtime))
    return sorted(files, key=lambda file: file.last_use)


def leftovers() -> list[Path]:
    """Return the half-written arrays that no process is writing now."""
    parts = []
    for part in (data_home() / "cache").glob(f".*{atomic.PART_SUFFIX}.npy"):
        target = part.with_name(part.name[1:].rpartition("-")[0] + part.suffix)
        with contextlib.suppress(InputError), locked(target):  # else a process is writing it
            parts.append(part)
    return parts


def bound_bytes() -> int:
    """Return how large the cache may be: TFCNN_CACHE_GB, else 20 GB or a tenth of the disk.

    Raises:
        InputError: if the variable is no number of gigabytes.
    """
    text = os.environ.get(BOUND)
    if not text:
        folder = data_home().resolve()
        existing = next(path for path in (folder, *folder.parents) if path.exists())
        return int(min(MAX_CACHE_BYTES, MAX_DISK_SHARE * shutil.disk_usage(existing).total))
    return bytes_of(text, BOUND)


def bytes_of(size_gb: float | str, subject: str) -> int:
    """Return a number of gigabytes in bytes.

    Raises:
        InputError: naming the subject if the size is no number of gigabytes.
    """
    try:
        size_bytes = float(size_gb) * 10**9
        if 0 <= size_bytes < math.inf:
            return int(size_bytes)
    except ValueError:
        pass
    raise InputError(subject, "a number of gigabytes", str(size_gb), f"{subject}=20")


def surplus(files: Sequence[ArrayFile], max_bytes: int) -> list[ArrayFile]:
    """Return the arrays over the bound, least recently used first; `files` from `array_files`."""
    total, over = sum(file.size_bytes for file in files), []
    for file in files:
        if total > max_bytes:
            over.append(file)
            total -= file.size_bytes
    return over


def prune() -> str:
    """Remove the arrays over the bound except the last used one; return a message, or ""."""
    files, removed = array_files(), []
    for file in surplus(files, bound_bytes()):
        if file != files[-1]:
            with contextlib.suppress(OSError):  # a cache may be shared read-only
                file.path.unlink(missing_ok=True)
                removed.append(file)
    if not removed:
        return ""
    freed_bytes = sum(file.size_bytes for file in removed)
    return (
        f"the cache of decoded images is kept under {bound_bytes() / 1e9:.3g} GB ({BOUND}): "
        f"the {len(removed)} least recently used arrays were removed, {freed_bytes / 1e6:,.0f} MB"
    )
