"""Pooling keeps one number per window; dropout switches units off while training."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tfcnn.runs import Run

TITLE = "Pooling and dropout"
LEAD = "Keep one number of four, and drop units at random."
ORDER = 40
SLIDES = ("Pooling Layers",)
SLIDE_NUMBERS = [[1, 3, 6, 8], [4, 2, 9, 7], [8, 7, 3, 2], [7, 9, 1, 1]]  # the slides' "filter"


def data(run: "Run | None") -> dict[str, Any]:
    """Return the slides' 4 x 4 numbers, and a digit."""
    from tfcnn.lab.site.sample_digits import digits

    return {"slides": SLIDE_NUMBERS, "digit": digits(per_class=1)[8]["pixels"]}
