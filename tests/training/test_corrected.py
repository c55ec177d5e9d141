"""Corrected labels in a training: kept in its run, said beside its figures, out of its test."""

import csv
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from conftest import QUICK, run_tfcnn, write_tree
from paper_runs import make_run, random_table

import tfcnn
from tfcnn import recipes
from tfcnn.base.errors import CheckError, InputError
from tfcnn.base.records import sha256_of
from tfcnn.evaluation import scoring
from tfcnn.manifest.corrections import COLUMNS, TEST_IS_CORRECTED
from tfcnn.report import page
from tfcnn.runs import Run
from tfcnn.training import own_parts

IMAGES = ("data.image_size=32", "data.group_regex='^(P[0-9]+)_'")
FAST = (*QUICK, "train.epochs=2", "model.network=mlp", *IMAGES)


@dataclass(frozen=True)
class Corrected:
    """Images, the split they get, a table of judgements, and what it judges in each split."""

    root: Path
    given: dict[str, dict[str, str]]
    table: Path
    flipped: dict[str, str]
    dropped: dict[str, str]
    run: Run


def other(label: str) -> str:
    return {"round": "square", "square": "round"}[label]


def write_table(path: Path, rows: list[tuple[dict[str, str], str]]) -> Path:
    lines = [
        [row["path"], row["sha256"], row["label"], word,
         other(row["label"]) if word == "flip" else "", "suspect", "no"]
        for row, word in rows
    ]  # fmt: skip
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([COLUMNS, *lines])
    return path


def splits_of(root: Path, *settings: str) -> dict[str, dict[str, str]]:
    """Return the rows of the split that a training would have."""
    data = tfcnn.data(root, settings=[*IMAGES, *settings], progress=False)
    rows = zip(data.manifest.rows, data.splits, strict=True)
    return {row.path: {"path": row.path, "label": row.label, "sha256": row.sha256, "split": split}
            for row, split in rows}  # fmt: skip


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Corrected]:
    base = tmp_path_factory.mktemp("corrected")
    root = write_tree(base / "cells", groups=12)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TFCNN_HOME", str(base / "home"))
        given = splits_of(root)
        chosen = {name: [row for row in given.values() if row["split"] == name][:2]
                  for name in ("train", "val", "test")}  # fmt: skip
        every = [row for rows in chosen.values() for row in rows]
        pairs = [*zip(every, ("flip", "drop") * 3, strict=True)]
        table = write_table(base / "corrections.csv", pairs)
        run = tfcnn.train(root, settings=[*FAST, f"data.corrections_csv={table}"], progress=False)
        yield Corrected(
            root, given, table,
            {name: rows[0]["path"] for name, rows in chosen.items()},
            {name: rows[1]["path"] for name, rows in chosen.items()},
            run,
        )  # fmt: skip


