"""Cross-validation end to end: out-of-fold predictions, kept folds, and refusals in one line."""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import Heard, run_tfcnn, write_card, write_tree
from scipy.special import softmax
from sklearn.metrics import roc_auc_score
from typer.testing import CliRunner

import tfcnn
from tfcnn import api, manifest, runs
from tfcnn.base.errors import CheckError, InputError, TfcnnError
from tfcnn.cli import app
from tfcnn.datasets.folder import open_folder
from tfcnn.evaluation import out_of_fold
from tfcnn.evaluation.by_group import pooled as pooled_calls
from tfcnn.evaluation.out_of_fold import Summary

SETTINGS = (
    "train.epochs=8", "train.batch_size=16", "data.image_size=32", "train.precision=float32",
    "model.network=mlp", "model.options.units=[8]", "train.optimizer=sgd",
    "train.learning_rate=0.01", "evaluation.sensitivity=0.9",
    "data.group_regex='^(P[0-9]+)_'", "data.positive=round",
)  # fmt: skip
QUICK = (*SETTINGS, "train.epochs=1")
WORDS = [word for setting in SETTINGS for word in ("--set", setting)]


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> tuple[Path, Path, subprocess.CompletedProcess[str]]:
    """Return the images, the folder and the output of a cross-validation by the command line.

    Three folds of 9 groups; 3 more are an official test set. Some labels are wrong, as else
    nothing would be predicted wrong.
    """
    base = tmp_path_factory.mktemp("crossval")
    root = base / "cells"
    write_tree(root / "train", groups=9)
    for group in range(0, 9, 2):
        one, other = (root / "train" / name / f"P{group}_0.png" for name in ("round", "square"))
        one_bytes, other_bytes = one.read_bytes(), other.read_bytes()
        one.write_bytes(other_bytes)
        other.write_bytes(one_bytes)
    for path in sorted(write_tree(root / "test", groups=3, seed=1).rglob("*.png")):
        path.rename(path.with_name(f"P9{path.name[1:]}"))
    (root / "train" / "round" / "notes.txt").write_text("no image")
    (root / "train" / "round" / "P0_77.png").write_bytes(b"")
    result = run_tfcnn("crossval", root, *WORDS, "--folds", 3, home=base / "home")
    assert result.returncode == 0, result.stderr
    return root, base / "home" / "models" / "cells-crossval", result


@pytest.fixture
def whole(finished) -> Path:
    """Return the folder of that cross-validation, which no test may change."""
    return finished[1]


def test_the_folder_holds_a_complete_run_per_fold(whole):
    assert {path.name for path in whole.iterdir()} == {
        "recipe.toml", "splits", "fold-0", "fold-1", "fold-2", "predictions.csv", "summary.json",
        "DONE", "model.json", "model.keras", "model.tflite", "split.csv", "report.json",
        "report.html",
    }  # fmt: skip
    for i in range(3):
        run = tfcnn.load(whole / f"fold-{i}")
        assert (run.path / "report.html").exists() and not run.is_leaky
        assert (run.path / "split.csv").read_bytes() == (
            whole / "splits" / f"fold-{i}.csv"
        ).read_bytes()


def test_every_image_is_predicted_once_by_the_fold_that_tested_it(whole):
    rows = rows_of(whole / "predictions.csv")
    images = sorted(row["path"] for row in rows_of(whole / "splits" / "fold-0.csv"))
    assert [row["path"] for row in rows] == [path for path in images if path.startswith("train/")]
    for row in rows:
        split = {r["path"]: r for r in rows_of(whole / f"fold-{row['fold']}" / "split.csv")}
        assert split[row["path"]]["split"] == "test"
    header = list(rows_of(whole / "fold-1" / "predictions.csv")[0])
    assert list(rows[0]) == [*header, "fold"]


def test_what_is_shown(finished):
    _, folder, result = finished
    notes, shown = " ".join(result.stderr.split()), result.stdout.splitlines()
    assert notes.count("the 24 of the official test set are left untouched") == 1
    assert notes.count("cells: 96 images of 12 groups") == 1
    assert notes.index("fold-0, 1 of 3: ") < notes.index("fold-1, 2 of 3: ")
    summary = json.loads((folder / "summary.json").read_text())
    assert shown[-1] == summary["sentence"]
    assert all(len(line) <= 80 for line in shown if "│" in line)
    cells = {line.split("│")[1].strip(): line.split("│") for line in shown if "│" in line}
    assert set(cells) == {"fold-0", "fold-1", "fold-2", "mean", "sd", "pooled"}
    mean = summary["metrics"]["accuracy"]["mean"]
    assert cells["mean"][4].strip() == f"{100 * mean:.1f} %"
    assert cells["pooled"][2].strip() == "72"


