"""Decode every image once into one memory-mapped array, shared by all runs and folds.

The arrays are kept up to a bound, the smaller of 20 GB and a tenth of the disk, or TFCNN_CACHE_GB:
after a training those that were not used for longest are removed.
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

from tfcnn import atomic, threads
from tfcnn.datasets import Progress, Source, data_home
from tfcnn.decode import Decoder, Opened, Pixels
from tfcnn.disk import disk_errors, locked
from tfcnn.errors import InputError
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

VERSION = 3  # raise when the decoder changes: arrays of an earlier one are then made anew
EARLY_BYTES = 2**30  # of memory
MOST_BYTES, MOST_OF_DISK = 20 * 10**9, 0.1
BOUND = "TFCNN_CACHE_GB"


@dataclass(frozen=True)
class Decoded:
    """The decoded images of a manifest.

    Attributes:
        images: uint8, shape `(images, height, width, channels)`, in [0, 255]; memory-mapped.
        decode_seconds: time spent opening image files; 0.0 where the cache had them.
    """

    images: Pixels
    decode_seconds: float


@dataclass
class Early:
    """Images decoded while `manifest.build` had them open, so that none is opened twice.

    As many as `EARLY_BYTES` hold; `decoded` opens the others.

    Attributes:
        decoder: what they go through.
        pixels: uint8 `(height, width, channels)` in [0, 255] by path.
        seconds: time spent in that reading, if it opened any.
    """

    decoder: Decoder
    pixels: dict[str, Pixels] = field(default_factory=dict)
    _start: float = field(default_factory=perf_counter)
    seconds: float = 0.0

    def see(self, path: str, image: Opened) -> None:
        """Decode an opened image; called from several threads."""
        if len(self.pixels) * math.prod(self.decoder.shape) < EARLY_BYTES:
            self.pixels[path] = self.decoder.pixels(image, path)
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
    """
    path = _cache_path(rows, decoder)
    seconds = 0.0
    while True:
        if not path.exists():
            start = perf_counter()
            known = early.pixels if early else {}
            with disk_errors(path), locked(path, wait=True):
                if not path.exists():  # else another process made it meanwhile
                    atomic.remove_parts(path)
                    _fill(path, source, rows, decoder, progress, known)
            seconds = perf_counter() - start + (early.seconds if early else 0.0)
        with contextlib.suppress(FileNotFoundError):  # another process removed it meanwhile
            images = np.load(path, mmap_mode="r")
            break
    with contextlib.suppress(OSError):  # a cache shared read-only serves as well
        os.utime(path)  # the least recently used can be found and removed
    return Decoded(images, seconds)


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
    with atomic.writing(path) as part:
        images = np.lib.format.open_memmap(
            part, mode="w+", dtype=np.uint8, shape=(len(rows), *decoder.shape)
        )
        _reserve(part)

        def decode(i: int) -> None:
            images[i] = decoder.decode(source.read(rows[i].path), rows[i].path)

        unknown = []
        for i, row in enumerate(rows):
            if row.path in known:
                images[i] = known[row.path]
            else:
                unknown.append(i)
        for done, _ in enumerate(threads.ordered(decode, unknown), start=1):
            if progress:
                progress(done, len(unknown))
        images.flush()


def _reserve(path: Path) -> None:
    """Take the whole file's space now: a mapped page without space on disk kills the process."""
    if hasattr(os, "posix_fallocate"):
        with path.open("r+b") as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
