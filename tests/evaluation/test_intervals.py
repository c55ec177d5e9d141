import json
from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from tfcnn.base.errors import InputError
from tfcnn.evaluation import intervals, resampling
from tfcnn.evaluation.intervals import Distribution, Interval, leave_one_out, resample
from tfcnn.evaluation.metrics import compute
from tfcnn.evaluation.sample import Sample


def bootstrap(labels, probs, groups, *, positive=1, class_names=None, **options):
    sample = Sample(labels, probs, groups, positive=positive, class_names=class_names)
    return intervals.bootstrap(sample, **options)


def paired(labels, probs, other_probs, groups, *, positive=1, other_threshold=0.5, **options):
    first = Sample(labels, probs, groups, positive=positive)
    second = Sample(labels, other_probs, groups, positive=positive, threshold=other_threshold)
    return intervals.paired(first, second, **options)


def patients(seed=0, num_groups=30, most=40, strength=0.8, num_classes=2):
    """Labels, probabilities and groups of patients whose stain shifts all their scores."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(5, most, num_groups)
    groups = np.repeat(np.arange(num_groups), sizes)
    labels = rng.integers(0, num_classes, len(groups))
    logits = rng.normal(size=(len(groups), num_classes)) + 2 * np.eye(num_classes)[labels]
    logits[:, 0] += rng.normal(0, strength, num_groups)[groups]
    probs = np.exp(logits)
    return labels, probs / probs.sum(axis=1, keepdims=True), np.char.add("C", groups.astype(str))


def width(interval):
    return interval.high - interval.low


@settings(deadline=None, max_examples=12)
@given(
    seed=st.integers(0, 10**6),
    num_groups=st.integers(2, 25),
    num_classes=st.sampled_from([2, 3]),
    grouped=st.booleans(),
)
def test_intervals_hold_their_value_within_range(seed, num_groups, num_classes, grouped):
    labels, probs, groups = patients(seed, num_groups, num_classes=num_classes)
    positive = 1 if num_classes == 2 else None
    found = bootstrap(
        labels, probs, groups if grouped else None, positive=positive, num_resamples=100
    )
    points = compute(Sample(labels, probs, positive=positive))
    assert set(found) == set(points)
    for name, interval in found.items():
        assert interval.value == pytest.approx(points[name].value, abs=1e-12)
        if interval.low is None:
            assert interval.high is None and interval.reason
        else:
            low, high = {"mcc": (-1, 1), "brier": (0, 2), "log_loss": (0, np.inf)}.get(name, (0, 1))
            assert low <= interval.low <= interval.value <= interval.high <= high
    json.dumps({name: asdict(interval) for name, interval in found.items()}, allow_nan=False)


def test_resamples_are_whole_groups():
    """One column of the resamples, made by hand from copies of the drawn groups."""
    labels, probs, groups = patients(num_groups=6)
    sample = Sample(labels, probs, groups, positive=1)
    found = resample(sample, num_resamples=4, seed=3)
    drawn = np.random.default_rng(3).integers(0, 6, (4, 6))
    for row, names in enumerate(np.array(sample.unit_names)[drawn]):
        copies = np.concatenate([np.flatnonzero(groups == name) for name in names])
        expected = compute(Sample(labels[copies], probs[copies], positive=1))
        for name, metric in expected.items():
            assert found[name][row] == pytest.approx(metric.value, abs=1e-6)


def test_leaving_a_group_out_is_scoring_the_others(monkeypatch):
    labels, probs, groups = patients(num_groups=7)
    sample = Sample(labels, probs, groups, positive=1)
    found = leave_one_out(sample)
    for index, name in enumerate(sample.unit_names):
        others = groups != name
        expected = compute(Sample(labels[others], probs[others], positive=1))
        assert found["pr_auc"][index] == pytest.approx(expected["pr_auc"].value)
        assert found["accuracy"][index] == pytest.approx(expected["accuracy"].value)
    monkeypatch.setattr(resampling, "MAX_BLOCKS", 3)
    assert leave_one_out(sample)["accuracy"].shape == (3,)
    assert leave_one_out(Sample(labels, probs, positive=1)) == {}


def test_same_seed_same_intervals_whatever_the_group_names():
    labels, probs, groups = patients()
    first = bootstrap(labels, probs, groups, positive=1, num_resamples=200)
    assert bootstrap(labels, probs, groups, positive=1, num_resamples=200) == first
    order = np.random.default_rng(0).permutation(len(labels))
    shuffled = bootstrap(labels[order], probs[order], groups[order], positive=1, num_resamples=200)
    for name, interval in first.items():
        assert shuffled[name].low == pytest.approx(interval.low, abs=1e-6)
    other = bootstrap(labels, probs, groups, positive=1, num_resamples=200, seed=1)
    assert other["accuracy"].low != first["accuracy"].low


def test_patients_that_differ_widen_the_interval_and_images_hide_it():
    labels, probs, groups = patients(strength=1.5)
    by_patient = bootstrap(labels, probs, groups, positive=1, num_resamples=400)
    by_image = bootstrap(labels, probs, None, positive=1, num_resamples=400)
    assert width(by_patient["accuracy"]) > 1.5 * width(by_image["accuracy"])
    wider = bootstrap(labels, probs, groups, positive=1, num_resamples=400, confidence=0.99)
    assert width(wider["accuracy"]) > width(by_patient["accuracy"])


def test_without_groups_accuracy_has_the_textbook_logit_interval():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 400)
    probs = np.eye(2)[np.where(rng.random(400) < 0.9, labels, 1 - labels)] * 0.8 + 0.1
    found = bootstrap(labels, probs, None, positive=1, num_resamples=20_000, names=["accuracy"])
    share = found["accuracy"].value
    margin = stats.t.ppf(0.975, 399) / np.sqrt(399 * share * (1 - share))
    ends = 1 / (1 + np.exp(-(np.log(share / (1 - share)) + np.array([-margin, margin]))))
    assert [found["accuracy"].low, found["accuracy"].high] == pytest.approx(ends, abs=2e-3)


def test_without_groups_log_loss_has_the_textbook_interval_on_the_log_scale():
    """Of ten images, where n - 1 is not n."""
    rng = np.random.default_rng(0)
    labels, own = np.arange(10) % 2, rng.uniform(0.5, 1, 10)
    probs = np.where(np.eye(2)[labels] > 0, own[:, np.newaxis], 1 - own[:, np.newaxis])
    found = bootstrap(labels, probs, None, positive=None, num_resamples=4000, names=["log_loss"])
    losses = -np.log(own)
    margin = stats.t.ppf(0.975, 9) * losses.std(ddof=1) / np.sqrt(10)
    ends = np.log([found["log_loss"].low, found["log_loss"].high])
    expected = np.log(losses.mean()) + np.array([-margin, margin]) / losses.mean()
    assert ends == pytest.approx(expected, abs=0.03 * margin / losses.mean())


def test_groups_of_one_image_are_images():
    labels, probs, _ = patients()
    names = np.arange(len(labels)).astype(str)
    names = np.char.zfill(names, 5)  # sorted as the images are, so that the draws are the same
    one_each = bootstrap(labels, probs, names, positive=1, num_resamples=100)
    images = bootstrap(labels, probs, None, positive=1, num_resamples=100)
    for name, interval in images.items():
        assert one_each[name].low == pytest.approx(interval.low, abs=1e-6)


def test_freedom_is_the_number_of_groups_that_carry_the_variance():
    def freedom(changes, num_units, **options):
        changed = Distribution(0.5, np.zeros(1), 0.5 + np.array(changes), num_units)
        return changed.freedom(**options)

    assert freedom([0.1] * 8, 20) == pytest.approx(8)
    assert freedom([0.1] * 8 + [0.0] * 12, 20) == pytest.approx(8)
    assert freedom([0.1, 0.001, 0.001], 3) == 2  # the floor
    assert freedom([0.1, -0.1], 2) == 2
    assert Distribution(0.5, np.zeros(1), None, 100).freedom() == 99
    # 2 / (kurtosis - 1) per group: a variance of 1,000 normal changes has 1,000 degrees
    normal = stats.norm.ppf((np.arange(1000) + 0.5) / 1000)
    assert freedom(normal, 1000, is_difference=True) == pytest.approx(1000, rel=0.02)
    assert freedom([0.1] * 8 + [0.0] * 12, 20, is_difference=True) == pytest.approx(19)
    assert freedom([0.1] * 4 + [0.0] * 16, 20, is_difference=True) == pytest.approx(10)


def test_no_error_seen_gives_the_exact_bound_over_groups():
    labels = np.tile([0, 0, 0, 1], 20)
    probs = np.eye(2)[labels] * 0.8 + 0.1
    groups = np.repeat(np.arange(20).astype(str), 4)
    found = bootstrap(labels, probs, groups, positive=1, num_resamples=100)
    for name in ("accuracy", "sensitivity", "specificity", "ppv", "npv"):
        interval = found[name]
        clopper = stats.binomtest(20, 20).proportion_ci(0.95, method="exact")
        assert (interval.value, interval.high) == (1.0, 1.0)
        assert interval.low == pytest.approx(clopper.low)
        assert "over groups" in interval.reason
    for name in ("roc_auc", "pr_auc", "mcc", "f1", "balanced_accuracy"):
        assert found[name] == Interval(1.0, None, None, found[name].reason)
        assert "every resample gives 1" in found[name].reason
    images = bootstrap(labels, probs, None, positive=1, num_resamples=100)
    assert images["accuracy"].low == pytest.approx(0.025 ** (1 / 80))
    wrong = bootstrap(1 - labels, probs, groups, positive=1, num_resamples=100)
    assert wrong["accuracy"].low == 0.0
    assert wrong["accuracy"].high == pytest.approx(1 - clopper.low)


def test_unequal_groups_count_as_fewer_in_the_exact_bound():
    labels = np.repeat([0, 1], [50, 50])
    groups = np.array(["big"] * 90 + list("abcdefghij"))
    found = bootstrap(labels, np.eye(2)[labels], groups, positive=1, num_resamples=100)
    assert found["accuracy"].low == pytest.approx(0.025 ** (1 / (100**2 / (90**2 + 10))))


def test_one_patient_gives_values_without_intervals():
    labels, probs, groups = patients(num_groups=1)
    found = bootstrap(labels, probs, groups, positive=1, num_resamples=100)
    for interval in found.values():
        assert interval.value is not None and interval.low is None and interval.high is None
        assert interval.reason == "one group only: nothing can be said of others"


def test_a_class_in_one_patient_only_gives_no_interval_for_it():
    labels, probs, groups = patients(num_groups=10)
    labels[groups != "C3"] = 0
    missed = np.flatnonzero(groups == "C3")[0]
    labels[missed], probs[missed] = 1, [0.9, 0.1]
    found = bootstrap(labels, probs, groups, positive=1, num_resamples=100)
    assert found["sensitivity"].low is None
    assert found["sensitivity"].reason.startswith("rests on one group")
    assert found["specificity"].low is not None
    labels[groups == "C4"] = 1
    found = bootstrap(labels, probs, groups, positive=1, num_resamples=400)
    assert found["roc_auc"].low is None  # lacking in about (8 / 10)**10 of the resamples
    assert "of resamples" in found["roc_auc"].reason


def test_a_missing_class_is_named_and_not_scored():
    labels, probs, groups = patients()
    found = bootstrap(
        np.zeros_like(labels), probs, groups,
        positive=1, num_resamples=100, class_names=["healthy", "infected"],
    )  # fmt: skip
    assert found["sensitivity"] == Interval(None, None, None, "no image of class infected")
    assert found["specificity"].low is not None


def test_equal_predictions_give_chance_and_no_spread():
    labels, _, groups = patients()
    found = bootstrap(labels, np.full((len(labels), 2), 0.5), groups, positive=1, num_resamples=100)
    assert found["roc_auc"].value == 0.5 and found["roc_auc"].low is None
    assert found["mcc"] == Interval(None, None, None, "no image is called 0")
    assert found["pr_auc"].low is not None  # the share of positives, which varies


def test_the_difference_of_a_model_and_itself_is_nothing():
    labels, probs, groups = patients()
    for interval in paired(labels, probs, probs, groups, positive=1, num_resamples=100).values():
        assert (interval.value, interval.low, interval.high) == (0.0, 0.0, 0.0)


def test_paired_differences_are_antisymmetric_and_narrower():
    labels, probs, groups = patients(strength=1.5)
    rng = np.random.default_rng(0)
    noise = np.exp(rng.normal(0, 0.3, probs.shape))
    other = probs * noise / (probs * noise).sum(axis=1, keepdims=True)
    options = {"positive": 1, "num_resamples": 400}
    forth = paired(labels, probs, other, groups, **options)
    back = paired(labels, other, probs, groups, **options)
    own, others = (bootstrap(labels, p, groups, **options) for p in (probs, other))
    for name, interval in forth.items():
        assert interval.value == pytest.approx(own[name].value - others[name].value, abs=1e-12)
        assert interval.low <= interval.value <= interval.high
        assert back[name].low == pytest.approx(-interval.high, abs=1e-6)
    assert width(forth["roc_auc"]) < width(own["roc_auc"])


def test_paired_finds_a_model_that_is_much_worse_and_uses_each_threshold():
    labels, probs, groups = patients()
    useless = np.random.default_rng(0).dirichlet([1, 1], len(labels))
    found = paired(labels, probs, useless, groups, positive=1, num_resamples=200)
    assert found["accuracy"].low > 0.2
    moved = paired(labels, probs, probs, groups, positive=1, other_threshold=0.9, num_resamples=200)
    assert moved["accuracy"].value == 0
    assert moved["sensitivity"].low > 0


def test_paired_says_what_only_one_model_lacks():
    labels, probs, groups = patients()
    never = np.tile([0.9, 0.1], (len(labels), 1))
    found = paired(labels, probs, never, groups, positive=1, num_resamples=100)
    assert found["ppv"] == Interval(None, None, None, "no image is called 1")


def test_bad_requests_are_named():
    labels, probs, groups = patients()
    with pytest.raises(InputError, match="num_resamples"):
        bootstrap(labels, probs, groups, positive=1, num_resamples=10)
    with pytest.raises(InputError, match="confidence"):
        bootstrap(labels, probs, groups, positive=1, confidence=95)
    with pytest.raises(InputError, match="two models of the same classes"):
        paired(labels, probs, np.full((len(labels), 3), 1 / 3), groups, positive=None)


@pytest.mark.slow
def test_coverage_of_accuracy_with_sixty_patients():
    """A smaller twin of benchmarks/interval_coverage.py: 300 data sets, beta-binomial patients."""
    rng = np.random.default_rng(0)
    held = {"groups": 0, "images": 0}
    for _ in range(300):
        sizes = np.exp(rng.normal(3.5, 1, 60)).astype(int) + 1
        groups = np.repeat(np.arange(60), sizes)
        right = rng.random(len(groups)) < rng.beta(9, 1, 60)[groups]
        labels = rng.integers(0, 2, len(groups))
        probs = np.eye(2)[np.where(right, labels, 1 - labels)]
        for unit, names in (("groups", groups), ("images", None)):
            interval = bootstrap(
                labels, probs, names, positive=1, num_resamples=200, names=["accuracy"]
            )["accuracy"]
            held[unit] += interval.low <= 0.9 <= interval.high
    assert held["groups"] / 300 >= 0.9  # .92 less two standard errors of the simulation
    assert held["images"] / 300 < 0.8
