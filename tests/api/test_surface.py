"""The verbs in Python: what they return shows itself, and becomes a table of pandas."""

import csv
import json
import sys
from pathlib import Path

import pytest
from conftest import Heard, run_tfcnn, write_tree

import tfcnn
from tfcnn.base.errors import InputError
from tfcnn.evaluation.out_of_fold import Summary
from tfcnn.explain.study import Explanation, Study
from tfcnn.prediction import Prediction, Predictions


@pytest.fixture
def images(trained: Path) -> Path:
    """The folder of class folders that the run was trained on."""
    return trained.parents[2] / "cells"


@pytest.fixture
def folder(images, tmp_path) -> Path:
    """Three images, one of which cannot be read."""
    new = tmp_path / "new"
    new.mkdir()
    for name in ("P0_0.png", "P1_1.png"):
        (new / name).write_bytes((images / "round" / name).read_bytes())
    (new / "P2_2.png").write_bytes(b"no picture")
    return new


def test_check_finds_what_the_command_finds(images, home):
    audit = tfcnn.check(images, settings=["data.group_regex='^(P[0-9]+)_'"], progress=False)
    result = run_tfcnn("check", images, "--group-regex", "^(P[0-9]+)_")
    assert repr(audit).splitlines() == result.stdout.splitlines()
    result = run_tfcnn("check", images, "--group-regex", "^(P[0-9]+)_", "--json")
    assert json.loads(result.stdout) == json.loads(json.dumps(audit.to_dict()))
    assert not audit.is_blocking and "<td" in audit._repr_html_()


def test_a_blocking_finding_is_shown(make_tree):
    root = make_tree(groups=2)
    twice = (root / "round" / "P0_0.png").read_bytes()
    (root / "square" / "P0_0.png").write_bytes(twice)
    audit = tfcnn.check(root, progress=False)
    assert audit.is_blocking
    assert "BLOCKING" in audit._repr_html_() and "1 picture is in two" in audit._repr_html_()


def test_download_draws_or_fetches_and_says_where(home):
    heard = Heard()
    found = tfcnn.download("digits", reporter=heard)
    assert found.name == "digits" and found.images == 1797 and found.folder.is_dir()
    assert len(found.notes) == len(heard.notes)
    rows = json.loads(run_tfcnn("download", "digits", "--json", home=home).stdout)
    assert rows == [{"name": "digits", "folder": str(found.folder), "images": 1797}]
    with pytest.raises(InputError, match="malarya"):
        tfcnn.download("malarya")


def test_list_says_what_the_command_says(trained, monkeypatch):
    monkeypatch.setenv("TFCNN_HOME", str(trained.parents[1]))
    lists = tfcnn.list()
    assert json.loads(run_tfcnn("list", "--json").stdout) == lists
    shipped = {row["name"]: row for row in lists["shipped models"]}
    assert set(shipped) == {"cifar10", "fashion", "malaria", "mnist"}
    assert shipped["malaria"]["for"] == "Telling Parasitized and Uninfected apart."
    assert "accuracy 96.3 ± 0.5 %" in shipped["malaria"]["result"]
    assert shipped["mnist"]["result"] == "On 10,000 unseen images: 99.7 % (99.6 to 99.8)."
    for shown in (repr(lists), lists._repr_html_(), run_tfcnn("list").stdout):
        assert "cross-validations: none yet" in shown and "cells" in shown


def test_report_writes_the_page_and_stays_a_verb(run_copy):
    page = run_copy / "report.html"
    page.unlink()
    assert tfcnn.report(run_copy) == page and "<html" in page.read_text()
    assert tfcnn.report(tfcnn.load(run_copy)) == page


def test_predictions_are_a_list_that_shows_itself(trained, folder):
    run = tfcnn.load(trained)
    found = tfcnn.predict(run, folder, progress=False)
    assert isinstance(found, list) and found == list(found) and len(found) == 3
    assert isinstance(found[0], Prediction) and isinstance(found[1:], Predictions)
    html = found._repr_html_()
    assert html.count("<img") == 2, "the third cannot be read"
    assert html.count("<tr") == 4 and "unreadable" in html and f"in {folder}" in html
    text = repr(found)
    assert text.startswith("3 predictions\n") and "P2_2.png" in text and "unreadable" in text
    (folder / "P0_0.png").unlink()
    assert found._repr_html_().count("<img") == 1
    assert found[1:]._repr_html_().count("<img") == 1, "the picture stays with its prediction"
    assert "0 predictions" in repr(Predictions()) and "<table" not in Predictions()._repr_html_()


def test_a_decision_has_a_column_where_it_is_not_the_predicted_class():
    one = Prediction("a.png", "x", {"x": 0.6, "y": 0.4}, "y")
    assert "decision" in repr(Predictions([one]))
    assert repr(Predictions([one])).splitlines()[0] == "1 prediction"
    assert "decision" not in repr(Predictions([Prediction("a.png", "x", {"x": 1.0}, "x")]))


def test_only_the_first_of_many_predictions_are_shown():
    many = Predictions(Prediction(f"{i}.png", "x", {"x": 1.0}, "x") for i in range(25))
    assert "19.png" in repr(many) and "20.png" not in repr(many) and "and 5 more" in repr(many)


def test_long_predictions_are_heard_of_and_short_ones_are_not(trained, images, folder):
    class Counts(Heard):
        def __init__(self):
            super().__init__()
            self.last = None

        def stage(self, text):
            return lambda done, total: setattr(self, "last", (done, total))

    short, long = Counts(), Counts()
    (folder / "notes.txt").write_text("no image")
    tfcnn.predict(trained, folder, reporter=short)
    assert short.last is None and "passed over 1 of 4 files" in short.notes[0]
    tfcnn.predict(trained, [images, images / "round"], reporter=long)
    assert long.last == (144, 144)


