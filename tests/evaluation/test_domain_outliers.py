"""A few images of something else in val do not move the domain's threshold along with them."""

import numpy as np
import pytest

from tfcnn.evaluation import domain
from tfcnn.prediction.domain import Domain

SIZES = (30, 99, 100, 300, 1000, 3000)
DRAWN = {
    "normal": lambda rng, count: rng.normal(size=count),
    "gumbel": lambda rng, count: rng.gumbel(size=count),
    "exponential": lambda rng, count: rng.exponential(size=count),
    "t of 3": lambda rng, count: rng.standard_t(3, size=count),
}


def groups_of(count, grouped):
    return np.char.add("P", (np.arange(count) % 15).astype(str)) if grouped else None


def put(scores, places, value):
    changed = scores.copy()
    changed[places] = value
    return changed


@pytest.mark.parametrize("grouped", [False, True])
@pytest.mark.parametrize("name", DRAWN)
@pytest.mark.parametrize("count", SIZES)
def test_up_to_one_in_a_hundred_of_any_size(count, name, grouped):
    """Fifty or a million away: the threshold is the same, and stays among the others."""
    middle, upper = np.quantile(DRAWN[name](np.random.default_rng(9), 10**6), [0.5, 0.95])
    spread = upper - middle
    for seed in range(5):
        rng = np.random.default_rng(seed)
        scores, groups = DRAWN[name](rng, count), groups_of(count, grouped)
        usual = domain._threshold(scores, groups)
        for outliers in {1, max(1, count // 100)}:
            places = rng.choice(count, outliers, replace=False)
            near, far = (domain._threshold(put(scores, places, at), groups) for at in (50, 1e6))
            assert far == pytest.approx(near)
            # at thirty images little is known of the tail; and val's own largest may be large
            most = usual + (5 if count < 99 else 1.6) * spread
            assert far < max(most, scores.max() + 0.01), (seed, outliers)


@pytest.mark.parametrize("name", DRAWN)
@pytest.mark.parametrize(
    ("count", "most"), [(100, 0.025), (300, 0.02), (1000, 0.018), (3000, 0.018)]
)
def test_clean_new_images_are_flagged_about_as_seldom_as_is_aimed_for(name, count, most):
    new = DRAWN[name](np.random.default_rng(99), 100_000)
    drawn = [DRAWN[name](np.random.default_rng(seed), count) for seed in range(20)]
    flagged = [(new > domain._threshold(scores, None)).mean() for scores in drawn]
    assert np.mean(flagged) < most
    if name in ("normal", "gumbel"):
        assert np.mean(flagged) < (0.014 if count == 100 else 0.0105)


def test_the_cases_of_the_issue():
    """One score of 12: 2.8 became 7.5 at 300 images, and 12 at 100."""
    for count, most in ((300, 3.2), (100, 4.2)):
        scores = np.random.default_rng(0).normal(size=count)
        assert domain._threshold(put(scores, 7, 12.0), None) < most


def test_many_of_another_kind_are_no_outliers():
    """A tenth of val, the images of a patient or two, is what the run will meet again."""
    scores = np.random.default_rng(0).normal(size=600)
    groups = np.char.add("P", np.repeat(np.arange(20), 30).astype(str))
    scores[:60] += 6
    found = domain._threshold(scores, groups)
    assert (scores > found).mean() <= 0.02


@pytest.mark.parametrize("count", SIZES)
def test_it_is_never_so_near_a_score_that_rounding_decides(count):
    for seed in range(10):
        rng = np.random.default_rng(seed)
        for scores in (rng.normal(size=count), rng.normal(size=count).round(2), np.zeros(count)):
            found = domain._threshold(scores, None)
            assert np.abs(scores - found).min() > 4e-4
            np.testing.assert_array_equal(scores > found, scores + 1e-5 > found)


def test_calibrate_uses_it():
    rng = np.random.default_rng(0)
    logs = rng.normal(size=(300, 2)).astype(np.float32)
    usual = Domain({})
    before = domain.calibrate(usual, logs, None).domain.threshold
    logs[3] = 30
    found = domain.calibrate(usual, logs, None)
    assert found.domain.threshold < 1.5 * before
    assert found.settings["val_flagged_fraction"] >= 1 / 300
