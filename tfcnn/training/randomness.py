"""One seed for all that a training draws, and the caller's own generators left as they were."""

import contextlib
import random
from collections.abc import Iterator

import keras
import numpy as np
from tensorflow.python.framework import config  # what switches determinism off is not public

__all__ = ["seeded"]


@contextlib.contextmanager
def seeded(seed: int, *, deterministic: bool) -> Iterator[None]:
    """Seed Python, NumPy and TensorFlow; afterwards the first two go on where they were.

    Args:
        seed: at least 0.
        deterministic: whether TensorFlow must compute the same again; this too is undone.
    """
    python, array = random.getstate(), np.random.get_state()  # noqa: NPY002
    was_deterministic = config.is_op_determinism_enabled()
    try:
        keras.utils.set_random_seed(seed)
        _determine(deterministic)
        yield
    finally:
        random.setstate(python)
        np.random.set_state(array)  # noqa: NPY002
        _determine(was_deterministic)


def _determine(wanted: bool) -> None:
    if wanted:
        config.enable_op_determinism()
    else:
        config.disable_op_determinism()
