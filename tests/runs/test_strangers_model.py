"""The model of a run may be a stranger's: nothing in it is run, and what is wrong is one line."""

import io
import json
import shutil
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import run_tfcnn, write_card

from tfcnn import runs
from tfcnn.base.errors import InputError
from tfcnn.runs import keras_file

LAMBDA = {
    "module": "keras.layers", "class_name": "Lambda", "registered_name": None,
    "config": {"name": "own", "dtype": "float32", "function": {
        "class_name": "__lambda__", "config": {"code": "4wAA", "defaults": None, "closure": None}}},
}  # fmt: skip
Content = dict[str, bytes]


def foreign(module: str, name: str) -> Callable[[Content], Content]:
    """Put a class of another module in the place of a layer."""

    def change(content: Content) -> Content:
        config = json.loads(content["config.json"])
        layer = config["config"]["layers"][1]
        layer |= {"module": module, "class_name": name, "registered_name": f"{module}>{name}"}
        return {**content, "config.json": json.dumps(config).encode()}

    return change


def with_lambda(content: Content) -> Content:
    config = json.loads(content["config.json"])
    layer = config["config"]["layers"][1]
    layer |= {**LAMBDA, "config": {**LAMBDA["config"], "name": layer["config"]["name"]}}
    return {**content, "config.json": json.dumps(config).encode()}


def with_weights(change: Callable[[bytes], bytes]) -> Callable[[Content], Content]:
    name = "model.weights.h5"
    return lambda content: {**content, name: change(content[name])}


CHANGES: dict[str, tuple[Callable[[Content], Content], str]] = {
    "Lambda": (with_lambda, "Lambda"),
    "a program": (foreign("os", "system"), "ould not"),
    "a function of Python": (foreign("builtins", "exec"), "ould not"),
    "another package": (foreign("antigravity", "Layer"), "ould not"),
    "no JSON": (lambda content: {**content, "config.json": b"{"}, "JSONDecodeError"),
    "a number": (lambda content: {**content, "config.json": b"7"}, "Error"),
    "no network": (lambda content: {"metadata.json": b"{}"}, "Error"),
    "cut weights": (with_weights(lambda data: data[:-2000]), "Error"),
    "other weights": (with_weights(lambda data: b"x" * len(data)), "Error"),
    "a way out": (lambda content: {**content, "../../out": b"x"}, "a path with '..'"),
}


def put(folder: Path, content: Content | bytes) -> Path:
    """Write a run's model, without its twin, and a card that vouches for it."""
    path = folder / runs.MODEL
    if isinstance(content, dict):
        with zipfile.ZipFile(path, "w") as made:
            for name, data in content.items():
                made.writestr(name, data)
    else:
        path.write_bytes(content)
    run = runs.read(folder).unrecorded(runs.TWIN).recorded(runs.MODEL)
    (folder / runs.TWIN).unlink(missing_ok=True)
    write_card(folder, run.card)
    return path


def content_of(folder: Path) -> Content:
    with zipfile.ZipFile(folder / runs.MODEL) as saved:
        return {name: saved.read(name) for name in saved.namelist()}


@pytest.mark.parametrize("what", CHANGES)
def test_a_strangers_model_is_refused_in_one_line(what: str, run_copy: Path) -> None:
    change, reason = CHANGES[what]
    path = put(run_copy, change(content_of(run_copy)))
    image = _image(run_copy.parent)
    before = sorted(run_copy.parents[2].rglob("*"))
    done = run_tfcnn("predict", run_copy, image)
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1, done.stderr
    assert str(path) in done.stderr and reason in done.stderr
    assert "try the run folder as it was written" in done.stderr
    assert sorted(run_copy.parents[2].rglob("*")) == before, "nothing was written"


def _image(folder: Path) -> Path:
    from PIL import Image

    path = folder / "cell.png"
    Image.new("RGB", (32, 32)).save(path)
    return path


def test_a_model_that_is_no_zip_is_refused(run_copy: Path) -> None:
    """Keras would read HDF5 under any name: an old format, whose Lambda layers are code."""
    for content in (b"\x89HDF\r\n\x1a\n" + bytes(2000), b"", b"x"):
        put(run_copy, content)
        with pytest.raises(InputError, match="expected a zip archive"):
            keras_file.load(run_copy / runs.MODEL)


def test_a_bomb_is_refused_before_it_is_unpacked(run_copy: Path, monkeypatch) -> None:
    import keras

    monkeypatch.setattr(keras.saving, "load_model", None)
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("model.weights.h5", bytes(1_234_567))
    sizes = (struct.pack("<L", count) for count in (1_234_567, 1_200_000_000))
    put(run_copy, file.getvalue().replace(*sizes))
    with pytest.raises(InputError, match="made to fill memory or disk"):
        keras_file.load(run_copy / runs.MODEL)


def other_network(shape: tuple[int, ...], outputs: int, head: str) -> Any:
    import keras

    layers = [keras.layers.Flatten(), keras.layers.Dense(outputs, "softmax", name=head)]
    return keras.Sequential([keras.Input(shape), *layers])


@pytest.mark.parametrize(
    ("shape", "outputs", "head", "reason"),
    [
        ((32, 32, 3), 5, "head", "expected 2 outputs, one per class; received 5"),
        ((16, 16, 3), 2, "head", r"expected images of \(32, 32, 3\), as the run says; received"),
        ((32, 32, 3), 2, "own", "with a layer head; received ValueError"),
    ],
)
def test_another_network_is_refused(shape, outputs, head, reason, run_copy: Path) -> None:
    other = run_copy.parent / "other.keras"
    other_network(shape, outputs, head).save(other)
    put(run_copy, other.read_bytes())
    from tfcnn.prediction import Predictor

    with pytest.raises(InputError, match=reason):
        Predictor(runs.read(run_copy), engine="keras")


def test_what_was_not_sealed_is_refused_by_its_hash(run_copy: Path) -> None:
    for name in (runs.MODEL, runs.TWIN):
        folder = Path(shutil.copytree(run_copy, run_copy.parent / name))
        data = bytearray((folder / name).read_bytes())
        data[len(data) // 2] ^= 1
        (folder / name).write_bytes(data)
        if name == runs.MODEL:
            (folder / runs.TWIN).unlink()
        done = run_tfcnn("predict", folder, _image(folder.parent))
        assert done.returncode in (2, 3) and len(done.stderr.splitlines()) == 1, done.stderr
