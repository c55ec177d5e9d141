"""Convolution against Keras' Conv2D and Conv1D over random shapes, and the slides' numbers."""

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tfcnn.concepts.convolution import connections, convolve1d, convolve2d
from tfcnn.concepts.kernels import SLIDE_FILTER, SLIDE_IMAGE

SIZES = st.integers(1, 9)
KERNEL_SIZES = st.integers(1, 5)
STRIDES = st.integers(1, 4)
PADDINGS = st.sampled_from(["valid", "same"])
SEEDS = st.integers(0, 2**32 - 1)
THREE_PARTS = "expected .*; received .*; try "


def keras_convolution(image, kernel, stride, padding):
    """One (height, width, channels) image through a Keras layer that holds `kernel`."""
    layer = keras.layers.Conv2D(
        kernel.shape[3], kernel.shape[:2], strides=stride, padding=padding, use_bias=False
    )
    layer.build((None, *image.shape))
    layer.set_weights([kernel])
    return np.asarray(layer(image[np.newaxis]))[0]


@settings(deadline=None, max_examples=60)
@given(
    size=st.tuples(SIZES, SIZES),
    kernel_size=st.tuples(KERNEL_SIZES, KERNEL_SIZES),
    stride=st.tuples(STRIDES, STRIDES),
    channels=st.integers(1, 4),
    filters=st.integers(1, 3),
    padding=PADDINGS,
    seed=SEEDS,
)
def test_2d_equals_keras(size, kernel_size, stride, channels, filters, padding, seed):
    if padding == "valid":
        size = tuple(max(pair) for pair in zip(size, kernel_size, strict=True))
    rng = np.random.default_rng(seed)
    image = rng.normal(size=(*size, channels)).astype(np.float32)
    kernel = rng.normal(size=(*kernel_size, channels, filters)).astype(np.float32)
    expected = keras_convolution(image, kernel, stride, padding)

    bank = convolve2d(image, kernel, stride, padding)
    assert bank.shape == expected.shape
    assert bank.dtype == np.float32
    np.testing.assert_allclose(bank, expected, atol=1e-4)

    one_filter = convolve2d(image, kernel[..., 0], stride, padding)
    np.testing.assert_allclose(one_filter, expected[..., 0], atol=1e-4)

    grey = keras_convolution(image[..., :1], kernel[..., :1, :1], stride, padding)[..., 0]
    two_axes = convolve2d(image[..., 0], kernel[..., 0, 0], stride, padding)
    np.testing.assert_allclose(two_axes, grey, atol=1e-4)
    each_channel = convolve2d(image, kernel[..., 0, 0], stride, padding)
    assert each_channel.shape == (*expected.shape[:2], channels)
    np.testing.assert_allclose(each_channel[..., 0], two_axes, atol=1e-4)


@settings(deadline=None, max_examples=30)
@given(
    length=st.integers(1, 12),
    kernel_length=KERNEL_SIZES,
    stride=STRIDES,
    filters=st.integers(1, 3),
    padding=PADDINGS,
    seed=SEEDS,
)
def test_1d_equals_keras(length, kernel_length, stride, filters, padding, seed):
    length = max(length, kernel_length) if padding == "valid" else length
    rng = np.random.default_rng(seed)
    signal = rng.normal(size=length).astype(np.float32)
    kernel = rng.normal(size=(kernel_length, filters)).astype(np.float32)
    layer = keras.layers.Conv1D(
        filters, kernel_length, strides=stride, padding=padding, use_bias=False
    )
    layer.build((None, length, 1))
    layer.set_weights([kernel[:, np.newaxis]])
    expected = np.asarray(layer(signal[np.newaxis, :, np.newaxis]))[0]
    np.testing.assert_allclose(convolve1d(signal, kernel, stride, padding), expected, atol=1e-4)
    one = convolve1d(signal, kernel[:, 0], stride, padding)
    np.testing.assert_allclose(one, expected[:, 0], atol=1e-4)
    as_dense = signal @ connections(length, kernel[:, 0], stride, padding)
    np.testing.assert_allclose(as_dense, one, atol=1e-4)


