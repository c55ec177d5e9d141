"""Training: a complete run folder, repeatable, resumable, refused where it would mislead."""

import csv
import json
import random
import shutil
from pathlib import Path

import numpy as np
import pytest
from conftest import NARROW, QUICK, reseal, run_tfcnn, write_card, write_tree
from tensorflow.python.framework import config as tf_config

import tfcnn
from tfcnn import manifest, runs
from tfcnn.base.errors import CheckError, InputError
from tfcnn.base.progress import Reporter
from tfcnn.datasets import data_home
from tfcnn.datasets.folder import open_folder
from tfcnn.manifest import splits
from tfcnn.recipes import SplitSettings

GROUPED = (*NARROW, "data.group_regex='^(P[0-9]+)_'")


def test_the_run_folder_is_complete(trained):
    names = {path.name for path in trained.iterdir()}
    assert names == {
        "recipe.toml", "model.keras", "model.tflite", "model.json", "split.csv", "history.csv",
        "predictions.csv", "report.json", "report.html", "logs", "DONE",
    }  # fmt: skip
    assert list((trained / "logs").rglob("events.out.tfevents*"))
    card = json.loads((trained / "model.json").read_text())
    assert card["class_names"] == ["round", "square"] and card["positive"] == "round"
    assert card["leaky"] is False and 0 < card["threshold"] < 1


def test_the_report_holds_every_metric_with_an_interval(trained):
    report = json.loads((trained / "report.json").read_text())
    metrics = report["splits"]["test"]
    assert {
        "accuracy", "balanced_accuracy", "sensitivity", "specificity", "ppv", "npv", "f1", "mcc",
        "roc_auc", "pr_auc", "brier", "ece",
    } <= set(metrics)  # fmt: skip
    assert metrics["accuracy"]["low"] <= metrics["accuracy"]["value"] <= metrics["accuracy"]["high"]
    assert metrics["accuracy"]["value"] >= 0.9, "bands of another colour are easy"
    assert report["decode_seconds"] > 0 and report["train_seconds"] > 0
    assert report["images_per_second"] > 0
    rows = list(csv.DictReader((trained / "predictions.csv").open()))
    counted = np.mean([r["label"] == r["predicted"] for r in rows if r["split"] == "test"])
    assert metrics["accuracy"]["value"] == pytest.approx(counted)


def test_the_python_verbs(trained):
    run = tfcnn.load(trained)
    report = tfcnn.evaluate(run)
    assert report.sentence.startswith("On 2 unseen groups: ")
    assert set(report.splits) == {"val", "test"}


@pytest.fixture
def split_of(trained):
    def read(folder: Path) -> dict[str, str]:
        rows = csv.DictReader((folder / "split.csv").open())
        return {row["path"]: row["split"] for row in rows}

    return read


def test_the_same_seed_gives_the_same_split_and_model_elsewhere(trained, tmp_path, split_of):
    """Another folder, another process: the same split, weights and figures; nothing decoded."""
    root = shutil.copytree(trained.parents[2] / "cells", tmp_path / "elsewhere")
    settings = (*QUICK, "data.group_regex='^(P[0-9]+)_'", "data.positive=round")
    words = [w for setting in settings for w in ("--set", setting)]
    result = run_tfcnn("train", root, *words, "--run", "again", home=trained.parents[1])
    assert result.returncode == 0, result.stderr
    again = trained.parent / "again"
    assert split_of(again) == split_of(trained)
    first, second = (json.loads((f / "report.json").read_text()) for f in (trained, again))
    assert second["decode_seconds"] == 0
    assert first["splits"] == second["splits"]
    assert (again / "predictions.csv").read_bytes() == (trained / "predictions.csv").read_bytes()


