"""Decode every image once into one memory-mapped array, shared by all runs and folds.

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
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import numpy.typing as npt

from tfcnn.base import atomic, threads
from tfcnn.base.disk import disk_errors, locked
from tfcnn.base.errors import InputError
from tfcnn.datasets import Progress, Source, data_home
from tfcnn.decode import Decoder, Pixels, UprightImage, content_sha256, in_memory
from tfcnn.manifest import Row

# raise it when the decoder or the form of the file changes: then all arrays are made again
VERSION = 4
ATTEMPTS = 3
EARLY_BYTES = 2**30  # of memory
MAX_CACHE_BYTES, MAX_DISK_SHARE = 20 * 10**9, 0.1
BOUND = "TFCNN_CACHE_GB"
CHECKSUM = np.dtype("<u4")


class DamagedError(ValueError):
    """An array file is not as it was written; the message says what is wrong with it."""


@dataclass(frozen=True)
class Decoded:
    """The decoded images of a manifest.

    Attributes:
        images: uint8, shape `(images, height, width, channels)`, in [0, 255]; memory-mapped.
        decode_seconds: time spent opening image files; 0.0 where the cache had them.
        notes: which array was damaged, and so made again; mostly none.
    """

    images: Pixels
    decode_seconds: float
    notes: tuple[str, ...] = ()


@dataclass
class Early:
    """Images decoded while `manifest.build` had them open, so that none is opened twice.

    `EARLY_BYTES` limits their number; `load` opens the others.

    Attributes:
        decoder: what they go through.
        pixels: uint8 `(height, width, channels)` in [0, 255] by the sha256 of the image's file.
        seconds: time spent in that reading, if it opened any.
    """

    decoder: Decoder
    pixels: dict[str, Pixels] = field(default_factory=dict)
    _start: float = field(default_factory=perf_counter)
    seconds: float = 0.0

    def see(self, row: Row, image: UprightImage) -> None:
        """Decode the opened image of a row; called from several threads."""
        if len(self.pixels) * math.prod(self.decoder.shape) < EARLY_BYTES:
            self.pixels[row.sha256] = self.decoder.pixels(image, row.path)
            self.seconds = perf_counter() - self._start


def load(
    source: Source,
    rows: Sequence[Row],
    decoder: Decoder,
    progress: Progress | None = None,
    early: Early | None = None,
) -> Decoded:
    """Return the decoded images of `rows`, in that order, from the cache where it has them.

    The key is the file hashes in order and the decoder's settings. `manifest.build` remembers a
    file's hash by its path, size and time. A file that changed without a change of these keeps its
    old pixels until `tfcnn check`, which reads all files again.

    Args:
        source: where the files are.
        rows: of its manifest.
        decoder: what the files go through.
        progress: called with (images done, of how many) where the cache lacks them.
        early: images that the same decoder has decoded already.

    Raises:
        InputError: if a file is no longer the one that was hashed, or the disk does not keep what
            is written to it.
    """
    path = _cache_path(rows, decoder)
    seconds, notes = 0.0, list[str]()
    for _ in range(ATTEMPTS):
        images, _ = _cached(path, rows, decoder)
        if images is not None:
            with contextlib.suppress(OSError):  # a cache may be shared read-only
                os.utime(path)  # `arrays` sorts by it
            return Decoded(images, seconds, tuple(notes))
        start = perf_counter()
        with disk_errors(path), locked(path, wait=True):
            images, damage = _cached(path, rows, decoder)
            if images is None:  # else another process has made it
                if damage:
                    notes.append(f"{path}: {damage}; the images are decoded again")
                atomic.remove_parts(path)
                _fill(path, source, rows, decoder, progress, early.pixels if early else {})
        seconds = perf_counter() - start + (early.seconds if early else 0.0)
    expected = "a disk that keeps what is written to it"
    received = f"other pixels, {ATTEMPTS} times"
    raise InputError(path, expected, received, "another place for the data (TFCNN_HOME)")


def _cached(path: Path, rows: Sequence[Row], decoder: Decoder) -> tuple[Pixels | None, str]:
    """Return the array in a file, or None; and what is wrong with the file, "" where nothing is."""
    try:
        if path.exists():
            return open_array(path, (len(rows), *decoder.shape), [row.sha256 for row in rows]), ""
    except FileNotFoundError:  # another process has removed it
        pass
    except DamagedError as error:
        return None, f"an array of decoded images {error}"
    return None, ""


def open_array(path: Path, shape: tuple[int, ...], hashes: Sequence[str]) -> Pixels:
    """Map an array file into memory, after comparing every row with its checksum.

    Args:
        path: the file.
        shape: what it must hold, `(images, height, width, channels)`.
        hashes: the sha256 of each image's file.

    Returns:
        uint8 array of that shape in [0, 255], read-only.

    Raises:
        FileNotFoundError: if there is no file.
        DamagedError: if it is not what was written there.
    """
    try:
        images: np.memmap[Any, Any] = np.load(path, mmap_mode="r")
    except (OSError, MemoryError):  # these say nothing about the file's content
        raise
    except Exception as error:  # for a broken header NumPy raises nearly every type
        raise DamagedError(f"cut short, or with a damaged header ({error})") from error
    is_whole = images.shape == shape and images.dtype == np.uint8 and images.flags.c_contiguous
    count = len(hashes)
    end = images.offset + images.nbytes
    if not is_whole or path.stat().st_size != end + count * CHECKSUM.itemsize:
        raise DamagedError("with a damaged header, or of another length")
    expected = np.fromfile(path, CHECKSUM, count, offset=end)
    row_bytes, pixels = math.prod(shape[1:]), images.data.cast("B")
    checksums = (
        checksum_of(pixels[i * row_bytes : (i + 1) * row_bytes], sha256)
        for i, sha256 in enumerate(hashes)
    )
    num_wrong = int((np.fromiter(checksums, np.uint32, count) != expected).sum())
    if num_wrong:
        raise DamagedError(f"with other pixels than were written, of {num_wrong:,} images")
    return images


def checksum_of(pixels: memoryview, sha256: str) -> int:
    """Return the CRC-32 of the hash of an image's file and of its decoded pixels."""
    return zlib.crc32(pixels, zlib.crc32(sha256.encode()))


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


