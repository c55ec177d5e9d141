"""The images to explain: named, read, at the model's size and larger for the eye."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from tfcnn.base import naming, sampling
from tfcnn.decode import Decoder, Pixels, UnreadableImageError
from tfcnn.prediction import Image, expand

BATCH_SIZE = 32
LONGEST_STEM = naming.LONGEST_NAME - len("-99999.features.png")  # bytes
PICTURE_PX = 256  # the shorter side of a picture is at least this; small images are enlarged


@dataclass(frozen=True)
class Readable:
    """An image that was read.

    Attributes:
        image: where it comes from.
        name: of its picture.
        pixels: at the model's size.
        enlarged: larger, for the eye.
    """

    image: Image
    name: Path
    pixels: Pixels
    enlarged: Pixels


@dataclass(frozen=True)
class Unreadable:
    """An image that could not be read, and why."""

    path: str
    reason: str


def list_images(
    paths: Iterable[str | Path],
    note: Callable[[str], None] | None = None,
    ignore: Sequence[str] = (),
) -> list[tuple[Image, Path]]:
    """List images with a name for the picture of each: theirs, with their sub-folders, as PNG.

    Two images of one name get two names; see `prediction.expand` for `note` and `ignore`.

    Raises:
        InputError: if a path does not exist, or a folder or archive holds no image.
    """
    named: list[tuple[Image, Path]] = []
    stems = {"filters"}  # the name of another picture in the same folder
    for path in paths:
        for image in expand([path], note, ignore):
            inside = Path(image.path).name
            if image.path != str(Path(path)):
                inside = str(Path(image.path).relative_to(Path(path)))
            # a member of an archive may be called ../x or /x
            parts = [part for part in Path(inside).parts if part not in ("..", "/", "\\")]
            name = Path(*(naming.shortened(part, LONGEST_STEM) for part in parts))
            stem = name.with_suffix("") if name.suffix.lower() == ".png" else name
            free, number = stem, 1
            while str(free).casefold() in stems:
                number += 1
                free = stem.with_name(f"{stem.name}-{number}")
            stems |= {str(free).casefold(), f"{free}.features".casefold()}
            named.append((image, free.with_name(f"{free.name}.png")))
    return named


def sample(decoder: Decoder, images: Sequence[tuple[Image, Path]], most: int = 16) -> Pixels:
    """Return some images of every folder, uint8 `(n, height, width, channels)`, at most `most`.

    Those that cannot be read are left out.
    """
    folders = [str(Path(image.path).parent) for image, _ in images]
    chosen = [images[place] for place in sampling.evenly(folders, most)]
    batches = read(decoder, chosen)
    pixels = [one.pixels for batch in batches for one in batch if isinstance(one, Readable)]
    return np.stack(pixels) if pixels else np.zeros((0, *decoder.shape), np.uint8)


def read(
    decoder: Decoder, images: Iterable[tuple[Image, Path]]
) -> Iterator[list[Readable | Unreadable]]:
    """Yield images in batches of at most 32, decoded, or as the error that one gave."""
    height, width = decoder.image_size
    factor = -(-PICTURE_PX // min(height, width))
    larger = replace(decoder, image_size=(height * factor, width * factor))
    batch: list[Readable | Unreadable] = []
    for image, name in images:
        try:
            content = image.read()
            pixels = decoder.decode(content, image.path)
            batch.append(Readable(image, name, pixels, larger.decode(content, image.path)))
        except UnreadableImageError as error:
            batch.append(Unreadable(image.path, error.reason))
        if len(batch) == BATCH_SIZE:
            yield batch
            batch = []
    if batch:
        yield batch
