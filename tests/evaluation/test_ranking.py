import numpy as np
import pytest
import sklearn.metrics
from hypothesis import given, settings
from hypothesis import strategies as st

from tfcnn.evaluation.sample import Ranking


@settings(deadline=None, max_examples=25)
@given(
    seed=st.integers(0, 10**6),
    num_images=st.integers(5, 60),
    levels=st.sampled_from([2, 5, 1000]),
    num_units=st.integers(1, 8),
)
def test_weighted_areas_equal_scikit_learn(seed, num_images, levels, num_units):
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, levels, num_images) / levels
    is_positive = np.concatenate([[True, False], rng.random(num_images - 2) < 0.4])
    units = rng.integers(0, num_units, num_images)
    weights = rng.integers(0, 5, (3, num_units)).astype(float) + rng.integers(0, 2)
    ranked = Ranking(scores, is_positive, units, num_units)
    with np.errstate(invalid="ignore"):
        areas, precisions = ranked.roc_auc(weights), ranked.average_precision(weights)
    for row in range(3):
        own = weights[row][units]
        if own[is_positive].sum() == 0:
            assert np.isnan(areas[row]) and np.isnan(precisions[row])
        elif own[~is_positive].sum() == 0:
            assert np.isnan(areas[row])
        else:
            expected = sklearn.metrics.roc_auc_score(is_positive, scores, sample_weight=own)
            assert areas[row] == pytest.approx(expected, abs=1e-9)
            expected = sklearn.metrics.average_precision_score(
                is_positive, scores, sample_weight=own
            )
            assert precisions[row] == pytest.approx(expected, abs=1e-9)


def test_float32_weights_lose_no_more_than_their_last_digits():
    rng = np.random.default_rng(1)
    is_positive = rng.random(20_000) < 0.5
    scores = rng.normal(size=20_000) + 2 * is_positive
    ranked = Ranking(scores, is_positive, np.arange(20_000), 20_000)
    weights = rng.integers(0, 3, (2, 20_000)).astype(np.float64)
    for area in (ranked.roc_auc, ranked.average_precision):
        np.testing.assert_allclose(area(weights.astype(np.float32)), area(weights), rtol=2e-6)
