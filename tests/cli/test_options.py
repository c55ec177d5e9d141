"""The common settings are options of every command, and a misspelt word is asked about."""

import json

import pytest
from conftest import run_tfcnn
from typer.testing import CliRunner

from tfcnn import api
from tfcnn.base.errors import InputError
from tfcnn.cli import app, options

OPTIONS = {
    "--labels-csv": ("my labels.csv", "data.labels_csv", "my labels.csv"),
    "--label-column": ("Diagnosis", "data.label_column", "Diagnosis"),
    "--group-regex": ("^(P[0-9]+)_", "data.group_regex", "^(P[0-9]+)_"),
    "--group-csv": ("my groups.csv", "data.group_csv", "my groups.csv"),
    "--group-from": ("folder", "data.group_from", "folder"),
    "--path-column": ("File Name", "data.path_column", "File Name"),
    "--group-column": ("patient=ID", "data.group_column", "patient=ID"),
    "--positive": ("true", "data.positive", "true"),
    "--ignore": ("*_mask.png", "data.ignore", ["*_mask.png"]),
    "--ignore-csv": ("left out.csv", "data.ignore_csv", "left out.csv"),
    "--epochs": ("3", "train.epochs", 3),
    "--batch-size": ("8", "train.batch_size", 8),
    "--image-size": ("48x64", "data.image_size", [48, 64]),
    "--seed": ("7", "train.seed", 7),
}
OF_DATA = [short.option for short in options.DATA]


@pytest.fixture
def received(monkeypatch):
    """What the verbs are asked, instead of doing it."""
    asked = {}

    def verb(name):
        def ask(recipe, *words, settings=(), **options):
            asked[name] = list(settings or (words[0] if words else ()))
            raise InputError(name, "to be asked", "a question", "nothing")

        return ask

    for name in ("train", "crossval", "check"):
        monkeypatch.setattr(api, name, verb(name))
    return asked


def ask(*words: str) -> None:
    CliRunner().invoke(app, words)


def test_every_short_is_listed_here():
    assert set(OPTIONS) == {short.option for short in (*options.DATA, *options.TRAIN)}


@pytest.mark.parametrize("option", OPTIONS)
@pytest.mark.parametrize(("command", "verb"), [("train", "train"), ("crossval", "crossval"),
                                               ("check", "check")])  # fmt: skip
def test_an_option_is_short_for_a_set(command, verb, option, received):
    from tfcnn import recipes

    text, key, value = OPTIONS[option]
    if command == "check" and option not in OF_DATA:
        return
    ask(command, "x", option, text)
    assert [recipes.read_assignment(one) for one in received[verb]] == [(key, value)]


def test_shorts_and_sets_go_together_in_this_order(received):
    ask("train", "x", "--set", "train.seed=1", "--epochs", "2", "--ignore", "a", "--ignore", "b")
    assert received["train"] == ["train.seed=1", 'data.ignore=[\n    "a",\n    "b",\n]',
                                 "train.epochs=2"]  # fmt: skip
    ask("train", "x", "--epochs", "2", "--set", "train.epochs=2", "--image-size", "48")
    assert received["train"] == ["train.epochs=2", "train.epochs=2", "data.image_size=48"]
    ask("train", "x")
    assert received["train"] == []


def test_two_values_of_one_setting_are_refused():
    result = run_tfcnn("train", "digits", "--epochs", 3, "--set", "train.epochs=4")
    assert result.returncode == 2
    assert result.stderr == (
        "error: --epochs: expected one value of train.epochs; received 3, and 4 by --set; "
        "try one of them\n"
    )


def test_an_empty_value_is_a_value(received):
    ask("train", "x", "--positive", "", "--group-regex", "")
    assert received["train"] == ['data.group_regex=""', 'data.positive=""']


@pytest.mark.parametrize(
    ("words", "asked"),
    [
        (["trian", "x"], "Did you mean 'train'?"),
        (["evalaute", "x"], "Did you mean 'evaluate'?"),
        (["train", "x", "--epoch", "3"], "--epoch (did you mean --epochs?)"),
        (["check", "x", "--group-regexp", "a"], "did you mean --group-regex?"),
        (["predict", "x", "y", "--ouput", "z"], "did you mean --output?"),
        (["check", "digits", "--epochs", "3"], "--epochs, which is an option of train, crossval"),
        (["train", "x", "--class-weights", "balanced"], "try --set train.class_weights=..."),
        (["crossval", "x", "--optimizer", "adam"], "try --set train.optimizer=..."),
        (
            ["train", "x", "--sensitivity", ".9"],
            "is an option of threshold; try --set evaluation.sensitivity=...",
        ),
        (["train", "x", "--name", "y"], "try tfcnn train -h"),
        (["report", "x", "--cam", "y"], "--cam, which is an option of predict"),
        (["train", "malria"], "did you mean malaria?"),
        (["check", "smear"], "did you mean smears?"),
        (["evaluate", "malari"], "did you mean malaria?"),
    ],
)
def test_a_misspelt_word_is_asked_about(words, asked):
    result = run_tfcnn(*words)
    assert result.returncode == 2 and asked in result.stderr
    assert result.stderr.startswith("error: ") and result.stderr.count("\n") == 1


def test_a_misspelt_folder_is_asked_about(make_tree, tmp_path, monkeypatch):
    make_tree(name="cells")
    monkeypatch.chdir(tmp_path)
    for words in (["train", "cels/"], ["check", "./celss"]):
        assert "did you mean cells?" in run_tfcnn(*words).stderr


def test_check_takes_a_recipe_and_its_settings(make_tree):
    root = make_tree()
    words = ["--set", "data.group_regex='^(P[0-9]+)_'", "--json"]
    report = json.loads(run_tfcnn("check", root, *words).stdout)
    assert "48 images of 6 groups" in report["summary"]
    recipe = root.parent / "mine.toml"
    recipe.write_text(f'[data]\nsource = "{root}"\ngroup_regex = "^(P[0-9]+)_"\n')
    assert json.loads(run_tfcnn("check", recipe, "--json").stdout) == report
    assert api.data_for("malaria-fast").source == "malaria"
    assert api.data_for("fashion-mnist").source == "fashion-mnist", "a data set without a recipe"
