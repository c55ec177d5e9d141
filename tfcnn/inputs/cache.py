"""Decode every image once into one memory-mapped array, shared by all runs and folds."""

import contextlib
import hashlib
import json
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import numpy as np

from tfcnn import atomic
from tfcnn.datasets import Progress, Source, data_home
from tfcnn.decode import Decoder, Pixels
from tfcnn.disk import disk_errors
from tfcnn.manifest import Row

__all__ = ["Decoded", "decoded"]

VERSION = 1  # raise when the decoder changes: arrays of an earlier one are then made anew


@dataclass(frozen=True)
class Decoded:
    """The decoded images of a manifest.

    Attributes:
        images: uint8, shape `(images, height, width, channels)`, in [0, 255]; memory-mapped.
        decode_seconds: time spent opening image files; 0.0 where the cache had them.
    """

    images: Pixels
    decode_seconds: float


def decoded(
    source: Source, rows: Sequence[Row], decoder: Decoder, progress: Progress | None = None
) -> Decoded:
    """Return the decoded images of `rows`, in that order, from the cache where it has them.

    The key is the file hashes in order and the decoder's settings, so a changed file or setting
    can never be answered with old pixels.
    """
    path = _cache_path(rows, decoder)
    seconds = 0.0
    if not path.exists():
        start = perf_counter()
        _fill(path, source, rows, decoder, progress)
        seconds = perf_counter() - start
    with contextlib.suppress(OSError):  # a cache shared read-only serves as well
        os.utime(path)  # the least recently used can be found and removed
    return Decoded(np.load(path, mmap_mode="r"), seconds)


def _cache_path(rows: Sequence[Row], decoder: Decoder) -> Path:
    key = hashlib.sha256(json.dumps([VERSION, decoder.to_dict()]).encode())
    for row in rows:
        key.update(row.sha256.encode())
    return data_home() / "cache" / f"{key.hexdigest()[:32]}.npy"


def _fill(
    path: Path, source: Source, rows: Sequence[Row], decoder: Decoder, progress: Progress | None
) -> None:
    with disk_errors(path), atomic.writing(path) as part:
        images = np.lib.format.open_memmap(
            part, mode="w+", dtype=np.uint8, shape=(len(rows), *decoder.shape)
        )
        _reserve(part)

        def decode(i: int) -> None:
            images[i] = decoder.decode(source.read(rows[i].path), rows[i].path)

        # threads, not processes: Pillow lets go of the interpreter while it decodes and resizes
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            for done, _ in enumerate(pool.map(decode, range(len(rows))), start=1):
                if progress:
                    progress(done, len(rows))
        images.flush()


def _reserve(path: Path) -> None:
    """Take the whole file's space now: a mapped page without space on disk kills the process."""
    if hasattr(os, "posix_fallocate"):
        with path.open("r+b") as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