def _cache_path(rows: Sequence[Row], decoder: Decoder) -> Path:
    key = hashlib.sha256(json.dumps([VERSION, decoder.to_dict()], allow_nan=False).encode())
    for row in rows:
        key.update(row.sha256.encode())
    return data_home() / "cache" / f"{key.hexdigest()[:32]}.npy"


def _fill(
    path: Path,
    source: Source,
    rows: Sequence[Row],
    decoder: Decoder,
    progress: Progress | None,
    early: dict[str, Pixels],
) -> None:
    """Decode the images into a new array file, which replaces a damaged one.

    The file is not flushed to the disk before it gets its name. What a power cut leaves of it does
    not match its checksums, and is made again.
    """
    part, checksums = atomic.part_path(path), np.zeros(len(rows), CHECKSUM)
    try:
        images = np.lib.format.open_memmap(
            part, mode="w+", dtype=np.uint8, shape=(len(rows), *decoder.shape)
        )
        _reserve(part, checksums.nbytes)

        def store(i: int, pixels: Pixels) -> None:
            images[i] = pixels
            checksums[i] = checksum_of(np.ascontiguousarray(pixels).data, rows[i].sha256)

        to_decode = []
        for i, row in enumerate(rows):
            if row.sha256 in early:
                store(i, early[row.sha256])
            else:
                to_decode.append(i)

        def decode(i: int) -> None:
            store(i, _decode(source, rows[i], decoder))

        for count, _ in enumerate(threads.ordered(decode, to_decode), start=1):
            if progress:
                progress(count, len(to_decode))
        _write_checksums(part, checksums)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _write_checksums(path: Path, checksums: npt.NDArray[np.uint32]) -> None:
    """Write checksums to the end of an array file, which has room for them."""
    with path.open("r+b") as file:
        file.seek(-checksums.nbytes, os.SEEK_END)
        file.write(checksums.tobytes())


def _decode(source: Source, row: Row, decoder: Decoder) -> Pixels:
    """Read and decode an image, if its file still has the hash in its row."""
    with in_memory(row.path):
        with disk_errors(Path(row.path)):
            content = source.read(row.path)
        if content_sha256(content) != row.sha256:
            expected = "the image whose hash the manifest holds"
            received = "another one: the file has changed"
            hint = "`tfcnn check`, which reads every image anew, then the same again"
            raise InputError(row.path, expected, received, hint)
        return decoder.decode(content, row.path)


def _reserve(path: Path, more_bytes: int) -> None:
    """Reserve the whole file's space: a mapped page without space on disk kills the process."""
    size = path.stat().st_size + more_bytes
    os.truncate(path, size)
    if hasattr(os, "posix_fallocate"):
        with path.open("r+b") as file:
            os.posix_fallocate(file.fileno(), 0, size)
