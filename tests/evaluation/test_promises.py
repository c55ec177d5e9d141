"""A promise as a run keeps it: asked in a recipe, by command, or by a cross-validation."""

import csv
import json

import numpy as np
import pytest
from conftest import run_tfcnn
from paper_runs import make_run, random_table

import tfcnn
from tfcnn import recipes, runs
from tfcnn.base.errors import InputError
from tfcnn.evaluation import out_of_fold, rules, scoring, table
from tfcnn.recipes import Guarantee
from tfcnn.report.model_card import limits

EASY = {"sensitivity": 0.6, "confidence": 0.5}


def recipe_with(*assignments):
    return recipes.override(recipes.load("folder"), ["data.source=cells", *assignments])


@pytest.mark.parametrize(
    "assignment",
    ["evaluation.guarantee={sensitivity = 0.95}", "evaluation.guarantee.sensitivity=0.95"],
)
def test_a_recipe_asks_for_one(assignment):
    wish = recipe_with(assignment).evaluation.guarantee
    assert (wish.metric, wish.share, wish.confidence) == ("sensitivity", 0.95, 0.9)


@pytest.mark.parametrize(
    "assignments",
    [
        ["evaluation.guarantee={confidence = 0.9}"],
        ["evaluation.guarantee={sensitivity = 0.9, specificity = 0.9}"],
        ["evaluation.guarantee={sensitivity = 1.5}"],
        ["evaluation.guarantee={sensitivity = 0.9}", "evaluation.specificity=0.9"],
    ],
)
def test_what_cannot_be_asked_is_refused(assignments):
    with pytest.raises(InputError, match="evaluation"):
        recipe_with(*assignments)


def test_a_training_keeps_it_or_says_how_many_are_needed(tmp_path):
    rows = random_table(splits=("val",))
    arguments = rows.labels, rows.probs, rows.groups, 1
    wishes = recipe_with("evaluation.guarantee={sensitivity = 0.6, confidence = 0.5}").evaluation
    entries = rules.choose(*arguments, wishes, unit="patients")
    assert entries["guarantee"]["is_kept"] and not entries["unmet"] and not entries["asked"]
    assert "on new patients, a mean sensitivity per patient" in entries["threshold_reason"]
    report = scoring.score(make_run(tmp_path, **entries), random_table())
    promise = report.operating_point["guarantee"]
    assert promise["splits"]["val"]["value"] is not None and promise["patients"] == 13
    assert "mean sensitivity per patient promised 60 % (50 % confidence), test" in report.sentence
    texts = limits(make_run(tmp_path, network={}, **entries), report, "test")
    assert any("promised with 50 % confidence" in text for text in texts)
    wishes = recipe_with("evaluation.guarantee={sensitivity = 0.95}").evaluation
    entries = rules.choose(*arguments, wishes, unit="patients")
    assert entries["threshold"] == 0.5 and not entries["guarantee"]["is_kept"]
    assert "at least 48 are needed" in entries["unmet"][0]


def test_a_leak_promises_nothing():
    rows = random_table(splits=("val",))
    wishes = recipe_with("evaluation.guarantee={sensitivity = 0.6, confidence = 0.5}").evaluation
    entries = rules.choose(rows.labels, rows.probs, rows.groups, 1, wishes, is_leaky=True)
    assert entries["guarantee"] == {} and entries["threshold"] == 0.5
    assert entries["unmet"] == [rules.LEAK_PROMISES_NOTHING]


