"""A run laid open: an image of one's own, every layer's maps, and how each number is computed."""

import base64
import io
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tfcnn.runs import Run

TITLE = "Your own network"
LEAD = (
    "Give the network an image of yours: see every map of every layer, the sum behind each "
    "number, and where it looks."
)
ORDER = 90
SLIDES = ("CNN on Custom Images",)
NEEDS_ENGINE = True
EXAMPLE = "malaria"  # what is shown without a run
PART = "own"
SETTINGS = ("run", "class_names", "positive", "threshold", "decoder", "kinds", "probes")


def data(run: "Run | None") -> dict[str, Any]:
    """Return the network, how its images are decoded, and images to begin with."""
    from tfcnn.export.page import page_settings
    from tfcnn.lab.inside import opened_network

    own = run or opened_network.shipped(EXAMPLE)
    settings = page_settings.settings(own)
    return {
        "settings": {key: settings[key] for key in SETTINGS},
        "use": settings["card"]["use"],
        "is_example": run is None,
        "network": opened_network.open_network(own).description,
        "examples": _examples(own.decoder.channels),
    }


def parts(run: "Run | None") -> dict[str, bytes]:
    """Return the network's weights."""
    from tfcnn.lab.inside import opened_network

    return opened_network.open_network(run or opened_network.shipped(EXAMPLE)).parts(PART)


def _examples(channels: int) -> dict[str, Any]:
    """Return PNG files in base64: handwritten digits for grey images, else drawn cells."""
    import numpy as np

    from tfcnn.datasets.smears import render
    from tfcnn.lab.site.sample_digits import digits

    if channels == 1:
        chosen = [np.array(one["pixels"], np.uint8).reshape(28, 28) for one in digits(1)[2:8:2]]
        return {"what": "a handwritten digit", "files": [_png(one) for one in chosen]}
    rng = np.random.default_rng(3)
    cells = []
    for is_infected in (True, False, True):
        look = render.draw_photograph(render.draw_look(rng), rng)
        cells.append(_png(render.draw_cell(look, infected=is_infected, rng=rng)[0]))
    return {"what": "a cell, drawn by tfcnn", "files": cells}


def _png(pixels: Any) -> str:
    from PIL import Image

    content = io.BytesIO()
    Image.fromarray(pixels).save(content, "PNG")
    return base64.b64encode(content.getvalue()).decode("ascii")