def test_a_cut_training_resumes_to_the_same_result(make_tree, home):
    """Cut after the second epoch, by an error in the reporter; then resumed."""

    class Cut(Reporter):
        def epoch(self, epoch: int, epochs: int, logs: dict[str, float]) -> None:
            if epoch == 3:
                raise KeyboardInterrupt

    root = make_tree(groups=8)
    settings = [*GROUPED, "model.options.dropout=0.3", "train.patience=2"]
    whole = tfcnn.train(root, settings=settings, run="whole")
    with pytest.raises(KeyboardInterrupt):
        tfcnn.train(root, settings=settings, run="cut", reporter=Cut())
    assert runs.state(home / "models" / "cut") == "unfinished"
    with pytest.raises(InputError, match="resume=True"):
        tfcnn.train(root, settings=settings, run="cut")
    with pytest.raises(InputError, match=r"train\.seed"):
        tfcnn.train(root, settings=[*settings, "train.seed=5"], run="cut", resume=True)
    with pytest.raises(InputError, match=r"model\.options\.dropout"):
        other = ["model.options.dropout=0.2", "train.patience=2"]
        tfcnn.train(root, settings=other, run="cut", resume=True)
    added = shutil.copy(root / "round" / "P0_0.png", root / "round" / "P0_added.png")
    with pytest.raises(CheckError, match="images it was begun with; received"):
        tfcnn.train(root, settings=settings, run="cut", resume=True)
    Path(added).unlink()
    split = home / "split.csv"
    text = (whole.path / "split.csv").read_text()
    split.write_text(text.replace(",val", ",train", 1))
    with pytest.raises(InputError, match="the split this run was begun with"):
        tfcnn.train(root, settings=settings, run="cut", resume=True, split=split)
    split.write_text(text)  # as the line says that a cut training prints
    resumed = tfcnn.train(root, settings=settings, run="cut", resume=True, split=split)
    assert (resumed.path / "predictions.csv").read_text() == (
        whole.path / "predictions.csv"
    ).read_text()
    losses = [
        [row["loss"] for row in csv.DictReader((run.path / "history.csv").open())]
        for run in (whole, resumed)
    ]
    assert losses[0] == losses[1]


