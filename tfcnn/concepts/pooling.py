"""Pooling: keep one number per window, and drop the rest."""

import numpy as np
import numpy.typing as npt

from tfcnn.concepts.windows import (
    Array,
    Padding,
    Stride,
    as_image,
    as_pair,
    check_padding,
    output_size,
    windows,
)


def max_pool2d(
    image: npt.ArrayLike, size: Stride = 2, stride: Stride = 2, padding: Padding = "valid"
) -> Array:
    """Keep the largest number of each window: `out[r, c] = max(window at (r, c))`.

    Args:
        image: numbers, shape `(height, width)` or `(height, width, channels)`; each channel is
            pooled by itself.
        size: window in px, one number or `(height, width)`.
        stride: step in px, one number or `(along the height, along the width)`.
        padding: `valid` drops a last row or column that no window fills; `same` keeps it, and
            padded places never win.

    Returns:
        Array of the dtype of `image`, shape `(out_height, out_width[, channels])`.

    Raises:
        ValueError: if the window does not fit, or size, stride or padding is invalid.

    Example:
        The course's 4x4 filter output:

        >>> image = [[1, 3, 6, 8], [4, 2, 9, 7], [8, 7, 3, 2], [7, 9, 1, 1]]
        >>> max_pool2d(image)
        array([[4, 9],
               [9, 3]])

    Reference:
        Goodfellow, Bengio, Courville, Deep Learning (2016), section 9.3.
    """
    pixels = as_image(image)
    lowest = -np.inf if pixels.dtype.kind == "f" else np.iinfo(pixels.dtype).min
    places = windows(pixels, as_pair("size", size), as_pair("stride", stride), padding, lowest)
    return np.asarray(places.max(axis=(-2, -1)))


def average_pool2d(
    image: npt.ArrayLike, size: Stride = 2, stride: Stride = 2, padding: Padding = "valid"
) -> Array:
    """Keep the mean of each window: `out[r, c] = sum(window) / number of its real pixels`.

    Args:
        image: as for `max_pool2d`, like the size and the stride.
        size: window in px.
        stride: step in px.
        padding: `valid` or `same`; padded places do not count.

    Returns:
        Float array, float32 at least, shape `(out_height, out_width[, channels])`.

    Raises:
        ValueError: if the window does not fit, or size, stride or padding is invalid.

    Example:
        The course's 4x4 filter output:

        >>> image = [[1, 3, 6, 8], [4, 2, 9, 7], [8, 7, 3, 2], [7, 9, 1, 1]]
        >>> average_pool2d(image)
        array([[2.5 , 7.5 ],
               [7.75, 1.75]])

    Reference:
        LeCun et al., Gradient-based learning applied to document recognition (1998),
        section II.A (sub-sampling).
    """
    pixels = as_image(image)
    pixels = pixels.astype(np.result_type(pixels, np.float32))
    box, step = as_pair("size", size), as_pair("stride", stride)
    totals = windows(pixels, box, step, padding).sum(axis=(-2, -1))
    counts = windows(np.ones_like(pixels), box, step, padding).sum(axis=(-2, -1))
    return np.asarray(totals / counts)


def removed_fraction(
    size: Stride = 2,
    stride: Stride = 2,
    image_size: tuple[int, int] | None = None,
    padding: Padding = "valid",
) -> float:
    """Return the share of the numbers that pooling removes: `1 - outputs / inputs`.

    Args:
        size: window in px.
        stride: step in px.
        image_size: `(height, width)` in px; without it a large image, whose border does not
            count: `1 - 1 / (stride_height * stride_width)`.
        padding: `valid` or `same`.

    Returns:
        A fraction in [0, 1].

    Raises:
        ValueError: if the window does not fit, or size, stride or padding is invalid.

    Example:
        The slides' "will remove 75 % of the input data", and an image of odd size:

        >>> removed_fraction(size=2, stride=2)
        0.75
        >>> removed_fraction(2, 2, image_size=(5, 5))
        0.84
    """
    box, step = as_pair("size", size), as_pair("stride", stride)
    check_padding(padding)
    if image_size is None:
        return 1 - 1 / (step[0] * step[1])
    sides = as_pair("image_size", image_size)
    height, width = (output_size(sides[i], box[i], step[i], padding) for i in (0, 1))
    return 1 - height * width / (sides[0] * sides[1])
