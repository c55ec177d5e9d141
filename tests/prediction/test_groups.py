"""The group of a predicted image, read as the run's own were."""

from pathlib import Path

import pytest

from tfcnn.prediction.paths import group_rule, groups_of
from tfcnn.runs import Run


def run(**data) -> Run:
    card = {"class_names": ["round", "square"], "data": {"nouns": ["images", "groups"], **data}}
    return Run(Path("models/x"), card)


@pytest.mark.parametrize(
    ("regex", "given", "path", "group"),
    [
        (r"^(P\d+)_", "new", "new/P7_1.png", "P7"),
        (r"^P\d+", "new", "new/P7_1.png", "P7"),  # without a bracket the whole match
        (r"^(P\d+)_", "new", "new/img1.png", ""),
        (r"(C[0-9]+)", "new", "new/gesund/C101/img1.png", "C101"),
        (r"^(C\d+)/", "new", "new/C101/img1.png", "C101"),
        (r"^(C\d+)/", "C101", "C101/img1.png", "C101"),  # what was given has a name too
        (r"^(C\d+)/", "/far/C9/data", "/far/C9/data/img1.png", ""),  # what lies above has none
        (r"(C\d+)", "new.zip", "new.zip/C4/img1.png", "C4"),
        (r"^(C\d+)", "p/C4/img1.png", "p/C4/img1.png", "C4"),  # a file: its folder tells
        (r"(C\d+)", "/C5/data/img1.png", "/C5/data/img1.png", ""),  # no folder above that
        (r"^(P\d*)", "new", "new/P_1.png", "P"),
        (r"^(P?)", "new", "new/1.png", ""),  # an empty group is none
    ],
)
def test_the_runs_regex_is_searched_in_the_name_and_in_the_folders_above(regex, given, path, group):
    assert groups_of(run(group_regex=regex), [Path(given)], [path]) == {path: group}


@pytest.mark.parametrize(
    ("group_from", "path", "group"),
    [
        ("folder", "new/round/P7/a.png", "P7"),
        ("folder", "new/ROUND/P7/day2/a.png", "P7"),
        ("folder", "new/P7/a.png", "P7"),  # no class folder on the way
        ("folder", "new/round/a.png", ""),
        ("folder", "new/a.png", ""),
        ("folder-above", "new/P7/round/a.png", "P7"),
        ("folder-above", "new/P7/2020-01-30/round/a.png", "P7"),  # a view of the patient
        ("folder-above", "new/P7/test/round/a.png", "P7"),
        ("folder-above", "new/H1/P7/round/a.png", "P7"),
        ("folder-above", "new/P7/a.png", "P7"),
        ("folder-above", "new/round/a.png", ""),
    ],
)
def test_groups_that_were_folders_are_folders(group_from, path, group):
    own = run(group_regex=None, group_from=group_from)
    assert groups_of(own, [Path("new")], [path]) == {path: group}


def test_a_run_without_a_rule_knows_no_groups():
    for data in ({"group_regex": None}, {"group_regex": "", "group_from": "name"}):
        assert group_rule(run(**data)) == ""
        assert groups_of(run(**data), ["new"], ["new/P7_1.png"]) == {"new/P7_1.png": ""}
    assert "^(C" in group_rule(run(group_regex="^(C)"))
