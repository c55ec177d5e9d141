"""Layers of the training form: Keras' results, by fewer passes over memory."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from tfcnn.training.layers import FasterConv2D, convolve, gelu
from tfcnn.training.precision import choices


@pytest.mark.parametrize(
    ("policy", "tolerance"), [("float64", 1e-6), ("float32", 1e-6), ("mixed_bfloat16", 0.02)]
)
@pytest.mark.parametrize("shape", [(0, 3), (7,), (2, 5, 3, 4)])
def test_gelu_has_the_values_and_gradients_of_the_library(policy, tolerance, shape):
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


ODD = st.sampled_from([1, 3, 5, 7])


@settings(deadline=None, max_examples=25)
@given(
    shape=st.tuples(st.integers(1, 17), st.integers(1, 8), st.integers(1, 8), st.integers(1, 3)),
    size=st.tuples(ODD, ODD),
    filters=st.integers(1, 3),
    seed=st.integers(0, 99),
)
def test_a_convolution_has_the_values_and_gradients_of_the_library(shape, size, filters, seed):
    rng = np.random.default_rng(seed)
    images = tf.constant(rng.normal(size=shape))
    kernel = tf.constant(rng.normal(size=(*size, shape[3], filters)))
    upstream = tf.constant(rng.normal(size=(*shape[:3], filters)))
    found = []
    for convolution in (convolve, lambda *tensors: tf.nn.conv2d(*tensors, 1, "SAME")):
        with tf.GradientTape() as tape:
            tape.watch([images, kernel])
            outputs = convolution(images, kernel)
        found.append([outputs, *tape.gradient(outputs, [images, kernel], upstream)])
    for mine, theirs in zip(*found, strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-9)


@pytest.mark.parametrize(
    ("width", "options", "is_faster"),
    [
        (8, {}, True),
        (9, {}, False),  # wide maps are quick already
        (8, {"strides": 2}, False),
        (8, {"padding": "valid"}, False),
        (8, {"dtype": "float32"}, False),
    ],
)
def test_a_layer_trains_as_keras_does(width, options, is_faster):
    keras.utils.set_random_seed(0)
    options = {"padding": "same", "dtype": "mixed_bfloat16"} | options
    layers = [kind(64, 3, **options) for kind in (keras.layers.Conv2D, FasterConv2D)]
    images = np.random.default_rng(0).normal(size=(3, 5, width, 64)).astype(np.float32)
    found = []
    for layer in layers:
        layer.build(images.shape)
        layer.set_weights(layers[0].get_weights())
        watched = tf.constant(images)
        with tf.GradientTape() as tape:
            tape.watch(watched)
            loss = tf.reduce_mean(tf.cast(layer(watched), tf.float32) ** 2)
        found.append([loss, *tape.gradient(loss, [watched, layer.kernel.value, layer.bias.value])])
    assert layers[1].is_faster_at(images.shape) == is_faster
    # a processor without units for bfloat16 rounds partial sums too, to 8 bits
    tolerance = 0.02 if choices()[0] == "mixed_bfloat16" else 0.05
    for mine, theirs in zip(found[1], found[0], strict=True):
        scale = np.abs(theirs).max()
        np.testing.assert_allclose(mine / scale, theirs / scale, atol=tolerance)
        assert np.abs(mine - theirs).mean() < 0.005 * scale
