"""`score` end to end on runs that lack something: said clearly, and never a wrong number."""

import json

import numpy as np
import pytest
from paper_runs import make_run, random_table

from tfcnn.base.errors import InputError
from tfcnn.evaluation import calibration, scoring, table
from tfcnn.evaluation.table import Table


def changed(made, **columns):
    return Table(**{**vars(made), **columns})


def scored(run, made):
    """Score, and check what every report keeps: JSON without NaN, a reason for each lack."""
    report = scoring.score(run, made)
    text = json.dumps(report.to_dict(), allow_nan=False)
    assert json.loads(text)["splits"].keys() == report.splits.keys()
    for split in report.splits:
        for row in report.splits[split].values():
            assert row["low"] is not None or row["reason"]
            assert row["value"] is not None or "reason" in row
        assert all(isinstance(line, str) for line in report.remarks(split))
    return report


@pytest.mark.parametrize("num_classes", [2, 3, 10])
def test_a_whole_run_has_every_part(tmp_path, num_classes):
    made = random_table(num_classes)
    report = scored(make_run(tmp_path, num_classes), made)
    for split in ("val", "test"):
        part = made.part(split)
        row = report.flags[split]["out-of-domain"]
        assert row["count"] == (part.flags != "").sum()
        assert row["low"] < row["value"] == row["count"] / len(part.labels) < row["high"]
        curve = report.calibration[split]
        assert curve["temperature"] == 1.5
        for version in ("before", "after"):
            assert sum(row["count"] for row in curve["bins"][version]) == len(part.labels)
            gap = sum(
                row["count"] * abs(row["frequency"] - row["confidence"])
                for row in curve["bins"][version]
                if row["count"]
            )
            assert gap / len(part.labels) == pytest.approx(curve["ece"][version])
        for name in ("ece", "brier"):
            assert curve[name]["after"] == pytest.approx(report.splits[split][name]["value"])
    if num_classes == 2:
        assert report.patients["rule"]["least_share"] is not None
        row = report.patients["splits"]["test"]
        assert len(row["groups"]) == 20 and row["specificity"]["low"] is not None
        assert "one red cell in 25,000" in row["caveat"]["sentence"]
    else:
        assert report.patients["splits"] == {}
        assert report.patients["rule"]["reason"] == "no rule: there is no positive class"


def test_a_metric_is_a_line_with_its_interval_or_why_it_has_none(tmp_path):
    report = scored(make_run(tmp_path), random_table())
    row = report.splits["test"]["accuracy"]
    interval = f"({row['low']:.4f} to {row['high']:.4f})"
    assert f"accuracy             {row['value']:.4f}  {interval}" in report.lines("test")
    report.splits["test"]["accuracy"] = {"value": None, "low": None, "reason": "no image"}
    assert "accuracy                  –  (no image)" in report.lines("test")


def test_what_was_before_the_temperature_is_found_back():
    rng = np.random.default_rng(0)
    raw = rng.dirichlet([1, 1, 1], 500)
    labels = rng.integers(0, 3, 500)
    found = calibration.describe(labels, calibration.apply_temperature(raw, 2.0), 2.0)
    expected = calibration.describe(labels, raw, 1.0)
    assert found["brier"]["before"] == pytest.approx(expected["brier"]["after"])
    assert found["bins"]["before"] == [pytest.approx(row) for row in expected["bins"]["after"]]


def test_a_run_without_groups(tmp_path):
    made = random_table()
    report = scored(make_run(tmp_path), changed(made, groups=np.full(600, "")))
    assert report.groups == {"val": [], "test": []} and report.patients["splits"] == {}
    assert report.patients["rule"]["reason"] == "no rule: no groups are known"
    assert any("No patients are known" in line for line in report.warnings)
    assert report.sentence.startswith("On 300 unseen cells: ")
    some = made.groups.copy()
    some[::50] = ""  # a group missing here and there is as good as none
    assert scored(make_run(tmp_path), changed(made, groups=some)).groups["val"] == []


@pytest.mark.parametrize("num_classes", [2, 3, 10])
def test_a_class_missing_from_val(tmp_path, num_classes):
    made = random_table(num_classes)
    labels = np.where(made.splits == "val", 0, made.labels).astype(np.int32)
    report = scored(make_run(tmp_path, num_classes), changed(made, labels=labels))
    area = report.splits["val"]["roc_auc" if num_classes == 2 else "macro_roc_auc"]
    assert area["value"] is None and area["reason"].startswith("no image of class infected")
    assert any("val: no image of class infected" in line for line in report.warnings)
    if num_classes == 2:
        assert report.splits["val"]["sensitivity"]["value"] is None
        assert "val has no positive group" in report.patients["rule"]["reason"]
        assert report.patients["splits"]["test"]["sensitivity"]["value"] is None
        assert report.remarks("test")[-1].startswith("Per group: no rule: val has no positive")