def test_a_table_of_predictions_is_the_csv(trained, folder, tmp_path):
    pytest.importorskip("pandas", reason="pandas is not installed")
    frame = tfcnn.predict(trained, folder, progress=False).to_frame()
    run_tfcnn("predict", trained, folder, "--output", tmp_path / "out.csv")
    with (tmp_path / "out.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert set(rows[0]) < set(frame.columns)
    for row, (_, ours) in zip(rows, frame.iterrows(), strict=True):
        assert [row[name] for name in ("path", "predicted", "decision", "flag", "group")] == [
            ours[name] for name in ("path", "predicted", "decision", "flag", "group")
        ]
        if row["prob_round"]:
            assert float(row["prob_round"]) == pytest.approx(ours["prob_round"], abs=1e-6)


def test_a_report_shows_itself_and_becomes_a_table(trained):
    pytest.importorskip("pandas", reason="pandas is not installed")
    report = tfcnn.evaluate(trained)
    frame = report.to_frame().set_index(["split", "metric"])
    for split, rows in report.splits.items():
        for name, row in rows.items():
            found = frame.loc[(split, name)]
            for key in ("value", "low", "high"):
                assert found[key] == row[key] or (row[key] is None and found.isna()[key])
    assert list(frame.columns) == ["value", "low", "high", "reason"]
    for shown in (repr(report), report._repr_html_()):
        assert report.sentence in shown and "95 % interval" in shown
        assert shown.index("test:") < shown.index("val:")


def test_a_comparison_shows_itself_and_becomes_a_table(trained):
    pytest.importorskip("pandas", reason="pandas is not installed")
    comparison = tfcnn.compare(trained, trained)
    frame = comparison.to_frame().set_index("metric")
    assert list(frame.columns) == ["first", "second", "difference", "low", "high", "reason"]
    assert frame.loc["accuracy", "difference"] == 0
    assert frame.loc["accuracy", "first"] == comparison.metrics["accuracy"]["first"]
    assert comparison.sentence in repr(comparison) and "+0.0 pt" in comparison._repr_html_()


def test_without_pandas_a_table_says_what_to_install(trained, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    for result in (tfcnn.evaluate(trained), tfcnn.compare(trained, trained), Predictions()):
        with pytest.raises(InputError, match="try pip install pandas") as error:
            result.to_frame()
        assert "\n" not in str(error.value)


def test_a_run_shows_its_report_in_short(run_copy):
    run = tfcnn.load(run_copy)
    html, text = run._repr_html_(), repr(run)
    for shown in (html, text):
        assert run.report["sentence"] in shown and "sensitivity" in shown
        assert "true classes in rows" in shown and str(run_copy / "report.html") in shown
        assert "brier" not in shown, "the main metrics only"
    assert "rgba(47,111,200," in html and 'href="' in html
    (run_copy / "report.html").unlink()
    assert "report.html" not in repr(run)


def test_a_damaged_run_can_be_shown_and_says_so(run_copy):
    with (run_copy / "report.json").open("a") as file:
        file.write(" ")
    assert "report.json: expected the file as it was written" in repr(tfcnn.load(run_copy))


def test_a_shipped_model_says_what_it_is_for():
    for shown in (repr(tfcnn.load("malaria")), tfcnn.load("malaria")._repr_html_()):
        assert "Telling Parasitized and Uninfected apart." in shown and "96.3 ± 0.5 %" in shown


def test_a_study_shows_its_pictures(images, tmp_path):
    picture = images / "round" / "P0_0.png"
    rows = [Explanation("a.png", "round", 0.9, picture=str(picture)), Explanation("b.png")]
    study = Study("cells", "layer-cam", "relu4", rows, None)
    assert study._repr_html_().count("<img") == 1 and "90.0 %" in repr(study)


def test_a_cross_validation_shows_its_folds():
    metric = {"mean": 0.75, "sd": 0.05, "folds": [0.7, 0.8], "pooled": {"value": 0.76}}
    folds = [
        {"run": f"fold-{i}", "images": 10, "groups": 2, "train_seconds": 1.5,
         "metrics": {"accuracy": value}}
        for i, value in enumerate((0.7, 0.8))
    ]  # fmt: skip
    counts = {"images": 20, "groups": 4}
    summary = Summary(Path("x-crossval"), {"accuracy": metric}, counts, folds, [], False, "Said.")
    grid = summary.grid()
    assert [row[0] for row in grid.rows] == ["fold-0", "fold-1", "mean", "sd", "pooled"]
    assert grid.rows[-1] == ["pooled", "20", "4", "76.0 %", "3.0"] and grid.rules == (2,)
    assert "Said." in repr(summary) and 'class="rule"' in summary._repr_html_()


def test_a_training_says_what_it_does_on_standard_error_unless_it_shall_not(tmp_path, home, capsys):
    root = write_tree(tmp_path / "shapes", groups=6)
    quick = ["model.start=scratch", "train.epochs=1", "data.image_size=32", "train.batch_size=16"]
    tfcnn.train(root, settings=quick, progress=False, run="silent")
    assert capsys.readouterr() == ("", "")
    tfcnn.train(root, settings=quick, run="heard")
    out, err = capsys.readouterr()
    assert out == "" and "epoch  1/1" in err
