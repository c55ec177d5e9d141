"""What is said of a result: beside which share it stands, and what its threshold was asked for."""

import dataclasses
import json

import numpy as np
import pytest
from paper_runs import make_run, random_table

from tfcnn.evaluation import metrics, scoring
from tfcnn.evaluation.table import Table
from tfcnn.runs import Run


def table_of(labels, probs, split="test", groups=None):
    count = len(labels)
    return Table(
        paths=np.array([f"{split}{i}.png" for i in range(count)]),
        splits=np.full(count, split),
        groups=np.full(count, "") if groups is None else np.asarray(groups),
        labels=np.asarray(labels, dtype=np.int32),
        probs=np.asarray(probs, dtype=np.float32),
    )


def answers(counts, shares_right):
    """Sure answers of two classes: so many images of each, so many of them right."""
    labels = np.repeat([0, 1], counts)
    parts = zip(counts, shares_right, strict=True)
    right = np.concatenate([np.arange(count) < round(share * count) for count, share in parts])
    called = np.where(right, labels, 1 - labels)
    probs = np.where(np.eye(2)[called] == 1, 0.9, 0.1)
    mixed = np.random.default_rng(0).permutation(len(labels))
    return labels[mixed], probs[mixed]


def joined(*parts):
    columns = {f.name: [getattr(p, f.name) for p in parts] for f in dataclasses.fields(Table)}
    return Table(**{k: None if v[0] is None else np.concatenate(v) for k, v in columns.items()})


def test_a_balanced_result_is_said_as_it_always_was(tmp_path):
    for positive in (True, False):
        made = table_of(*answers((200, 200), (0.96, 0.94)))
        found = scoring.score(make_run(tmp_path, positive=positive), made)
        row = found.splits["test"]["accuracy"]
        low, high = 100 * row["low"], 100 * row["high"]
        assert found.sentence == f"On 400 unseen cells: 95.0 % ({low:.1f} to {high:.1f})."
        assert found.baseline == {"test": {"class": "healthy", "share": 0.5}}


def test_an_imbalanced_one_says_what_is_found_of_each_class(tmp_path):
    made = table_of(*answers((897, 103), (0.994, 0.75)))
    with_positive = scoring.score(make_run(tmp_path), made).sentence
    assert with_positive.startswith("On 1,000 unseen cells: 96.9 % (")
    assert "; always saying healthy: 89.7 %; sensitivity 74.8 % (" in with_positive
    assert "; specificity 99.4 % (" in with_positive
    without = scoring.score(make_run(tmp_path, positive=False), made).sentence
    assert "; always saying healthy: 89.7 %; balanced accuracy 87.1 % (" in without
    assert "sensitivity" not in without


@pytest.mark.parametrize("counts", [(190, 10), (10, 190)])
def test_a_class_that_is_never_called_is_named(tmp_path, counts):
    common = int(counts[1] > counts[0])
    labels = np.repeat([0, 1], counts)
    made = table_of(labels, np.tile(np.eye(2)[common] * 0.8 + 0.1, (200, 1)))
    for positive in (True, False):
        found = scoring.score(make_run(tmp_path, positive=positive), made)
        name, other = np.array(["healthy", "infected"])[[common, 1 - common]]
        assert f"; not shown to be better than always saying {name}: 95.0 %" in found.sentence
        assert f"test: no image is called {other}" in found.warnings
    if common == 0:
        assert "sensitivity 0.0 %" in scoring.score(make_run(tmp_path), made).sentence


def test_at_chance_a_balanced_result_says_so_too(tmp_path):
    made = table_of(*answers((100, 100), (0.6, 0.45)))
    found = scoring.score(make_run(tmp_path), made)
    assert found.sentence.endswith("; not shown to be better than always saying healthy: 50.0 %.")
    worse = scoring.score(make_run(tmp_path), table_of(*answers((100, 100), (0.2, 0.3))))
    assert worse.sentence.endswith("; worse than always saying healthy: 50.0 %.")


@pytest.mark.parametrize("right", [0, 13, 25])
def test_where_test_has_one_class_only_that_is_said(tmp_path, right):
    made = table_of(*answers((25, 0), (right / 25, 1)))
    found = scoring.score(make_run(tmp_path, positive=False), made)
    assert "; always saying healthy: 100.0 %, as no other class is there" in found.sentence
    assert "better" not in found.sentence and "worse" not in found.sentence


def test_what_holds_of_both_splits_is_said_once(tmp_path):
    parts = [table_of(*answers((20, 20), (0.9, 0.9)), split) for split in ("val", "test")]
    said = [text for text in scoring.score(make_run(tmp_path), joined(*parts)).warnings
            if "are known: the intervals" in text]  # fmt: skip
    assert len(said) == 1 and said[0].startswith("val and test: No patients are known")
    groups = [f"P{i // 20}" for i in range(40)]
    parts[1] = table_of(parts[1].labels, parts[1].probs, "test", groups)
    said = " | ".join(scoring.score(make_run(tmp_path), joined(*parts)).warnings)
    assert "val: No patients are known" in said and "test: 2 patients only" in said


def test_ten_classes_of_which_some_are_never_called(tmp_path):
    labels = np.arange(400) % 10
    probs = np.full((400, 10), 0.01)
    probs[np.arange(400), labels % 3] = 0.91
    found = scoring.score(make_run(tmp_path, 10), table_of(labels, probs))
    assert "test: no image is called b, c, d, e, f and 2 other classes" in found.warnings
    assert found.baseline["test"]["share"] == pytest.approx(0.1)


