"""The predictions of several images: a list that shows itself, and becomes a pandas table."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, SupportsIndex, overload

from tfcnn.decode import Background, UnreadableImageError, open_image
from tfcnn.display.figures import percent
from tfcnn.display.frame import frame
from tfcnn.display.panel import Grid, Panel, Shown, Thumbnail, below
from tfcnn.display.thumbnail import data_uri
from tfcnn.prediction.answers import Prediction
from tfcnn.prediction.paths import Image

if TYPE_CHECKING:
    import pandas as pd

MOST_SHOWN = 20  # rows
THUMBNAIL_PX = 48


class Predictions(Shown, list[Prediction]):
    """A list of predictions.

    Args:
        predictions: one per image.
        images: where the pictures beside them are read from, when they are shown; in the same
            order.
        background: what is seen there through transparent pixels.
    """

    def __init__(
        self,
        predictions: Iterable[Prediction] = (),
        images: Sequence[Image] = (),
        background: Background = "black",
    ) -> None:
        super().__init__(predictions)
        self._images, self._background = images, background

    @overload
    def __getitem__(self, index: SupportsIndex) -> Prediction: ...
    @overload
    def __getitem__(self, index: slice) -> "Predictions": ...
    def __getitem__(self, index: "SupportsIndex | slice") -> "Prediction | Predictions":
        """Return one prediction, or some of them, as a list does."""
        if isinstance(index, slice):
            return Predictions(super().__getitem__(index), self._images[index], self._background)
        return super().__getitem__(index)

    def to_frame(self) -> "pd.DataFrame":
        """Return a pandas row per image, with the columns of `tfcnn predict --output` and more.

        Raises:
            InputError: if pandas is not installed.
        """
        names = list(dict.fromkeys(name for one in self for name in one.probs))
        rows = [
            {**asdict(one), **{f"prob_{name}": prob for name, prob in one.probs.items()}}
            for one in self
        ]
        probs = (f"prob_{name}" for name in names)
        last = ("decision", "flag", "reason", "remark", "group")
        return frame(rows, ("path", "predicted", *probs, *last))

    def panel(self) -> Panel:
        """Return what a notebook shows: the first of them, with their pictures."""
        counts = Counter(one.flag or one.decision for one in self)
        total = ", ".join(f"{name} {count:,}" for name, count in counts.most_common(MOST_SHOWN))
        plural = "" if len(self) == 1 else "s"
        return Panel(
            f"{len(self):,} prediction{plural}", [total] if total else [], grids=self._grids()
        )

    def _grids(self) -> list[Grid]:
        shown = list(self[:MOST_SHOWN])
        optional = {
            "decision": [one.decision for one in shown],
            "flag": [one.flag for one in shown],
            "group": [one.group for one in shown],
        }
        if all(one.decision == one.predicted for one in shown):
            del optional["decision"]
        optional = {name: column for name, column in optional.items() if any(column)}
        folder, names = below([one.path for one in shown])
        columns = {
            "": [Thumbnail(self._thumbnail(i)) for i in range(len(shown))],
            "image": names,
            "predicted": [one.predicted for one in shown],
            **optional,
            "probability": [percent(one.probs.get(one.predicted)) for one in shown],
        }
        more = len(self) - len(shown)
        return [
            Grid(
                list(columns),
                list(zip(*columns.values(), strict=True)),
                title=f"in {folder}" if folder else "",
                num_texts=len(columns) - 1,
                caption=f"and {more:,} more" if more else "",
            )
        ][: len(shown)]

    def _thumbnail(self, index: int) -> str:
        """Return the picture of an image as a data URI; "" where it cannot be read any more."""
        if index >= len(self._images):
            return ""
        image = self._images[index]
        try:
            opened = open_image(image.read(), image.path, (THUMBNAIL_PX, THUMBNAIL_PX))
            return data_uri(opened.flat(self._background), THUMBNAIL_PX)
        except UnreadableImageError:
            return ""
