import numpy as np
import pytest
import sklearn.metrics
from hypothesis import given, settings
from hypothesis import strategies as st

from tfcnn.base.errors import InputError
from tfcnn.evaluation.metrics import DESCRIPTIONS, bounds, compute, metric_names, values
from tfcnn.evaluation.sample import ECE_BINS, Ranking, Sample


def predictions(seed, num_images, num_classes, digits=None):
    """Labels of every class, and probabilities that know something; rounded, they tie."""
    rng = np.random.default_rng(seed)
    labels = np.concatenate(
        [np.arange(num_classes), rng.integers(0, num_classes, num_images - num_classes)]
    )
    logits = rng.normal(size=(num_images, num_classes)) + 1.5 * np.eye(num_classes)[labels]
    probs = np.exp(logits)
    probs /= probs.sum(axis=1, keepdims=True)
    if digits is not None:
        positive = probs[:, 1].round(digits)
        probs = np.stack([1 - positive, positive], axis=1)
    return labels, probs


def found(labels, probs, **options):
    return {
        name: metric.value for name, metric in compute(Sample(labels, probs, **options)).items()
    }


def brute_force_ece(confidence, hit):
    """The definition, one image at a time."""
    total = 0.0
    for b in range(ECE_BINS):
        last = b == ECE_BINS - 1
        inside = [
            i
            for i, c in enumerate(confidence)
            if b / ECE_BINS <= c < (b + 1) / ECE_BINS or (last and c >= b / ECE_BINS)
        ]
        if inside:
            total += abs(sum(hit[i] for i in inside) - sum(confidence[i] for i in inside))
    return total / len(confidence)


@settings(deadline=None, max_examples=25)
@given(
    seed=st.integers(0, 10**6),
    positive=st.sampled_from([0, 1]),
    threshold=st.sampled_from([0.2, 0.5, 0.7]),
    digits=st.sampled_from([None, 1, 2]),
)
def test_two_classes_equal_scikit_learn(seed, positive, threshold, digits):
    labels, probs = predictions(seed, 60, 2, digits)
    got = found(labels, probs, positive=positive, threshold=threshold)
    truth, score = labels == positive, probs[:, positive]
    called, predicted = score >= threshold, probs.argmax(axis=1)
    expected = {
        "accuracy": sklearn.metrics.accuracy_score(labels, predicted),
        "balanced_accuracy": sklearn.metrics.balanced_accuracy_score(labels, predicted),
        "sensitivity": sklearn.metrics.recall_score(truth, called),
        "specificity": sklearn.metrics.recall_score(~truth, ~called),
        "f1": sklearn.metrics.f1_score(truth, called),
        "roc_auc": sklearn.metrics.roc_auc_score(truth, score),
        "pr_auc": sklearn.metrics.average_precision_score(truth, score),
        "brier": sklearn.metrics.brier_score_loss(truth, score),
        "ece": brute_force_ece(score, truth),
    }
    if called.any() and not called.all():
        expected["ppv"] = sklearn.metrics.precision_score(truth, called)
        expected["npv"] = sklearn.metrics.precision_score(~truth, ~called)
        expected["mcc"] = sklearn.metrics.matthews_corrcoef(truth, called)
    assert set(got) - {"ppv", "npv", "mcc"} == set(expected) - {"ppv", "npv", "mcc"}
    for name, value in expected.items():
        assert got[name] == pytest.approx(value, abs=1e-9), name


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 10**6), num_classes=st.integers(2, 10))
def test_several_classes_equal_scikit_learn(seed, num_classes):
    labels, probs = predictions(seed, 80, num_classes)
    predicted, one_hot = probs.argmax(axis=1), np.eye(num_classes)[labels]
    aucs = [sklearn.metrics.roc_auc_score(one_hot[:, k], probs[:, k]) for k in range(num_classes)]
    expected = {
        "accuracy": sklearn.metrics.accuracy_score(labels, predicted),
        "balanced_accuracy": sklearn.metrics.balanced_accuracy_score(labels, predicted),
        "macro_f1": sklearn.metrics.f1_score(labels, predicted, average="macro"),
        "mcc": sklearn.metrics.matthews_corrcoef(labels, predicted),
        "macro_roc_auc": np.mean(aucs),
        "log_loss": sklearn.metrics.log_loss(labels, probs),
        "brier": ((probs - one_hot) ** 2).sum(axis=1).mean() / (2 if num_classes == 2 else 1),
        "ece": brute_force_ece(probs.max(axis=1), predicted == labels),
    }
    got = found(labels, probs)
    assert set(got) == set(expected)
    for name, value in expected.items():
        assert got[name] == pytest.approx(value, abs=1e-9), name


@settings(deadline=None, max_examples=25)
@given(
    seed=st.integers(0, 10**6),
    positive=st.sampled_from([None, 1]),
    digits=st.sampled_from([None, 1]),
    grouped=st.booleans(),
)
def test_a_weight_of_n_equals_n_copies(seed, positive, digits, grouped):
    """Resampled values and point values are one formula: weights must do what copies do."""
    labels, probs = predictions(seed, 40, 2, digits)
    rng = np.random.default_rng(seed)
    groups = rng.integers(0, 6, 40).astype(str) if grouped else None
    sample = Sample(labels, probs, groups, positive=positive)
    weights = rng.integers(0, 4, (5, sample.num_units))
    weighted = values(sample, weights.astype(np.float32))
    for row in range(5):
        copies = np.repeat(np.arange(40), weights[row][sample.units])
        if not len(copies):
            continue
        expected = found(labels[copies], probs[copies], positive=positive)
        for name, value in expected.items():
            got = float(weighted[name][row])
            assert np.isnan(got) if value is None else got == pytest.approx(value, abs=1e-5), name


