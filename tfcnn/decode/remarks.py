"""Remarks on an image: what a model does not get of it, such as its other pages."""

from collections import defaultdict
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


def notes(remarked: Mapping[str, str], background: Background | None = None) -> Iterator[str]:
    """Yield how many images each remark is on: "7 images with several pages, …".

    Args:
        remarked: what `join` returned of each image, by path.
        background: leaves out what vanishes over another one only.
    """
    paths_of: dict[str, list[str]] = defaultdict(list)
    for path, joined in remarked.items():
        for remark in filter(None, join(joined.split(BETWEEN), background).split(BETWEEN)):
            what, _, count = remark.partition(": ")
            paths_of[what].append(f"{path} ({count})" if count else path)
    for what, paths in paths_of.items():
        images = "1 image" if len(paths) == 1 else f"{len(paths):,} images"
        yield f"{images} with {what}, such as {paths[0]}"
