"""A promised threshold: the bound by brute force, the promise in simulation, and its refusals."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tfcnn.evaluation import guarantee, rules
from tfcnn.evaluation.sample import Sample
from tfcnn.recipes import Guarantee

WISH = Guarantee(sensitivity=0.95, confidence=0.9)


def columns(scores):
    scores = np.asarray(scores, dtype=np.float64)
    return np.stack([1 - scores, scores], axis=1)


def drawn(rng, num_patients):
    """Labels, scores and groups of patients that differ in size and stain."""
    sizes = np.exp(rng.normal(2, 1, num_patients)).round().clip(1, 60).astype(int)
    groups = np.repeat(np.arange(num_patients), 2 * sizes)
    labels = np.concatenate([np.repeat([1, 0], [size, size]) for size in sizes])
    logits = 2 * (2 * labels - 1) + rng.normal(size=len(labels))
    logits = logits + rng.normal(0, 0.8, num_patients)[groups]
    return labels, 1 / (1 + np.exp(-2 * logits)), groups.astype(str)


def promised(labels, scores, groups, wish=WISH, positive=1):
    return rules.promise_threshold(labels, columns(scores), groups, positive, wish, unit="patients")


@pytest.mark.parametrize(
    ("share", "confidence", "least"), [(0.95, 0.9, 48), (0.9, 0.9, 23), (0.5, 0.5, 2)]
)
def test_the_least_number_is_that_of_patients_without_a_loss(share, confidence, least):
    assert guarantee.needed(share, confidence) == least
    for count in (least - 1, least):
        wealth = guarantee.log_wealth(np.zeros(count), share)
        assert (wealth >= np.log(1 / (1 - confidence))) == (count == least)


def test_the_product_by_hand():
    """Asked .8: the bet is .95 / .8; a patient with no loss wins, one with all lost keeps .05."""
    losses = np.array([0.0, 1.0, 0.5])
    product = (1 + 1.1875 * 0.2) * 0.05 * (1 + 1.1875 * (0.2 - 0.5))
    assert guarantee.log_wealth(losses, 0.8) == pytest.approx(np.log(product))


@settings(deadline=None, max_examples=40)
@given(
    seed=st.integers(0, 10**6),
    levels=st.sampled_from([8, 10**6]),
    share=st.sampled_from([0.5, 0.7, 0.8]),
)
def test_the_last_score_kept_is_that_of_trying_each(seed, levels, share):
    rng = np.random.default_rng(seed)
    units = np.unique(rng.integers(0, 12, 60), return_inverse=True)[1]
    scores = (rng.random(60) ** 0.3 * levels).round() / levels
    found = guarantee.last_kept(scores, units, share, 0.8)
    kept = []
    for score in np.unique(scores):
        losses = np.bincount(units, scores < score) / np.bincount(units)
        if guarantee.log_wealth(losses, share) >= np.log(5):
            kept.append(score)
    assert found == (max(kept) if kept else None)


def test_new_patients_keep_the_promise():
    rng = np.random.default_rng(0)
    labels, scores, groups = drawn(rng, 6000)
    own = labels == 1
    units = np.unique(groups[own], return_inverse=True)[1]
    weights = 1 / np.bincount(units)[units] / (units.max() + 1)
    order = np.argsort(scores[own])
    sorted_scores, missed = scores[own][order], np.cumsum(weights[order])
    broken = short = 0
    for _ in range(120):
        labels, scores, groups = drawn(rng, 60)
        point = promised(labels, scores, groups)
        assert point.is_reached and point.promise.mean >= 0.95
        usual = rules.choose_threshold(labels, columns(scores), 1, sensitivity=0.95).threshold
        for threshold in (point.threshold, usual):
            below = int(np.searchsorted(sorted_scores, threshold))
            is_short = 1 - (missed[below - 1] if below else 0) < 0.95
            broken += is_short and threshold == point.threshold
            short += is_short and threshold == usual
    assert broken <= 12
    assert short > 24, "a wish without a promise falls short more often"


def test_too_few_patients_are_refused_with_the_number_needed():
    point = promised(*drawn(np.random.default_rng(0), 16))
    assert not point.is_reached and point.threshold == 0.5
    assert point.promise.patients == 16 and point.promise.needed == 48
    assert point.reason.startswith(
        "default, as a mean sensitivity per patient of 95 % cannot be promised with 90 % "
        "confidence: "
        "val has 16 patients with a positive image, and at least 48 are needed"
    )


def test_only_patients_with_a_positive_image_count_and_their_order_does_not():
    rng = np.random.default_rng(1)
    labels, scores, groups = drawn(rng, 80)
    labels = np.where(np.isin(groups, ["0", "1", "2"]), 0, labels)
    point = promised(labels, scores, groups)
    assert point.promise.patients == 77
    order = rng.permutation(len(labels))
    assert promised(labels[order], scores[order], groups[order]) == point


def test_a_specificity_is_the_sensitivity_of_the_other_class():
    labels, scores, groups = drawn(np.random.default_rng(2), 70)
    wish = Guarantee(specificity=0.95, confidence=0.9)
    point = promised(labels, scores, groups, wish)
    mirrored = promised(1 - labels, 1 - scores, groups)
    assert point.promise.mean == pytest.approx(mirrored.promise.mean)
    assert point.threshold == pytest.approx(1 - mirrored.threshold, abs=1e-6)
    assert "patient of at least 95 %" in point.reason
    called = Sample(labels, columns(scores), groups, positive=1, threshold=point.threshold)
    assert guarantee.mean_per_unit(called, "specificity").value == pytest.approx(point.promise.mean)


def test_without_groups_each_image_is_one():
    labels, scores, _ = drawn(np.random.default_rng(3), 30)
    point = promised(labels, scores, None)
    assert point.promise.unit == "images" and point.promise.patients == labels.sum()
    assert "on new images, a sensitivity of at least 95 %" in point.reason


def test_what_cannot_be_promised_says_why():
    three = np.full((3, 3), 1 / 3)
    point = rules.promise_threshold([0, 1, 2], three, None, None, WISH)
    assert "there is no positive class" in point.reason and not point.is_reached
    point = promised(np.zeros(60, int), np.full(60, 0.3), None)
    assert "val has 0 images, and at least 48 are needed" in point.reason
    wish = Guarantee(specificity=0.5, confidence=0.5)
    point = promised(np.zeros(60, int), np.ones(60), None, wish)
    assert "score exactly 1" in point.reason


def test_the_mean_over_patients_and_its_interval():
    labels, scores = np.ones(6, int), np.array([0.9, 0.9, 0.1, 0.9, 0.9, 0.9])
    groups = np.array(list("aaabbb"))
    sample = Sample(labels, columns(scores), groups, positive=1)
    found = guarantee.mean_per_unit(sample, "sensitivity")
    assert found.value == pytest.approx((2 / 3 + 1) / 2)
    assert guarantee.mean_per_unit(sample, "specificity").reason == "no negative image"
    whole = guarantee.mean_per_unit(Sample(labels, columns(scores + 0.05), groups, positive=1,
                                           threshold=0.05), "sensitivity")  # fmt: skip
    assert (whole.value, whole.high) == (1, 1) and whole.low == pytest.approx(0.025**0.5)
