"""What an export is compared by, and what is said of it: numbers that are known beforehand."""

from types import SimpleNamespace

import numpy as np
import pytest

from tfcnn.base.errors import CheckError
from tfcnn.evaluation import table
from tfcnn.evaluation.table import Table
from tfcnn.export import _images, _verify, litert, litert_int8
from tfcnn.prediction.domain import Domain

PROBS = np.array([[0.2, 0.8], [0.5, 0.5], [0.7, 0.3], [0.9, 0.1]], np.float32)
FEATURES = np.array([[1, 0], [0, 1], [1, 1], [20, 0]], np.float32)


class Known(Domain):
    """Looks at the first feature only."""

    def distances(self, images, features):
        return np.stack([features[:, 0], 0 * features[:, 0]], axis=1)


def make_job(domain=None, band=None):
    """The parts of a job that a comparison looks at."""
    images = np.zeros((4, 8, 8, 3), np.uint8)
    return SimpleNamespace(
        run=SimpleNamespace(path="cells", positive=0, threshold=0.5, abstention=band),
        keras=SimpleNamespace(probs_and_features=lambda images: (PROBS, FEATURES), domain=domain),
        sample=SimpleNamespace(images=images, words="4 images", is_real=True, note=""),
    )


def compared(probs=PROBS, features=FEATURES, tolerance=1e-4, **job):
    module = SimpleNamespace(TITLE="LiteRT", TOLERANCE=tolerance)
    return _verify.compare(make_job(**job), module, lambda images: (probs, features))


def shifted(array, row, by):
    changed = array.copy()
    changed[row, 0] += by
    return changed


@pytest.mark.parametrize("by", [9e-5, -9e-5])
def test_a_probability_may_differ_by_less_than_the_tolerance(by):
    found = compared(shifted(PROBS, 2, by))
    assert found["largest_difference"] == pytest.approx(9e-5, rel=1e-2)
    assert found["other_decisions"] == found["other_flags"] == 0


@pytest.mark.parametrize("by", [1.1e-4, -1.1e-4, np.nan])
def test_one_probability_that_differs_by_more_is_enough(by):
    with pytest.raises(CheckError, match=r"the probabilities of model\.keras within 0\.0001"):
        compared(shifted(PROBS, 2, by))


def test_a_feature_may_differ_by_a_share_of_the_largest_one():
    found = compared(features=shifted(FEATURES, 0, -20 * 9e-5))
    assert found["largest_feature_difference"] == pytest.approx(9e-5, rel=1e-2)
    for by in (20 * 1.1e-4, -20 * 1.1e-4, np.nan):
        with pytest.raises(CheckError, match=r"the features of model\.keras within 0\.0001"):
            compared(features=shifted(FEATURES, 0, by))


def test_other_decisions_are_counted_by_the_threshold_of_the_run():
    assert compared(shifted(PROBS, 1, -1e-5))["other_decisions"] == 1
    assert compared(shifted(PROBS, 1, 1e-5))["other_decisions"] == 0


@pytest.mark.parametrize(("band", "count"), [(None, 0), ((0.3, 0.5), 1), ((0.3, 0.6), 0)])
def test_other_flags_are_counted_by_the_band_of_the_run(band, count):
    assert compared(shifted(PROBS, 1, -1e-5), band=band)["other_flags"] == count


@pytest.mark.parametrize(("threshold", "count"), [(0.99999, 1), (0.9, 0), (2.0, 0)])
def test_other_flags_are_counted_by_the_domain_of_the_run(threshold, count):
    usual = Known({}, threshold=threshold)
    features = shifted(FEATURES, 0, -5e-5)
    assert compared(features=features, domain=usual)["other_flags"] == count


def test_a_format_that_rounds_is_not_refused_here():
    found = compared(shifted(PROBS, 1, -0.2), FEATURES + 9, tolerance=None)
    assert found["largest_difference"] == pytest.approx(0.2) and found["other_decisions"] == 1


GROUPS, EACH = 12, 100


