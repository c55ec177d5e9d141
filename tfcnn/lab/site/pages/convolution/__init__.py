"""Convolution as a layer: few connections, shared weights, channels, growing fields."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tfcnn.runs import Run

TITLE = "Convolutional layers"
LEAD = "From neurons that all connect to a few that share their weights; then in 2-D and in colour."
ORDER = 30
SLIDES = ("Convolutional Layers",)


def data(run: "Run | None") -> dict[str, Any]:
    """Return the layers `(kernel, stride)` of known networks, for their receptive fields."""
    return {
        "stacks": {
            "the course's malaria network": [(3, 1), (2, 2)] * 3,
            "three 3 x 3 layers": [(3, 1)] * 3,
            "one 7 x 7 layer": [(7, 1)],
            "LeNet-5": [(5, 1), (2, 2), (5, 1), (2, 2), (5, 1)],
        }
    }
