"""Remarks on an image: what a model does not get of it, such as its other pages.

Traits are no remarks: the model gets all of the image, but the file holds it in an unusual way.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

Background = Literal["black", "white"]

PAGES = "several pages, of which only the first is read"
FRAMES = "several frames, of which only the first is read"
CHANNELS = "channels that are neither colour nor alpha, which are not read"
CLEAR = "nothing but transparent pixels"
HIDDEN: dict[Background, str] = {
    "black": "a drawing that vanishes over black, try --set data.background=white",
    "white": "a drawing that vanishes over white, try --set data.background=black",
}
BETWEEN = "; "
# traits
DEEP = "more than 8 bits a channel"
TURNED = "an EXIF mark that turns them"
CMYK, PALETTE = "the colours of printers (CMYK)", "a palette of colours"
MODES = {"CMYK": CMYK, "P": PALETTE, "PA": PALETTE}  # by Pillow's mode


def counted(what: str, count: int, least: int) -> Iterator[str]:
    """Yield a remark with its count, if the count is at least `least`."""
    if count >= least:
        yield f"{what}: {count}"


def join(remarks: Sequence[str], background: Background | None = None) -> str:
    """Return the remarks on an image as one text.

    With a background, remarks on drawings that vanish over the other one are left out.
    """
    hidden = [text for shade, text in HIDDEN.items() if background and shade != background]
    return BETWEEN.join(remark for remark in remarks if remark not in hidden)


class Tally:
    """Counts the images that each remark is on, of any number of images."""

    def __init__(self, background: Background | None = None) -> None:
        self._background = background
        self._counts: Counter[str] = Counter()
        self._first: dict[str, str] = {}

    def add(self, path: str, joined: str) -> None:
        """Count an image with what `join` returned of it, mostly ""."""
        for what, count in _parts(joined, self._background):
            self._counts[what] += 1
            self._first.setdefault(what, f"{path} ({count})" if count else path)

    def notes(self) -> Iterator[str]:
        """Yield how many images each remark is on: "7 images with several pages, …"."""
        for what, count in self._counts.items():
            images = "1 image" if count == 1 else f"{count:,} images"
            yield f"{images} with {what}, such as {self._first[what]}"


def notes(remarked: Mapping[str, str], background: Background | None = None) -> Iterator[str]:
    """Yield how many images each remark is on, see `Tally`.

    Args:
        remarked: what `join` returned of each image, by path.
        background: leaves out what vanishes over another one only.
    """
    tally = Tally(background)
    for path, joined in remarked.items():
        tally.add(path, joined)
    yield from tally.notes()


def by_remark(
    remarked: Mapping[str, str], background: Background | None = None
) -> dict[str, dict[str, str]]:
    """Return for each remark the images that it is on, with its count for each, or "".

    Arguments as of `notes`.
    """
    paths_of: dict[str, dict[str, str]] = defaultdict(dict)
    for path, joined in remarked.items():
        for what, count in _parts(joined, background):
            paths_of[what][path] = count
    return paths_of


def _parts(joined: str, background: Background | None) -> Iterator[tuple[str, str]]:
    """Yield each remark of what `join` returned, mostly none, and its count or ""."""
    if joined:
        for remark in filter(None, join(joined.split(BETWEEN), background).split(BETWEEN)):
            what, _, count = remark.partition(": ")
            yield what, count
