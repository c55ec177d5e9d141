"""How many weights a layer has: why convolution needs so few."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from tfcnn.concepts.windows import Stride, as_pair, as_whole


def dense_parameters(inputs: int, units: int) -> int:
    """Count a dense layer: `inputs * units` weights and one bias per unit.

    Args:
        inputs: number of inputs.
        units: number of outputs.

    Returns:
        The number of trainable parameters.

    Raises:
        ValueError: if one is not a whole number of at least 1.

    Example:
        >>> dense_parameters(784, 120)
        94200

    Reference:
        Goodfellow, Bengio, Courville, Deep Learning (2016), section 6.1.
    """
    return (as_whole("inputs", inputs) + 1) * as_whole("units", units)


def convolution_parameters(kernel_size: Stride, in_channels: int, filters: int) -> int:
    """Count a convolution: `kernel_height * kernel_width * in_channels` and a bias per filter.

    The size of the image does not enter: the same weights serve every place.

    Args:
        kernel_size: in px, one number or `(height, width)`.
        in_channels: channels of the image, or filters of the layer before.
        filters: number of filters.

    Returns:
        The number of trainable parameters.

    Raises:
        ValueError: if `kernel_size` is not one or two whole numbers of at least 1, or another is
            not one.

    Example:
        32 filters of 4x4 on an MNIST digit, and the dense layer with as many outputs (25x25x32):

        >>> convolution_parameters(4, in_channels=1, filters=32)
        544
        >>> dense_parameters(28 * 28, 25 * 25 * 32)
        15700000

    Reference:
        LeCun et al., Gradient-based learning applied to document recognition (1998),
        section II.A (shared weights).
    """
    height, width = as_pair("kernel_size", kernel_size)
    weights = height * width * as_whole("in_channels", in_channels)
    return (weights + 1) * as_whole("filters", filters)


def network_parameters(sizes: Sequence[int]) -> int:
    """Count a fully connected network from its layer sizes, the inputs first.

    Args:
        sizes: number of inputs, of units in each hidden layer, of outputs.

    Returns:
        The sum of the dense layers' parameters.

    Raises:
        ValueError: if there are fewer than two, or one is not a whole number of at least 1.

    Example:
        The slides' "over 100,000 for tiny 28 by 28 images":

        >>> network_parameters([784, 120, 84, 10])
        105214

    Reference:
        The layer sizes are those of the course's MNIST network.
    """
    if np.ndim(sizes) != 1 or len(sizes) < 2:
        raise ValueError(f"sizes: expected two or more; received {sizes!r}; try [784, 120, 84, 10]")
    return sum(dense_parameters(inputs, units) for inputs, units in pairwise(sizes))