def test_the_command_promises_and_another_threshold_takes_it_back(run):
    found = tfcnn.set_threshold(run, **EASY)
    card = tfcnn.load(run).card
    assert card["guarantee"]["is_kept"] and card["guarantee"]["source"] == "val"
    assert card["asked"] == {} and "promised with 50 % confidence" in found.reason
    assert "What the promise means" in (run / "report.html").read_text("utf-8")
    tfcnn.set_threshold(run, value=0.4)
    assert tfcnn.load(run).card["guarantee"] == {}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--sensitivity", 0.99, "--confidence", 0.99], "are needed"),
        (["--value", 0.4, "--confidence", 0.9], "--sensitivity or --specificity to promise"),
        (["--sensitivity", 0.6, "--confidence", 2], "--confidence: expected a share in (0, 1)"),
        (["--sensitivity", 0.6, "--crossval", "x"], "--confidence beside it"),
        (["--sensitivity", 0.6, "--confidence", 0.5, "--crossval", "none"], "cross-validation"),
    ],
)
def test_what_cannot_be_promised_changes_nothing(run, words, said):
    before = (run / "model.json").read_bytes()
    result = run_tfcnn("threshold", run, *words)
    assert result.returncode == 2 and said in result.stderr
    assert (run / "model.json").read_bytes() == before


def write_crossval(run_folder, scores_of):
    """Write what a cross-validation of a run leaves, its scores of round by path."""
    opened = tfcnn.load(run_folder)
    folder = run_folder.parent / "cells-crossval"
    (folder / "splits").mkdir(parents=True)
    (folder / "splits" / "fold-0.csv").write_text("path,split\n")
    (folder / "recipe.toml").write_bytes((run_folder / "recipe.toml").read_bytes())
    rows = [(row["path"], row["group"], row["label"], scores_of(row)) for row in opened.split]
    with (folder / "predictions.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "split", "group", "label", "prob_round", "prob_square"])
        writer.writerows([p, "test", g, label, s, 1 - s] for p, g, label, s in rows)
    runs.stamp(folder)
    return folder


def test_patients_of_a_cross_validation_promise_without_those_of_test(run):
    rng = np.random.default_rng(0)

    def scores(row):  # those of test would spoil it, if they were asked
        is_round = row["label"] == "round"
        if row["split"] == "test":
            return 0.01 if is_round else 0.99
        return 0.4 + 0.5 * is_round + rng.uniform(0, 0.09)

    folder = write_crossval(run, scores)
    groups = {row["group"] for row in tfcnn.load(run).split if row["split"] != "test"}
    tfcnn.set_threshold(run, **EASY, crossval=folder)
    card = tfcnn.load(run).card
    assert card["guarantee"]["patients"] == len(groups) and card["threshold"] >= 0.4
    assert card["guarantee"]["source"] == "cells-crossval"
    assert "by other models of the same recipe" in card["threshold_reason"]


def test_a_cross_validation_of_another_recipe_promises_nothing(run):
    folder = write_crossval(run, lambda row: 0.5)
    recipe = recipes.load(str(folder / "recipe.toml"), is_record=True)
    recipes.write(recipes.override(recipe, ["train.batch_size=7"]), folder / "recipe.toml")
    with pytest.raises(InputError, match="this run's recipe"):
        tfcnn.set_threshold(run, **EASY, crossval=folder)


def test_out_of_fold_predictions_promise_in_the_summary(tmp_path):
    opened = make_run(tmp_path)
    rows = random_table(splits=("test",))
    table.write(opened, rows)
    listed = out_of_fold._out_of_fold([opened])
    found = out_of_fold._promise(opened, listed, Guarantee(**EASY), "cells-crossval")
    assert found["is_kept"] and 0 < found["threshold"] < 1 and found["patients"] == 13
    called = rows.probs[:, 1] >= found["threshold"]
    own = rows.labels == 1
    means = [called[own & (rows.groups == group)].mean() for group in np.unique(rows.groups[own])]
    assert found["mean"] == pytest.approx(np.mean(means))
    refused = out_of_fold._promise(opened, listed, Guarantee(sensitivity=0.95), "x")
    assert refused["threshold"] is None and "at least 48" in refused["reason"]
    assert out_of_fold._promise(opened, listed, None, "x") == {}
    json.dumps(found)
