"""Suspected label errors: known wrong labels are found, ranked and shown."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from conftest import run_tfcnn, write_tree

import tfcnn
from tfcnn import recipes, runs
from tfcnn.base.errors import InputError
from tfcnn.datasets import smears
from tfcnn.evaluation import labels as labels_module

WRONG = ("round/P0_1.png", "square/P3_2.png")


@pytest.fixture
def crossval(tmp_path: Path, home: Path) -> Path:
    """A cross-validation whose models are fairly sure, and right but for two labels."""
    root = write_tree(tmp_path / "cells", groups=6)
    folder = home / "models" / "cells-crossval"
    rng = np.random.default_rng(0)
    rows = []
    for path in sorted(path.relative_to(root).as_posix() for path in root.rglob("*.png")):
        label = path.split("/")[0]
        of_label = rng.uniform(0.8, 0.99) if path not in WRONG else 0.04
        probs = (of_label, 1 - of_label) if label == "round" else (1 - of_label, of_label)
        group = path.split("/")[1].split("_")[0]
        rows.append([path, "test", group, label, *probs])
    (folder / "splits").mkdir(parents=True)
    (folder / "splits" / "fold-0.csv").write_text("path,split\n")
    recipes.write(recipes.for_folder(root), folder / "recipe.toml")
    with (folder / "predictions.csv").open("w", newline="") as file:
        header = ["path", "split", "group", "label", "prob_round", "prob_square"]
        csv.writer(file).writerows([header, *rows])
    runs.stamp(folder)
    return folder


def test_wrong_labels_come_first_and_all_are_ranked(crossval):
    found = tfcnn.label_errors("cells", top=5)
    assert found.count == 2 and found.path == crossval
    first = found.rows[:2]
    assert {row["path"] for row in first} == set(WRONG)
    assert all(row["suggested"] != row["label"] and row["is_suspect"] for row in first)
    believed = [row["prob_label"] for row in found.rows]
    assert believed == sorted(believed) and len(believed) == 48
    rows = list(csv.DictReader((crossval / "labels.csv").open(newline="")))
    assert [row["path"] for row in rows] == [row["path"] for row in found.rows]
    assert [row["rank"] for row in rows[:2]] == ["1", "2"]
    assert "2 of 48 labels" in found.sentence


def test_the_page_shows_the_first_ones(crossval):
    tfcnn.label_errors(crossval, top=5)
    page = (crossval / "labels.html").read_text(encoding="utf-8")
    assert page.count("<img ") == 5 and page.count("data:image/webp;base64,") == 5
    assert all(path in page for path in WRONG)
    assert "<script" not in page and 'src="http' not in page and 'href="http' not in page


def test_the_command_line(crossval, home):
    result = run_tfcnn("labels", "cells", home=home)
    assert result.returncode == 0, result.stderr
    assert WRONG[0] in result.stdout and "2 of 48 labels" in result.stdout
    content = json.loads(run_tfcnn("labels", "cells", "--json", "--top", 3, home=home).stdout)
    assert content["suspects"] == 2 and len(content["rows"]) == 3


def test_the_folder_of_images_means_their_cross_validation(crossval, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for text in ("cells/", f"{tmp_path / 'cells'}/"):
        assert tfcnn.label_errors(text, top=1).path == crossval
    write_tree(tmp_path / "other" / "cells", groups=1, per_group=1)
    with pytest.raises(InputError, match="a cross-validation of it; received one of"):
        tfcnn.label_errors("other/cells/")


def test_what_cannot_be_judged_is_refused(crossval, trained):
    with pytest.raises(InputError, match="tfcnn crossval nothing"):
        tfcnn.label_errors("nothing")
    with pytest.raises(InputError, match="a finished cross-validation"):
        tfcnn.label_errors(trained)
    (crossval / "DONE").unlink()
    with pytest.raises(InputError, match="a finished cross-validation"):
        tfcnn.label_errors("cells")


def test_the_way_to_a_cross_validation_is_said(crossval, trained, home):
    with pytest.raises(InputError, match=rf"crossval {trained}/recipe.toml --run cells-crossval$"):
        tfcnn.label_errors(trained)
    (crossval / "DONE").unlink()
    with pytest.raises(
        InputError, match=r"an unfinished one.* --run cells-crossval --folds 1 --resume"
    ):
        tfcnn.label_errors("cells")


def test_models_that_doubt_most_labels_are_not_believed(crossval):
    path = crossval / "predictions.csv"
    rows = list(csv.DictReader(path.open(newline="")))
    for number, row in enumerate(rows):
        if number % 2:
            row["prob_round"], row["prob_square"] = row["prob_square"], row["prob_round"]
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    found = tfcnn.label_errors("cells", top=5)
    assert found.count == 0 and not any(row["is_suspect"] for row in found.rows)
    assert "too many to believe any of it" in found.sentence


def _leaning(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels, logits of class 1 and groups: models take the last group for class 1 too often."""
    labels = rng.integers(0, 2, 600)
    groups = np.array([f"P{i // 100}" for i in range(600)])
    logits = 3 * (2 * labels - 1) + rng.normal(0, 1, 600) + 6 * (groups == "P5")
    return labels, logits, groups


