"""Decode every image once into one memory-mapped array, shared by all runs and folds."""

import contextlib
import hashlib
import json
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter

import numpy as np

from tfcnn import atomic, threads
from tfcnn.datasets import Progress, Source, data_home
from tfcnn.decode import Decoder, Opened, Pixels
from tfcnn.disk import disk_errors, locked
from tfcnn.manifest import Row

__all__ = ["Decoded", "Early", "decoded"]

VERSION = 3  # raise when the decoder changes: arrays of an earlier one are then made anew
EARLY_BYTES = 2**30  # of memory


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
    if not path.exists():
        start = perf_counter()
        known = early.pixels if early else {}
        with disk_errors(path), locked(path, wait=True):
            if not path.exists():  # else another process made it meanwhile
                atomic.remove_parts(path)
                _fill(path, source, rows, decoder, progress, known)
        seconds = perf_counter() - start + (early.seconds if early else 0.0)
    with contextlib.suppress(OSError):  # a cache shared read-only serves as well
        os.utime(path)  # the least recently used can be found and removed
    return Decoded(np.load(path, mmap_mode="r"), seconds)


def _cache_path(rows: Sequence[Row], decoder: Decoder) -> Path:
    key = hashlib.sha256(json.dumps([VERSION, decoder.to_dict()]).encode())
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
