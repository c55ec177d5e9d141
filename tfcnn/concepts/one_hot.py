"""One-hot labels: a class is a place in a row of zeros."""

import numpy as np
import numpy.typing as npt

from tfcnn.concepts.windows import Array, as_numbers, as_whole


def one_hot(labels: npt.ArrayLike, num_classes: int) -> Array:
    """Write each label as a row with a 1 at its place: `out[n, c] = 1 if labels[n] == c else 0`.

    Args:
        labels: whole numbers in [0, num_classes), one, or an array of shape `(images,)` or, as
            CIFAR-10's are stored, `(images, 1)`.
        num_classes: length of a row.

    Returns:
        int64 array, shape `(num_classes,)` or `(images, num_classes)`.

    Raises:
        ValueError: if a label is not a whole number in the range, or `num_classes` not one from 1.

    Example:
        The slides' label of a 4:

        >>> one_hot(4, 10)
        array([0, 0, 0, 0, 1, 0, 0, 0, 0, 0])

    Reference:
        Goodfellow, Bengio, Courville, Deep Learning (2016), section 5.8.2 (one-hot code).
    """
    index, num_classes = as_numbers("labels", labels), as_whole("num_classes", num_classes)
    wrong = index[(index < 0) | (index >= num_classes)]
    if index.dtype.kind == "f" or wrong.size:
        received, hint = f"{wrong[0]}" if wrong.size else f"{index.dtype}", "labels.astype(int)"
        if index.dtype.kind != "f":
            largest = int(index.max())
            hint = f"num_classes={largest + 1}" if index.min() >= 0 else "labels counted from 0"
        raise ValueError(
            f"labels: expected whole numbers from 0 to {num_classes - 1}; received {received}; "
            f"try {hint}"
        )
    if index.ndim > 1 and index.shape[-1] == 1:
        index = index[..., 0]
    return np.asarray(np.eye(num_classes, dtype=np.int64)[index])
