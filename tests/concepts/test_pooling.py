"""Pooling against Keras' layers over random shapes, and the slides' 4x4 example."""

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tfcnn.concepts.pooling import average_pool2d, max_pool2d, removed_fraction

SLIDE = np.array([[1, 3, 6, 8], [4, 2, 9, 7], [8, 7, 3, 2], [7, 9, 1, 1]])
LENGTHS = st.tuples(st.integers(1, 9), st.integers(1, 9))
SMALL = st.tuples(st.integers(1, 4), st.integers(1, 4))
POOLS = [
    (max_pool2d, keras.layers.MaxPooling2D),
    (average_pool2d, keras.layers.AveragePooling2D),
]


@pytest.mark.parametrize(("pool", "layer"), POOLS, ids=["max", "average"])
@settings(deadline=None, max_examples=40)
@given(
    image_size=LENGTHS,
    size=SMALL,
    stride=SMALL,
    channels=st.integers(1, 3),
    padding=st.sampled_from(["valid", "same"]),
    seed=st.integers(0, 2**32 - 1),
)
def test_equals_keras(pool, layer, image_size, size, stride, channels, padding, seed):
    if padding == "valid":
        image_size = tuple(max(pair) for pair in zip(image_size, size, strict=True))
    image = np.random.default_rng(seed).normal(-5, 1, (*image_size, channels)).astype(np.float32)
    expected = np.asarray(layer(size, strides=stride, padding=padding)(image[np.newaxis]))[0]
    result = pool(image, size, stride, padding)
    assert result.dtype == np.float32
    np.testing.assert_allclose(result, expected, atol=1e-5)
    two_axes = pool(image[..., 0], size, stride, padding)
    np.testing.assert_allclose(two_axes, result[..., 0], rtol=1e-6)


def test_slide_example():
    assert max_pool2d(SLIDE).tolist() == [[4, 9], [9, 3]]
    assert average_pool2d(SLIDE).tolist() == [[2.5, 7.5], [7.75, 1.75]]


def test_integers():
    pixels = SLIDE.astype(np.uint8) + 200
    assert max_pool2d(pixels).dtype == np.uint8
    assert average_pool2d(pixels)[0, 0] == 202.5  # no wrap around at 256
    negative = np.full((3, 3), -128, np.int8)
    assert max_pool2d(negative, padding="same").tolist() == [[-128, -128], [-128, -128]]


def test_default_stride_is_two():
    assert max_pool2d(np.zeros((7, 7)), size=3).shape == (3, 3)


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("image_size", [(28, 28), (7, 10)])
def test_removed_fraction_counts_what_pooling_removes(image_size, padding):
    kept = max_pool2d(np.zeros(image_size), 3, 2, padding).size
    removed = removed_fraction(3, 2, image_size, padding)
    assert removed == pytest.approx(1 - kept / (image_size[0] * image_size[1]))


def test_a_pool_of_two_removes_three_quarters():
    assert removed_fraction(2, 2) == 0.75
    assert removed_fraction(2, 2, (1024, 1024)) == 0.75
    assert removed_fraction(3, 3, (999, 999)) == pytest.approx(removed_fraction(3, 3))


@pytest.mark.parametrize("pool", [max_pool2d, average_pool2d])
@pytest.mark.parametrize(
    "options", [{"size": 5}, {"size": 0}, {"stride": 0}, {"padding": "full"}, {"size": (2, 2, 2)}]
)
def test_what_does_not_fit_is_refused(pool, options):
    with pytest.raises(ValueError, match=r"expected .*; received .*; try "):
        pool(SLIDE, **options)
