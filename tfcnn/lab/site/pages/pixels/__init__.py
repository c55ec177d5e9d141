"""A picture is a table of numbers; flattened and shuffled, it is the same to an ANN."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tfcnn.runs import Run

TITLE = "Pixels are numbers"
LEAD = "Read a digit as numbers, draw your own, and see what flattening takes away."
ORDER = 10
SLIDES = ("MNIST Data",)


def data(run: "Run | None") -> dict[str, Any]:
    """Return a digit of each class, and an order of 784 places drawn at random."""
    import numpy as np

    from tfcnn.concepts.kernels import KERNELS
    from tfcnn.lab.site.sample_digits import SIDE, digits

    generator = np.random.default_rng(0)
    return {
        "digits": digits(per_class=1),
        "order": generator.permutation(SIDE * SIDE).tolist(),
        "weights": np.round(generator.normal(0, 0.05, SIDE * SIDE), 4).tolist(),
        "edges": KERNELS["outline"].tolist(),
    }
