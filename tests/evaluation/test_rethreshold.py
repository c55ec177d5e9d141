"""`tfcnn threshold`: another threshold on val, no training, and nothing half done unnoticed."""

import csv
import json
from pathlib import Path

import pytest
from conftest import reseal, run_tfcnn, write_card

import tfcnn
from tfcnn import runs
from tfcnn.base import atomic
from tfcnn.base.errors import CheckError, InputError
from tfcnn.evaluation import scoring, table
from tfcnn.evaluation.rules import choose_threshold
from tfcnn.evaluation.table import Table
from tfcnn.report import page, plots


def change(run: Path, **changes: object) -> None:
    write_card(run, json.loads((run / "model.json").read_text()) | changes)


def rows_of(run: Path) -> list[dict[str, str]]:
    with (run / "predictions.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the plots of the pages empty: `test_all_files_follow` has those of this wish drawn."""
    monkeypatch.setattr(plots.Drawing, "svg", lambda drawing: f"<svg>{drawing.name}</svg>")


@pytest.mark.parametrize(
    "wish", [{"sensitivity": 1.0}, {"sensitivity": 0.6}, {"specificity": 0.9}, {"value": 0.3}]
)
def test_all_files_follow(run: Path, wish: dict[str, float]) -> None:
    before = rows_of(run)
    found = tfcnn.set_threshold(run, **wish)
    opened = tfcnn.load(run)
    val = table.read(opened).part("val")
    expected = wish.get("value") or choose_threshold(val.labels, val.probs, 0, **wish).threshold
    assert opened.threshold == found.after == expected and found.before == 0.5
    assert opened.card["threshold_reason"].endswith("; set after test was scored")
    assert opened.card["asked"] == ({} if "value" in wish else wish)
    for was, row in zip(before, rows_of(run), strict=True):
        assert {**was, "decision": ""} == {**row, "decision": ""}, "the predictions stay"
        called = float(row["prob_round"]) >= opened.threshold
        assert row["decision"] == ("round" if called else "square")
    report = tfcnn.evaluate(run)
    assert report == found.report and report.facts["epochs"] == 4
    again = scoring.score(opened, table.read(opened), report.facts)
    assert again == report
    text = (run / "report.html").read_text("utf-8")
    assert f"{opened.threshold:.3g} upwards" in text and opened.card["threshold_reason"] in text
    for split in ("val", "test"):
        for name in ("sensitivity", "specificity"):
            row = found.splits[split][name]
            assert row["after"] == report.splits[split][name]
            assert row["before"]["value"] is not None


def test_there_and_back_leaves_the_figures_as_they_were(run: Path) -> None:
    before = tfcnn.evaluate(run)
    tfcnn.set_threshold(run, value=0.2)
    tfcnn.set_threshold(run, value=0.5)
    after = tfcnn.evaluate(run)
    assert (after.splits, after.confusion) == (before.splits, before.confusion)
    assert "changing" not in tfcnn.load(run).card


def test_the_command_says_before_and_after(run: Path) -> None:
    result = run_tfcnn("threshold", run, "--sensitivity", 0.9)
    assert result.returncode == 0, result.stderr
    for text in (
        "before",
        "after",
        "val sensitivity",
        "test specificity",
        "sensitivity asked 90 %",
    ):
        assert text in " ".join(result.stdout.split()), text
    result = run_tfcnn("threshold", run, "--value", 0.25, "--json")
    content = json.loads(result.stdout)
    assert content["threshold"]["after"] == 0.25 and content["positive"] == "round"
    assert set(content["splits"]["test"]["sensitivity"]["after"]) >= {"value", "low", "high"}
    assert "250, as it was asked" in content["reason"].replace("0.25,", "250,")


@pytest.mark.parametrize("cut", range(1, 6))
def test_a_change_that_is_cut_is_known_and_can_be_finished(
    run: Path, cut: int, undrawn: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, written = atomic.write_bytes, []

    def killed(path: Path, content: bytes) -> None:
        written.append(path.name)
        if len(written) == cut:
            raise KeyboardInterrupt
        write(path, content)

    monkeypatch.setattr(atomic, "write_bytes", killed)
    with pytest.raises(KeyboardInterrupt):
        tfcnn.set_threshold(run, sensitivity=1.0)
    monkeypatch.setattr(atomic, "write_bytes", write)
    opened = tfcnn.load(run)
    assert opened.threshold == 0.5, "what is in use changes last"
    if cut == 1:
        assert tfcnn.evaluate(run).operating_point["threshold"] == 0.5
    else:
        with pytest.raises(
            CheckError, match=r"tfcnn threshold .* --sensitivity 1`, which finishes"
        ):
            tfcnn.evaluate(run)
        with pytest.raises(CheckError):
            page.write(run)
    found = tfcnn.set_threshold(run, sensitivity=1.0)
    assert tfcnn.evaluate(run) == found.report and found.before == 0.5


def test_who_asks_while_it_changes_hears_of_the_other_process(
    run: Path, undrawn: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, asked = atomic.write_bytes, []

    def asking(path: Path, content: bytes) -> None:
        if path.name == "report.json":
            asked.append(run_tfcnn("evaluate", run))
        write(path, content)

    monkeypatch.setattr(atomic, "write_bytes", asking)
    tfcnn.set_threshold(run, sensitivity=1.0)
    (result,) = asked
    assert result.returncode == 2 and "received one that gets a threshold" in result.stderr
    assert "a change of it that was cut" not in result.stderr
    assert tfcnn.evaluate(run).operating_point


def test_what_follows_from_the_threshold_is_made_anew(run: Path) -> None:
    recipe = run / "recipe.toml"
    recipe.write_text(
        recipe.read_text().replace("[evaluation]", "[evaluation]\nabstain_fraction = 0.2")
    )
    rows = rows_of(run)
    rows[0]["flag"] = "out-of-domain"
    lines = (row.values() for row in rows)
    (run / "predictions.csv").write_text(atomic.csv_text(rows[0], lines))
    reseal(run)
    change(run, unmet=["probabilities are not calibrated: one class"])
    tfcnn.set_threshold(run, value=0.3)
    opened = tfcnn.load(run)
    low, high = opened.abstention
    assert low < 0.3 < high
    flags = [row["flag"] for row in rows_of(run)]
    assert flags[0] == "out-of-domain" and "abstain" in flags
    for row in rows_of(run)[1:]:
        assert (row["flag"] == "abstain") == (low <= float(row["prob_round"]) < high)
    assert opened.card["unmet"] == ["probabilities are not calibrated: one class"]
    assert opened.card["group_rule"]["reason"]


def test_a_positive_class_can_be_named(run: Path) -> None:
    change(run, positive=None)
    with pytest.raises(InputError, match="positive round, or positive square"):
        tfcnn.set_threshold(run, value=0.4)
    found = tfcnn.set_threshold(run, sensitivity=0.8, positive="square")
    assert tfcnn.load(run).card["positive"] == "square" and found.before == 0.5
    assert "sensitivity" in tfcnn.evaluate(run).splits["test"]
    turned = tfcnn.set_threshold(run, value=0.5, positive="round")
    assert turned.before == pytest.approx(1 - found.after)


@pytest.mark.parametrize(
    ("wish", "named"),
    [
        ({}, "received none"),
        ({"sensitivity": 0.9, "value": 0.4}, "sensitivity 0.9 value 0.4"),
        ({"sensitivity": 0.9, "specificity": 0.9}, "one of"),
        ({"sensitivity": 95}, "share in"),
        ({"sensitivity": 0}, "share in"),
        ({"specificity": -0.1}, "share in"),
        ({"specificity": float("nan")}, "share in"),
        ({"value": 1.2}, r"in \[0, 1\]"),
        ({"value": float("nan")}, r"in \[0, 1\]"),
        ({"value": 0.4, "positive": "rund"}, "round or square"),
        ({"value": 0.4, "positive": ""}, "round or square"),
    ],
)
def test_what_means_nothing_is_refused_and_changes_nothing(
    run: Path, wish: dict[str, object], named: str
) -> None:
    before = {path.name: path.read_bytes() for path in run.iterdir() if path.is_file()}
    with pytest.raises(InputError, match=named) as caught:
        tfcnn.set_threshold(run, **wish)
    assert "\n" not in str(caught.value)
    assert before == {path.name: path.read_bytes() for path in run.iterdir() if path.is_file()}


def test_runs_that_cannot_have_one_are_refused(run: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="shipped without"):
        tfcnn.set_threshold("malaria", value=0.4)
    with pytest.raises(InputError, match="10 classes"):
        tfcnn.set_threshold("cifar10", value=0.4)
    (run / "DONE").rename(tmp_path / "DONE")
    with pytest.raises(InputError, match="unfinished"):
        tfcnn.set_threshold(run, value=0.4)
    (tmp_path / "DONE").rename(run / "DONE")
    change(run, leaky=True)
    with pytest.raises(CheckError, match="leak"):
        tfcnn.set_threshold(run, value=0.4)
    change(run, leaky=False)
    (run.parent / "splits").mkdir()
    (run.parent / "splits" / "fold-0.csv").touch()
    with pytest.raises(InputError, match="fold of a cross-validation"):
        tfcnn.set_threshold(run, value=0.4)


def test_a_wish_that_val_cannot_give_is_refused(run: Path) -> None:
    opened = tfcnn.load(run)
    made = table.read(opened)
    probs = made.probs.copy()
    probs[made.splits == "val"] = [1, 0]
    table.write(opened, Table(**{**vars(made), "probs": probs}))
    reseal(run)
    with pytest.raises(InputError, match="score exactly 1"):
        tfcnn.set_threshold(run, specificity=0.9)
    assert tfcnn.load(run).threshold == 0.5


def test_another_that_changes_the_same_run_waits_for_nothing(run: Path) -> None:
    from tfcnn.base.disk import locked

    with locked(run), pytest.raises(InputError, match="another process"):
        tfcnn.set_threshold(run, value=0.4)
    assert runs.state(run) == "finished"


def test_what_another_process_left_meanwhile_is_what_is_changed(run: Path) -> None:
    opened = tfcnn.load(run)
    tfcnn.set_threshold(run, value=0.2)
    assert tfcnn.set_threshold(opened, value=0.4).before == 0.2


def test_a_model_without_predictions_is_refused_before_anything_is_written(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (run / "predictions.csv").unlink()
    monkeypatch.setattr("tfcnn.base.disk.locked", lambda *_: pytest.fail("a lock file is written"))
    with pytest.raises(InputError, match="expected predictions on val"):
        tfcnn.set_threshold(run, value=0.4)
