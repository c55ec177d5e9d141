"""Decode every image once into one memory-mapped array, shared by all runs and folds.

An array is believed only after every row has been compared with its checksum; a damaged one is
made anew. The arrays are kept up to a bound, the smaller of 20 GB and a tenth of the disk, or
TFCNN_CACHE_GB: after a training those that were not used for longest are removed.
"""

import contextlib
import hashlib
import json
import math
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter

import numpy as np

from tfcnn.base import atomic, threads
from tfcnn.base.disk import disk_errors, locked
from tfcnn.base.errors import InputError
from tfcnn.datasets import Progress, Source, data_home
from tfcnn.decode import Decoder, Opened, Pixels, content_sha256, in_memory
from tfcnn.inputs import _sums
from tfcnn.manifest import Row

__all__ = [
    "Decoded",
    "Early",
    "Kept",
    "bound_bytes",
    "bytes_of",
    "decoded",
    "kept",
    "leftovers",
    "prune",
    "surplus",
]

# raise when the decoder or the form of the file changes: arrays of an earlier one are made anew
VERSION = 4
ATTEMPTS = 3
EARLY_BYTES = 2**30  # of memory
MOST_BYTES, MOST_OF_DISK = 20 * 10**9, 0.1
BOUND = "TFCNN_CACHE_GB"


@dataclass(frozen=True)
class Decoded:
    """The decoded images of a manifest.

    Attributes:
        images: uint8, shape `(images, height, width, channels)`, in [0, 255]; memory-mapped.
        decode_seconds: time spent opening image files; 0.0 where the cache had them.
        notes: which array was damaged, and so made anew; mostly none.
    """

    images: Pixels
    decode_seconds: float
    notes: tuple[str, ...] = ()


@dataclass
class Early:
    """Images decoded while `manifest.build` had them open, so that none is opened twice.

    As many as `EARLY_BYTES` hold; `decoded` opens the others.

    Attributes:
        decoder: what they go through.
        pixels: uint8 `(height, width, channels)` in [0, 255] by the sha256 of the image's file.
        seconds: time spent in that reading, if it opened any.
    """

    decoder: Decoder
    pixels: dict[str, Pixels] = field(default_factory=dict)
    _start: float = field(default_factory=perf_counter)
    seconds: float = 0.0

    def see(self, row: Row, image: Opened) -> None:
        """Decode the opened image of a row; called from several threads."""
        if len(self.pixels) * math.prod(self.decoder.shape) < EARLY_BYTES:
            self.pixels[row.sha256] = self.decoder.pixels(image, row.path)
            self.seconds = perf_counter() - self._start


def decoded(
    source: Source,
    rows: Sequence[Row],
    decoder: Decoder,
    progress: Progress | None = None,
    early: Early | None = None,
) -> Decoded:
    """Return the decoded images of `rows`, in that order, from the cache where it has them.

    The key is the file hashes in order and the decoder's settings. A file's hash is remembered by
    its path, size and time, as `manifest.build` does, so only one that changed without a change of
    these is answered with old pixels; `tfcnn check` reads all anew.

    Args:
        source: where the files are.
        rows: of its manifest.
        decoder: what they go through.
        progress: called with (images done, of how many) where the cache lacks them.
        early: those that were decoded already, by the same decoder.

    Raises:
        InputError: if a file is no longer the one that was hashed, or the disk does not keep what
            is written to it.
    """
    path = _cache_path(rows, decoder)
    seconds, notes = 0.0, list[str]()
    for _ in range(ATTEMPTS):
        images, _ = _sound(path, rows, decoder)
        if images is not None:
            with contextlib.suppress(OSError):  # a cache shared read-only serves as well
                os.utime(path)  # the least recently used can be found and removed
            return Decoded(images, seconds, tuple(notes))
        start = perf_counter()
        with disk_errors(path), locked(path, wait=True):
            images, damage = _sound(path, rows, decoder)
            if images is None:  # else another process made it meanwhile
                if damage:
                    notes.append(f"{path}: {damage}; the images are decoded anew")
                atomic.remove_parts(path)
                _fill(path, source, rows, decoder, progress, early.pixels if early else {})
        seconds = perf_counter() - start + (early.seconds if early else 0.0)
    expected = "a disk that keeps what is written to it"
    received = f"other pixels, {ATTEMPTS} times"
    raise InputError(path, expected, received, "another place for the data (TFCNN_HOME)")


def _sound(path: Path, rows: Sequence[Row], decoder: Decoder) -> tuple[Pixels | None, str]:
    """Return the array in a file, or None; and what is wrong with the file, "" where none is."""
    shape = (len(rows), *decoder.shape)
    try:
        if path.exists():
            return _sums.opened(path, shape, [row.sha256 for row in rows]), ""
    except FileNotFoundError:  # another process removed it meanwhile
        pass
    except _sums.DamagedError as error:
        return None, f"an array of decoded images {error}"
    return None, ""


