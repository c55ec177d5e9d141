"""A run is found by what a person types: a name, a path, the folder of its images."""

import shutil
from pathlib import Path

import pytest
from conftest import run_tfcnn, write_tree

from tfcnn import recipes, runs
from tfcnn.base.errors import InputError


def finished(name: str, source: Path | str) -> Path:
    """Leave what tells a finished run from others."""
    folder = runs.models_home() / name
    recipes.write(
        recipes.override(recipes.load("folder"), [recipes.assignment("data.source", str(source))]),
        folder / "recipe.toml",
    )
    (folder / "DONE").write_text("now\n")
    return folder


@pytest.fixture
def cells(tmp_path, monkeypatch) -> Path:
    """The folder of images `my cells`, seen from the folder it is in."""
    monkeypatch.chdir(tmp_path)
    return write_tree(tmp_path / "my cells", groups=1, per_group=1)


def test_the_folder_of_images_means_its_run(cells):
    run = finished("my cells", cells)
    for text in ("my cells", "my cells/", "./my cells", "./my cells/", f"{cells}/", str(cells)):
        assert runs.find(text) == run, text
    assert runs.find(cells) == run
    assert runs.find(f"{run}/") == run, "a path"


def test_a_run_of_another_name_is_preferred_where_it_is_of_these_images(cells, tmp_path):
    run = finished("first", cells)
    finished("second", tmp_path / "others")
    assert runs.find("my cells/") == run
    finished("third", cells)
    with pytest.raises(InputError, match=r"2 \(first, third\)"):
        runs.find("my cells/")
    assert runs.find("third") == runs.models_home() / "third"
    named = finished("my cells", cells)
    assert runs.find("my cells/") == named, "the one of its own name"


def test_a_run_of_another_folder_is_not_taken_for_it(cells, tmp_path):
    finished("my cells", tmp_path / "elsewhere" / "my cells")
    with pytest.raises(InputError, match=r"expected a run of .*a run of .*elsewhere"):
        runs.find("my cells/")
    assert runs.find("my cells") == runs.models_home() / "my cells", "a name is a name"


def test_a_folder_whose_name_no_run_may_have_is_told_from_anothers(tmp_path):
    images = tmp_path / "-cells"
    images.mkdir()
    finished("cells", tmp_path / "elsewhere")
    with pytest.raises(InputError, match=r"expected a run of .*-cells; received .*elsewhere"):
        runs.find(images)


def test_without_its_recipe_the_name_decides(cells):
    run = finished("my cells", cells)
    (run / "recipe.toml").unlink()
    assert runs.find("my cells/") == run


def test_an_unfinished_run_of_the_folder_is_said(cells):
    (finished("my cells", cells) / "DONE").unlink()
    with pytest.raises(InputError, match="received an unfinished one"):
        runs.find("my cells/")


def test_a_name_with_a_slash_and_no_folder_of_it(cells):
    run = finished("gone", cells.parent / "gone")
    assert runs.find("gone/") == run
    with pytest.raises(InputError, match="no such run"):
        runs.find("./gone/")


def test_a_misspelt_name_is_asked_about(cells):
    finished("my cells", cells)
    with pytest.raises(InputError, match=r"did you mean my cells\?"):
        runs.find("mycells")


def test_the_verbs_take_the_folder_too(trained, tmp_path, monkeypatch):
    home = trained.parents[1]
    images = Path(runs.source_of(trained) or "")
    monkeypatch.chdir(images.parent)
    for words in (["evaluate", "cells/"], ["evaluate", f"{images}/"], ["report", f"{trained}/"]):
        if words[0] == "report":
            words[1] = f"{shutil.copytree(trained, tmp_path / 'a copy')}/"
        result = run_tfcnn(*words, home=home)
        assert result.returncode == 0, result.stderr
    result = run_tfcnn("predict", "cells/", "cells/round", home=home)
    assert result.returncode == 0 and result.stdout.count("\n") == 49, result.stderr


def test_sources_are_compared_as_folders(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "malaria").mkdir()
    (tmp_path / "link").symlink_to("malaria")
    assert runs.same_source("malaria", "malaria")
    assert not runs.same_source("malaria", "./malaria"), "the data set is not a folder"
    assert runs.same_source("./malaria/", str(tmp_path / "malaria"))
    assert runs.same_source("./link", str(tmp_path / "malaria"))
    assert not runs.same_source("mnist", "malaria")


@pytest.mark.parametrize("name", [".recipe-0123abcd.part.toml", ".DONE-0123abcd.part"])
def test_what_a_killed_training_left_half_written_keeps_no_other_from_its_name(home, name):
    folder = runs.models_home() / "cells"
    folder.mkdir(parents=True)
    (folder / name).write_text("half")
    assert runs.state(folder) == "absent"
    for other in ("notes.txt", ".notes.part.txt", ".recipe-0123abcd.toml"):
        (folder / other).write_text("somebody's")
        assert runs.state(folder) == "other", other
        (folder / other).unlink()
