"""The curves against scikit-learn and cases worked out by hand, and their bands."""

import numpy as np
import pytest
from sklearn import metrics as sklearn

from tfcnn.evaluation import curves
from tfcnn.evaluation.sample import Sample


def columns(scores):
    scores = np.asarray(scores, dtype=np.float64)
    return np.stack([1 - scores, scores], axis=1)


def patients(seed=0, num_groups=20, count=150, levels=10**6):
    rng = np.random.default_rng(seed)
    groups = rng.integers(0, num_groups, count)
    labels = np.concatenate([[0, 1], rng.integers(0, 2, count - 2)])
    logits = rng.normal(size=count) + rng.normal(0, 0.7, num_groups)[groups] + 2 * labels - 1
    scores = (levels / (1 + np.exp(-logits))).round() / levels
    return labels, scores, np.char.add("C", groups.astype(str))


def interpolated_roc(labels, scores):
    rates, found, _ = sklearn.roc_curve(labels, scores, drop_intermediate=False)
    return np.interp(curves.FALSE_POSITIVE_RATES + 1e-9, rates, found)


def reached_ppv(labels, scores):
    ppv, found, _ = sklearn.precision_recall_curve(labels, scores)  # found falls
    return np.array([ppv[np.flatnonzero(found >= s - 1e-9)[-1]] for s in curves.SENSITIVITIES])


@pytest.mark.parametrize("levels", [10**6, 20])  # 20: many ties
def test_they_agree_with_scikit_learn(levels):
    labels, scores, groups = patients(levels=levels)
    found = curves.measure(Sample(labels, columns(scores), groups, positive=1))
    assert found["roc"]["sensitivity"] == pytest.approx(interpolated_roc(labels, scores), abs=1e-5)
    ppv = found["precision_recall"]["ppv"]
    assert ppv == pytest.approx(reached_ppv(labels, scores), abs=1e-5)


def test_the_positive_may_be_the_first_class():
    labels, scores, groups = patients()
    first = curves.measure(Sample(1 - labels, columns(scores)[:, ::-1], groups, positive=0))
    assert first == curves.measure(Sample(labels, columns(scores), groups, positive=1))


def test_net_benefit_by_hand():
    """Of four images two are positive: .9 and .4; the others have .6 and .1."""
    sample = Sample([1, 1, 0, 0], columns([0.9, 0.4, 0.6, 0.1]), positive=1, threshold=0.5)
    found = curves.measure(sample)["net_benefit"]
    at = dict(zip(found["threshold"], found["net_benefit"], strict=True))
    assert at[0.5] == 0  # one found, one false alarm, at odds of 1: 1/4 - 1/4
    assert at[0.2] == 0.4375  # both found, one false alarm, at odds of 1/4: 2/4 - 1/4 x 1/4
    assert at[0.08] == pytest.approx(0.5 - 0.5 * 0.08 / 0.92, abs=1e-5)  # as all are called
    assert at[0.7] == 0.25 and at[0.94] == 0
    everyone = dict(zip(found["threshold"], found["treat_all"], strict=True))
    assert everyone[0.5] == 0 and everyone[0.2] == pytest.approx(0.5 - 0.5 / 4)


def test_where_the_stored_threshold_is_by_hand():
    sample = Sample([1, 1, 0, 0, 0], columns([0.9, 0.4, 0.6, 0.1, 0.2]), positive=1, threshold=0.5)
    assert curves.measure(sample)["stored"] == {
        "threshold": 0.5, "false_positive_rate": 1 / 3, "sensitivity": 0.5, "ppv": 0.5,
        "net_benefit": 0.0,
    }  # fmt: skip
    never = Sample([1, 0], columns([0.5, 0.4]), positive=1, threshold=1.0)
    assert curves.measure(never)["stored"]["ppv"] is None


