"""What Keras 3 needs to train on several machines, until Keras does it itself.

`fit` under `MultiWorkerMirroredStrategy` fails for two reasons (keras issue 20585):

* It builds the model from the first batch, and takes the mean of this batch over all workers.
  Here model, metrics and optimizer are built from an empty batch of this process instead.
* It reduces the figures of a step along an axis that they do not have, as each is one number.
  Here they are reduced over the workers only.

Nothing of Keras is replaced: both changes are on the one model and the one strategy.
`tests/training/test_keras_mend.py` fails on the day that Keras needs none of it.
"""

from typing import Any

import keras
import tensorflow as tf

MENDED_IN: tuple[int, int] | None = None  # the first version of Keras, where there is one


def is_needed() -> bool:
    """Say whether the Keras that is installed needs it."""
    major, minor = (int(part) for part in keras.__version__.split(".")[:2])
    return MENDED_IN is None or (major, minor) < MENDED_IN


def mend_strategy(strategy: Any) -> None:
    """Let a strategy reduce numbers, which have no axis."""
    if not is_needed():
        return
    reduce = strategy.reduce

    def over_workers(operation: Any, value: Any, axis: Any = None) -> Any:
        has_axis = axis is not None and tf.nest.flatten(value, expand_composites=True)[0].shape.rank
        return reduce(operation, value, axis=axis if has_axis else None)

    strategy.reduce = over_workers


def build(model: Any, *batch: Any) -> None:
    """Build all that a compiled model needs, so that `fit` need not.

    Args:
        model: compiled.
        batch: images, labels and perhaps weights, of this process; their values do not matter.
    """
    if not is_needed():
        return
    with model.distribute_strategy.scope():
        model._symbolic_build(data_batch=(*batch, None)[:3])
    model._maybe_symbolic_build = lambda **_: None
