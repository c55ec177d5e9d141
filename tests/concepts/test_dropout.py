"""Dropout: what it drops, what it keeps, and the same rule as Keras."""

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tfcnn.concepts.dropout import dropout


@settings(deadline=None, max_examples=20)
@given(rate=st.floats(0, 0.9), seed=st.integers(0, 2**32 - 1))
def test_each_unit_is_dropped_or_scaled_as_in_keras(rate, seed):
    inputs = np.linspace(1, 2, 2000, dtype=np.float32)
    ours = dropout(inputs, rate, np.random.default_rng(seed))
    theirs = np.asarray(keras.layers.Dropout(rate, seed=1)(inputs, training=True))
    assert ours.dtype == theirs.dtype
    scaled = inputs / (1 - rate)
    for outputs in (ours, theirs):
        kept = outputs != 0
        np.testing.assert_allclose(outputs[kept], scaled[kept], rtol=1e-6)
        # Five standard deviations of a binomial share.
        assert abs(kept.mean() - (1 - rate)) <= 5 * np.sqrt(rate * (1 - rate) / 2000)


def test_the_expected_value_stays():
    inputs = np.full(100_000, 3.0)
    assert dropout(inputs, 0.4, np.random.default_rng(0)).mean() == pytest.approx(3, abs=0.05)


def test_the_seed_decides():
    first, again, other = (
        dropout(np.ones(64), 0.5, np.random.default_rng(seed)) for seed in (1, 1, 2)
    )
    assert (first == again).all()
    assert (first != other).any()


def test_nothing_is_dropped_after_training_or_at_rate_zero():
    inputs = np.arange(5.0)
    assert (dropout(inputs, 0.5, np.random.default_rng(0), training=False) == inputs).all()
    assert (dropout(inputs, 0, np.random.default_rng(0)) == inputs).all()


@pytest.mark.parametrize("rate", [-0.1, 1, 1.5, float("nan")])
def test_a_rate_outside_its_range_is_refused(rate):
    with pytest.raises(ValueError, match=r"expected .*; received .*; try "):
        dropout([1.0], rate, np.random.default_rng(0))
