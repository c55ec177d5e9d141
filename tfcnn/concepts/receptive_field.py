"""The receptive field: how much of the image one unit of a deep layer sees."""

from collections.abc import Iterable

from tfcnn.concepts.windows import as_pair


def receptive_field(layers: Iterable[tuple[int, int]]) -> int:
    """Return how many px along one axis can change one output of a stack of layers.

    `field = 1 + sum over layers of (kernel - 1) * product of the strides before it`: each stride
    spreads the windows of all later layers apart.

    Args:
        layers: `(kernel, stride)` of each convolution or pooling layer, first layer first.

    Returns:
        The length in px; 1 for no layer.

    Raises:
        ValueError: if a kernel or stride is not a whole number of at least 1.

    Example:
        The course's malaria network: three times a 3x3 convolution and a 2x2 pooling.

        >>> receptive_field([(3, 1), (2, 2)] * 3)
        22

    Reference:
        Goodfellow, Bengio, Courville, Deep Learning (2016), section 9.2; Araujo, Norris and Sim,
        Computing receptive fields of convolutional neural networks, Distill (2019).
    """
    field, spread = 1, 1
    for layer in layers:
        kernel, stride = as_pair("layers", layer)
        field += (kernel - 1) * spread
        spread *= stride
    return field
