"""Two runs on the same test images: what differs, and what is refused."""

import csv
import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
from conftest import reseal, run_tfcnn, write_card

import tfcnn
from tfcnn.base.errors import InputError
from tfcnn.evaluation import comparison, intervals


@pytest.fixture
def other(run_copy: Path) -> Path:
    """A run of the same split that is right on the first test image only."""
    path = run_copy / "predictions.csv"
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    for number, row in enumerate(row for row in rows if row["split"] == "test"):
        if number:
            names = ("prob_round", "prob_square")
            right = names[row["label"] == "square"]
            wrong = names[row["label"] != "square"]
            row[right], row[wrong] = "0.1", "0.9"
    write(path, rows)
    return Path(shutil.move(run_copy, run_copy.with_name("worse")))


def write(path: Path, rows: list[dict[str, str]]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    if path.name == "predictions.csv":
        reseal(path.parent)


def test_a_run_differs_in_nothing_from_itself(trained):
    found = tfcnn.compare(trained, trained)
    assert found.counts == {"images": 16, "groups": 2}
    for row in found.metrics.values():
        assert row["first"] == row["second"]
        assert row["difference"]["value"] in (0.0, None)
    assert "neither is shown to be better" in found.sentence


def test_a_worse_run_is_called_worse_in_either_order(trained, other):
    forth, back = tfcnn.compare(trained, other), tfcnn.compare(other, trained)
    difference = forth.metrics["accuracy"]["difference"]
    assert difference["value"] > 0.5
    assert back.metrics["accuracy"]["difference"]["value"] == pytest.approx(-difference["value"])
    own = tfcnn.evaluate(trained).splits["test"]["roc_auc"]["value"]
    assert forth.metrics["roc_auc"]["first"] == pytest.approx(own)
    assert "On 16 unseen images of 2 groups cells is better than worse" in forth.sentence
    assert forth.sentence == back.sentence
    assert any("2 groups only" in warning for warning in forth.warnings)


def test_only_common_test_images_count(trained, other):
    path = other / "predictions.csv"
    rows = list(csv.DictReader(path.open(newline="")))
    dropped = [row for row in rows if row["split"] != "test" or row["label"] == "round"]
    write(path, dropped)
    found = tfcnn.compare(trained, other)
    assert found.counts["images"] == 8
    assert any("cells was tested on 16 images" in warning for warning in found.warnings)
    write(path, [row for row in rows if row["split"] != "test"])
    with pytest.raises(InputError, match="test images in common"):
        tfcnn.compare(trained, other)


def test_images_of_the_same_name_in_other_data_are_not_the_same(trained, other):
    path = other / "split.csv"
    rows = list(csv.DictReader(path.open(newline="")))
    write(path, [{**row, "sha256": "0" * 64} for row in rows])
    card = json.loads((other / "model.json").read_text())
    del card["sha256"]["split.csv"]
    write_card(other, card)
    with pytest.raises(InputError, match="test images in common"):
        tfcnn.compare(trained, other)


def test_other_classes_are_refused(trained, other):
    text = (other / "model.json").read_text().replace('"square"', '"triangle"')
    write_card(other, json.loads(text))
    result = run_tfcnn("compare", trained, other)
    assert result.returncode == 2 and result.stderr.count("\n") == 1
    assert "same classes" in result.stderr


def test_the_command_line(trained, other):
    result = run_tfcnn("compare", trained, other)
    assert result.returncode == 0, result.stderr
    assert "difference" in result.stdout and " pt" in result.stdout
    result = run_tfcnn("compare", trained, other, "--json")
    content = json.loads(result.stdout)
    assert content["runs"] == ["cells", "worse"]
    assert set(content["metrics"]["accuracy"]["difference"]) >= {"value", "low", "high"}


def regroup(run: Path, group: str | None) -> None:
    for name in ("predictions.csv", "split.csv"):
        rows = list(csv.DictReader((run / name).open(newline="")))
        renamed = [{**row, "group": group and group + row["group"]} for row in rows]
        write(run / name, [{**row, "group": row["group"] or ""} for row in renamed])
    card = json.loads((run / "model.json").read_text())
    del card["sha256"]["split.csv"]
    write_card(run, card)


def test_groups_that_one_run_knows_count_in_either_order(trained, other):
    regroup(other, None)
    forth, back = tfcnn.compare(trained, other), tfcnn.compare(other, trained)
    for found in (forth, back):
        assert found.counts == {"images": 16, "groups": 2}
        assert any(text.startswith("LEAKY: worse knew no groups") for text in found.warnings)
        assert not any("LEAKY: cells" in text for text in found.warnings)
    one, two = (found.metrics["accuracy"]["difference"] for found in (forth, back))
    assert (one["low"], one["high"]) == pytest.approx((-two["high"], -two["low"]))
    assert forth.sentence == back.sentence


def test_runs_that_read_other_groups_are_not_compared(trained, other):
    regroup(other, "x")
    with pytest.raises(InputError, match=r"the same groups in both runs; received P\d+ and xP"):
        tfcnn.compare(trained, other)


def test_only_the_difference_is_resampled(trained, other, monkeypatch):
    expected = {run: tfcnn.evaluate(run).splits["test"] for run in (trained,)}[trained]
    monkeypatch.setattr(intervals, "bootstrap", None)
    found = tfcnn.compare(trained, other)
    for name, row in found.metrics.items():
        assert row["first"] == expected[name]["value"]


def test_a_difference_is_told_with_its_ends_and_none_with_its_reason():
    run = SimpleNamespace(card={"data": {"nouns": ["cells", "patients"]}}, doubt="")

    def told(**difference):
        counts = {"images": 1000, "groups": 20}
        return comparison._sentence((run, run), ("a", "b"), counts, {"reason": "", **difference})

    assert told(value=0.02, low=0.01, high=0.03).endswith("(1.0 to 3.0).")
    for value in (0.02, None):
        sentence = told(value=value, low=None, high=None, reason="one group only")
        assert sentence.endswith("cannot be compared: one group only.")
