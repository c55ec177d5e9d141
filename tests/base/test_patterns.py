"""Regexes and globs that try the same signs in ever more ways end with one line."""

import subprocess

import pytest
from conftest import recipe_of, run_tfcnn, write_tree

from tfcnn.base import patterns
from tfcnn.base.errors import InputError
from tfcnn.base.progress import Reporter
from tfcnn.datasets._files import is_ignored, kinds
from tfcnn.prediction.paths import groups_of
from tfcnn.runs import open_run
from tfcnn.training import prepare

SLOW = ("^(a+)+$", "^(a|aa)+$", "^(a|a)*$", r"^(.*)*x$", "a*a*a*a*a*a*a*a*b", r"(\w+\s?)*\d$")
NAME = "a" * 60 + "!"


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(patterns, "LIMIT_SECONDS", 0.2)


@pytest.mark.parametrize("regex", SLOW)
def test_a_regex_that_backtracks_for_ever_is_refused_and_names_the_text(quick, regex):
    names = ["b1.png", NAME * 4]
    with pytest.raises(InputError, match="that is soon done; received one that takes over") as info:
        patterns.search(regex, names, "data.group_regex")
    assert "at 'aaaa" in str(info.value) and len(str(info.value).splitlines()) == 1


def test_one_that_hears_no_signal_is_ended_from_outside(quick, monkeypatch):
    monkeypatch.setattr(patterns, "_first_groups", lambda *_: pytest.fail("searched here"))

    def waits(*_, timeout, **__):
        raise subprocess.TimeoutExpired("python", timeout)

    monkeypatch.setattr(subprocess, "run", waits)
    with pytest.raises(InputError, match="soon done"):
        patterns.search("^(a+)+$", [NAME], "data.group_regex")


@pytest.mark.parametrize(
    ("regex", "found"),
    [
        (r"^(P\d+)", ["P1", ""]),
        (r"^(P\d+)_(\d+)", ["P1", ""]),
        (r"(P\d+|b)(é)?", ["P1", "b"]),
        (r"P\d+_\d?", ["P1_2", ""]),
        (r"(x)?b", ["", ""]),  # a bracket that takes no part
        (r"(?P<who>[a-z]+)", ["png", "b"]),
    ],
)
def test_the_same_is_found_here_and_in_a_process_of_its_own(monkeypatch, regex, found):
    texts = ["P1_2é\udcff\n.png", "b"]
    assert patterns.search(regex, texts, "x") == found
    monkeypatch.setattr(patterns, "CHOICES", patterns.re.compile("$^"))
    assert patterns.search(regex, texts, "x") == found


@pytest.mark.parametrize("regex", ["(", "[", "*a", "(?P<a>x)(?P<a>y)", "(" * 5000 + ")" * 5000])
def test_what_is_no_regex_is_said_in_one_line(regex):
    with pytest.raises(InputError, match="a regular expression; received"):
        patterns.search(regex, ["a"], "data.group_regex")


def test_a_training_refuses_it_before_anything_is_learnt(quick, tmp_path):
    root = write_tree(tmp_path / "cells")
    for path in sorted(root.rglob("*.png")):
        path.rename(path.with_name("a" * 40 + path.name))
    with pytest.raises(InputError, match=r"data\.group_regex '\^\(a\+\)\+\$'.*soon done"):
        prepare.survey(recipe_of(root, group_regex="^(a+)+$"), Reporter())


def test_a_strangers_run_cannot_hold_a_prediction_for_ever(quick, trained):
    run = open_run(trained)
    run.card["data"]["group_regex"] = "^(a+)+$"
    with pytest.raises(InputError, match=r"the run's data\.group_regex .* soon done"):
        groups_of(run, ["new"], [f"new/{NAME}.png"])
    run.card["data"]["group_regex"] = r"^(\w)_?(\d)"
    paths = ["new/P3_1.png", "new/!.png", "new/Q7/!.png"]
    assert groups_of(run, ["new"], paths) == dict(zip(paths, ("P", "", "Q"), strict=True))


def test_the_command_ends_with_one_line_and_2(quick, tmp_path):
    root = write_tree(tmp_path / "cells", per_group=1)
    for path in sorted(root.rglob("*.png")):
        path.rename(path.with_name("a" * 40 + path.name))
    result = run_tfcnn("check", root, "--group-regex", "^(a+)+$")
    assert result.returncode == 2 and len(result.stderr.splitlines()) == 1
    assert "soon done" in result.stderr


def test_a_glob_is_soon_done_whatever_it_holds():
    for pattern in ("*a" * 40 + "*b", "*" * 200 + "b", "[!b]*" * 40 + "!?b", "?*" * 60 + "b"):
        assert not is_ignored("a" * 200, [pattern])


def test_a_long_name_in_an_archive_is_soon_looked_at():
    assert kinds(["_" * 60_000 + ".png"], lambda _: b"") == {"_" * 60_000 + ".png": ""}
