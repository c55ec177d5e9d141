"""Labels as one-hot rows, and a set of pictures as one block of numbers with four axes."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tfcnn.runs import Run

TITLE = "One-hot labels and tensors"
LEAD = "Write a label as a row of zeros with a 1, and a stack of pictures as one tensor of 4 axes."
ORDER = 60
SLIDES = ("MNIST Data Revisited",)


def data(run: "Run | None") -> dict[str, Any]:
    """Return two digits of each class."""
    from tfcnn.lab.site.sample_digits import digits

    return {"digits": digits(per_class=2)}
