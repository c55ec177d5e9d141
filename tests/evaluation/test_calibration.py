import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import softmax
from sklearn.calibration import calibration_curve

from tfcnn.base.errors import InputError
from tfcnn.evaluation.calibration import (
    MAX_TEMPERATURE,
    MIN_TEMPERATURE,
    apply_temperature,
    describe,
    fit_temperature,
    reliability,
)
from tfcnn.evaluation.metrics import compute
from tfcnn.evaluation.sample import Sample


def calibrated(seed, num_images, num_classes):
    """Labels drawn from the very probabilities: calibrated by construction."""
    rng = np.random.default_rng(seed)
    probs = softmax(2 * rng.normal(size=(num_images, num_classes)), axis=1)
    drawn = rng.random((num_images, 1)) < probs.cumsum(axis=1)
    return drawn.argmax(axis=1), probs


@pytest.mark.parametrize("num_classes", [2, 5])
@pytest.mark.parametrize("distortion", [0.4, 1.0, 2.5])
def test_a_known_distortion_is_found_and_undone(num_classes, distortion):
    labels, probs = calibrated(0, 20_000, num_classes)
    distorted = apply_temperature(probs, 1 / distortion)
    temperature = fit_temperature(labels, distorted)
    assert temperature == pytest.approx(distortion, rel=0.05)
    np.testing.assert_allclose(apply_temperature(distorted, temperature), probs, atol=0.02)


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 10**6), num_images=st.integers(3, 60), num_classes=st.integers(2, 5))
def test_no_temperature_on_a_grid_is_better(seed, num_images, num_classes):
    rng = np.random.default_rng(seed)
    labels = np.concatenate([[0, 1], rng.integers(0, num_classes, num_images - 2)])
    probs = rng.dirichlet(np.full(num_classes, 0.3), num_images)
    temperature = fit_temperature(labels, probs)
    assert MIN_TEMPERATURE <= temperature <= MAX_TEMPERATURE

    def loss(value):
        of_label = apply_temperature(probs, value)[np.arange(num_images), labels]
        return -np.log(of_label).mean()

    least = MIN_TEMPERATURE if (probs.argmax(axis=1) != labels).any() else 1.0
    best = min(loss(value) for value in np.geomspace(least, MAX_TEMPERATURE, 60))
    assert loss(temperature) <= best + 1e-6


def test_perfect_val_predictions_are_not_sharpened():
    labels = np.array([0, 1, 1, 0])
    assert fit_temperature(labels, np.eye(2)[labels] * 0.6 + 0.2) == 1.0
    assert fit_temperature(labels, np.eye(2)[labels]) == 1.0


def test_a_val_of_one_class_leaves_probabilities_as_they_are():
    probs = np.random.default_rng(0).dirichlet([1, 1], 20)
    assert fit_temperature(np.zeros(20, dtype=int), probs) == 1.0


def test_certain_errors_soften_as_far_as_allowed():
    labels = np.array([0, 1, 1, 0])
    assert fit_temperature(labels, np.eye(2)[1 - labels]) == MAX_TEMPERATURE


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 10**6), temperature=st.floats(0.05, 20))
def test_temperature_divides_logits_and_keeps_the_order(seed, temperature):
    logits = np.random.default_rng(seed).normal(size=(20, 4)) * 3
    probs = apply_temperature(softmax(logits, axis=1), temperature)
    np.testing.assert_allclose(probs, softmax(logits / temperature, axis=1), atol=1e-9)
    np.testing.assert_array_equal(probs.argmax(axis=1), logits.argmax(axis=1))
    np.testing.assert_allclose(probs.sum(axis=1), 1)


def test_zeros_and_ones_stay_finite_and_one_changes_nothing():
    probs = np.array([[0.0, 1.0], [1.0, 0.0], [0.25, 0.75]])
    for temperature in (0.05, 0.5, 20.0):
        assert np.isfinite(apply_temperature(probs, temperature)).all()
    np.testing.assert_array_equal(apply_temperature(probs, 1.0), probs)


@pytest.mark.parametrize("temperature", [0.0, -1.0, np.nan, np.inf])
def test_temperatures_that_mean_nothing_are_refused(temperature):
    with pytest.raises(InputError, match="temperature"):
        apply_temperature(np.full((1, 2), 0.5), temperature)


def test_the_curve_equals_scikit_learns_and_its_mean_gap_is_the_ece():
    def gap(bins):
        filled = [row for row in bins if row["count"]]
        images = sum(row["count"] for row in filled)
        return sum(abs(r["frequency"] - r["confidence"]) * r["count"] for r in filled) / images

    (labels, probs), several = calibrated(1, 2000, 2), calibrated(2, 500, 4)
    bins = reliability(labels, probs, positive=1, bins=15)
    frequency, confidence = calibration_curve(labels, probs[:, 1], n_bins=15)
    filled = [row for row in bins if row["count"]]
    np.testing.assert_allclose([row["frequency"] for row in filled], frequency)
    np.testing.assert_allclose([row["confidence"] for row in filled], confidence)
    assert gap(bins) == pytest.approx(compute(Sample(labels, probs, positive=1))["ece"].value)
    assert gap(reliability(*several)) == pytest.approx(compute(Sample(*several))["ece"].value)


def test_empty_bins_have_no_values():
    bins = reliability(np.array([0, 1]), np.array([[0.9, 0.1], [0.1, 0.9]]), positive=1)
    assert [row["count"] for row in bins] == [0, 1, *[0] * 11, 1, 0]
    assert [row["frequency"] for row in bins if row["count"]] == [0.0, 1.0]
    assert bins[0] == {"count": 0, "confidence": None, "frequency": None}


def test_overconfidence_is_mended_on_data_the_fit_has_not_seen():
    labels, probs = calibrated(3, 8000, 3)
    distorted = apply_temperature(probs, 0.4)
    temperature = fit_temperature(labels[:4000], distorted[:4000])
    mended = apply_temperature(distorted[4000:], temperature)
    result = describe(labels[4000:], mended, temperature)
    for metric in ("ece", "brier", "log_loss"):
        assert result[metric]["after"] < result[metric]["before"]
    expected = compute(Sample(labels[4000:], distorted[4000:]))["ece"].value
    assert result["ece"]["before"] == pytest.approx(expected)
    assert (
        result["edges"][::15] == [0, 1] and sum(r["count"] for r in result["bins"]["after"]) == 4000
    )
    assert "log_loss" not in describe(*calibrated(4, 50, 2), 2.0, positive=1)
