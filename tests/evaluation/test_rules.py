"""The rules that val gives: the threshold of a wish, and the band without an answer."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tfcnn.base.errors import InputError
from tfcnn.evaluation.metrics import compute
from tfcnn.evaluation.rules import (
    OperatingPoint,
    choose_band,
    choose_threshold,
    threshold_at,
    wish_of,
)
from tfcnn.evaluation.sample import Sample
from tfcnn.prediction import abstains


def columns(scores):
    scores = np.asarray(scores, dtype=np.float64)
    return np.stack([1 - scores, scores], axis=1)


def predictions(seed, num_images=60, levels=1000):
    rng = np.random.default_rng(seed)
    labels = np.concatenate([[0, 1], rng.integers(0, 2, num_images - 2)])
    logits = rng.normal(size=num_images) + 2 * labels - 1
    scores = 1 / (1 + np.exp(-logits))
    return labels, columns((scores * levels).round() / levels)


def shares(labels, scores, threshold):
    called = scores >= threshold
    return called[labels == 1].mean(), (~called[labels == 0]).mean()


@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 10**6),
    wish=st.floats(0.01, 1),
    levels=st.sampled_from([4, 20, 10**6]),
    name=st.sampled_from(["sensitivity", "specificity"]),
)
def test_the_wish_is_met_and_no_threshold_serves_the_other_share_better(seed, wish, levels, name):
    labels, probs = predictions(seed, levels=levels)
    point = choose_threshold(labels, probs, 1, **{name: wish})
    scores = probs[:, 1]
    figures = dict(
        zip(("sensitivity", "specificity"), shares(labels, scores, point.threshold), strict=True)
    )
    if not point.is_reached:
        assert point.threshold == 0.5 and "cannot be had" in point.reason
        return
    assert (point.sensitivity, point.specificity) == pytest.approx(tuple(figures.values()))
    assert figures[name] >= wish - 1e-9
    other = "specificity" if name == "sensitivity" else "sensitivity"
    for candidate in np.unique(np.concatenate([scores, [0, 1, np.nextafter(1, 2)]])):
        pair = dict(
            zip(("sensitivity", "specificity"), shares(labels, scores, candidate), strict=True)
        )
        if pair[name] >= wish:
            assert pair[other] <= figures[other] + 1e-12


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 10**6), wish=st.sampled_from([0.5, 0.9, 1.0]))
def test_float32_and_float64_decide_alike(seed, wish):
    labels, probs = predictions(seed, levels=10**9)
    single = probs.astype(np.float32)
    threshold = choose_threshold(labels, single, 1, sensitivity=wish).threshold
    wide = single[:, 1].astype(np.float64) >= threshold
    np.testing.assert_array_equal(single[:, 1] >= np.float32(threshold), wide)


def test_the_threshold_lies_midway_between_two_scores():
    labels, probs = np.array([0, 0, 1, 1]), columns([0.125, 0.25, 0.5, 0.75])
    assert choose_threshold(labels, probs, 1, sensitivity=1).threshold == 0.375
    assert choose_threshold(labels, probs, 1, sensitivity=0.5).threshold == 0.625
    assert choose_threshold(labels, probs, 1, specificity=1).threshold == 0.375
    assert choose_threshold(labels, probs, 1, specificity=0.5).threshold == 0.1875
    turned = choose_threshold(1 - labels, probs[:, ::-1], 0, sensitivity=1)
    assert turned.threshold == 0.375


def test_it_agrees_with_the_metrics_and_says_why():
    labels, probs = predictions(1)
    point = choose_threshold(labels, probs, 1, sensitivity=0.9)
    figures = compute(Sample(labels, probs, positive=1, threshold=point.threshold))
    assert point.sensitivity == pytest.approx(figures["sensitivity"].value)
    assert point.specificity == pytest.approx(figures["specificity"].value)
    assert point.reason.startswith("sensitivity at least 0.9 on 60 val images (there: sensitivity ")


def test_a_share_of_twenty_is_counted_without_rounding_up():
    scores = np.arange(1, 21) / 32
    point = choose_threshold(np.ones(20, int), columns(scores), 1, sensitivity=0.95)
    assert point.sensitivity == 0.95


def test_nothing_wished_is_the_default():
    labels, probs = predictions(2)
    point = choose_threshold(labels, probs, 1)
    assert (point.threshold, point.reason, point.is_reached) == (0.5, "default", True)
    three = choose_threshold(np.array([0, 1, 2]), np.full((3, 3), 1 / 3), None)
    assert three == OperatingPoint(0.5, "default", None, None, True)


@pytest.mark.parametrize(
    ("labels", "scores", "positive", "wish", "why"),
    [
        ([0, 0], [0.2, 0.7], 1, {"sensitivity": 0.9}, "val has no positive image"),
        ([1, 1], [0.2, 0.7], 1, {"specificity": 0.9}, "val has no negative image"),
        ([0, 0, 1], [1.0, 0.2, 1.0], 1, {"specificity": 0.9}, "score exactly 1"),
        ([0, 1], [0.2, 0.7], None, {"sensitivity": 0.9}, "there is no positive class"),
    ],
)
def test_what_cannot_be_reached_is_said(labels, scores, positive, wish, why):
    point = choose_threshold(np.array(labels), columns(scores), positive, **wish)
    assert point.threshold == 0.5 and not point.is_reached
    assert why in point.reason


def test_scores_of_zero_and_one_are_reached_where_they_can_be():
    labels = np.array([0, 1, 1])
    assert choose_threshold(labels, columns([0.0, 0.0, 1.0]), 1, sensitivity=1).threshold == 0.0
    assert choose_threshold(labels, columns([0.0, 0.0, 1.0]), 1, specificity=1).threshold == 0.5
    assert (
        choose_threshold(labels, columns([0.25, 0.5, 0.125]), 1, sensitivity=1).threshold == 0.0625
    )


@pytest.mark.parametrize(
    "wish", [{"sensitivity": 0.0}, {"specificity": 1.1}, {"sensitivity": 0.9, "specificity": 0.9}]
)
def test_a_wish_that_means_nothing_is_refused(wish):
    with pytest.raises(InputError):
        choose_threshold(*predictions(0), 1, **wish)


@pytest.mark.parametrize(
    ("wish", "scores", "said"),
    [
        ({"sensitivity": 0.9}, [0.1, 0.3, 0.8, 0.9], "stricter than .5"),
        ({"specificity": 0.9}, [0.1, 0.2, 0.8, 0.9], "laxer than .5"),
        ({"sensitivity": 1.0}, [0.1, 0.2, 0.3, 0.9], ""),
        ({"specificity": 1.0}, [0.1, 0.7, 0.8, 0.9], ""),
    ],
)
def test_a_wish_that_turns_against_its_own_class_says_so(wish, scores, said):
    scores = np.array(scores)
    scores[1] -= 0.15 if "laxer" in said else 0  # midway to the positives is below .5
    point = choose_threshold(np.array([0, 0, 1, 1]), columns(scores), 1, **wish)
    assert (point.threshold > 0.5) == ("stricter" in said or wish == {"specificity": 1.0})
    assert said in point.reason and (said or "than .5" not in point.reason)


def test_a_threshold_that_someone_names():
    labels, probs = predictions(3)
    point = threshold_at(labels, probs, 1, 0.25)
    assert (point.threshold, point.is_reached) == (0.25, True)
    assert point.reason.startswith("0.25, as it was asked for, on 60 val images (there: sens")
    assert wish_of(0.95, None) == {"sensitivity": 0.95} and wish_of(None, None) == {}
    for wrong in (-0.1, 1.1, float("nan")):
        with pytest.raises(InputError):
            threshold_at(labels, probs, 1, wrong)


def several(num_classes=2, count=2000, seed=0):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, num_classes, count)
    logits = rng.normal(size=(count, num_classes)) + 1.5 * np.eye(num_classes)[labels]
    probs = np.exp(logits)
    return labels, probs / probs.sum(axis=1, keepdims=True)


def left_unanswered(labels, probs, positive, threshold, choice):
    """The share unanswered and the accuracy of the decisions of the others, counted anew."""
    without = abstains(probs, (choice.low, choice.high), positive)
    decided = probs.argmax(axis=1)
    if positive is not None:
        decided = np.where(probs[:, positive] >= threshold, positive, 1 - positive)
    return without.mean(), (decided == labels)[~without].mean()


@pytest.mark.parametrize(
    ("classes", "positive", "threshold"), [(2, 1, 0.3), (2, None, 0.5), (5, None, 0.5)]
)
def test_a_fraction_of_val_is_left_unanswered(classes, positive, threshold):
    labels, probs = several(classes)
    off = choose_band(labels, probs, positive, threshold)
    assert off.band is None and off.is_reached  # nothing was wished
    choice = choose_band(labels, probs, positive, threshold, fraction=0.1)
    share, accuracy = left_unanswered(labels, probs, positive, threshold, choice)
    assert 0.095 <= share <= 0.1
    assert (
        accuracy
        > left_unanswered(
            labels,
            probs,
            positive,
            threshold,
            choose_band(labels, probs, positive, threshold, fraction=0.01),
        )[1]
    )
    assert f"accuracy {accuracy:.3f}" in choice.reason
    if positive is not None:
        assert choice.low < threshold < choice.high


@pytest.mark.parametrize(("classes", "positive"), [(2, 0), (3, None), (10, None)])
def test_an_accuracy_is_reached_with_the_smallest_band(classes, positive):
    labels, probs = several(classes)
    plain = (probs.argmax(axis=1) == labels).mean()
    wish = plain + 0.05
    choice = choose_band(labels, probs, positive, accuracy=wish)
    share, accuracy = left_unanswered(labels, probs, positive, 0.5, choice)
    assert accuracy >= wish and share <= 0.5
    smaller = choose_band(labels, probs, positive, fraction=max(share - 0.01, 0.001))
    assert left_unanswered(labels, probs, positive, 0.5, smaller)[1] < wish


def test_no_wish_no_band():
    assert choose_band(*several(), 1).band is None and choose_band(*several(), 1).reason == "off"
    choice = choose_band(*several(), 1, fraction=0.1)
    assert choice.band == {"low": choice.low, "high": choice.high}


def test_what_cannot_be_had_is_said():
    labels, probs = several()
    choice = choose_band(1 - labels, probs, 1, accuracy=0.99)
    assert choice.band is None and "cannot be had: at best" in choice.reason
    alike = np.full((len(labels), 2), 0.5)
    choice = choose_band(labels, alike, 1, 0.4, fraction=0.1)
    assert choice.band is None and "asks for no band" in choice.reason
    choice = choose_band(labels, np.eye(2)[labels], 1, accuracy=0.9)
    assert choice.band is None and "without a band" in choice.reason


def test_the_ends_of_the_range_and_bad_wishes():
    labels, probs = several(count=50)
    for threshold in (0.0, 1.0):
        choice = choose_band(labels, probs, 1, threshold, fraction=0.2)
        assert 0 <= choice.low <= choice.high <= 1
    for wishes in ({"fraction": 0.0}, {"accuracy": 1.5}, {"fraction": 0.1, "accuracy": 0.9}):
        with pytest.raises(InputError):
            choose_band(labels, probs, 1, **wishes)


def test_the_band_is_half_open_and_of_the_right_probability():
    probs = np.array([[0.8, 0.2], [0.6, 0.4], [0.4, 0.6]])
    assert abstains(probs, (0.4, 0.6), 1).tolist() == [False, True, False]
    assert abstains(probs, (0.4, 0.61), 1).tolist() == [False, True, True]
    assert abstains(probs, (0.0, 0.7), None).tolist() == [False, True, True]
    assert not abstains(probs, None, 1).any()