def test_json_is_the_summary(whole, monkeypatch):
    content = json.loads((whole / "summary.json").read_text())
    assert set(content.pop("sha256")) == {"predictions.csv", "summary.json"}
    asked = {}

    def crossval(recipe: str, **options: object) -> Summary:
        asked.update(options, recipe=recipe)
        return Summary(whole, **content)

    monkeypatch.setattr(api, "crossval", crossval)
    words = ["crossval", "mnist", "--folds", "7", "--run", "x", "--set", "a=1", "--json"]
    result = CliRunner().invoke(app, words)
    assert json.loads(result.stdout) == {"run": str(whole), **content}
    assert (asked["recipe"], asked["folds"], asked["run"]) == ("mnist", 7, "x")
    assert asked["settings"] == ["a=1"]


def test_what_was_left_out_is_in_the_summary_and_said(finished):
    lines = json.loads((finished[1] / "summary.json").read_text())["left_out"]
    count, unreadable = lines
    assert count.startswith("left out: 1 of ") and count.endswith(" files in round: 1 .txt")
    assert unreadable.startswith("set aside, unreadable: train/round/P0_77.png (an empty file")
    said = " ".join(finished[2].stderr.split())
    assert count in said and "P0_77.png" in said


def test_the_summary_agrees_with_folds_and_predictions(whole):
    summary = json.loads((whole / "summary.json").read_text())
    rows = rows_of(whole / "predictions.csv")
    assert summary["counts"] == {"images": 72, "groups": 9} and summary["leaky"] is False
    right = np.array([row["label"] == row["predicted"] for row in rows])
    folds = np.array([int(row["fold"]) for row in rows])
    of_folds = [right[folds == i].mean() for i in range(3)]
    accuracy = summary["metrics"]["accuracy"]
    assert accuracy["folds"] == pytest.approx(of_folds)
    assert accuracy["mean"] == pytest.approx(np.mean(of_folds))
    assert accuracy["sd"] == pytest.approx(np.std(of_folds, ddof=1))
    assert accuracy["pooled"]["value"] == pytest.approx(right.mean())
    is_round = np.array([row["label"] == "round" for row in rows])
    scores = [float(row["prob_round"]) for row in rows]
    auc = summary["metrics"]["roc_auc"]["pooled"]
    assert auc["value"] == pytest.approx(roc_auc_score(is_round, scores))
    assert 0 < auc["low"] < auc["value"] < auc["high"] < 1
    assert len({fold["threshold"] for fold in summary["folds"]}) > 1
    called = np.array([row["decision"] == "round" for row in rows])
    sensitivity = summary["metrics"]["sensitivity"]["pooled"]["value"]
    assert sensitivity == pytest.approx(called[is_round].mean())
    assert all(fold["temperature"] > 0 for fold in summary["folds"])
    assert summary["sentence"].startswith("72 images of 9 groups, each predicted by a model of")
    assert "(mean ± sd over 3 folds)" in summary["sentence"]
    assert summary["baseline"] == {"class": "round", "share": 0.5}


def test_images_are_decoded_once_for_all_folds(whole):
    decoded = [
        f["decode_seconds"] for f in json.loads((whole / "summary.json").read_text())["folds"]
    ]
    assert decoded[0] > 0 and decoded[1:] == [0, 0]


def test_a_killed_one_resumes_to_the_same_predictions(finished, home):
    """Folds 1 and 2 in a process that trained no fold before them are what they were after it."""
    root, whole, _ = finished
    folder = shutil.copytree(whole, home / "models" / "cells-crossval")
    for name in ("fold-1", "fold-2"):  # as if it had been cut after fold 0 a first time
        shutil.rmtree(folder / name)
    for name in ("DONE", "summary.json", "predictions.csv"):
        (folder / name).unlink()
    words = ["crossval", str(root), *WORDS, "--folds", "3", "--resume"]
    process = subprocess.Popen(
        [sys.executable, "-m", "tfcnn", *words],
        stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True,
        env={**os.environ, "TFCNN_HOME": str(home)},
    )  # fmt: skip
    assert process.stderr is not None
    in_fold_1 = False
    for line in process.stderr:
        in_fold_1 |= line.startswith("fold-1, 2 of 3")
        if in_fold_1 and line.startswith("epoch  3/"):
            process.send_signal(signal.SIGKILL)
            break
    process.stderr.close()
    assert process.wait(60) == -signal.SIGKILL
    assert [runs.state(folder / f"fold-{i}") for i in range(3)] == [
        "finished", "unfinished", "absent",
    ]  # fmt: skip
    stamp = (folder / "fold-0" / "DONE").stat().st_mtime_ns
    for settings, options, said in (
        ((), {}, "resume=True"),
        (("train.seed=5",), {"resume": True}, "train.seed: expected 0"),
        (("data.split.seed=5",), {"resume": True}, "data.split.seed: expected 0"),
        ((), {"resume": True, "folds": 2}, "folds: expected 3"),
    ):
        with pytest.raises(InputError, match=said):
            tfcnn.crossval(root, settings=[*SETTINGS, *settings], **{"folds": 3, **options})
    with pytest.raises(InputError, match="an unfinished cross-validation"):
        tfcnn.load("cells-crossval")
    heard = Heard()
    tfcnn.crossval(root, settings=SETTINGS, folds=3, resume=True, reporter=heard)
    assert "fold-0 is done, and kept" in heard.notes
    assert (folder / "fold-0" / "DONE").stat().st_mtime_ns == stamp
    assert (folder / "predictions.csv").read_bytes() == (whole / "predictions.csv").read_bytes()


