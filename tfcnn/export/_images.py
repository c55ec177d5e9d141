"""Images for an export: val's of the run, where they still are, else images drawn for it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from tfcnn.base import sampling, threads
from tfcnn.base.errors import TfcnnError
from tfcnn.datasets import Source
from tfcnn.decode import Decoder, Pixels, content_sha256
from tfcnn.prediction import domain
from tfcnn.runs import DOMAIN, SPLIT, Run

MOST = 500  # images that are compared
DRAWN = 200
COARSE = 4  # a drawn image has so many blobs a side, besides noise
MEAN, SPREAD = 0.5, 0.25  # in shares of 255, where the run does not know its own


@dataclass(frozen=True)
class Sample:
    """Images on which an export is compared with the saved model.

    Attributes:
        images: uint8 `(images, height, width, channels)` in [0, 255], decoded as the run does.
        words: what they are, such as "500 val images of malaria".
        is_real: whether they are images of the run's source.
        note: why they are not val's own, or not all that were chosen; "" where they are.
    """

    images: Pixels
    words: str
    is_real: bool
    note: str = ""


def sample(run: Run, most: int = MOST) -> Sample:
    """Return real images of val where they still are, else drawn ones.

    A run that was shipped without its split has images of its source, of any split.
    """
    source, name = open_source(run), run.card["data"]["source"]
    rows, of = _val_rows(run, source)
    if source is not None and rows:
        few = sampling.evenly([row["label"] for row in rows], most)
        found = read(source, [rows[place] for place in few], run.decoder)
        images = [pixels for pixels in found if pixels is not None]
        if images:
            lost = len(few) - len(images)
            note = f"{lost} of {len(few)} {of} are gone, or others than they were" if lost else ""
            return Sample(np.stack(images), f"{len(images)} {of} of {name}", True, note)
    return drawn(run)


def open_source(run: Run) -> Source | None:
    """Return where the images of a run are, None where they are gone; nothing is fetched or made.

    The copy of a user's own Python file in the run is not run: a run may be a stranger's.
    """
    try:
        data = run.recipe.data
    except TfcnnError:
        return None
    from tfcnn.report import exhibits  # its plots need matplotlib, which a service does not

    return exhibits.open_album(data, {}, exhibits.own_images(run)).source


def _val_rows(run: Run, source: Source | None) -> tuple[Sequence[dict[str, str]], str]:
    """Return rows of images with `path`, `label` and `sha256`, and what they are."""
    if (run.path / SPLIT).exists() and run.num_folds:
        return rows_of(run, "test"), "images"
    if (run.path / SPLIT).exists():
        return rows_of(run, "val"), "val images"
    items = () if source is None else source.items
    rows = [{"path": item.path, "label": item.label, "sha256": ""} for item in items]
    return rows, "images"


def rows_of(run: Run, split: str) -> list[dict[str, str]]:
    """Return the rows of `split.csv` of one split."""
    return [row for row in run.split if row["split"] == split]


def read(
    source: Source, rows: Sequence[dict[str, str]], decoder: Decoder
) -> Iterator[Pixels | None]:
    """Yield the pixels of each row, in order; None for an image that is gone or another one."""

    def decoded(row: dict[str, str]) -> Pixels | None:
        try:
            content = source.read(row["path"])
            if row["sha256"] and content_sha256(content) != row["sha256"]:
                return None
            return decoder.decode(content, row["path"])
        except (OSError, LookupError, ValueError, TfcnnError):
            return None

    yield from threads.ordered(decoded, rows)


def drawn(run: Run, count: int = DRAWN) -> Sample:
    """Draw images with the mean and the spread of the training images' pixels.

    They are known where the run has a domain; grey of middle contrast stands for them elsewhere.
    """
    decoder, rng = run.decoder, np.random.default_rng(0)
    means, spreads, words = _statistics(run)
    height, width, channels = decoder.shape
    images = np.empty((count, *decoder.shape), np.uint8)
    for i in range(count):
        blobs = rng.standard_normal((COARSE, COARSE, channels)).astype(np.float32)
        layers = [Image.fromarray(blobs[:, :, c]) for c in range(channels)]
        smooth = np.stack([np.asarray(layer.resize((width, height))) for layer in layers], axis=2)
        noise = 0.9 * smooth + 0.4 * rng.standard_normal(decoder.shape)
        images[i] = np.clip(255 * (means + spreads * noise), 0, 255).astype(np.uint8)
    missing = f"the images of {run.card['data']['source']} are not here"
    return Sample(
        images, f"{count} drawn images", False, f"{missing}: others were drawn, with {words}"
    )


def _statistics(run: Run) -> tuple[Any, Any, str]:
    """Return mean and spread per channel, each `(channels,)`, in shares of 255, and their words."""
    channels, settings = run.decoder.channels, run.card.get("domain")
    if not settings:
        return (
            np.full(channels, MEAN),
            np.full(channels, SPREAD),
            "grey and contrast of a usual picture",
        )
    mean = domain.load(run.file(DOMAIN), settings).arrays["pixel_mean"]
    zones = mean[: 6 * channels].reshape(2, channels, -1)  # of `domain.statistics`
    spread = np.sqrt((zones[1] ** 2).mean(axis=1) + zones[0].var(axis=1))
    return zones[0].mean(axis=1), spread, "the mean and spread of the training images"
