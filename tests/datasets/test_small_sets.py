"""Folders as people have them: each is read rightly, or refused with what to do."""

from collections import Counter
from pathlib import Path

import pytest
from conftest import Heard, recipe_of
from small_sets import SETS, SmallSet

from tfcnn import recipes
from tfcnn.base.errors import InputError
from tfcnn.manifest import Manifest
from tfcnn.manifest.audit import audit
from tfcnn.training import prepare


@pytest.fixture(params=SETS, ids=lambda one: one.name)
def given(request: pytest.FixtureRequest) -> SmallSet:
    return request.param


@pytest.fixture
def root(given: SmallSet, tmp_path: Path) -> Path:
    folder = tmp_path / "cells"
    folder.mkdir()
    given.make(folder)
    return folder


def data_of(given: SmallSet, root: Path) -> recipes.Recipe:
    settings = dict(given.settings)
    if "group_csv" in settings:
        settings["group_csv"] = str(root / str(settings["group_csv"]))
    return recipe_of(str(root), image_size=24, **settings)


def surveyed(given: SmallSet, root: Path) -> tuple[Manifest, str]:
    listener = Heard()
    listed = prepare.survey(data_of(given, root), listener).manifest
    return listed, "\n".join(listener.notes)


def test_there_are_enough_of_them() -> None:
    assert len(SETS) >= 24
    assert len({one.name for one in SETS}) == len(SETS)
    assert all(bool(one.classes) != bool(one.refusal) for one in SETS)


def test_a_folder_is_read_rightly_or_refused_with_what_to_do(given: SmallSet, root: Path) -> None:
    if given.refusal:
        with pytest.raises(InputError) as info:
            surveyed(given, root)
        message = str(info.value)
        assert all(words in message for words in given.refusal), message
        assert "; try " in message and "\n" not in message
        return
    listed, said = surveyed(given, root)
    assert Counter(row.label for row in listed.rows) == given.classes
    splits = Counter(row.official for row in listed.rows if row.official)
    assert splits == given.splits
    assert len({row.group for row in listed.rows if row.group}) == given.groups
    for words in given.left_out:
        assert words in said
    assert len(listed.source.left_out_lines()) >= len(given.left_out) > 0 or not given.left_out


def test_what_training_refuses_check_finds(given: SmallSet, root: Path) -> None:
    try:
        found = audit(data_of(given, root).data, Heard())
    except InputError as error:
        lines, is_blocking = [str(error)], True
    else:
        lines, is_blocking = found.lines(), found.is_blocking
    text = "\n".join(lines)
    assert is_blocking == bool(given.refusal), text
    for words in (*given.refusal, *given.left_out, given.hint):
        assert words in text


@pytest.mark.parametrize(
    "given", [one for one in SETS if not one.refusal], ids=lambda one: one.name
)
def test_training_begins_with_what_it_is_about_to_do(given: SmallSet, root: Path) -> None:
    _, said = surveyed(given, root)
    for name, count in given.classes.items():
        assert f"{name} ({count})" in said
    assert "images: 24 x 24 px (height x width), colour, 3 channels" in said
    assert "augmentation: none" in said
    rule = f"groups: {given.groups:,} groups" if given.groups else "groups: none known"
    assert rule in said
