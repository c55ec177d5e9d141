"""A folder whose files, classes, groups and recipes have names as an attacker would choose them."""

import csv
import io
import json
import os
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import openpyxl
import pytest
from conftest import run_tfcnn
from nasty_names import NASTY
from PIL import Image
from rich.table import Table

import tfcnn
from tfcnn import recipes, runs
from tfcnn.base import naming
from tfcnn.base.errors import InputError
from tfcnn.base.progress import Reporter
from tfcnn.cli.terminal import conclude
from tfcnn.display.console import Console, TerminalReporter
from tfcnn.prediction import output

CLASSES = ("=cmd|' -C calc'!A0\x1b[31m<script>$x$", "'q\r\n\"u,[bold]\u202e;")
GROUPS = ("=g\x1b[1m", "g\r", "'g", '"g,', "@g\n", "-g", "\u202eg", "\tg", r"\x1b", "g:smile:")
FILES = [name for name in NASTY if "/" not in name and "\udcff" not in name]
ENDS = ("=", "+", "-", "@", "＝", "\t", "\r", "\n")

SETTINGS = (
    "train.epochs=1", "train.batch_size=8", "model.options.widths=[4]", "data.image_size=16",
    "train.precision=float32",
    "data.group_regex=~((?s:.*))~", recipes.assignment("data.positive", CLASSES[0]),
)  # fmt: skip


@pytest.fixture(scope="module")
def cells(tmp_path_factory) -> Path:
    """Images of 16 px; every group has files of both classes."""
    root = tmp_path_factory.mktemp("hostile") / "cells"
    rng, number = np.random.default_rng(0), 0
    for label, name in enumerate(CLASSES):
        (root / name).mkdir(parents=True)
        for group in GROUPS:
            for _ in range(3):  # each of FILES is there
                pixels = rng.integers(0, 60, (16, 16, 3), dtype=np.uint8)
                pixels[8 * label : 8 * label + 8, :, label] += 150
                stem = f"{FILES[number % len(FILES)]}~{group}~{number}"
                Image.fromarray(pixels).save(root / name / f"{stem[-240:]}.png")
                number += 1
    return root


