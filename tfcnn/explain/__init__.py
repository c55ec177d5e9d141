"""Why a network says what it says: maps of evidence, filters and feature maps, and their checks.

    from tfcnn.explain import Explainer, overlay

    maps = Explainer(run).maps(images)     # float32 (n, height, width) in [0, 1]
    overlay(images[0], maps[0])            # uint8 RGB

Importing it imports neither TensorFlow nor matplotlib.
"""

from typing import TYPE_CHECKING, Any

from tfcnn.explain.explainer import (
    METHODS,
    Explainer,
    Method,
    ModelExplainer,
    feature_maps,
    filters,
)
from tfcnn.explain.map_checks import Sanity, background, sanity_check, share_outside

if TYPE_CHECKING:
    from tfcnn.explain.overlays import overlay

__all__ = [
    "METHODS",
    "Explainer",
    "Method",
    "ModelExplainer",
    "Sanity",
    "background",
    "feature_maps",
    "filters",
    "overlay",
    "sanity_check",
    "share_outside",
]


def __getattr__(name: str) -> Any:
    if name == "overlay":  # matplotlib comes with it
        from tfcnn.explain.overlays import overlay

        return overlay
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
