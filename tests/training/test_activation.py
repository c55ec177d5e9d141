"""GELU in one loop, and learning through it, are Keras' own."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfcnn.training.layers import gelu


@pytest.mark.parametrize(
    ("policy", "tolerance"), [("float64", 1e-6), ("float32", 1e-6), ("mixed_bfloat16", 0.02)]
)
@pytest.mark.parametrize("shape", [(0, 3), (7,), (2, 5, 3, 4)])
def test_values_and_gradients_are_those_of_the_library(policy, tolerance, shape):
    rng = np.random.default_rng(0)
    images = tf.constant(rng.normal(scale=2, size=shape))
    upstream = rng.normal(size=shape)
    layer = keras.layers.Activation(gelu, dtype=policy)
    found = []
    for x, function in (
        (tf.cast(images, layer.compute_dtype), layer),
        (images, keras.activations.gelu),
    ):
        with tf.GradientTape() as tape:
            tape.watch(x)
            outputs = function(x)
        found.append([outputs, tape.gradient(outputs, x, tf.cast(upstream, outputs.dtype))])
    for mine, theirs in zip(*found, strict=True):
        assert mine.dtype == layer.compute_dtype
        np.testing.assert_allclose(
            tf.cast(mine, tf.float64), theirs, atol=tolerance, rtol=tolerance
        )
