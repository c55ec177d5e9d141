"""The fully connected network of the course: flatten, multiply, bend, and share out to one."""

import numpy as np
import numpy.typing as npt

from tfcnn.concepts.windows import Array, as_numbers


def flatten(image: npt.ArrayLike) -> Array:
    """Lay an image out as one row of numbers, row after row: `(28, 28)` becomes `(784,)`.

    Which pixels were neighbours is lost: the reason for convolution.

    Args:
        image: array of any shape, for instance `(height, width)` or `(height, width, channels)`.

    Returns:
        Array of the same dtype, shape `(height * width * channels,)`.

    Example:
        >>> flatten(np.zeros((28, 28))).shape
        (784,)
        >>> flatten([[1, 2], [3, 4]])
        array([1, 2, 3, 4])
    """
    return np.asarray(image).reshape(-1)


def dense(inputs: npt.ArrayLike, weights: npt.ArrayLike, bias: npt.ArrayLike) -> Array:
    """Connect every input with every unit: `out = inputs @ weights + bias`.

    Args:
        inputs: numbers, shape `(inputs,)` or `(batch, inputs)`.
        weights: numbers, shape `(inputs, units)`.
        bias: numbers, shape `(units,)`.

    Returns:
        Float array, float32 at least, of shape `(units,)` or `(batch, units)`, before the
        activation.

    Raises:
        ValueError: if the shapes do not fit each other.

    Example:
        >>> dense([1, 2], [[1, 0, -1], [0, 1, 1]], [0, 0, 10])
        array([ 1.,  2., 11.])

    Reference:
        Goodfellow, Bengio, Courville, Deep Learning (2016), section 6.1.
    """
    x, w, b = np.asarray(inputs), np.asarray(weights), np.asarray(bias)
    if x.ndim not in (1, 2) or w.ndim != 2 or x.shape[-1] != w.shape[0] or b.shape != w.shape[1:]:
        raise ValueError(
            "inputs, weights, bias: expected shapes ([batch,] inputs), (inputs, units) and "
            f"(units,); received {x.shape}, {w.shape} and {b.shape}; try flatten(image) first"
        )
    kind = np.result_type(x, w, b, np.float32)  # uint8 would wrap around at 256
    return np.asarray(x.astype(kind) @ w.astype(kind) + b.astype(kind))


def relu(values: npt.ArrayLike) -> Array:
    """Cut off what is negative: `max(value, 0)`.

    Args:
        values: numbers of any shape.

    Returns:
        Array of the same shape and dtype.

    Raises:
        ValueError: if something is no real number.

    Example:
        >>> relu([-2, 0, 3])
        array([0, 0, 3])

    Reference:
        Goodfellow, Bengio, Courville, Deep Learning (2016), section 6.3.1.
    """
    return np.maximum(as_numbers("values", values), 0)


def softmax(logits: npt.ArrayLike) -> Array:
    """Turn scores into probabilities: `exp(logit) / sum of exp(logits)`.

    The largest logit is subtracted first: the result is the same, and `exp` cannot overflow.

    Args:
        logits: numbers, shape `(classes,)` or `(batch, classes)`.

    Returns:
        Float array, float32 at least, of the same shape in [0, 1]; the last axis sums to 1.

    Raises:
        ValueError: if there is no class, or something is no real number.

    Example:
        >>> softmax([0, 0, np.log(2)])
        array([0.25, 0.25, 0.5 ])

    Reference:
        Goodfellow, Bengio, Courville, Deep Learning (2016), sections 4.1 and 6.2.2.3.
    """
    scores = as_numbers("logits", logits)
    if not scores.ndim or not scores.shape[-1]:
        raise ValueError(f"logits: expected one for each class; received {logits!r}; try [0, 1]")
    scores = scores.astype(np.result_type(scores, np.float32))
    powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True))
