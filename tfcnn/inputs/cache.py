"""Decode every image once into one memory-mapped array, shared by all runs and folds."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter

import numpy as np

from tfcnn.base import threads
from tfcnn.base.disk import disk_errors
from tfcnn.base.errors import InputError
from tfcnn.datasets import Progress, Source
from tfcnn.decode import (
    Content,
    Decoder,
    Pixels,
    UprightImage,
    content_sha256,
    in_memory,
    open_image,
)
from tfcnn.inputs import arrays
from tfcnn.manifest import Row

# raise it when the decoder or the form of the file changes: then all arrays are made again
VERSION = 4
EARLY_BYTES = 2**30  # of memory


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

    def see(self, row: Row, image: UprightImage, content: Content) -> None:
        """Decode the opened image of a row; called from several threads."""
        if len(self.pixels) * math.prod(self.decoder.shape) < EARLY_BYTES:
            if not self.decoder.takes(image):
                image = open_image(content, row.path, self.decoder.least)
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
    held = early.pixels if early else {}
    to_decode = [i for i, row in enumerate(rows) if row.sha256 not in held]

    def fill(store: arrays.Store) -> None:
        for i, row in enumerate(rows):
            if row.sha256 in held:
                store(i, held[row.sha256])

        def decode(i: int) -> None:
            store(i, decode_row(source, rows[i], decoder))

        for count, _ in enumerate(threads.ordered(decode, to_decode), start=1):
            if progress:
                progress(count, len(to_decode))

    kept = arrays.kept(form_of(rows, decoder), fill)
    seconds = kept.seconds + (early.seconds if early and kept.seconds else 0.0)
    return Decoded(kept.values, seconds, kept.notes)


def form_of(rows: Sequence[Row], decoder: Decoder) -> arrays.Form:
    """Return what the array file of these images holds, and where it is."""
    hashes = [row.sha256 for row in rows]
    path = arrays.path_of([VERSION, decoder.to_dict()], hashes)
    noun, advice = "an array of decoded images", "the images are decoded again"
    return arrays.Form(path, decoder.shape, np.dtype(np.uint8), hashes, noun, advice)


def decode_row(source: Source, row: Row, decoder: Decoder) -> Pixels:
    """Read and decode an image, if its file still has the hash in its row.

    Raises:
        InputError: if it has not.
    """
    with in_memory(row.path):
        with disk_errors(Path(row.path)):
            content = source.read(row.path)
        if content_sha256(content) != row.sha256:
            expected = "the image whose hash the manifest holds"
            received = "another one: the file has changed"
            hint = "`tfcnn check`, which reads every image anew, then the same again"
            raise InputError(row.path, expected, received, hint)
        return decoder.decode(content, row.path)
