"""Draw a digit, and watch what every layer of a network makes of it."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tfcnn.runs import Run

TITLE = "Draw a digit, watch every layer"
LEAD = (
    "Draw a digit. Two networks read it: see each of their maps, and how each number in them "
    "is computed."
)
ORDER = 85
SLIDES = ("MNIST with CNN",)
NEEDS_ENGINE = True
NETWORKS = {"mnist": "Ours for MNIST (2026)", "lenet5": "LeNet-5 (1998)"}


def data(run: "Run | None") -> dict[str, Any]:
    """Return the networks, and a digit of each class to begin with."""
    from tfcnn.lab.inside import opened_network
    from tfcnn.lab.site.sample_digits import digits

    networks = {}
    for name, title in NETWORKS.items():
        own = opened_network.shipped(name)
        about = opened_network.about(own)
        network = opened_network.open_network(own).description
        networks[name] = {"title": title, "about": about, "network": network}
    return {"networks": networks, "digits": digits(per_class=1)}


def parts(run: "Run | None") -> dict[str, bytes]:
    """Return the networks' weights."""
    from tfcnn.lab.inside import opened_network

    found: dict[str, bytes] = {}
    for name in NETWORKS:
        found |= opened_network.open_network(opened_network.shipped(name)).parts(name)
    return found
