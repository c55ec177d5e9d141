"""Dropout: while training, units are switched off at random, so none can rely on another."""

from numbers import Real

import numpy as np
import numpy.typing as npt

from tfcnn.concepts.windows import Array, as_numbers


def dropout(
    inputs: npt.ArrayLike, rate: float, generator: np.random.Generator, training: bool = True
) -> Array:
    """Set a random share `rate` of the inputs to 0 and divide the rest by `1 - rate`.

    `out = inputs * kept / (1 - rate)`, each `kept` 1 with probability `1 - rate`, else 0. The
    division keeps the expected value, so that nothing is left to do after training ("inverted"
    dropout, as in Keras; the paper multiplies by `1 - rate` after training instead).

    Args:
        inputs: numbers of any shape.
        rate: share of units to drop, in [0, 1).
        generator: where the randomness comes from; the same seed drops the same units.
        training: False returns the inputs as they are.

    Returns:
        Float array of the shape of `inputs`, float32 at least.

    Raises:
        ValueError: if `rate` is outside [0, 1), or another argument is of another kind.

    Example:
        >>> dropout(np.ones(8), 0.5, np.random.default_rng(0))
        array([2., 0., 0., 0., 2., 2., 2., 2.])
        >>> dropout(np.ones(3), 0.5, np.random.default_rng(0), training=False)
        array([1., 1., 1.])

    Reference:
        Srivastava et al., Dropout: a simple way to prevent neural networks from overfitting,
        Journal of Machine Learning Research 15 (2014), sections 4 and 10.
    """
    if not (isinstance(rate, Real) and 0 <= rate < 1):
        raise ValueError(f"rate: expected a share from 0 to below 1; received {rate!r}; try 0.5")
    if not isinstance(generator, np.random.Generator):
        raise ValueError(
            f"generator: expected one of NumPy's; received {generator!r}; "
            "try np.random.default_rng(0)"
        )
    values = as_numbers("inputs", inputs)
    values = values.astype(np.result_type(values, np.float32))
    if not training:
        return values
    kept = generator.random(values.shape) >= rate
    return np.where(kept, values / (1 - rate), np.zeros_like(values))
