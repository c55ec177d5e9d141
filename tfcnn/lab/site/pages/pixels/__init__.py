"""A picture is a table of numbers; flattened and shuffled, it is the same to an ANN."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tfcnn.runs import Run

TITLE = "Pixels are numbers"
LEAD = "Read a digit as numbers, draw your own, and see what flattening takes away."
ORDER = 10
SLIDES = ("MNIST Data",)


def data(run: "Run | None") -> dict[str, Any]:
    """Return a digit of each class, of scikit-learn's 8 x 8 ones, drawn at 28 x 28."""
    from tfcnn.lab.site.sample_digits import digits

    return {"digits": digits(per_class=1)}