def judged(monkeypatch, losses, gains=None, each=EACH):
    """Judge 8 bits that are wrong in so many images of each group, where float32 is right."""
    gains = gains or [0] * GROUPS
    labels = np.tile(np.arange(each) % 2, GROUPS).astype(np.int32)
    right = np.ones((GROUPS, each), bool)
    rounded = right.copy()
    for group, (lost, won) in enumerate(zip(losses, gains, strict=True)):
        rounded[group, :lost] = False
        right[group, each - won :] = False

    def probs(is_right):
        told = np.where(is_right.ravel(), labels, 1 - labels)
        return np.eye(2, dtype=np.float32)[told] * 0.8 + 0.1

    paths = np.array([f"{i}.png" for i in range(len(labels))])
    groups = np.repeat([f"P{group}" for group in range(GROUPS)], each)
    val = Table(
        paths, np.full(len(paths), "val"), groups, labels, probs(right), np.full(len(paths), "")
    )
    monkeypatch.setattr(table, "read", lambda run: val)
    monkeypatch.setattr(_images, "rows_of", lambda run, split: [{"path": path} for path in paths])
    monkeypatch.setattr(litert_int8, "_probs", lambda job, rows, runner: probs(rounded))
    card = {"data": {"nouns": ["cells", "patients"]}}
    run = SimpleNamespace(path="cells", positive=0, threshold=0.5, card=card)
    return litert_int8.accept(SimpleNamespace(run=run), None)


def test_the_loss_of_8_bits_has_the_interval_of_pairs_over_groups(monkeypatch):
    losses = [0, 0, 1, 0, 0, 2, 0, 0, 1, 0, 0, 0]
    found = judged(monkeypatch, losses, gains=[10] * GROUPS)
    loss = found["loss"]
    assert loss["value"] == pytest.approx((sum(losses) - 120) / 1200)
    # of means of equal groups, in closed form; 1 / 12 of it for 12 groups
    error = np.std(losses, ddof=1) / EACH / np.sqrt(GROUPS)
    width = loss["high"] - loss["low"]
    assert 2 * 1.9 * error < width < 2 * 3.3 * error
    assert (loss["low"] + loss["high"]) / 2 == pytest.approx(loss["value"], abs=1e-9)
    assert found["groups"] == GROUPS and "1,200 cells of val, of 12 patients" in found["sentence"]
    assert found["accuracy_float32"] == pytest.approx(0.9)
    assert found["accuracy"] == pytest.approx(1 - sum(losses) / 1200)


def test_8_bits_are_refused_where_the_end_of_the_interval_is_over_a_point(monkeypatch):
    spread = [0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0]  # .42 points, in one patient
    with pytest.raises(CheckError, match=r"at most 1 point .* received 0\.42 points"):
        judged(monkeypatch, spread)
    even = judged(monkeypatch, [0, 1] * 6)["loss"]  # .5 points, in half of them
    assert even["value"] == pytest.approx(0.005) and even["high"] < 0.01
    with pytest.raises(CheckError, match=r"received 1\.50 points"):
        judged(monkeypatch, [1, 2] * 6)


def test_no_other_answer_on_few_images_is_no_proof(monkeypatch):
    none = [0] * GROUPS
    with pytest.raises(CheckError, match=r"360 cells .* received 0\.00 points \(−1\.02 to 1\.02\)"):
        judged(monkeypatch, none, each=30)
    loss = judged(monkeypatch, none, each=31)["loss"]  # 372 images; 368 are needed
    assert loss["value"] == 0 and 0.0098 < loss["high"] < 0.01


def test_a_better_accuracy_is_no_reason_to_refuse(monkeypatch):
    found = judged(monkeypatch, [0] * GROUPS, gains=[3, 0, 8] * 4)
    assert found["loss"]["low"] < -0.01 and found["loss"]["high"] < 0
    assert "−3.67 points" in found["sentence"]


def test_a_snippet_of_8_bits_is_that_of_litert():
    assert litert_int8.FILE == litert.FILE and litert_int8.SNIPPET == litert.SNIPPET
