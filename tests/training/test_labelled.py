"""Images in one folder with a table of labels: every verb does what it does with class folders."""

import csv
import json
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from conftest import QUICK, Heard, run_tfcnn, write_card, write_tree

import tfcnn
from tfcnn.base.errors import CheckError, InputError
from tfcnn.report import page
from tfcnn.runs import Run

FAST = (*QUICK, "train.epochs=2", "model.network=mlp")
SPLITS = ("train", "train", "train", "train", "val", "test")  # by group
NO_SPLIT = ("",)


class Pair(NamedTuple):
    """The same images in class folders, and in one folder with a table; and a run of each."""

    folders: Path
    flat: Path
    table: Path
    of_folders: Run
    of_table: Run


def flatten(folders: Path, flat: Path, splits: tuple[str, ...]) -> Path:
    """Copy images into one folder, in another order than that of the classes; write the table."""
    flat.mkdir()
    rows = []
    for path in folders.rglob("*.png"):
        shutil.copy(path, flat / path.name)
        group = path.name.split("_")[0]
        rows.append(
            f"{path.name};{path.parent.name};{group};{splits[int(group[1:]) % len(splits)]}"
        )
    random.Random(0).shuffle(rows)
    table = flat.parent / "labels.csv"
    table.write_text("\n".join(["path;label;group;split", *rows]))
    return table


def write_classes(root: Path, groups: int, seed: int = 0, per_group: int = 4) -> Path:
    """Write class folders whose files have names of their own."""
    write_tree(root, groups=groups, per_group=per_group, seed=seed)
    for path in [*root.rglob("*.png")]:  # P0_0a.png, P0_0b.png: sorted by name, classes alternate
        path.rename(path.with_stem(path.stem + {"round": "b", "square": "a"}[path.parent.name]))
    return root


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    base = tmp_path_factory.mktemp("labelled")
    folders = write_classes(base / "cells", groups=12)
    table = flatten(folders, base / "flat", NO_SPLIT)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TFCNN_HOME", str(base / "home"))
        of_folders = tfcnn.train(folders, settings=[*FAST, "data.group_regex='^(P[0-9]+)_'"])
        labelled = [*FAST, f"data.labels_csv={table}"]
        of_table = tfcnn.train(base / "flat", settings=labelled)
    yield Pair(folders, base / "flat", table, of_folders, of_table)


def same(rows: list[dict[str, str]], *columns: str) -> list[tuple[str, ...]]:
    return [tuple(row[column] for column in columns) for row in rows]


def test_a_table_trains_as_class_folders_do(pair: Pair) -> None:
    columns = ("sha256", "label", "group", "split")
    assert same(pair.of_table.split, *columns) == same(pair.of_folders.split, *columns)
    probs = ("label", "prob_round", "prob_square", "flag")
    found, expected = (same(run.predictions, *probs) for run in (pair.of_table, pair.of_folders))
    assert len(found) > 20 and found == expected, "bit for bit"
    metrics = [tfcnn.evaluate(run).to_dict()["splits"] for run in (pair.of_table, pair.of_folders)]
    assert metrics[0] == metrics[1]


def test_own_keras_code_gets_the_same_images(pair: Pair) -> None:
    found = tfcnn.data(pair.flat, labels_csv=str(pair.table), progress=False)
    expected = tfcnn.data(pair.folders, group_regex="^(P[0-9]+)_", progress=False)
    assert found.splits == expected.splits and found.counts == expected.counts
    for images, others in zip(found.arrays("val"), expected.arrays("val"), strict=True):
        assert (images == others).all()


def test_predict_needs_no_table(pair: Pair, tmp_path: Path) -> None:
    found = {Path(one.path).name: one.probs for one in tfcnn.predict(pair.of_table, pair.flat)}
    expected = tfcnn.predict(pair.of_folders, pair.folders)
    assert found == {Path(one.path).name: one.probs for one in expected}
    result = run_tfcnn("predict", pair.of_table.path, pair.flat, "-o", tmp_path / "new.csv")
    assert f"no groups: the run has those of a table, from {pair.table}" in result.stderr


def test_the_report_shows_its_images_and_where_labels_come_from(pair: Pair) -> None:
    def shown() -> str:
        return page.write(pair.of_table.path).read_text()

    text = shown()
    assert f"from flat, labels from {pair.table}." in text
    assert text.count("data:image") == page.write(pair.of_folders.path).read_text().count(
        "data:image"
    )
    pair.table.rename(pair.table.with_suffix(".gone"))  # a report is made of what was measured
    try:
        assert shown() == text
    finally:
        pair.table.with_suffix(".gone").rename(pair.table)


