"""Why a network says what it says: maps of evidence, filters and feature maps, and their checks.

    from tfcnn.explain import Explainer, overlay

    maps = Explainer(run).maps(images)     # float32 (n, height, width) in [0, 1]
    overlay(images[0], maps[0])            # uint8 RGB

Importing it imports neither TensorFlow nor matplotlib.
"""

from typing import TYPE_CHECKING, Any

from tfcnn.explain.cam import METHODS, Method, ModelExplainer
from tfcnn.explain.explainer import Explainer, feature_maps, filters
from tfcnn.explain.outside import background, share_outside
from tfcnn.explain.sanity import Sanity
from tfcnn.explain.sanity import check as sanity_check

if TYPE_CHECKING:
    from tfcnn.explain.pictures import overlay

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
        from tfcnn.explain.pictures import overlay

        return overlay
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