@pytest.fixture(autouse=True)
def _home(made: Corrected, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TFCNN_HOME", str(made.run.path.parents[1]))


def test_a_run_has_corrected_labels_and_the_test_split_it_would_have_had(made: Corrected) -> None:
    rows = {row["path"]: row for row in made.run.split}
    for path, before in made.given.items():
        is_reached = before["split"] != "test"
        is_flipped = path in made.flipped.values() and is_reached
        assert rows[path]["label"] == (other(before["label"]) if is_flipped else before["label"])
        is_dropped = path in made.dropped.values() and is_reached
        assert rows[path]["split"] == ("" if is_dropped else before["split"])
    scored = {row["path"]: row["label"] for row in made.run.predictions}
    assert made.dropped["val"] not in scored
    assert scored[made.flipped["test"]] == made.given[made.flipped["test"]]["label"]
    assert scored[made.flipped["val"]] != made.given[made.flipped["val"]]["label"]


def test_card_report_and_page_say_by_which_table(made: Corrected) -> None:
    facts = made.run.card["data"]["corrections"]
    assert facts["sha256"] == sha256_of(made.table) and facts["file"] == "corrections.csv"
    assert (facts["changed"], facts["dropped"], facts["held_back"]) == (2, 2, 2)
    assert made.run.report["corrections"] == facts
    said = [text for text in made.run.report["warnings"] if facts["sha256"][:12] in text]
    assert len(said) == 1 and "2 of test left as given" in said[0]
    assert TEST_IS_CORRECTED not in json.dumps(made.run.report)
    html = page.write(made.run.path).read_text("utf-8")
    assert "changed 2 labels and left out 2 images" in html


def test_a_run_keeps_the_table_so_that_it_can_be_trained_again(made: Corrected) -> None:
    copy = made.run.path / "corrections" / "corrections.csv"
    assert copy.read_bytes() == made.table.read_bytes()
    assert made.run.is_recorded("corrections/corrections.csv")
    assert made.run.recipe.data.corrections_csv == str(copy.resolve())
    text = (made.run.path / "recipe.toml").read_text()
    assert 'corrections_csv = "corrections/corrections.csv"' in text


@pytest.mark.slow
def test_a_reproduced_run_is_equal_though_the_table_is_gone(
    made: Corrected, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.move(made.table, tmp_path / "away.csv")
    try:
        found = tfcnn.reproduce(made.run, progress=False)
    finally:
        shutil.move(tmp_path / "away.csv", made.table)
    assert found.is_equal, found
    assert found.again.card["data"]["corrections"] == made.run.card["data"]["corrections"]


@pytest.mark.slow
def test_a_table_that_changed_is_refused_where_a_run_goes_on(
    made: Corrected, tmp_path: Path
) -> None:
    from tfcnn.training.train import train

    recipe = recipes.for_folder(made.root)
    table = shutil.copy(made.table, tmp_path / "corrections.csv")
    recipe = recipes.override(recipe, [*FAST, f"data.corrections_csv={table}"])
    folder = tmp_path / "home" / "cut"

    def cut(epoch: int, logs: object = None) -> None:
        raise KeyboardInterrupt

    import keras

    stop = keras.callbacks.LambdaCallback(on_epoch_end=cut)
    with pytest.raises(KeyboardInterrupt):
        train(recipe, folder, callbacks=[stop])
    assert (folder / "corrections" / "corrections.csv").exists()
    Path(table).write_text(made.table.read_text().replace(",drop,", ",keep,", 1))
    with pytest.raises(CheckError, match=r"corrections\.csv: expected the file that the run was"):
        train(recipe, folder, resume=True, settings=[f"data.corrections_csv={table}"])
    shutil.copy(made.table, table)
    train(recipe, folder, resume=True, settings=[f"data.corrections_csv={table}"])
    split = (folder / "split.csv").read_bytes()
    assert split == (made.run.path / "split.csv").read_bytes()


def test_a_table_that_changed_after_the_images_were_read_is_refused(
    made: Corrected, tmp_path: Path
) -> None:
    table = Path(shutil.copy(made.table, tmp_path / "corrections.csv"))
    settings = [*IMAGES, f"data.corrections_csv={table}"]
    prepared = tfcnn.data(made.root, settings=settings, progress=False).prepared
    table.write_text(made.table.read_text().replace(",drop,", ",keep,", 1))
    parts = own_parts.read(prepared.recipe)
    with pytest.raises(InputError, match="the corrections as they were when the images were read"):
        own_parts.write_start(prepared, parts, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_corrected_test_is_said_in_the_sentence(tmp_path: Path) -> None:
    run, table = make_run(tmp_path), random_table()
    plain = scoring.score(run, table)
    facts = {"file": "c.csv", "sha256": "0" * 64, "of_test": 3}
    stamped = replace(run, card={**run.card, "data": {**run.card["data"], "corrections": facts}})
    assert TEST_IS_CORRECTED in scoring.score(stamped, table).sentence
    assert TEST_IS_CORRECTED not in plain.sentence
    facts["of_test"] = 0
    assert scoring.score(stamped, table).sentence == plain.sentence


@pytest.mark.slow
def test_a_corrected_test_split_is_stamped_wherever_its_result_is_shown(
    made: Corrected, tmp_path: Path
) -> None:
    settings = [*FAST, f"data.corrections_csv={made.table}", "data.corrections_test=true"]
    run = tfcnn.train(made.root, settings=settings, run="told", progress=False)
    assert run.is_test_corrected and run.card["data"]["corrections"]["of_test"] == 2
    scored = {row["path"]: row["label"] for row in run.predictions}
    assert scored[made.flipped["test"]] != made.given[made.flipped["test"]]["label"]
    assert made.dropped["test"] not in scored
    assert TEST_IS_CORRECTED in run.report["sentence"]
    assert TEST_IS_CORRECTED in (run.path / "report.html").read_text("utf-8")
    home = run.path.parents[1]
    for words in (
        ("evaluate", "told"),
        ("list", "--json"),
        ("compare", "told", "told"),
        ("report", "told"),
    ):
        result = run_tfcnn(*words, home=home)
        assert result.returncode == 0, result.stderr
        if words[0] != "report":
            assert TEST_IS_CORRECTED in " ".join(result.stdout.split()), words
    result = run_tfcnn("compare", "told", made.run.name, home=home)
    assert result.returncode == 2 and "expected the same labels in both" in result.stderr
    assert TEST_IS_CORRECTED in repr(run) or TEST_IS_CORRECTED in run._repr_html_()


def test_a_split_of_another_run_and_an_ignore_list_go_with_corrections(
    made: Corrected, tmp_path: Path
) -> None:
    ignored = tmp_path / "ignore.csv"
    ignored.write_text(f"path,reason\n{made.flipped['train']},blurred\n")
    settings = [f"data.corrections_csv={made.table}", f"data.ignore_csv={ignored}"]
    without = splits_of(made.root, f"data.ignore_csv={ignored}")
    with_both = splits_of(made.root, *settings)
    assert with_both.keys() == without.keys() and made.flipped["train"] not in without
    changed = {path for path, row in with_both.items() if row != without[path]}
    here = {path for path in (*made.flipped.values(), *made.dropped.values()) if path in without}
    here = {path for path in here if without[path]["split"] != "test"}
    assert changed == here
    data = tfcnn.data(made.root, settings=[*IMAGES, *settings], progress=False)
    assert any("1 on images that are left out anyway" in note for note in data.manifest.notes)
    split = tmp_path / "split.csv"
    with split.open("w", newline="") as file:
        writer = csv.DictWriter(file, ["path", "split"], extrasaction="ignore")
        writer.writeheader()
        writer.writerows(made.given.values())
    given = tfcnn.data(made.root, settings=[*IMAGES, settings[0]], split=split, progress=False)
    assert given.splits == [row["split"] for row in made.run.split]


def test_check_matches_the_table(made: Corrected, tmp_path: Path) -> None:
    words = ("check", made.root, "--group-regex", "^(P[0-9]+)_", "--set")
    result = run_tfcnn(*words, f"data.corrections_csv={made.table}")
    assert result.returncode == 0 and "changed 3 labels and left out 3 images" in result.stdout
    table = tmp_path / "c.csv"
    table.write_text(made.table.read_text().replace(made.given[made.flipped["val"]]["sha256"], "0"))
    result = run_tfcnn(*words, f"data.corrections_csv={table}")
    assert result.returncode == 3 and "one with another sha256" in result.stdout
    table.unlink()
    with pytest.raises(InputError, match=r"c\.csv: expected a CSV"):
        splits_of(made.root, f"data.corrections_csv={table}")


@pytest.mark.slow
@pytest.mark.parametrize("with_test", [False, True])
def test_a_cross_validation_tests_each_image_with_the_label_it_says(
    made: Corrected, with_test: bool
) -> None:
    settings = [*FAST, f"data.corrections_csv={made.table}"]
    settings += ["data.corrections_test=true"] if with_test else []
    name = f"folds-{with_test}-crossval"
    summary = tfcnn.crossval(made.root, folds=2, settings=settings, run=name, progress=False)
    with (summary.path / "predictions.csv").open(newline="") as file:
        labels = {row["path"]: row["label"] for row in csv.DictReader(file)}
    dropped = {*made.dropped.values()} if with_test else set()
    assert labels.keys() == made.given.keys() - dropped
    for path, label in labels.items():
        is_other = with_test and path in made.flipped.values()
        before = made.given[path]["label"]
        assert label == (other(before) if is_other else before)
    text = " ".join([summary.sentence, *summary.warnings])
    assert "changed 3 labels and left out 3 images" in text
    assert (TEST_IS_CORRECTED in summary.sentence) == with_test
    for fold in summary.path.glob("fold-*"):
        with (fold / "split.csv").open(newline="") as file:
            for row in csv.DictReader(file):
                before = made.given[row["path"]]["label"]
                is_reached = with_test or row["split"] != "test"
                is_other = row["path"] in made.flipped.values() and is_reached
                assert row["label"] == (other(before) if is_other else before)
