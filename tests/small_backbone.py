"""efficientnet_lite with its first blocks alone: a training of it costs a tenth."""

import keras
import numpy as np
import pytest

from tfcnn.architectures import _imagenet, efficientnet_lite


def shrink(patch: pytest.MonkeyPatch) -> None:
    """Keep two of its stages, and let weights that are drawn stand for what it has learnt."""
    patch.setattr(efficientnet_lite, "STAGES", ((1, 3, 1, 1, 8), (2, 3, 2, 3, 8)))
    patch.setattr(efficientnet_lite, "STEM_FILTERS", 16)
    patch.setattr(efficientnet_lite, "HEAD_FILTERS", 32)
    patch.setattr(_imagenet, "load", _draw)


def _draw(model: keras.Model, variant: int) -> None:
    """Draw the kernels of all layers but the head, the same each time."""
    rng = np.random.default_rng(variant)
    for layer in model.layers:
        if layer.name != "head" and hasattr(layer, "kernel"):
            shape = layer.kernel.shape
            scale = np.sqrt(2 / np.prod(shape[:2]) / (shape[2] if shape[3] > 1 else 1))
            layer.set_weights([rng.normal(0, scale, shape)])
