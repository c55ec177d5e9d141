"""Convolution as deep learning means it: a kernel slides over an image, multiplies and sums."""

import numpy as np
import numpy.typing as npt

from tfcnn.concepts.windows import (
    Array,
    Padding,
    Stride,
    as_image,
    as_numbers,
    as_pair,
    as_whole,
    windows,
)
from tfcnn.concepts.windows import output_size as output_size  # part of this module too


def convolve2d(
    image: npt.ArrayLike, kernel: npt.ArrayLike, stride: Stride = 1, padding: Padding = "valid"
) -> Array:
    """Slide a kernel, or a bank of filters, over an image.

    `out[r, c] = sum over i, j, k of image[r * stride + i, c * stride + j, k] * kernel[i, j, k]`.
    This is cross-correlation: a mathematician's convolution flips the kernel first. A network
    learns its kernels, so the flip changes nothing, and no CNN library does it.

    Args:
        image: numbers, shape `(height, width)` or `(height, width, in_channels)`.
        kernel: numbers, of one of the shapes
            `(kernel_height, kernel_width)`: applied to each channel by itself;
            `(kernel_height, kernel_width, in_channels)`: one filter, summed over channels;
            `(kernel_height, kernel_width, in_channels, filters)`: a convolutional layer.
        stride: step in px, one number or `(along the height, along the width)`.
        padding: `valid` (inside the image only) or `same` (zeros around, as TensorFlow pads).

    Returns:
        Float array, float32 at least: shape `(out_height, out_width)`, with a last axis
        `in_channels` (2-D kernel on a colour image) or `filters` (4-D kernel).

    Raises:
        ValueError: if shapes do not fit each other, or stride or padding is invalid.

    Example:
        >>> image = np.arange(16).reshape(4, 4)
        >>> convolve2d(image, [[0, 1], [-1, 0]], stride=2)  # upper right minus lower left
        array([[-3., -3.],
               [-3., -3.]])
        >>> convolve2d(np.zeros((720, 1280, 3), np.uint8), np.ones((3, 3, 3))).shape
        (718, 1278)

    Reference:
        Goodfellow, Bengio, Courville, Deep Learning (2016), section 9.1;
        LeCun et al., Gradient-based learning applied to document recognition (1998).
    """
    pixels, weights = _matched(as_image(image), np.asarray(kernel))
    size = (weights.shape[0], weights.shape[1])
    places = windows(pixels, size, as_pair("stride", stride), padding)
    if weights.ndim > 2:
        places = np.moveaxis(places, 2, -1)  # (row, column, i, j, channel), as in the kernel
    axes = min(weights.ndim, 3)
    # Row by row: the windows of a whole photograph at once would fill the memory.
    return np.stack([np.tensordot(row, weights, axes=axes) for row in places])


def convolve1d(
    signal: npt.ArrayLike, filters: npt.ArrayLike, stride: int = 1, padding: Padding = "valid"
) -> Array:
    """Slide one filter, or several, along a row of neurons: local connectivity in 1-D.

    `out[p, f] = sum over i of signal[p * stride + i] * filters[i, f]`: each output sees only
    `kernel_length` neighbours, and all share the same few weights.

    Args:
        signal: numbers, shape `(length,)`.
        filters: numbers, shape `(kernel_length,)` or `(kernel_length, filters)`.
        stride: step along the signal.
        padding: `valid` or `same`.

    Returns:
        Float array, shape `(out_length,)` or `(out_length, filters)`.

    Raises:
        ValueError: if shapes do not fit, or stride or padding is invalid.

    Example:
        >>> convolve1d([1, 2, 4, 8], [-1, 1])  # one filter: the difference of two neighbours
        array([1., 2., 4.])
        >>> convolve1d([1, 2, 4, 8], [[-1, 0.5], [1, 0.5]])  # two filters: and their mean
        array([[1. , 1.5],
               [2. , 3. ],
               [4. , 6. ]])

    Reference:
        Goodfellow, Bengio, Courville, Deep Learning (2016), section 9.2.
    """
    values, weights = as_numbers("signal", signal), as_numbers("filters", filters)
    if values.ndim != 1 or weights.ndim not in (1, 2) or 0 in (values.size, weights.size):
        raise ValueError(
            "signal, filters: expected shapes (length,) and (kernel_length[, filters]); "
            f"received {values.shape} and {weights.shape}; try convolve2d for images"
        )
    kind = np.result_type(values, weights, np.float32)
    places = windows(values.astype(kind), weights.shape[:1], (stride,), padding)
    return np.tensordot(places, weights.astype(kind), axes=1)


def connections(
    length: int, kernel: npt.ArrayLike, stride: int = 1, padding: Padding = "valid"
) -> Array:
    """Return the weights of the fully connected layer that does what one 1-D filter does.

    Nearly all are zero (local connectivity), and the rest repeat (shared weights):
    `signal @ connections(length, kernel) = convolve1d(signal, kernel)`.

    Args:
        length: number of input neurons.
        kernel: one filter, shape `(kernel_length,)`.
        stride: step along the signal.
        padding: `valid` or `same`.

    Returns:
        Float array, shape `(length, out_length)`.

    Raises:
        ValueError: if `length` is not a whole number of at least 1, or `convolve1d` refuses.

    Example:
        >>> connections(4, [7, 9])
        array([[7., 0., 0.],
               [9., 7., 0.],
               [0., 9., 7.],
               [0., 0., 9.]])

    Reference:
        Goodfellow, Bengio, Courville, Deep Learning (2016), section 9.1 (Toeplitz matrix).
    """
    if np.ndim(kernel) != 1:
        received = f"shape {np.shape(kernel)}"
        raise ValueError(
            f"kernel: expected shape (kernel_length,); received {received}; try [7, 9]"
        )
    neurons = np.eye(as_whole("length", length))
    return np.stack([convolve1d(one, kernel, stride, padding) for one in neurons])


def _matched(image: Array, kernel: Array) -> tuple[Array, Array]:
    if image.ndim == 2 and kernel.ndim > 2:
        image = image[:, :, np.newaxis]  # a grey image has one channel
    fits = kernel.ndim == 2 or (kernel.ndim in (3, 4) and kernel.shape[2] == image.shape[-1])
    if not fits or kernel.size == 0 or kernel.dtype.kind not in "iuf":
        raise ValueError(
            "kernel: expected real numbers of shape (kernel_height, kernel_width[, in_channels"
            f"[, filters]]) for an image of shape {image.shape}; received {kernel.dtype} of "
            f"shape {kernel.shape}; try kernel.shape[2] = the image's channels"
        )
    kind = np.result_type(image, kernel, np.float32)  # uint8 would wrap around at 256
    return image.astype(kind), kernel.astype(kind)