def test_the_matrix_counts_at_the_stored_threshold_and_accuracy_does_not(tmp_path):
    made = random_table(splits=("test",))
    for threshold in (0.2, 0.5, 0.8):
        found = scoring.score(make_run(tmp_path, threshold=threshold), made)
        (_, alarms), (missed, hits) = found.confusion["test"]
        rows = found.splits["test"]
        assert rows["sensitivity"]["value"] == pytest.approx(hits / (hits + missed))
        assert rows["ppv"]["value"] == pytest.approx(hits / (hits + alarms))
        right = (made.probs.argmax(axis=1) == made.labels).mean()
        assert rows["accuracy"]["value"] == pytest.approx(right)
        assert found.confusion_rule == "decision"
    found = scoring.score(make_run(tmp_path, 3), random_table(3, splits=("test",)))
    assert found.confusion_rule == "predicted" and found.operating_point == {}


def with_wish(path, val, test, asked=0.95, threshold=0.651):
    run = make_run(path, threshold=threshold, threshold_reason="as val asked",
                   asked={"sensitivity": asked})  # fmt: skip
    return scoring.score(run, joined(val, test))


def scored_positives(share_found, positives, split, threshold, groups=None):
    """As many negatives, all right; of the positives a share at or above a threshold."""
    found = round(share_found * positives)
    scores = [threshold + 0.01] * found + [threshold - 0.1] * (positives - found)
    scores = np.array(scores + [0.05] * positives)
    labels = np.repeat([1, 0], positives)
    order = np.random.default_rng(1).permutation(len(labels))
    probs = np.stack([1 - scores, scores], axis=1)
    return table_of(labels[order], probs[order], split, groups)


def test_a_wish_that_24_images_cannot_promise_and_test_does_not_keep(tmp_path):
    val = scored_positives(23 / 24, 24, "val", 0.651)
    test = scored_positives(0.75, 40, "test", 0.651)
    found = with_wish(tmp_path, val, test)
    assert "; at the threshold of 0.651: sensitivity asked 95 %, val 95.8 % (" in found.sentence
    assert "), test 75.0 % (" in found.sentence and "; specificity 100.0 % (" in found.sentence
    said = " | ".join(found.warnings)
    assert "val, 24 infected cells, is too small to promise a sensitivity of 95 %" in said
    assert "test: a sensitivity of 95 % was asked, and it is 75.0 % (" in said
    point = found.operating_point
    assert (point["metric"], point["asked"], point["threshold"]) == ("sensitivity", 0.95, 0.651)
    assert point["splits"]["test"] == found.splits["test"]["sensitivity"]


def test_what_falls_short_by_just_what_is_borne_is_no_warning(tmp_path):
    val = scored_positives(0.97, 2000, "val", 0.3)
    for found, is_said in ((9, False), (8, True)):  # of 20: five points less than asked, or ten
        test = scored_positives(found / 20, 20, "test", 0.3)
        report = with_wish(tmp_path, val, test, asked=0.5, threshold=0.3)
        assert any("was asked" in text for text in report.warnings) == is_said


def test_a_wish_that_many_images_keep_is_no_warning(tmp_path):
    parts = [scored_positives(0.97, 2000, name, 0.3) for name in ("val", "test")]
    found = with_wish(tmp_path, *parts, threshold=0.3)
    assert not any("95 %" in said for said in found.warnings)
    assert "sensitivity asked 95 %, val 97.0 % (" in found.sentence


def test_a_specificity_is_asked_in_the_same_words(tmp_path):
    val = scored_positives(0.9, 12, "val", 0.4)
    run = make_run(tmp_path, threshold=0.4, asked={"specificity": 0.9})
    found = scoring.score(run, val)
    said = next(said for said in found.warnings if "promise" in said)
    assert said.startswith("val, 12 cells that are not infected, is too small to promise a spec")


def test_a_report_from_before_is_read(tmp_path):
    run = make_run(tmp_path)
    scoring.write(scoring.score(run, random_table()), tmp_path)
    path = tmp_path / "report.json"
    content = json.loads(path.read_text())
    for key in ("baseline", "confusion_rule", "operating_point"):
        del content[key]
    path.write_text(json.dumps(content))
    found = scoring.load(Run(tmp_path, run.card))
    assert found.confusion_rule == "predicted" and found.operating_point == {}
    labels = random_table().part("test").labels
    assert found.baseline["test"]["share"] == pytest.approx(np.bincount(labels).max() / len(labels))


@pytest.mark.parametrize(
    ("right", "images", "share", "is_luck"),
    [(0, 40, 0.5, True), (20, 40, 0.5, True), (24, 40, 0.5, True), (32, 40, 0.5, False),
     (528, 1000, 0.5, False), (53, 100, 0.5, True), (14, 15, 14 / 15, True), (16, 16, 0.5, False),
     (4, 4, 0.5, True), (190, 200, 0.95, True), (200, 200, 0.95, False)],
)  # fmt: skip
def test_what_can_be_had_by_luck(right, images, share, is_luck):
    assert metrics.may_be_luck(right, images, {"class": "a", "share": share}) is is_luck


@pytest.mark.parametrize(("split", "said"), [("test", "also trained on"), ("data", "unseen")])
def test_a_leak_is_of_the_runs_own_test_not_of_images_that_it_has_not_seen(tmp_path, split, said):
    table = random_table(count=40, splits=(split,))
    assert said in scoring.score(make_run(tmp_path, leaky=True), table).sentence
