"""Which images one process predicts: all, or a shard of them, in whole batches.

A batch holds the same images whoever computes it: one process, one of several shards, a command
that goes on after a cut, an actor of a cluster. So each of them computes the same numbers.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tfcnn.base.errors import InputError
from tfcnn.decode import limits
from tfcnn.prediction.answers import Prediction
from tfcnn.prediction.engines import Note, batch_size_of
from tfcnn.prediction.paths import Image, expand, iterate_groups
from tfcnn.runs import Run

SHARD = re.compile(r"([1-9]\d{0,8})/([1-9]\d{0,8})", re.ASCII)


@dataclass(frozen=True)
class Shard:
    """One of several parts of the images, counted from 1: the third of 16 is `3/16`."""

    number: int = 1
    count: int = 1

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"

    def rows(self, total: int, size: int) -> range:
        """Return which of `total` images are in it, as whole batches of `size`, in order."""
        batches = -(-total // size)
        first, end = (n * batches // self.count * size for n in (self.number - 1, self.number))
        return range(first, min(end, total))


WHOLE = Shard()


def parse_shard(text: str) -> Shard:
    """Read `3/16`.

    Raises:
        InputError: if it is no such text, or there is no shard of that number.
    """
    match = SHARD.fullmatch(text)
    if not match or int(match[1]) > int(match[2]):
        expected = "a shard of several, counted from 1"
        raise InputError("--shard", expected, text, "--shard 1/16 to --shard 16/16")
    return Shard(int(match[1]), int(match[2]))


@dataclass(frozen=True)
class Work:
    """The images to predict.

    Attributes:
        run: what answers.
        roots: the paths that a user gave.
        images: those of the shard.
        shard: which of how many.
        has_groups: whether the group of any image of all shards is known.
        batch_size: how many images are computed at once.
    """

    run: Run
    roots: tuple[str | Path, ...]
    images: Sequence[Image]
    shard: Shard
    has_groups: bool
    batch_size: int

    def batches(self) -> Iterator[Sequence[Image]]:
        """Yield the images batch by batch."""
        for start in range(0, len(self.images), self.batch_size):
            yield self.images[start : start + self.batch_size]

    def after(self, count: int) -> "Work":
        """Return what is left to do after the first images."""
        return replace(self, images=self.images[count:])

    def grouped(self, predictions: Iterable[Prediction]) -> Iterator[Prediction]:
        """Yield predictions of the images, in order, with their groups."""
        if not self.has_groups:
            yield from predictions
            return
        groups = iterate_groups(self.run, self.roots, self.images)
        for prediction, group in zip(predictions, groups, strict=True):
            yield replace(prediction, group=group) if group else prediction

    def sha256(self) -> str:
        """Return a hash of the paths of the images, in order."""
        digest = hashlib.sha256()
        for image in self.images:
            digest.update(image.path.encode(errors="surrogateescape") + b"\0")
        return digest.hexdigest()


def plan(
    run: Run, paths: Iterable[str | Path], note: Note | None = None, shard: Shard = WHOLE
) -> Work:
    """List the images of files, folders and zips, or of one shard of them.

    What the run ignored in training is passed over in folders and archives; `note` hears what is.

    Raises:
        InputError: if a path does not exist or holds no image.
    """
    roots = tuple(paths)
    limits.megapixels()  # a wrong setting is refused now, and not at the first image
    images = expand(roots, note, run.ignore)
    size = batch_size_of(run.decoder.shape)
    rows = shard.rows(len(images), size)
    has_groups = any(iterate_groups(run, roots, images))
    part = images if shard == WHOLE else images[rows.start : rows.stop]
    return Work(run, roots, part, shard, has_groups, size)