@dataclass(frozen=True)
class Kept:
    """An array that is kept: its file, its size, and when it was used last (s since 1970)."""

    path: Path
    size_bytes: int
    used: float


def kept() -> list[Kept]:
    """Return the arrays, least recently used first."""
    found = []
    for path in (data_home() / "cache").glob("[!.]*.npy"):
        with contextlib.suppress(FileNotFoundError):  # another process removed it meanwhile
            status = path.stat()
            found.append(Kept(path, status.st_size, status.st_mtime))
    return sorted(found, key=lambda one: one.used)


def leftovers() -> list[Path]:
    """Return what killed processes left of arrays: those that no process is making now."""
    found = []
    for part in (data_home() / "cache").glob(f".*{atomic.PART_SUFFIX}.npy"):
        target = part.with_name(part.name[1:].rpartition("-")[0] + part.suffix)
        with contextlib.suppress(InputError), locked(target):  # else a process is making it
            found.append(part)
    return found


def bound_bytes() -> int:
    """Return how many bytes of arrays are kept: TFCNN_CACHE_GB, or 20 GB or a tenth of the disk.

    Raises:
        InputError: if the variable is no number of gigabytes.
    """
    text = os.environ.get(BOUND)
    if not text:
        folder = data_home().resolve()
        existing = next(path for path in (folder, *folder.parents) if path.exists())
        return int(min(MOST_BYTES, MOST_OF_DISK * shutil.disk_usage(existing).total))
    return bytes_of(text, BOUND)


def bytes_of(size_gb: float | str, subject: str) -> int:
    """Return a number of gigabytes, as it was typed, in bytes.

    Raises:
        InputError: naming the subject if it is none.
    """
    try:
        size_bytes = float(size_gb) * 10**9
        if 0 <= size_bytes < math.inf:
            return int(size_bytes)
    except ValueError:
        pass
    hint = f"{subject}=20"
    raise InputError(subject, "a number of gigabytes", str(size_gb), hint)


def surplus(arrays: Sequence[Kept], keep_bytes: int) -> list[Kept]:
    """Return the arrays over the bound, least recently used first; `arrays` as from `kept`."""
    total, found = sum(one.size_bytes for one in arrays), []
    for one in arrays:
        if total > keep_bytes:
            found.append(one)
            total -= one.size_bytes
    return found


def prune() -> str:
    """Remove the arrays over the bound, except the one used last; return what to say, or ""."""
    arrays, gone = kept(), []
    for one in surplus(arrays, bound_bytes()):
        if one != arrays[-1]:
            with contextlib.suppress(OSError):  # a cache shared read-only
                one.path.unlink(missing_ok=True)
                gone.append(one)
    if not gone:
        return ""
    freed_bytes = sum(one.size_bytes for one in gone)
    return (
        f"the cache of decoded images is kept under {bound_bytes() / 1e9:.3g} GB ({BOUND}): "
        f"{len(gone)} arrays, unused for longest, were removed, {freed_bytes / 1e6:,.0f} MB"
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
    known: dict[str, Pixels],
) -> None:
    """Decode the images into a new array file, which replaces a damaged one.

    It is not brought to the disk before it gets its name: what a power cut leaves of it fails the
    comparison with its checksums, and is made anew.
    """
    part, sums = atomic.part_path(path), np.zeros(len(rows), np.uint32)
    try:
        images = np.lib.format.open_memmap(
            part, mode="w+", dtype=np.uint8, shape=(len(rows), *decoder.shape)
        )
        _reserve(part, _sums.size_bytes(len(rows)))

        def keep(i: int, pixels: Pixels) -> None:
            images[i] = pixels
            sums[i] = _sums.of_row(np.ascontiguousarray(pixels).data, rows[i].sha256)

        unknown = []
        for i, row in enumerate(rows):
            if row.sha256 in known:
                keep(i, known[row.sha256])
            else:
                unknown.append(i)

        def decode(i: int) -> None:
            keep(i, _decoded(source, rows[i], decoder))

        for done, _ in enumerate(threads.ordered(decode, unknown), start=1):
            if progress:
                progress(done, len(unknown))
        _sums.write(part, sums)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _decoded(source: Source, row: Row, decoder: Decoder) -> Pixels:
    """Read and decode an image, if it still is the one that its row was made of."""
    with in_memory(row.path):
        with disk_errors(Path(row.path)):
            content = source.read(row.path)
        if content_sha256(content) != row.sha256:
            expected = "the image whose hash the manifest holds"
            received = "another: the file was changed meanwhile"
            hint = "`tfcnn check`, which reads every image anew, then the same again"
            raise InputError(row.path, expected, received, hint)
        return decoder.decode(content, row.path)


def _reserve(path: Path, more_bytes: int) -> None:
    """Take the whole file's space now: a mapped page without space on disk kills the process."""
    size = path.stat().st_size + more_bytes
    os.truncate(path, size)
    if hasattr(os, "posix_fallocate"):
        with path.open("r+b") as file:
            os.posix_fallocate(file.fileno(), 0, size)
