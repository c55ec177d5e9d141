"""The pictures that pages begin with: real handwritten digits, which scikit-learn carries."""

import numpy as np
from PIL import Image

SIDE = 28  # as MNIST's
MARGIN = 4  # MNIST's digits fill 20 x 20 px of 28 x 28


def digits(per_class: int) -> list[dict[str, object]]:
    """Return digits of 28 x 28 px, enlarged from scikit-learn's 8 x 8 ones.

    Args:
        per_class: how many of each of the ten classes.

    Returns:
        In the order of the classes, `label` and `pixels`: 784 numbers in [0, 255], row by row.
    """
    from sklearn.datasets import load_digits

    found = load_digits()
    chosen = [i for label in range(10) for i in np.flatnonzero(found.target == label)[:per_class]]
    return [
        {"label": int(found.target[i]), "pixels": _enlarged(found.images[i]).ravel().tolist()}
        for i in chosen
    ]


def _enlarged(digit: "np.ndarray[tuple[int, int], np.dtype[np.float64]]") -> "np.ndarray":
    """Draw 8 x 8 counts in [0, 16] in the middle of a black picture, as MNIST does."""
    inner = SIDE - 2 * MARGIN
    small = Image.fromarray(np.round(digit * (255 / 16)).astype(np.uint8))
    large = np.asarray(small.resize((inner, inner), Image.Resampling.BICUBIC))
    return np.pad(large, MARGIN)
