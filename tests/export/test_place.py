"""An export takes the place of an earlier one, and of nothing else, whatever happens."""

import os
import shutil
import time
from pathlib import Path

import pytest

from tfcnn.base import atomic
from tfcnn.base.errors import InputError
from tfcnn.base.replacing import replacing
from tfcnn.export import _place, find, names


def write_export(folder, file="model.tflite"):
    folder.mkdir(parents=True)
    for name in (file, "predict.py", "settings.json"):
        (folder / name).write_text("old")
    return folder


def replace(target):
    """Put a new export to a place, as `_write` does."""
    with replacing(target) as part:
        write_export(part)
        (part / "settings.json").write_text("new")


def says_new(folder):
    return (folder / "settings.json").read_text() == "new"


@pytest.mark.parametrize("file", ["model.tflite", "model.onnx", "saved_model"])
def test_an_earlier_export_of_any_format_is_replaced(file, tmp_path):
    target = write_export(tmp_path / "out", file)
    _place.check(target, find("litert"))
    replace(target)
    assert says_new(target) and [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("name", ["notes.txt", "model.keras", ".git"])
def test_a_file_of_somebody_else_in_it_is_kept(name, tmp_path):
    target = write_export(tmp_path / "out")
    (target / name).write_text("mine")
    with pytest.raises(InputError, match="a folder of other files"):
        _place.check(target, find("litert"))


def test_a_run_is_no_place(trained):
    with pytest.raises(InputError, match="a folder of other files"):
        _place.check(trained, find("litert"))
    with pytest.raises(InputError, match=r"a folder; try --output NAME\.html"):
        _place.check(trained, find("page"))


@pytest.mark.parametrize("name", ["litert", "page"])
@pytest.mark.parametrize("place", [".", "..", "/", "here/..", ""])
def test_the_working_folder_is_no_place(name, place, tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="the working folder, or one above it"):
        _place.check(Path(place), find(name))


def test_a_file_is_no_place_for_a_folder(tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(InputError, match="received a file; try --output FOLDER"):
        _place.check(tmp_path / "file", find("onnx"))


def test_a_page_has_a_name_that_opens_with_a_double_click(tmp_path):
    with pytest.raises(InputError, match=r"with \.html; received a name without it"):
        _place.check(tmp_path / "for_anna", find("page"))
    _place.check(tmp_path / "for_anna.HTML", find("page"))


def test_a_link_to_an_earlier_export_stays_a_link(tmp_path):
    target, link = write_export(tmp_path / "out"), tmp_path / "link"
    link.symlink_to(target)
    _place.check(link, find("litert"))
    replace(link)
    assert link.is_symlink() and says_new(target)
    link.unlink()
    link.symlink_to(tmp_path / "nowhere")
    with pytest.raises(InputError, match="a link to nothing"):
        _place.check(link, find("litert"))


def test_an_empty_folder_is_a_place(tmp_path):
    (tmp_path / "out").mkdir()
    _place.check(tmp_path / "out", find("litert"))
    replace(tmp_path / "out")
    assert says_new(tmp_path / "out")


def test_folders_above_are_made(tmp_path):
    replace(tmp_path / "a" / "b")
    assert says_new(tmp_path / "a" / "b")


def test_an_earlier_export_stays_where_the_new_one_gets_no_name(tmp_path, monkeypatch):
    target = write_export(tmp_path / "out")

    def refuse(source, place):
        raise OSError(5, "Input/output error", str(place))

    monkeypatch.setattr(atomic, "replace", refuse)
    with pytest.raises(OSError, match="Input/output error"):
        replace(target)
    assert not says_new(target) and [path.name for path in tmp_path.iterdir()] == ["out"]


def test_what_a_killed_export_left_goes_after_an_hour(tmp_path):
    now = time.time()
    for name, age in ((".out-01234567.part", 3700), (".out-89abcdef.part", 60)):
        folder = write_export(tmp_path / name / "saved_model")
        for path in (*folder.iterdir(), folder, folder.parent):
            os.utime(path, (now - age, now - age))
    written = tmp_path / ".out-89abcdef.part"  # its folder is old, a file in it is not
    os.utime(written, (now - 3700, now - 3700))
    replace(tmp_path / "out")
    assert {path.name for path in tmp_path.iterdir()} == {"out", written.name}
    shutil.rmtree(written)


def test_a_format_that_is_not_spelt_as_here_is_named():
    others = {
        "ONNX": "onnx", "saved_model": "saved-model", "SavedModel": "saved-model",
        "tflite": "litert", "html": "page", "int8": "litert-int8", "LiteRT int8": "litert-int8",
    }  # fmt: skip
    for given, meant in others.items():
        with pytest.raises(InputError, match=f"did you mean {meant}.*; try --format {meant}$"):
            find(given)
    with pytest.raises(InputError, match=f"received ''; try --format {names()[0]}$"):
        find("")
