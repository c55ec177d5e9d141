"""The networks that the course names, and two of ours, as drawings: layers, shapes, parameters.

A drawing is made of our own code in `architectures/`, at the published size. `famous.json` holds
them all, because building them takes half a minute: `python -m tfcnn.lab.inside.famous` makes it
anew, and a test compares it with the code.
"""

import json
from pathlib import Path
from typing import Any, NamedTuple

from tfcnn import architectures
from tfcnn.base import atomic, quiet

FILE = Path(__file__).with_suffix(".json")
KEPT = (
    "kernel_size", "strides", "padding", "pool_size", "units", "filters", "rate", "scale",
)  # fmt: skip


class Famous(NamedTuple):
    """A network to draw.

    Attributes:
        key: its name on the page.
        title: how people call it.
        year: in which it was published.
        network: its file in `architectures/`.
        shape: of its images.
        classes: how many it tells apart.
        options: of its `build`.
        words: what was new in it.
    """

    key: str
    title: str
    year: int
    network: str
    shape: tuple[int, int, int]
    classes: int
    options: dict[str, Any]
    words: str


IMAGENET = (224, 224, 3)
FAMOUS = (
    Famous(
        "lenet5", "LeNet-5", 1998, "lenet5", (32, 32, 1), 10, {},
        "It read the digits on cheques. Convolutions and pooling in turn, then dense layers. Each "
        "map of its third layer sees only some of the maps before it.",
    ),
    Famous(
        "alexnet", "AlexNet", 2012, "alexnet", (227, 227, 3), 1000, {},
        "It won ImageNet by far. ReLU instead of tanh, dropout, and two towers, because one "
        "graphics card was too small. Nearly all its parameters are in the dense layers.",
    ),
    Famous(
        "googlenet", "GoogLeNet", 2014, "googlenet", IMAGENET, 1000, {},
        "Filters of several sizes side by side, nine times. 1 x 1 convolutions make the maps fewer "
        "first, and an average replaces the dense layers: a ninth of AlexNet's parameters.",
    ),
    Famous(
        "resnet18", "ResNet-18", 2015, "resnet", IMAGENET, 1000, {"depth": 18},
        "A shortcut goes round every two convolutions, which learn only what to add. So networks "
        "could become deep and still learn.",
    ),
    Famous(
        "resnet50", "ResNet-50", 2015, "resnet", IMAGENET, 1000, {"depth": 50},
        "The same with three convolutions to a block: 1 x 1 makes the maps fewer, 3 x 3 looks, "
        "1 x 1 makes them many again.",
    ),
    Famous(
        "compact", "compact (ours)", 2026, "compact", (96, 96, 3), 2, {},
        "What tfcnn trains for a folder of images: pooling before normalisation, so that a laptop "
        "trains it in minutes.",
    ),
    Famous(
        "speedrun", "speedrun (ours)", 2026, "speedrun", (32, 32, 3), 10, {},
        "Ours for CIFAR-10, and smaller for MNIST: its first filters come from the images "
        "themselves, not from training.",
    ),
)  # fmt: skip


def draw(one: Famous) -> dict[str, Any]:
    """Return the drawing of a network, JSON-ready; its weights are not made."""
    import keras

    from tfcnn.lab.inside import description, steps

    with keras.StatelessScope(initialize_variables=False):
        model = architectures.build(one.network, one.shape, one.classes, one.options)
    network, _ = description.describe(steps.steps_of(model))
    about = {key: getattr(one, key) for key in ("key", "title", "year", "network", "words")}
    return {
        **about,
        "image": network["image"],
        "steps": [_entry(step) for step in network["steps"]],
    }


def drawings() -> list[dict[str, Any]]:
    """Return what `famous.json` holds."""
    found: list[dict[str, Any]] = json.loads(FILE.read_text(encoding="utf-8"))
    return found


def write() -> None:
    """Make `famous.json` anew."""
    lines = ",\n".join(
        json.dumps(draw(one), separators=(",", ":"), allow_nan=False) for one in FAMOUS
    )
    atomic.write_text(FILE, f"[\n{lines}\n]\n")


def _entry(step: dict[str, Any]) -> dict[str, Any]:
    settings = {key: value for key, value in step["settings"].items() if key in KEPT}
    keys = ("name", "kind", "inputs", "place", "shape", "parameters", "activation")
    return {**{key: step[key] for key in keys}, "settings": settings}


if __name__ == "__main__":
    quiet.load_tensorflow()
    write()