def test_it_is_listed_as_what_it_is(whole):
    home = whole.parents[1]
    listed = json.loads(run_tfcnn("list", "--json", home=home).stdout)
    assert [row["name"] for row in listed["cross-validations"]] == ["cells-crossval"]
    assert listed["runs"] == []
    assert "cells-crossval" in run_tfcnn("list", home=home).stdout


def probs_of(run: runs.Run | Path, paths: list[Path]) -> np.ndarray:
    answers = tfcnn.predict(run, paths, progress=False)
    return np.array([[*one.probs.values()] for one in answers])


def test_as_a_run_it_answers_by_the_mean_of_the_logits(finished):
    root, folder, _ = finished
    paths = sorted((root / "test").rglob("*.png"))
    folds = [probs_of(folder / f"fold-{i}", paths) for i in range(3)]
    mean = softmax(np.mean([np.log(probs) for probs in folds], axis=0), axis=1)
    found = probs_of(folder, paths)
    np.testing.assert_allclose(found, mean, atol=1e-5)
    assert np.abs(found - np.mean(folds, axis=0)).max() > 1e-4  # the mean of probabilities is not
    labels = [["round", "square"].index(path.parent.name) for path in paths]
    losses = [-np.log(probs[range(len(labels)), labels]).mean() for probs in (found, *folds)]
    assert losses[0] <= np.mean(losses[1:])  # Jensen


def test_its_figures_are_those_of_the_folds_each_by_its_own_threshold(whole):
    summary, run = json.loads((whole / "summary.json").read_text()), tfcnn.load(whole)
    report = tfcnn.evaluate(run)
    pooled = {name: row["pooled"] for name, row in summary["metrics"].items()}
    assert set(report.splits) == {"test"} and set(report.splits["test"]) == set(pooled)
    for name, row in report.splits["test"].items():
        numbers = [pooled[name][key] for key in ("value", "low", "high")]
        for key, expected in zip(("value", "low", "high"), numbers, strict=True):
            assert row[key] == (expected if expected is None else pytest.approx(expected, rel=1e-5))
    assert report.sentence.startswith("On 9 groups, each tested by a model that saw none of its")
    assert any("is not measured here" in text for text in report.warnings)
    rows = rows_of(whole / "predictions.csv")
    called = [row["decision"] == "round" for row in rows if row["label"] == "round"]
    assert sum(called) == report.confusion["test"][0][0]
    by_one = [float(row["prob_round"]) >= run.threshold for row in rows if row["label"] == "round"]
    assert np.mean(by_one) >= 0.9  # asked of the out-of-fold answers, which chose it
    assert "out-of-fold images" in run.card["threshold_reason"]
    assert run.threshold not in {fold["threshold"] for fold in summary["folds"]}
    calls = [tfcnn.load(whole / f"fold-{i}").report["patients"]["splits"]["test"] for i in range(3)]
    assert report.patients["splits"]["test"]["sensitivity"] == pooled_calls(calls)["sensitivity"]


def test_what_a_fold_was_trained_on_is_no_new_image(finished, tmp_path):
    root, folder, _ = finished
    with pytest.raises(CheckError, match="an image the run has not seen"):
        tfcnn.evaluate(folder, data=root / "train")
    report = tfcnn.evaluate(folder, data=root / "test", output=tmp_path / "other")
    assert report.counts["data"] == {"images": 24, "groups": 3}  # in no fold's train or val
    assert report.sentence.startswith("On 3 unseen groups: ")
    assert "is not measured here" not in " ".join(report.warnings)
    page = (tmp_path / "other" / "report.html").read_text()
    assert "cells-crossval on test" in page and "The folds side by side" not in page


