"""The course's fully connected network, in NumPy and in Keras."""

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tfcnn.concepts.dense import dense, flatten, relu, softmax


def test_mnist_network_equals_keras():
    sizes = [784, 120, 84, 10]
    network = keras.Sequential(
        [
            keras.Input((28, 28)),
            keras.layers.Flatten(),
            keras.layers.Dense(120, activation="relu", bias_initializer="random_normal"),
            keras.layers.Dense(84, activation="relu", bias_initializer="random_normal"),
            keras.layers.Dense(10, activation="softmax", bias_initializer="random_normal"),
        ]
    )
    image = np.random.default_rng(0).random((28, 28), dtype=np.float32)
    expected = np.asarray(network(image[np.newaxis]))[0]

    values = flatten(image)
    weights = network.get_weights()
    assert [values.size] + [bias.size for bias in weights[1::2]] == sizes
    for number in range(3):
        values = dense(values, weights[2 * number], weights[2 * number + 1])
        values = softmax(values) if number == 2 else relu(values)
    np.testing.assert_allclose(values, expected, atol=1e-6)


@settings(deadline=None, max_examples=30)
@given(
    shape=st.lists(st.integers(1, 5), min_size=2, max_size=3),
    units=st.integers(2, 4),  # Keras warns of a softmax over one unit
    seed=st.integers(0, 2**32 - 1),
)
def test_random_shapes_equal_keras(shape, units, seed):
    rng = np.random.default_rng(seed)
    images = rng.normal(size=(3, *shape)).astype(np.float32)
    flat = np.stack([flatten(image) for image in images])
    np.testing.assert_array_equal(flat, np.asarray(keras.layers.Flatten()(images)))
    weights = rng.normal(size=(flat.shape[1], units)).astype(np.float32)
    bias = rng.normal(size=units).astype(np.float32)
    layer = keras.layers.Dense(units)
    layer.build(flat.shape)
    layer.set_weights([weights, bias])
    outputs = dense(flat, weights, bias)
    np.testing.assert_allclose(outputs, np.asarray(layer(flat)), atol=1e-4)
    np.testing.assert_array_equal(relu(outputs), np.asarray(keras.layers.ReLU()(outputs)))
    np.testing.assert_allclose(softmax(outputs), keras.layers.Softmax()(outputs), atol=1e-6)


def test_softmax_does_not_overflow():
    assert softmax([1000.0, 1000.0]).tolist() == [0.5, 0.5]
    assert softmax([-1000.0, 0.0]).tolist() == [0, 1]


def test_bytes_do_not_wrap_around():
    pixels, ones = np.full(784, 255, np.uint8), np.ones((784, 2), np.uint8)
    assert dense(pixels, ones, ones[0]).tolist() == [199921, 199921]
    np.testing.assert_allclose(softmax(np.array([1, 2, 3], np.uint8)), softmax([1.0, 2.0, 3.0]))


@pytest.mark.parametrize(
    ("inputs", "weights", "bias"),
    [
        (np.ones((28, 28)), np.ones((784, 10)), np.ones(10)),
        (np.ones(3), np.ones((3, 2)), np.ones(3)),
        (np.ones(3), np.ones((3, 2)), 0),
        (np.ones(3), np.ones(3), np.ones(3)),
    ],
)
def test_shapes_that_do_not_fit_are_refused(inputs, weights, bias):
    with pytest.raises(ValueError, match=r"expected .*; received .*; try flatten"):
        dense(inputs, weights, bias)