@pytest.mark.parametrize("best", ["true", pytest.param("false", marks=pytest.mark.slow)])
def test_a_cut_after_the_last_epoch_trains_no_further(make_tree, monkeypatch, best):
    """Cut when the last checkpoint is written and nothing else is: the same weights are kept."""
    from tfcnn.training import save as module

    root = make_tree(groups=8)
    settings = [*GROUPED, f"train.best_weights={best}", "train.learning_rate=0.05"]
    whole = tfcnn.train(root, settings=settings, run="whole")
    with monkeypatch.context() as patch:
        patch.setattr(module, "save", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            tfcnn.train(root, settings=settings, run="cut")
    resumed = tfcnn.train(root, settings=settings, run="cut", resume=True)
    names = ("predictions.csv", "history.csv")
    assert (resumed.path / names[0]).read_text() == (whole.path / names[0]).read_text()
    assert len((resumed.path / names[1]).read_text().splitlines()) == 1 + 4


def test_a_folder_of_other_files_is_never_moved(make_tree, tmp_path):
    mine = tmp_path / "thesis"
    mine.mkdir()
    (mine / "chapter.txt").write_text("years of work")
    for options in ({}, {"fresh": True}, {"resume": True}):
        with pytest.raises(InputError, match="other files"):
            tfcnn.train(make_tree(name=f"t{len(options)}{options}"), run=str(mine), **options)
    assert (mine / "chapter.txt").read_text() == "years of work"


def test_a_finished_run_is_moved_aside_and_fresh_starts_again(make_tree, home):
    root = make_tree()
    settings = [*GROUPED, "train.epochs=1"]
    first = tfcnn.train(root, settings=settings)
    stamp = (first.path / "DONE").read_text()
    tfcnn.train(root, settings=settings)
    old = list((home / "models" / ".old").iterdir())
    assert len(old) == 1 and (old[0] / "DONE").read_text() == stamp
    with pytest.raises(InputError, match="no resume=True"):
        tfcnn.train(root, settings=settings, resume=True)


def test_a_folder_already_split_keeps_its_split(tmp_path, split_of):
    root = tmp_path / "split"
    for seed, name in enumerate(["train", "valid", "test"]):
        write_tree(root / name, groups=4, seed=seed)
    run = tfcnn.train(root, settings=[*NARROW, "train.epochs=1"])
    split = split_of(run.path)
    assert {path.split("/")[0]: name for path, name in split.items()} == {
        "train": "train", "valid": "val", "test": "test",
    }  # fmt: skip


def test_groups_that_cross_a_given_split_are_refused(tmp_path, home):
    root = tmp_path / "split"
    for seed, name in enumerate(["train", "test"]):
        write_tree(root / name, groups=4, seed=seed)  # the same patients P0..P3 in both
    with pytest.raises(CheckError, match="resplit=True"):
        tfcnn.train(root, settings=GROUPED)
    assert not (home / "models").exists() or not list((home / "models").glob("[!.]*"))
    run = tfcnn.train(root, settings=[*GROUPED, "train.epochs=1"], resplit=True)
    assert run.path.exists()


def test_a_hand_edited_split_that_leaks_is_refused_with_exit_3(trained, tmp_path):
    rows = list(csv.DictReader((trained / "split.csv").open()))
    group = next(row["group"] for row in rows if row["split"] == "test")
    moved = next(row for row in rows if row["group"] == group)
    moved["split"] = "train"
    path = tmp_path / "edited.csv"
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    words = [w for s in GROUPED for w in ("--set", s)]
    root = trained.parents[2] / "cells"
    result = run_tfcnn("train", root, *words, "--split", path, home=tmp_path / "home")
    assert result.returncode == 3 and f"group {group}" in result.stderr
    assert result.stderr.strip().splitlines()[-1].startswith("error: ")
    assert not (tmp_path / "home" / "models" / "cells").exists()


def test_test_none_trains_a_model_to_ship(make_tree):
    run = tfcnn.train(make_tree(), settings=[*GROUPED, "data.split.test=none", "train.epochs=1"])
    report = tfcnn.evaluate(run)
    assert set(report.splits) == {"val"} and "No test split" in report.sentence


def test_a_leak_is_stamped(make_tree):
    leak = ["data.split.unit=image", "data.split.demonstration=true", "train.epochs=1"]
    run = tfcnn.train(make_tree(), settings=[*GROUPED, *leak])
    assert run.is_leaky and "leak" in tfcnn.evaluate(run).sentence.lower()


def test_other_data_is_scored_and_seen_data_refused(trained, tmp_path):
    unseen = write_tree(tmp_path / "other", groups=3, seed=9)
    for path in sorted(unseen.rglob("*.png")):
        path.rename(path.with_name(f"P9{path.name[1:]}"))
    (unseen / "round").rename(unseen / "Round")
    report = tfcnn.evaluate(trained, data=unseen)
    assert report.counts["data"] == {"images": 24, "groups": 3}
    with pytest.raises(CheckError, match="has not seen"):
        tfcnn.evaluate(trained, data=trained.parents[2] / "cells")
    with pytest.raises(InputError, match="group_regex: expected it or group_csv"):
        tfcnn.evaluate(trained, data=unseen, group_regex="^(P)", group_csv="groups.csv")
    stray = next((unseen / "square").iterdir())
    stray.rename(stray.with_name("stray.png"))
    with pytest.raises(InputError, match=r"group regex .*received stray\.png; .*with '' where no"):
        tfcnn.evaluate(trained, data=unseen)
    report = tfcnn.evaluate(trained, data=unseen, group_regex="")
    assert report.counts["data"] == {"images": 24, "groups": 0}
    assert report.sentence.startswith("On 24 unseen images")
    assert not [*(data_home() / "cache").glob("*.npy")], "the images are streamed"
    (unseen / "square").rename(unseen / "other")
    with pytest.raises(InputError, match="class folders round, square"):
        tfcnn.evaluate(trained, data=unseen)


def test_a_run_whose_groups_a_table_named_asks_for_those_of_other_data(run_copy, tmp_path):
    card = json.loads((run_copy / "model.json").read_text())
    card["data"]["group_regex"] = None
    write_card(run_copy, card)
    other = write_tree(tmp_path / "other", groups=3, seed=9)
    with pytest.raises(InputError, match=r"who its groups are.*group_csv"):
        tfcnn.evaluate(run_copy, data=other)
    paths = [path.relative_to(other).as_posix() for path in sorted(other.rglob("*.png"))]
    table = tmp_path / "groups.csv"
    for prefix, seen in (("new", False), ("P", True)):
        rows = [f"{path},{prefix}{number % 12}" for number, path in enumerate(paths)]
        table.write_text("\n".join(["path,group", *rows]))
        if seen:
            with pytest.raises(CheckError, match="a group the run has not seen"):
                tfcnn.evaluate(run_copy, data=other, group_csv=str(table))
        else:
            found = tfcnn.evaluate(run_copy, data=other, group_csv=str(table))
            assert found.counts["data"] == {"images": 24, "groups": 12}
    assert tfcnn.evaluate(run_copy, data=other, group_regex="").counts["data"]["groups"] == 0


def test_a_run_and_its_split_must_be_as_they_were_written(run_copy, tmp_path):
    split = run_copy / "split.csv"
    split.write_text("\n".join(split.read_text().splitlines()[:3]) + "\n")
    other = write_tree(tmp_path / "other", groups=3, seed=9)
    with pytest.raises(CheckError, match=r"split\.csv: expected the file as it was written"):
        tfcnn.evaluate(run_copy, data=other)
    content = json.loads((run_copy / "report.json").read_text())
    for damaged, message in (
        ("{", "received no JSON"),
        ({**content}, "received no counts"),
    ):
        if isinstance(damaged, dict):
            del damaged["counts"]
        text = damaged if isinstance(damaged, str) else json.dumps(damaged)
        (run_copy / "report.json").write_text(text)
        with pytest.raises(CheckError, match=r"report\.json: expected the file as it was written"):
            tfcnn.evaluate(run_copy)
        reseal(run_copy)
        with pytest.raises(InputError, match=rf"report\.json: .*{message}"):
            tfcnn.evaluate(run_copy)
    card = json.loads((run_copy / "model.json").read_text())
    (run_copy / "model.json").write_text(json.dumps({**card, "version": 99}))
    with pytest.raises(InputError, match=r"model\.json: .*version 99, of a later tfcnn"):
        tfcnn.load(run_copy)


def test_a_path_is_no_name(run_copy, monkeypatch, home):
    folder = shutil.move(run_copy, home / "work" / "malaria")
    monkeypatch.chdir(home / "work")
    for path in ("./malaria", "malaria/", folder):
        assert tfcnn.load(path).class_names == ("round", "square")
    assert tfcnn.load("malaria").class_names == ("Parasitized", "Uninfected"), "the shipped one"


def test_a_training_leaves_the_callers_generators_as_they_were(make_tree):
    random.seed(3)
    np.random.seed(3)  # noqa: NPY002
    expected = random.Random(3).random(), np.random.RandomState(3).rand()
    was = tf_config.is_op_determinism_enabled()
    seen = []

    class Look(Reporter):
        def epoch(self, epoch: int, epochs: int, logs: dict[str, float]) -> None:
            seen.append(tf_config.is_op_determinism_enabled())

    settings = [*GROUPED, "train.epochs=1", "train.deterministic=false"]
    tfcnn.train(make_tree(), settings=settings, reporter=Look())
    assert (random.random(), np.random.rand()) == expected  # noqa: NPY002
    assert seen == [False] and tf_config.is_op_determinism_enabled() == was


def test_wishes_that_val_cannot_grant_are_said(make_tree):
    wishes = ["data.positive=square", "evaluation.sensitivity=0.9", "train.epochs=1"]
    root = make_tree(groups=8)
    for path in root.rglob("*.png"):  # each patient is of one class, and so is val
        keep = int(path.name[1]) % 2 == (path.parent.name == "square")
        path.rename(path) if keep else path.unlink()
    listed = manifest.build(open_folder(root), group_regex="^(P[0-9]+)_")
    seed = next(seed for seed in range(100) if _val_labels(listed, seed) == {"round"})
    settings = [*GROUPED, *wishes, f"data.split.seed={seed}"]
    run = tfcnn.train(root, settings=settings)
    report = tfcnn.evaluate(run)
    assert run.card["temperature"] == 1
    assert any("not calibrated: val has images of one class" in said for said in report.warnings)
    assert any("sensitivity 0.9 cannot be had" in said for said in report.warnings)


def _val_labels(listed: manifest.Manifest, seed: int) -> set[str]:
    assigned = splits.assign(listed, SplitSettings(seed=seed))
    return {row.label for row, split in zip(listed.rows, assigned, strict=True) if split == "val"}


def test_one_unit_heads_and_class_weights_train(make_tree):
    settings = [
        "train.epochs=2", "train.batch_size=16", "data.image_size=32",
        "model.network=course_malaria",
        "train.class_weights=balanced", "train.label_smoothing=0.1", "train.optimizer=sgd",
        "train.schedule=constant", "train.learning_rate=0.01",
    ]  # fmt: skip
    run = tfcnn.train(make_tree(), settings=settings)
    probs = tfcnn.predict(run, make_tree(name="more", seed=3))[0].probs
    assert sum(probs.values()) == pytest.approx(1)


def test_clusters_are_refused_where_one_process_works(make_tree, monkeypatch):
    tree = make_tree()
    monkeypatch.setenv("SLURM_STEP_NUM_TASKS", "2")
    for verb in (tfcnn.train, tfcnn.crossval):  # a step that says nothing of its hosts
        with pytest.raises(InputError, match="SLURM_STEP_NODELIST: expected 2 tasks"):
            verb(tree, settings=QUICK)
    monkeypatch.setenv("SLURM_STEP_NODELIST", "node[1-2]")
    monkeypatch.setenv("SLURM_STEP_TASKS_PER_NODE", "1(x2)")
    with pytest.raises(InputError, match="SLURM_STEP_NUM_TASKS: expected one process"):
        tfcnn.crossval(tree, settings=QUICK)


def test_the_weights_kept_are_those_the_recipe_asks_for(make_tree):
    """A learning rate that spoils the end: the best epoch differs from the last."""
    settings = [*GROUPED, "train.schedule=constant", "train.learning_rate=1.0", "train.epochs=4"]
    accuracies = {}
    for best in ("true", "false"):
        words = [*settings, f"train.best_weights={best}", "evaluation.calibrate=false"]
        run = tfcnn.train(make_tree(name=f"tree{best}"), settings=words)
        rows = list(csv.DictReader((run.path / "history.csv").open()))
        by_loss = min(rows, key=lambda row: float(row["val_loss"])) if best == "true" else rows[-1]
        accuracies[best] = float(by_loss["val_sparse_categorical_accuracy"])
        measured = tfcnn.evaluate(run).splits["val"]["accuracy"]["value"]
        assert measured == pytest.approx(accuracies[best], abs=1e-6)