@pytest.fixture(scope="module")
def learnt(cells, tmp_path_factory) -> Path:
    """A run and a cross-validation of these; returns the home of both."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TFCNN_HOME", str(home))
        tfcnn.train(cells, settings=SETTINGS)
        tfcnn.crossval(cells, folds=2, settings=SETTINGS)
        tfcnn.label_errors("cells")
    return home


def rows_of(path: Path) -> list[dict[str, str]]:
    """Read a table as any program does, and take what tfcnn set into it away."""
    text = path.read_bytes().decode()
    if path.name == "manifest.csv":  # its last line vouches for the others
        text = "\n".join([*text.rstrip("\n").split("\n")[:-1], ""])
    assert not naming.IS_HIDDEN.search(text), "nothing acts on a terminal"
    header, *lines = csv.reader(io.StringIO(text, newline=""), strict=True)
    assert all(len(line) == len(header) for line in lines)
    assert not [cell for line in lines for cell in line if cell.startswith(ENDS)]
    plain = [[*map(naming.from_cell, line)] for line in lines]
    return [dict(zip(map(naming.from_cell, header), line, strict=True)) for line in plain]


def test_every_table_gives_every_name_back(cells, learnt):
    files = {str(path.relative_to(cells)) for path in cells.rglob("*.png")}
    models = learnt / "models"
    (store,) = (learnt / "data" / "folders").iterdir()
    whole = [models / "cells" / "split.csv", store / "manifest.csv",
             *(models / "cells-crossval" / "splits").iterdir(),
             models / "cells-crossval" / "predictions.csv",
             models / "cells-crossval" / "labels.csv"]  # fmt: skip
    for path in whole:
        rows = rows_of(path)
        assert {row["path"] for row in rows} == files, path
        assert {row["label"] for row in rows} == {*CLASSES}
        if path.name != "manifest.csv" or rows[0]["group"]:
            assert {row["group"] for row in rows} == {*GROUPS}
    rows = rows_of(models / "cells" / "predictions.csv")
    assert {row["path"] for row in rows} < files
    assert {f"prob_{name}" for name in CLASSES} < rows[0].keys()


def test_every_verb_works_and_nothing_acts_on_the_terminal(cells, learnt, tmp_path):
    table = tmp_path / "p.csv"
    shutil.copytree(cells, other := tmp_path / "other")
    rng = np.random.default_rng(1)
    for path in sorted(other.rglob("*.png")):  # unseen pictures of unseen groups
        Image.fromarray(rng.integers(0, 255, (16, 16, 3), dtype=np.uint8)).save(path)
        path.rename(path.with_name(path.name.replace("~", "~new", 1)))
    for words in (
        ("evaluate", "cells"),
        ("evaluate", "cells", "--data", other),
        ("report", "cells"),
        ("threshold", "cells", "--value", "0.4"),
        ("compare", "cells", "cells"),
        ("labels", "cells"),
        ("predict", "cells", cells, "--output", table),
        ("predict", "cells", cells),
        ("predict", "cells", cells, "--json"),
        ("explain", "cells", cells, "--output", tmp_path / "why", "--feature-maps"),
        ("check", cells, "--group-regex", "~((?s:.*))~"),
        ("list",),
    ):
        result = run_tfcnn(*words, home=learnt)
        assert result.returncode == 0, (words, result.stderr)
        said = result.stdout + result.stderr
        assert not naming.IS_HIDDEN.search(said), words
        assert "a fault in" not in said and "Warning" not in said
    names = {str(path) for path in cells.rglob("*.png")}
    assert {row["path"] for row in rows_of(table)} == names
    assert {row["group"] for row in rows_of(tmp_path / "p-groups.csv")} == {*GROUPS}
    assert {row["path"] for row in rows_of(tmp_path / "why" / "explanations.csv")} == names
    page = (learnt / "models" / "cells" / "report.html").read_text(encoding="utf-8")
    assert not naming.IS_HIDDEN.search(page) and "[31m<script>" not in page
    assert "[31m&lt;script&gt;" in page


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "xlsx"])
def test_predictions_of_any_format_give_the_names_back(suffix, tmp_path):
    names = ("=a\x1b", "b\u202e")
    card = {"class_names": names, "positive": None, "threshold": 0.5,
            "data": {"nouns": ["a", "b"], "group_regex": None}}  # fmt: skip
    texts = [*NASTY, "c1\x9b31m"]
    rows = [tfcnn.prediction.Prediction(text, names[0], dict.fromkeys(names, 0.5), names[1])
            for text in texts]  # fmt: skip
    path = tmp_path / f"[a]*\x1b.{suffix}"
    output.write(rows, runs.Run(Path("x"), card), suffix, path)
    if suffix == "xlsx":
        cells = [row[0].value or "" for row in openpyxl.load_workbook(path).worksheets[0].rows]
        found = [*map(naming.from_cell, cells[1:])]
        texts = [text.replace("\r\n", "\n").replace("\r", "\n") for text in texts]  # XML's own
    elif suffix == "csv":
        found = [row["path"] for row in rows_of(path)]
    else:
        text = path.read_text(encoding="utf-8")
        assert not naming.IS_HIDDEN.search(text)
        found = [json.loads(line)["path"] for line in text.rstrip("\n").split("\n")]
    assert found == texts


@pytest.mark.parametrize("text", [name for name in NASTY if name])
def test_a_console_shows_a_name_as_it_is(text):
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, width=2000, color_system=None)
    table = Table(title=text)
    table.add_column(text)
    table.add_row(text)
    console.print(table)
    console.print(text, style="dim")
    conclude(SimpleNamespace(warnings=[text], sentence=text), console, ("Run", text))
    shown = file.getvalue()
    assert not naming.IS_HIDDEN_OR_BREAK.search(shown.replace("\n", ""))
    assert shown.count(naming.visible(text).strip()) >= 7


def test_progress_shows_a_name_as_it_is(monkeypatch):
    file = io.StringIO()
    made = Console(file=file, force_terminal=True, width=200, color_system=None)
    monkeypatch.setattr("tfcnn.display.console.Console", lambda **_: made)
    with TerminalReporter() as reporter:
        reporter.note("note \x1b]0;title\x07")
        reporter.stage("reading \x1b[41m[bold]{x}:smile:")
        shown = Console(file=io.StringIO(), width=200)
        shown.print(reporter._bars.get_renderable())
    assert r"note \x1b]0;title\x07" in file.getvalue()
    assert r"reading \x1b[41m[bold]{x}:smile:" in shown.file.getvalue()


WRONG = ["../../escaped", "/tmp/escaped", "~/escaped", "..", ".", "", "a/b", "a\\b", "-rf",
         ".hidden", "a\x1b[0m", "a\nb", "x" * 300]  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_a_recipes_name_is_no_path(name, cells, home, tmp_path):
    made = recipes.for_folder(cells).model_dump()
    with pytest.raises(InputError, match="name: expected the name of one folder") as info:
        recipes.parse({**made, "name": name}, "stranger.toml")
    assert len(str(info.value).splitlines()) == 1
    with pytest.raises(InputError, match="name: expected the name of one folder"):
        recipes.override(recipes.for_folder(cells), [recipes.assignment("name", name)])


def test_a_strangers_recipe_writes_nothing_elsewhere(cells, tmp_path):
    path = tmp_path / "deep" / "a" / "stranger.toml"
    path.parent.mkdir(parents=True)
    text = recipes.reader.to_toml(recipes.for_folder(cells))
    path.write_text(text.replace('name = "cells"', 'name = "../../escaped"'), encoding="utf-8")
    for verb in ("train", "crossval"):
        result = run_tfcnn(verb, path, home=path.parent)
        assert result.returncode == 2 and len(result.stderr.splitlines()) == 1, result.stderr
        assert "stranger.toml: name: expected the name of one folder" in result.stderr
    assert not list(tmp_path.rglob("*escaped*"))


@pytest.mark.parametrize("name", ["a\\b", "a\x1b[0m", "a\nb", "x" * 300, " x"])
def test_a_name_that_is_typed_is_that_of_one_folder(name):
    with pytest.raises(InputError, match="run: expected the name of one folder, or a path"):
        runs.folder_of(name)
    assert runs.folder_of("a/b") == Path("a/b"), "a path is one"
    longest = recipes.for_folder(Path("/", "x" * 250)).name
    assert runs.folder_of(f"{longest}-by-image-crossval").parent == runs.models_home()


def test_a_training_that_was_cut_goes_on(cells, home):
    class Cut(Reporter):
        def epoch(self, *_):
            raise KeyboardInterrupt

    settings = [*SETTINGS, "train.epochs=2"]
    with pytest.raises(KeyboardInterrupt):
        tfcnn.train(cells, settings=settings, reporter=Cut())
    run = tfcnn.train(cells, settings=settings, resume=True)
    assert run.class_names == tuple(sorted(CLASSES))
    assert {row["group"] for row in rows_of(run.path / "split.csv")} == {*GROUPS}


@pytest.mark.parametrize("name", [".cells", "-cells", "~cells", "ce\x1bll\ns", "c\\x", "x" * 250])
def test_a_folder_of_any_name_has_a_run_in_models(name, cells, home, tmp_path):
    """It is trained, and found again by the folder's path."""
    shutil.copytree(cells, tmp_path / name)
    made = recipes.for_folder(tmp_path / name)
    folder = runs.folder_of(made.name)
    assert folder.parent == runs.models_home() and made.data.source == str(tmp_path / name)
    folder.mkdir(parents=True)
    recipes.write(made, folder / "recipe.toml")
    (folder / "DONE").write_text("now")
    assert runs.find(tmp_path / name) == folder
    from tfcnn.datasets.folder import open_folder

    assert open_folder(tmp_path / name).store.parent == Path(
        os.environ["TFCNN_HOME"], "data", "folders"
    )


def test_errors_and_details_hold_no_control_of_the_terminal(tmp_path):
    for words in (("predict", "a\x1b[31m", "x"), ("train", "no\x9b31mwhere"), ("train\x1b[2J",),
                  ("predict", "\udcff"), ("list", "--no\x1b")):  # fmt: skip
        result = run_tfcnn(*words)
        assert result.returncode == 2 and not naming.IS_HIDDEN.search(result.stderr), words
        assert len(result.stderr.splitlines()) == 1