def test_a_run_of_an_earlier_version_has_no_labels_in_its_card(run_copy: Path) -> None:
    card = json.loads((run_copy / "model.json").read_text())
    del card["data"]["labels"], card["data"]["groups"]
    write_card(run_copy, card)
    assert ", labels from" not in page.write(run_copy).read_text()


@pytest.fixture
def unseen(tmp_path: Path) -> tuple[Path, Path]:
    """New images in one folder, and their table; the groups P90 to P95 are not of the run."""
    folders = write_classes(tmp_path / "new", groups=6, seed=9)
    for path in [*folders.rglob("*.png")]:
        path.rename(path.with_name(f"P9{path.name[1:]}"))
    return tmp_path / "unseen", flatten(folders, tmp_path / "unseen", ("test",))


def test_other_images_with_a_table_are_scored_as_in_class_folders(
    pair: Pair, unseen: tuple[Path, Path]
) -> None:
    flat, table = unseen
    expected = tfcnn.evaluate(pair.of_folders, data=flat.parent / "new", group_regex="^(P[0-9]+)_")
    for run in (pair.of_table, pair.of_folders):
        found = tfcnn.evaluate(run, data=flat, labels_csv=str(table))
        assert found.splits == expected.splits and found.groups == expected.groups
    result = run_tfcnn("evaluate", pair.of_table.path, "--data", flat, "--labels-csv", table)
    assert result.returncode == 0 and "On 6 groups" in result.stdout.replace("unseen ", "")
    with pytest.raises(CheckError, match="an image the run has not seen"):
        tfcnn.evaluate(pair.of_table, data=pair.flat, labels_csv=str(pair.table))


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        (("group", "who"), {}, r"who its groups are.*try a column group in .*labels.csv, or gr"),
        (("round", "oval"), {}, r"labels.csv: expected labels round, square; received oval"),
        (("", ""), {"group_from": "folder"}, "group_from: expected it or labels_csv"),
        (("", ""), {"label_column": "kind"}, "expected a CSV with columns path,kind"),
        (("", ""), {"labels_csv": None, "label_column": "kind"}, "expected labels_csv beside it"),
        (("", ""), {"labels_csv": None}, r"loose images.*or labels_csv FILE with columns"),
    ],
)
def test_a_table_of_other_images_that_does_not_fit_is_refused(
    change: tuple[str, str], options: dict[str, str], message: str,
    pair: Pair, unseen: tuple[Path, Path],
) -> None:  # fmt: skip
    flat, table = unseen
    table.write_text(table.read_text().replace(*change) if change[0] else table.read_text())
    with pytest.raises(InputError, match=message):
        tfcnn.evaluate(pair.of_table, data=flat, **{"labels_csv": str(table), **options})


def test_labels_and_groups_may_be_in_two_tables(pair: Pair, unseen: tuple[Path, Path]) -> None:
    flat, table = unseen
    lines = [line.split(";") for line in table.read_text().splitlines()]
    groups = flat.parent / "groups.csv"
    groups.write_text("\n".join(["path,who", *(f"{line[0]},{line[2]}" for line in lines[1:])]))
    options = {"data": flat, "labels_csv": str(table)}
    expected = tfcnn.evaluate(pair.of_table, **options)
    found = tfcnn.evaluate(pair.of_table, **options, group_csv=str(groups), group_column="who")
    assert found.groups == expected.groups
    assert "its column group is not used, as --group-csv is given" in " ".join(found.warnings)


def test_rules_of_other_images_need_a_folder(pair: Pair) -> None:
    with pytest.raises(InputError, match="data FOLDER"):
        tfcnn.evaluate(pair.of_table, labels_csv="labels.csv")


class Cut(Heard):
    """Ends a training after its first epoch."""

    def epoch(self, epoch: int, epochs: int, logs: dict[str, float]) -> None:
        if epoch == 2:
            raise KeyboardInterrupt


