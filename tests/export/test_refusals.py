"""When an export is refused: it says why in a line, and leaves nothing behind."""

import json
import re
import shutil

import numpy as np
import pytest
from conftest import run_tfcnn, write_card

import tfcnn
from tfcnn.base.errors import CheckError, InputError
from tfcnn.export import _write, litert, litert_int8


def changed(run, change):
    """Return what computes other answers than `run`."""
    return lambda images: change(*run(images))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda p, f: (p + np.float32(1.5e-4), f), r"probabilities .* within 0\.0001"),
        (lambda p, f: (p, f + np.float32(1.5e-4) * max(1, np.abs(f).max())), "features"),
        (lambda p, f: (p[:, :1], f), "probs and features"),
        (lambda p, f: (p, f[:, :1]), "probs and features"),
    ],
)
def test_other_answers_are_refused(change, words, trained, tmp_path, monkeypatch):
    open_file = litert.open_file
    monkeypatch.setattr(litert, "open_file", lambda path: changed(open_file(path), change))
    with pytest.raises(CheckError, match=words):
        tfcnn.export(trained, "litert", tmp_path / "new" / "out", progress=False)
    assert not (tmp_path / "new").exists()


def test_a_difference_within_the_tolerance_is_none(trained, tmp_path, monkeypatch):
    open_file = litert.open_file

    def change(probs, features):
        return probs + np.float32(8e-5), features

    monkeypatch.setattr(litert, "open_file", lambda path: changed(open_file(path), change))
    exported = tfcnn.export(trained, "litert", tmp_path / "out", progress=False)
    assert exported.agreement["largest_difference"] == pytest.approx(8e-5, rel=0.1)
    assert "8e-05" in exported.sentence


def test_a_leaky_run_is_refused(run_copy, tmp_path):
    card = json.loads((run_copy / "model.json").read_text())
    write_card(run_copy, card | {"leaky": True})
    result = run_tfcnn("export", run_copy, "--format", "litert", "--output", tmp_path / "out")
    assert result.returncode == 3 and "LEAKY" in result.stderr
    assert not (tmp_path / "out").exists()


def test_a_damaged_model_is_refused(run_copy, tmp_path):
    path = run_copy / "model.tflite"
    path.write_bytes(path.read_bytes()[:-1] + b"\0")
    result = run_tfcnn("export", run_copy, "--format", "litert", "--output", tmp_path / "out")
    assert result.returncode == 3 and "model.tflite" in result.stderr
    assert not (tmp_path / "out").exists()


def test_a_full_disk_is_not_the_fault_of_the_network(trained, tmp_path, monkeypatch):
    class OfTensorFlow(Exception):
        """TensorFlow's ResourceExhaustedError, which is no OSError."""

    def write(job, path):
        raise OfTensorFlow(f"{path}/variables; No space left on device [Op:SaveV2]")

    monkeypatch.setattr(litert, "write", write)
    result = run_tfcnn("export", trained, "--format", "litert", "--output", tmp_path / "out")
    assert result.returncode == 2 and "received a full disk" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_an_operation_that_a_format_lacks_is_told_in_a_line(trained, tmp_path, monkeypatch):
    def write(job, path):
        path.write_text("half")
        raise RuntimeError("no such operation: Erfc\nand more")

    monkeypatch.setattr(litert, "write", write)
    result = run_tfcnn("export", trained, "--format", "litert", "--output", tmp_path / "out")
    assert result.returncode == 3 and result.stderr.strip().count("\n") == 0
    assert "received RuntimeError: no such operation: Erfc" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_format_is_refused(trained):
    result = run_tfcnn("export", trained, "--format", "litert-int")
    assert result.returncode == 2
    assert "did you mean litert" in result.stderr and "saved-model" in result.stderr


def test_a_missing_library_is_told_with_the_command(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"library onnx; .* pip install 'tfcnn\[export\]'") as told:
        _write.require("onnx", {"onnx": "onnx"})
    assert told.value.exit_code == 2


def test_an_earlier_export_is_replaced_and_nothing_else_is(trained, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "mine.txt").write_text("mine")
    words = ("export", trained, "--format", "litert", "--output", out)
    result = run_tfcnn(*words)
    assert result.returncode == 2 and "folder of other files" in result.stderr
    assert (out / "mine.txt").read_text() == "mine"
    shutil.rmtree(out)
    assert run_tfcnn(*words).returncode == 0
    (out / "settings.json").write_text("changed")
    result = run_tfcnn(*words, "--json")
    assert json.loads(result.stdout)["files"] == ["model.tflite", "predict.py", "settings.json"]
    assert json.loads((out / "settings.json").read_text())["file"] == "model.tflite"
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".out")] == []


def test_images_that_are_gone_are_told(run_copy, tmp_path):
    recipe = (run_copy / "recipe.toml").read_text()
    card = json.loads((run_copy / "model.json").read_text())
    del card["sha256"]["recipe.toml"]
    write_card(run_copy, card)
    source = next(line for line in recipe.splitlines() if line.startswith("source"))
    (run_copy / "recipe.toml").write_text(recipe.replace(source, 'source = "/nowhere/cells"'))
    exported = tfcnn.export(run_copy, "litert", tmp_path / "out", progress=False)
    assert not exported.agreement["is_real"]
    assert "the images of cells are not here" in exported.agreement["note"]
    pytest.importorskip("ai_edge_quantizer")
    with pytest.raises(InputError, match="the images of cells"):
        tfcnn.export(run_copy, "litert-int8", tmp_path / "int8", progress=False)
    assert not (tmp_path / "int8").exists()


def test_a_shipped_run_has_no_8_bits():
    pytest.importorskip("ai_edge_quantizer")
    result = run_tfcnn("export", "malaria", "--format", "litert-int8")
    assert result.returncode == 2 and result.stderr.count("\n") == 1
    assert "tfcnn train malaria" in result.stderr


def test_8_bits_are_refused_on_a_val_that_can_prove_nothing(trained, tmp_path):
    pytest.importorskip("ai_edge_quantizer")
    result = run_tfcnn("export", trained, "--format", "litert-int8", "--output", tmp_path / "out")
    assert result.returncode == 3 and result.stderr.strip().count("\n") == 0
    assert re.search(r"on 16 \w+ of val.* received .* to 2\d\.\d\d\)", result.stderr)
    assert list(tmp_path.iterdir()) == []


def test_8_bits_that_lose_accuracy_are_refused(trained, tmp_path, monkeypatch):
    pytest.importorskip("ai_edge_quantizer")
    open_file = litert.open_file

    def change(probs, features):
        return probs[:, ::-1], features

    monkeypatch.setattr(litert_int8, "open_file", lambda path: changed(open_file(path), change))
    with pytest.raises(CheckError, match="a loss of accuracy on"):
        tfcnn.export(trained, "litert-int8", tmp_path / "new" / "out", progress=False)
    assert not (tmp_path / "new").exists()
