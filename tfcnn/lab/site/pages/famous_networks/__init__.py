"""LeNet-5, AlexNet, GoogLeNet and ResNet, drawn from the code of `architectures/`."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tfcnn.runs import Run

TITLE = "Famous networks"
LEAD = (
    "LeNet-5, AlexNet, GoogLeNet and ResNet, drawn from the code that builds them. Choose a "
    "layer for its details."
)
ORDER = 50
SLIDES = ("Pooling Layers",)


def data(run: "Run | None") -> dict[str, Any]:
    """Return the drawings."""
    from tfcnn.lab.inside import famous

    return {"networks": famous.drawings()}