@pytest.mark.parametrize("num_classes", [2, 3, 10])
def test_all_predictions_equal(tmp_path, num_classes):
    made = random_table(num_classes)
    probs = np.full(made.probs.shape, 1 / num_classes, np.float32)
    report = scored(make_run(tmp_path, num_classes), changed(made, probs=probs))
    row = report.splits["test"]
    area = row["roc_auc" if num_classes == 2 else "macro_roc_auc"]
    assert area["value"] == 0.5 and area["low"] is None and "every resample" in area["reason"]
    assert row["mcc"]["value"] is None
    assert sum(bin_["count"] > 0 for bin_ in report.calibration["test"]["bins"]["after"]) == 1


def test_one_patient_only(tmp_path):
    made = changed(random_table(), groups=np.full(600, "C1"))
    report = scored(make_run(tmp_path), made)
    accuracy = report.splits["test"]["accuracy"]
    assert accuracy["value"] is not None and accuracy["low"] is None
    assert accuracy["reason"] == "one group only: nothing can be said of others"
    assert report.flags["test"]["out-of-domain"]["low"] is None
    assert "no negative group among its 1" in report.patients["rule"]["reason"]
    assert "without an interval" in report.sentence


def test_probabilities_that_are_no_numbers_are_refused(tmp_path):
    made = random_table()
    probs = made.probs.copy()
    probs[7] = np.nan
    with pytest.raises(InputError, match="NaN comes from a training run that diverged"):
        scoring.score(make_run(tmp_path), changed(made, probs=probs))
    with pytest.raises(InputError, match="predictions to score"):
        scoring.score(make_run(tmp_path), made.part("none"))


@pytest.mark.parametrize(("num_classes", "low", "high"), [(2, 0.4, 0.6), (3, 0.0, 0.5)])
def test_a_band_reports_the_answered(tmp_path, num_classes, low, high):
    made = random_table(num_classes)
    run = make_run(tmp_path, num_classes, band={"low": low, "high": high})
    stated = made.probs[:, 1] if num_classes == 2 else made.probs.max(axis=1)
    close = (stated >= low) & (stated < high) & (made.flags == "")
    made = changed(made, flags=np.where(close, "abstain", made.flags))
    found = scored(run, made).flags["test"]
    part = made.part("test")
    answered = part.flags == ""
    assert found["abstain"]["count"] == (part.flags == "abstain").sum() > 0
    assert found["answered"]["value"] == pytest.approx(answered.mean())
    right = (part.probs.argmax(axis=1) == part.labels)[answered].mean()
    accuracy = found["of_answered"]["accuracy"]
    assert accuracy["value"] == pytest.approx(right)
    assert accuracy["low"] < right < accuracy["high"]
    line = scoring.score(run, made).remarks("test")[1]
    assert line.startswith("Left unanswered: ") and f"{100 * right:.1f} %" in line
    nothing = changed(made, flags=np.full(600, "abstain"))
    accuracy = scored(run, nothing).flags["test"]["of_answered"]["accuracy"]
    assert accuracy["value"] is None and accuracy["reason"] == "no image is answered"


def test_no_domain_and_old_runs_say_so(tmp_path):
    made = random_table()
    unfitted = scored(make_run(tmp_path, domain=False), changed(made, flags=np.full(600, "")))
    row = unfitted.flags["test"]["out-of-domain"]
    assert row["value"] is None and row["reason"] == "not fitted: 9 val images, 99 are needed"
    old = make_run(tmp_path)
    for key in ("domain_reason", "abstention", "abstention_reason", "group_rule"):
        del old.card[key]
    old.card["domain"] = None
    report = scored(old, changed(made, flags=None))
    assert report.flags["test"]["out-of-domain"]["reason"] == "measured before flags were"
    assert report.patients["rule"]["least_share"] is not None  # from val's predictions


def test_other_data_uses_the_rule_on_record(tmp_path):
    data = random_table(splits=("data",))
    report = scored(make_run(tmp_path), data)
    assert "whose predictions this run lacks" in report.patients["rule"]["reason"]
    run = make_run(tmp_path, group_rule={"least_share": 0.3, "reason": "on val"})
    row = scored(run, data).patients["splits"]["data"]
    shares = {group["group"]: group["called_share"] for group in row["groups"]}
    for name, share in shares.items():
        own = data.groups == name
        assert share == pytest.approx((data.probs[own, 1] >= 0.5).mean())
    assert all(group["is_called"] == (group["called_share"] >= 0.3) for group in row["groups"])


def test_predictions_come_back_with_their_flags(tmp_path):
    run = make_run(tmp_path)
    for made in (random_table(), changed(random_table(), flags=None)):
        table.write(run, made)
        again = table.read(run)
        for name, column in vars(made).items():
            if column is None:
                assert getattr(again, name) is None
            else:
                np.testing.assert_array_equal(getattr(again, name), column)
    header = (tmp_path / "predictions.csv").read_text().splitlines()[0]
    assert header.endswith(",decision")
