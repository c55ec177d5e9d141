"""What every format promises: its names, its files, and a refusal that leaves nothing."""

import json
import shutil

import numpy as np
import pytest
from conftest import run_tfcnn, write_card

import tfcnn
from tfcnn.base.errors import CheckError
from tfcnn.export import find, litert, names


@pytest.mark.parametrize("name", names())
def test_a_format_has_what_the_frame_asks_for(name):
    module = find(name)
    assert module.FILE and module.TITLE and isinstance(module.LIBRARIES, dict)
    assert callable(module.write) and callable(module.open_file)
    assert (module.TOLERANCE is None) == hasattr(module, "accept")


def test_litert_is_the_twin_of_the_run(trained, tmp_path):
    result = run_tfcnn("export", trained, "--format", "litert", "--output", tmp_path / "out")
    assert result.returncode == 0, result.stderr
    assert "decisions and flags are equal" in result.stdout
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "model.tflite", "predict.py", "settings.json",
    ]  # fmt: skip
    twin = (trained / "model.tflite").read_bytes()
    assert (tmp_path / "out" / "model.tflite").read_bytes() == twin
    settings = json.loads((tmp_path / "out" / "settings.json").read_text())
    assert settings["class_names"] == ["round", "square"] and settings["positive"] == "round"
    assert settings["agreement"]["is_real"] and "val images of cells" in result.stdout


def test_an_export_with_other_answers_is_refused_and_leaves_nothing(trained, tmp_path, monkeypatch):
    def open_wrong(path):
        run = open_file(path)

        def wrong(images):
            probs, features = run(images)
            return probs + np.float32(2e-4), features

        return wrong

    open_file = litert.open_file
    monkeypatch.setattr(litert, "open_file", open_wrong)
    with pytest.raises(CheckError, match=r"within 0\.0001; received a difference of 0\.0002"):
        tfcnn.export(trained, "litert", tmp_path / "new" / "out", progress=False)
    assert list((tmp_path / "new").iterdir()) == []


def test_a_leaky_run_is_refused(run_copy, tmp_path):
    card = json.loads((run_copy / "model.json").read_text())
    write_card(run_copy, card | {"leaky": True})
    result = run_tfcnn("export", run_copy, "--format", "litert", "--output", tmp_path / "out")
    assert result.returncode == 3 and "LEAKY" in result.stderr
    assert not (tmp_path / "out").exists()


def test_an_earlier_export_is_replaced_and_nothing_else_is(trained, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(trained / "logs", out) if (trained / "logs").exists() else out.mkdir()
    (out / "mine.txt").write_text("mine")
    words = ("export", trained, "--format", "litert", "--output", out)
    result = run_tfcnn(*words)
    assert result.returncode == 2 and "folder of other files" in result.stderr
    assert (out / "mine.txt").read_text() == "mine"
    shutil.rmtree(out)
    assert run_tfcnn(*words).returncode == 0
    (out / "settings.json").write_text("changed")
    assert run_tfcnn(*words).returncode == 0
    assert json.loads((out / "settings.json").read_text())["file"] == "model.tflite"
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".out")] == []