def test_several_classes_have_the_mean_of_each_against_the_rest():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 120)
    probs = np.exp(rng.normal(size=(120, 3)) + 2 * np.eye(3)[labels])
    probs /= probs.sum(axis=1, keepdims=True)
    found = curves.measure(Sample(labels, probs))
    assert set(found) == {"roc", "precision_recall"}
    each = [interpolated_roc(labels == k, probs[:, k]) for k in range(3)]
    assert found["roc"]["sensitivity"] == pytest.approx(np.mean(each, axis=0), abs=1e-5)
    each = [reached_ppv(labels == k, probs[:, k]) for k in range(3)]
    assert found["precision_recall"]["ppv"] == pytest.approx(np.mean(each, axis=0), abs=1e-5)


def test_a_resample_is_the_curve_of_copies_of_its_patients():
    labels, scores, groups = patients(num_groups=5)
    sample = Sample(labels, columns(scores), groups, positive=1)
    times = np.array([[2.0, 0, 1, 1, 1]])
    copies = np.repeat(np.arange(len(labels)), times[0, sample.units].astype(int))
    weighted = curves._statistic(sample)(times)
    copied = Sample(labels[copies], columns(scores[copies]), positive=1)
    expected = curves._statistic(copied)(np.ones((1, copied.num_units)))
    for name, (values,) in expected.items():
        np.testing.assert_allclose(weighted[name][0], values, atol=1e-12)


def test_the_band_holds_the_curve_and_patients_widen_it():
    labels, scores, groups = patients(num_groups=12, count=600)
    by_patient = curves.measure(Sample(labels, columns(scores), groups, positive=1))
    by_image = curves.measure(Sample(labels, columns(scores), positive=1))
    for name, column in (("roc", "sensitivity"), ("precision_recall", "ppv"),
                         ("net_benefit", "net_benefit")):  # fmt: skip
        rows = zip(*(by_patient[name][key] for key in ("low", column, "high")), strict=True)
        ends = [row for row in rows if row[0] is not None]
        assert len(ends) > 40 and all(low <= value <= high for low, value, high in ends)
        wide, narrow = (
            np.median([h - low for low, h in zip(one["low"], one["high"], strict=True)
                       if low is not None])
            for one in (by_patient[name], by_image[name])
        )  # fmt: skip
        assert wide > narrow


def test_where_no_error_is_seen_the_bound_does_not_fall_below_that_before():
    labels, scores, groups = patients(num_groups=12, count=600)
    found = curves.measure(Sample(labels, columns(scores), groups, positive=1))
    roc = found["roc"]
    whole = [i for i, value in enumerate(roc["sensitivity"]) if value == 1]
    assert whole and all(roc["low"][i] >= max(roc["low"][: i + 1]) for i in whole)


def test_many_scores_are_thinned_and_hardly_change_the_curve():
    labels, scores, groups = patients(count=4000)
    found = curves.measure(Sample(labels, columns(scores), groups, positive=1))
    exact = interpolated_roc(labels, scores)
    np.testing.assert_allclose(found["roc"]["sensitivity"], exact, atol=0.012)


def test_a_class_without_images_has_no_curve():
    assert curves.measure(Sample([1, 1], columns([0.2, 0.9]), positive=1)) == {}


@pytest.mark.slow
def test_bands_cover_with_sixty_patients():
    rng = np.random.default_rng(0)

    def drawn(count):
        sizes = rng.integers(3, 60, count)
        groups = np.repeat(np.arange(count), sizes)
        labels = rng.integers(0, 2, len(groups))
        logits = rng.normal(size=len(groups)) + rng.normal(0, 0.8, count)[groups]
        return labels, 1 / (1 + np.exp(-(logits + 1.5 * (2 * labels - 1)))), groups.astype(str)

    labels, scores, _ = drawn(20_000)
    true, held = interpolated_roc(labels, scores), []
    at = [int(np.abs(curves.FALSE_POSITIVE_RATES - rate).argmin()) for rate in (0.05, 0.2)]
    for _ in range(60):
        labels, scores, groups = drawn(60)
        roc = curves.measure(Sample(labels, columns(scores), groups, positive=1))["roc"]
        held += [roc["low"][i] <= true[i] <= roc["high"][i] for i in at]
    assert np.mean(held) > 0.88