CHANGES: list[tuple[Callable[[str], str], str]] = [
    (lambda text: text.replace(";round;", ";~;").replace(";square;", ";round;")
     .replace(";~;", ";square;"), "its class and group as they were when the run was begun"),
    (lambda text: text.replace(";P1;", ";P77;"), "its class and group as they were"),
    (lambda text: "\n".join(text.splitlines()[:-1]), "expected images that are in the data"),
    (lambda text: text.replace("test", "val"), "in this place, as when the run was begun"),
]  # fmt: skip


def test_a_resume_goes_on_with_the_table_as_it_was_and_refuses_another(
    tmp_path: Path, home: Path
) -> None:
    table = flatten(write_classes(tmp_path / "cells", groups=12), tmp_path / "flat", SPLITS)
    settings = [*FAST, f"data.labels_csv={table}"]
    whole = tfcnn.train(tmp_path / "flat", settings=settings, run="whole")
    official = {row["group"]: row["split"] for row in whole.split}
    assert official == {f"P{i}": SPLITS[i % 6] for i in range(12)}, "the table's own split"
    with pytest.raises(KeyboardInterrupt):
        tfcnn.train(tmp_path / "flat", settings=settings, run="cut", reporter=Cut())
    text = table.read_text()
    for change, message in CHANGES:
        table.write_text(change(text))
        with pytest.raises((InputError, CheckError), match=message):
            tfcnn.train(tmp_path / "flat", run="cut", resume=True)
    table.write_text(text)
    with pytest.raises(InputError, match=r"data.labels_csv: expected '.*labels.csv', as it was"):
        tfcnn.train(tmp_path / "flat", run="cut", resume=True, settings=["data.labels_csv=x.csv"])
    made = tfcnn.train(tmp_path / "flat", run="cut", resume=True)
    assert made.predictions == whole.predictions


def test_folds_and_doubted_labels_of_a_table(tmp_path: Path, home: Path) -> None:
    table = flatten(write_classes(tmp_path / "cells", groups=6), tmp_path / "flat", NO_SPLIT)
    settings = [*FAST, "train.epochs=1", f"data.labels_csv={table}"]
    summary = tfcnn.crossval(tmp_path / "flat", folds=2, settings=settings)
    with (summary.path / "predictions.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 48 and {row["group"] for row in rows} == {f"P{i}" for i in range(6)}
    suspects = tfcnn.label_errors(summary.path, top=2, blind=4)  # so early, hardly one is doubted
    assert suspects.path.joinpath("labels.html").read_text().count("data:image") >= 4


def test_folds_refuse_another_table(tmp_path: Path, home: Path) -> None:
    """Whether or not other folds would come of it."""
    table = flatten(write_classes(tmp_path / "cells", groups=6), tmp_path / "flat", NO_SPLIT)
    settings = [*FAST, f"data.labels_csv={table}"]
    with pytest.raises(KeyboardInterrupt):
        tfcnn.crossval(tmp_path / "flat", folds=2, settings=settings, reporter=Cut())
    text = table.read_text()
    table.write_text(CHANGES[0][0](text))
    with pytest.raises(CheckError, match="its class and group as they were"):
        tfcnn.crossval(tmp_path / "flat", resume=True)


@pytest.mark.slow
def test_two_thousand_files_in_one_folder(tmp_path: Path, home: Path) -> None:
    folders = write_classes(tmp_path / "cells", groups=50, per_group=20)
    table = flatten(folders, tmp_path / "flat", NO_SPLIT)
    assert len([*(tmp_path / "flat").iterdir()]) == 2000
    settings = [*QUICK, "train.epochs=1", "train.batch_size=64"]
    grouped = [*settings, "data.group_regex='^(P[0-9]+)_'"]
    first = tfcnn.train(folders, settings=grouped)
    labelled = [*settings, f"data.labels_csv={table}"]
    second = tfcnn.train(tmp_path / "flat", settings=labelled)
    columns = ("sha256", "label", "group", "split")
    assert same(first.split, *columns) == same(second.split, *columns)
    probs = ("label", "prob_round", "prob_square", "flag")
    assert same(first.predictions, *probs) == same(second.predictions, *probs)
    assert tfcnn.evaluate(first).splits == tfcnn.evaluate(second).splits
    answers = [tfcnn.predict(run, tmp_path / "flat") for run in (first, second)]
    assert len(answers[0]) == 2000
    # of so many, whichever engine is sooner answers
    off = [abs(one.probs["round"] - two.probs["round"]) for one, two in zip(*answers, strict=True)]
    assert max(off) < 1e-5
