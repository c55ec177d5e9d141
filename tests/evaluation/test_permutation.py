"""Tests over groups: their p values, by hand, against SciPy, and in simulation."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tfcnn.evaluation import permutation


def test_holm_by_hand():
    assert permutation.holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert permutation.holm([0.5, 0.9]) == [1.0, 1.0] and permutation.holm([]) == []


@given(st.lists(st.floats(0.0001, 1), min_size=1, max_size=12))
@settings(max_examples=50, deadline=None)
def test_holm_keeps_the_order_and_only_raises(p_values):
    corrected = permutation.holm(p_values)
    order = np.argsort(p_values, kind="stable")
    assert (np.diff(np.array(corrected)[order]) >= 0).all()
    assert all(p <= q <= min(1, len(p_values) * p) + 1e-12 or q == 1
               for p, q in zip(p_values, corrected, strict=True)) or len(p_values) > 1  # fmt: skip
    assert corrected[order[0]] == pytest.approx(min(1, len(p_values) * min(p_values)))


def test_all_deals_of_few_groups_give_the_share_of_extreme_ones():
    # 3 groups of 6 are all wrong, 3 all right: of 20 deals two are as extreme
    right, images = np.array([0, 0, 0, 5.0, 5, 5]), np.full(6, 5.0)
    parts = np.array([0, 0, 0, 1, 1, 1])
    assert permutation.between(right, images, parts, 2) == pytest.approx([0.1, 0.1], abs=0.015)


def test_between_without_a_difference_is_1():
    p = permutation.between(np.full(8, 3.0), np.full(8, 4.0), np.arange(8) % 2, 2)
    assert p.tolist() == [1, 1]


def test_between_agrees_with_scipys_permutation_test():
    from scipy import stats

    rng = np.random.default_rng(5)
    right = rng.binomial(10, 0.8, 14).astype(float)
    images, parts = np.full(14, 10.0), np.arange(14) % 2

    def statistic(x, y):  # of groups of one size: Welch's t, but for a factor
        return abs(x.mean() - y.mean()) / np.sqrt(x.var() / len(x) + y.var() / len(y))

    expected = stats.permutation_test(
        (right[parts == 0], right[parts == 1]), statistic, alternative="greater",
        n_resamples=np.inf,
    ).pvalue  # fmt: skip
    assert permutation.between(right, images, parts, 2)[0] == pytest.approx(expected, abs=0.02)


def test_within_compares_inside_each_group():
    # each of 8 groups is right on its images in the part, wrong on the others
    units = np.repeat(np.arange(8), 4)
    is_part = np.tile([True, True, False, False], 8)
    p = permutation.within(is_part.astype(int), units, is_part)
    assert p == pytest.approx(2 / 2**8, abs=0.004)
    hard = np.repeat([0, 1], 16)  # groups differ, and nothing within them
    assert permutation.within(hard, units, is_part) == 1


def test_within_without_a_common_group_says_nothing():
    assert permutation.within(np.array([0, 1]), np.array([0, 1]), np.array([True, False])) == 1


def test_a_real_difference_between_groups_is_found():
    rng = np.random.default_rng(0)
    parts = np.arange(40) % 2
    images = rng.integers(5, 60, 40).astype(float)
    right = rng.binomial(images.astype(int), np.where(parts == 0, 0.95, 0.7)).astype(float)
    assert permutation.between(right, images, parts, 2).max() < 0.01


def test_chance_alone_is_seldom_called_a_difference(monkeypatch):
    """A small version of `benchmarks/subgroups.py`: groups differ, the parts do not."""
    monkeypatch.setattr(permutation, "DEALS", 199)
    rng, called, runs = np.random.default_rng(3), 0, 60
    for _ in range(runs):
        images = np.ceil(rng.lognormal(3.5, 1.1, 21)).clip(1, 700)
        right = rng.binomial(images.astype(int), rng.beta(8, 1, 21)).astype(float)
        p_values = permutation.between(right, images, rng.permutation(np.arange(21) % 3), 3)
        called += min(permutation.holm(p_values.tolist())) <= 0.05
    assert called <= 9  # of 60 at 5 %: more in 1 of 1,000