def _probs(logits: np.ndarray) -> np.ndarray:
    of_one = 1 / (1 + np.exp(-logits))
    return np.column_stack([1 - of_one, of_one])


def test_a_group_that_models_lean_on_is_not_doubted_for_it():
    labels, logits, groups = _leaning(np.random.default_rng(0))
    flipped = np.zeros(600, bool)
    flipped[:500:25] = True  # none of them in the last group
    given = np.where(flipped, 1 - labels, labels)
    probs = _probs(logits)
    ranks = [
        np.argsort(found[np.arange(600), given])[: flipped.sum()]
        for found in (probs, labels_module.per_group(given, probs, groups))
    ]
    before, after = (flipped[first].mean() for first in ranks)
    assert after > before + 0.1


def test_a_series_of_wrong_labels_is_not_taken_for_the_rule_of_its_group():
    rng = np.random.default_rng(1)
    labels, _, groups = _leaning(rng)
    probs = _probs(6 * (2 * labels - 1) + rng.normal(0, 1, 600))
    wrong = (groups == "P2") & (labels == 0)
    given = np.where(wrong, 1, labels)  # every one of a patient, as a hasty reader does it
    found = labels_module.per_group(given, probs, groups)
    assert (found[wrong, 1] < 0.5).all()


def test_an_image_does_not_vouch_for_itself():
    labels, logits, groups = _leaning(np.random.default_rng(2))
    probs = _probs(logits)
    alone = groups.copy()
    alone[7] = "alone"  # a group of one: nothing is known of it
    expected = labels_module.per_group(labels, probs, alone)
    changed = labels.copy()
    changed[7] = 1 - labels[7]
    found = labels_module.per_group(changed, probs, alone)
    assert found[7] == pytest.approx(expected[7], abs=0.05)


def test_labels_that_nothing_believes_leave_the_probabilities_alone():
    labels = np.array([0, 0, 1, 1])
    probs = np.array([[0.9, 0.1], [0.8, 0.2], [0.99, 0.01], [0.98, 0.02]])
    assert labels_module.per_group(labels, probs, np.array(["a", "b", "a", "b"])) is probs


@pytest.mark.slow
def test_flipped_labels_of_drawn_cells_are_found(tmp_path):
    """Among the 5 % least believed of labels of which 5 % are wrong, at least .8 are."""
    smears.generate(tmp_path / "cells", wrong_label_fraction=0.05)
    settings = [f"data.source={tmp_path / 'cells' / 'cell_images'}", "data.group_regex=^(C[0-9]+)"]
    tfcnn.crossval("smears", settings=settings)
    found = tfcnn.label_errors("smears")
    truth = {
        row["path"].removeprefix("cell_images/"): row["true_label"] != row["given_label"]
        for row in csv.DictReader((tmp_path / "cells" / "truth.csv").open(newline=""))
    }
    top = found.rows[: round(0.05 * len(found.rows))]
    assert np.mean([truth[row["path"]] for row in top]) >= 0.8
