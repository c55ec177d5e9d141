"""Image kernels: a small matrix, moved over a picture."""

from typing import TYPE_CHECKING, Any

from tfcnn.concepts.kernels import KERNELS, SLIDE_FILTER, SLIDE_IMAGE

if TYPE_CHECKING:
    from tfcnn.runs import Run

TITLE = "Image kernels"
LEAD = "Change nine numbers and watch the picture change. Point at a pixel to see its arithmetic."
ORDER = 20
SLIDES = ("Image Filters",)
# larger than the nine of the slides: a blur of the binomial numbers, and the mean of a square
LARGE = {
    "blur_5": [[a * b / 256 for b in (1, 4, 6, 4, 1)] for a in (1, 4, 6, 4, 1)],
    "box_5": [[0.04] * 5] * 5,
}


def data(run: "Run | None") -> dict[str, Any]:
    """Return the slides' picture and filter, the kernels by name, and a digit."""
    from tfcnn.lab.site.sample_digits import digits

    return {
        "slideImage": SLIDE_IMAGE.tolist(),
        "slideFilter": SLIDE_FILTER.tolist(),
        "kernels": {name: weights.tolist() for name, weights in KERNELS.items()} | LARGE,
        "digit": digits(per_class=1)[5]["pixels"],
    }