def test_verbs_that_need_one_network_say_so(whole, tmp_path):
    for words in (
        ("explain", whole, whole / "report.html"),
        ("reproduce", whole),
        ("threshold", whole, "--sensitivity", "0.9"),
        ("train", whole, "--more", "1"),
        ("export", whole, "--format", "litert-int8", "--output", tmp_path / "small"),
    ):
        result = run_tfcnn(*words)
        assert result.returncode == 2 and "mean of" in result.stderr, words
        assert result.stderr.count("\n") == 1


def test_its_page_shows_the_folds(whole):
    page = (whole / "report.html").read_text()
    for text in ("The folds side by side", "Counted as each fold decides", 'id="folds"', "sd"):
        assert text in page
    assert 'id="training"' not in page and "How the training went" not in page
    assert 'href="#folds"' in page and 'href="#training"' not in page
    summary = json.loads((whole / "summary.json").read_text())
    for fold in summary["folds"]:
        assert f"{100 * fold['metrics']['accuracy']:.1f}\u00a0%" in page


def test_one_of_an_earlier_tfcnn_gets_its_mean_without_training(finished, home):
    root, whole, _ = finished
    folder = shutil.copytree(whole, home / "models" / "cells-crossval")
    for name in ("model.json", "model.keras", "model.tflite", "split.csv", "report.json"):
        (folder / name).unlink()
    (folder / "report.html").unlink()
    with pytest.raises(InputError, match="which trains nothing again"):
        tfcnn.load(folder)
    stamps = [(folder / f"fold-{i}" / "DONE").stat().st_mtime_ns for i in range(3)]
    tfcnn.crossval(root, settings=SETTINGS, folds=3, resume=True, progress=False)
    assert [(folder / f"fold-{i}" / "DONE").stat().st_mtime_ns for i in range(3)] == stamps
    assert tfcnn.load(folder).num_folds == 3 and (folder / "report.html").exists()
    assert (folder / "predictions.csv").read_bytes() == (whole / "predictions.csv").read_bytes()


def test_mistakes_leave_nothing_behind(make_tree, home):
    root = make_tree(groups=4)
    small = [*(s for s in QUICK if "units" not in s), "data.image_size=8"]
    for settings, folds, said in (
        (QUICK, 1, "2 or more"),
        (QUICK, 5, "at most 4"),
        ((*QUICK, "model.network=mpl"), 3, "mlp"),
        ((*small, "model.network=course_malaria"), 3, "22x22"),
        ((*QUICK, "data.positive=oval"), 3, "round, square"),
    ):
        with pytest.raises(InputError, match=said):
            tfcnn.crossval(root, settings=settings, folds=folds)
    assert not list((home / "models").glob("[!.]*"))


def test_a_finished_one_is_moved_aside(finished, home, monkeypatch):
    """Moved when the new one begins; cut there, that one can be resumed."""
    from tfcnn.training import crossval as module

    root, folder, _ = finished
    monkeypatch.setattr(module, "train", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
    shutil.copytree(folder, home / "models" / "cells-crossval")
    with pytest.raises(InputError, match="no resume=True"):
        tfcnn.crossval(root, settings=SETTINGS, folds=3, resume=True)
    with pytest.raises(KeyboardInterrupt):
        tfcnn.crossval(root, settings=SETTINGS, folds=3)
    (old,) = (home / "models" / ".old").iterdir()
    assert (old / "summary.json").exists()
    assert runs.state(home / "models" / "cells-crossval") == "unfinished"
    with pytest.raises(KeyboardInterrupt):
        tfcnn.crossval(root, settings=SETTINGS, folds=3, fresh=True)
    assert len(list((home / "models" / ".old").iterdir())) == 2


def test_a_leak_is_stamped(finished, tmp_path):
    root, folder, _ = finished
    copy = shutil.copytree(folder, tmp_path / "leaky")
    for path in copy.glob("fold-*/model.json"):
        write_card(path.parent, json.loads(path.read_text()) | {"leaky": True})
    listed = manifest.build(open_folder(root / "train"), group_regex="^(P[0-9]+)_")
    listed = replace(
        listed, rows=tuple(replace(row, path=f"train/{row.path}") for row in listed.rows)
    )
    opened = [runs.open_run(copy / f"fold-{i}") for i in range(3)]
    summary = out_of_fold.summarise(copy, opened, listed)
    assert summary.leaky and "(a demonstrated leak)" in summary.sentence
    with pytest.raises(TfcnnError, match="every image tested once"):
        out_of_fold.summarise(copy, [opened[0], *opened], listed)