def test_accuracy_counts_the_most_probable_class_and_sensitivity_the_threshold():
    labels = np.array([0, 0, 1, 1])
    probs = np.array([[0.9, 0.1], [0.6, 0.4], [0.7, 0.3], [0.2, 0.8]])
    got = found(labels, probs, positive=1, threshold=0.3)
    assert (got["accuracy"], got["balanced_accuracy"]) == (0.75, 0.75)
    assert (got["sensitivity"], got["specificity"]) == (1.0, 0.5)
    assert got["f1"] == pytest.approx(0.8)


@pytest.mark.parametrize("positive", [0, 1])
def test_a_missing_class_is_said_and_never_scored(positive):
    labels = np.full(20, positive)
    probs = predictions(0, 20, 2)[1]
    got = compute(Sample(labels, probs, positive=positive, class_names=["healthy", "infected"]))
    kept = {"accuracy", "sensitivity", "brier", "ece"}
    assert {name for name, metric in got.items() if metric.value is not None} == kept
    missing = ["healthy", "infected"][1 - positive]
    assert {got[name].reason for name in set(got) - kept} == {f"no image of class {missing}"}


def test_equal_predictions_have_chance_auc_and_no_mcc():
    labels, probs = np.array([0, 1, 1, 1]), np.full((4, 2), 0.5)
    got = compute(Sample(labels, probs, positive=1, threshold=0.6, class_names=["a", "b"]))
    assert got["roc_auc"].value == 0.5
    assert got["pr_auc"].value == 0.75
    assert got["npv"].value == 0.25
    assert (got["ppv"].value, got["ppv"].reason) == (None, "no image is called b")
    assert (got["mcc"].value, got["mcc"].reason) == (None, "no image is called b")


def test_missing_classes_of_ten_are_named():
    labels, probs = predictions(3, 60, 10)
    keep = ~np.isin(labels, [4, 7])
    got = compute(Sample(labels[keep], probs[keep]))
    for name in ("balanced_accuracy", "macro_f1", "macro_roc_auc", "mcc"):
        assert (got[name].value, got[name].reason) == (None, "no image of class 4, 7")
    for name in ("accuracy", "log_loss", "brier", "ece"):
        assert got[name].value is not None


def test_a_certain_error_has_a_finite_log_loss():
    probs = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 1.0, 0.0]])
    assert 5 < found(np.array([0, 1, 2]), probs)["log_loss"] < 15


def test_every_metric_is_described_and_within_its_bounds():
    for num_classes, positive in [(2, 1), (2, None), (3, None)]:
        labels, probs = predictions(1, 50, num_classes)
        for answers in (probs, probs[:, ::-1]):  # good ones, and wrong ones
            sample = Sample(labels, answers, positive=positive)
            for name, value in found(labels, answers, positive=positive).items():
                low, high = bounds(sample, name)
                assert low <= value <= high
                assert name in DESCRIPTIONS
        assert tuple(found(labels, probs, positive=positive)) == metric_names(sample)


GOOD = np.array([[0.4, 0.6], [0.5, 0.5]])


@pytest.mark.parametrize(
    ("labels", "probs", "options", "subject"),
    [
        ([0, 1], [[0.4, 0.6], [np.nan, 0.5]], {}, "probs, row 1"),
        ([0, 1], [[0.4, 0.6], [np.inf, 0.5]], {}, "probs, row 1"),
        ([0, 1], [[1.4, -0.4], [0.5, 0.5]], {}, "probs, row 0"),
        ([0, 1], [[0.4, 0.4], [0.5, 0.5]], {}, "probs, row 0"),
        ([0, 1], [0.4, 0.6], {}, "probs"),
        ([], np.zeros((0, 2)), {}, "probs"),
        ([0, 2], GOOD, {}, "labels"),
        ([0, -1], GOOD, {}, "labels"),
        ([0], GOOD, {}, "labels"),
        ([0.0, 1.0], GOOD, {}, "labels"),
        ([0, 1], GOOD, {"positive": 2}, "positive"),
        ([0, 1], np.full((2, 4), 0.25), {"positive": 1}, "positive"),
        ([0, 1], GOOD, {"threshold": np.nan}, "threshold"),
    ],
)
def test_bad_input_is_named(labels, probs, options, subject):
    with pytest.raises(InputError, match=f"^{subject}: expected"):
        Sample(labels, probs, **options)


@pytest.mark.parametrize("groups", [["a"], ["a", ""], ["a", None]])
def test_bad_groups_are_named(groups):
    with pytest.raises(InputError, match=r"^groups: expected 2 names"):
        Sample([0, 1], GOOD, groups)


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


def test_decisions_of_several_thresholds_count_where_decisions_do():
    probs = np.array([[0.4, 0.6], [0.6, 0.4], [0.3, 0.7], [0.8, 0.2]])
    labels, decisions = np.array([1, 1, 0, 0]), np.array([1, 1, 0, 0])  # no threshold gives these
    own = compute(Sample(labels, probs, positive=1, threshold=0.5, decisions=decisions))
    by_one = compute(Sample(labels, probs, positive=1, threshold=0.5))
    assert (own["sensitivity"].value, own["specificity"].value) == (1.0, 1.0)
    assert (by_one["sensitivity"].value, by_one["specificity"].value) == (0.5, 0.5)
    for name in ("accuracy", "balanced_accuracy", "roc_auc", "brier", "ece"):
        assert own[name] == by_one[name]