def test_local_connections_are_few_and_shared():
    weights = connections(100, [5.0, 6.0, 7.0])
    assert weights.shape == (100, 98)
    assert np.count_nonzero(weights) == 98 * 3
    assert set(np.unique(weights)) == {0, 5, 6, 7}


def test_slide_image_and_filter_by_hand():
    # Worked out on paper: the filter's only weights are its lower right 2x2, -1 1 / 1 -1, so that
    # it answers at the corners of the square and of its hole.
    answer = convolve2d(SLIDE_IMAGE, SLIDE_FILTER)
    assert answer.tolist() == [[2, 0, -2, 0], [0, 0, 0, 0], [-2, 0, 2, 0], [0, 0, 0, -1]]
    assert convolve2d(SLIDE_IMAGE, SLIDE_FILTER, stride=2).tolist() == [[2, -2], [-2, 2]]
    assert convolve2d(SLIDE_IMAGE, SLIDE_FILTER, padding="same").shape == (6, 6)


def test_photograph_of_720_by_1280_pixels():
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (720, 1280, 3), dtype=np.uint8)
    kernel = rng.normal(size=(3, 3, 3, 2)).astype(np.float32)
    result = convolve2d(image, kernel, stride=2, padding="same")
    assert result.shape == (360, 640, 2)
    assert result.dtype == np.float32
    # 720 and 1280 are even: one row and column of zeros, after the image.
    window = image[200:203, 1000:1003].astype(np.float32)
    expected = np.einsum("ijk,ijkf->f", window, kernel)
    np.testing.assert_allclose(result[100, 500], expected, rtol=1e-4)
    corner = np.einsum("ijk,ijkf->f", image[718:, 1278:].astype(np.float32), kernel[:2, :2])
    np.testing.assert_allclose(result[-1, -1], corner, rtol=1e-4)


def test_small_integers_do_not_wrap_around():
    image = np.full((3, 3), 255, np.uint8)
    assert convolve2d(image, np.ones((3, 3), np.uint8)).tolist() == [[2295]]
    assert convolve2d(image, [[-1]]).min() == -255


def test_convolution_is_linear_and_follows_a_shift():
    rng = np.random.default_rng(1)
    first, second = rng.normal(size=(2, 8, 8))
    kernel = rng.normal(size=(3, 3))
    together = convolve2d(2 * first + second, kernel)
    np.testing.assert_allclose(together, 2 * convolve2d(first, kernel) + convolve2d(second, kernel))
    shifted = convolve2d(first[1:, 2:], kernel)
    np.testing.assert_allclose(shifted, convolve2d(first, kernel)[1:, 2:])


@pytest.mark.parametrize(
    ("image", "kernel", "options"),
    [
        (np.ones((2, 2)), np.ones((3, 3)), {}),
        (np.ones((4, 4, 3)), np.ones((3, 3, 2)), {}),
        (np.ones((4, 4)), np.ones((3, 3, 2, 1)), {}),
        (np.ones((4, 4)), np.ones(3), {}),
        (np.ones((4, 4)), np.ones((0, 3)), {}),
        (np.ones((1, 4, 4, 3)), np.ones((3, 3)), {}),
        (np.ones((0, 4)), np.ones((3, 3)), {"padding": "same"}),
        (np.ones((4, 4), complex), np.ones((3, 3)), {}),
        (np.ones((4, 4)), np.ones((3, 3)), {"padding": "full"}),
        (np.ones((4, 4)), np.ones((3, 3)), {"stride": 0}),
        (np.ones((4, 4)), np.ones((3, 3)), {"stride": 1.5}),
        (np.ones((4, 4)), np.ones((3, 3)), {"stride": (1, 2, 3)}),
    ],
)
def test_what_does_not_fit_is_refused(image, kernel, options):
    with pytest.raises(ValueError, match=THREE_PARTS):
        convolve2d(image, kernel, **options)


@pytest.mark.parametrize(
    ("signal", "filters"), [(np.ones((2, 2)), [1]), ([1, 2], [1, 2, 3]), ([], [1]), ([1], 1)]
)
def test_1d_shapes_that_do_not_fit_are_refused(signal, filters):
    with pytest.raises(ValueError, match=THREE_PARTS):
        convolve1d(signal, filters)
