"""`tfcnn explain`, `tfcnn predict --cam` and the Python verb, as a user meets them."""

import csv
import io
import json
import shutil
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import run_tfcnn, write_card, write_tree
from PIL import Image
from typer.testing import CliRunner

import tfcnn
from tfcnn.cli import app
from tfcnn.explain import Explainer
from tfcnn.explain.image_files import list_images


@pytest.fixture
def images(tmp_path) -> Path:
    """Two classes of one image each, of the same name, beside a broken one."""
    root = write_tree(tmp_path / "new", groups=1, per_group=1, seed=9)
    (root / "square" / "broken.png").write_bytes(b"not an image")
    return root


def test_the_command_writes_a_picture_per_image_and_says_what_could_not_be_read(
    trained, images, tmp_path
):
    out = tmp_path / "why"
    result = run_tfcnn("explain", trained, images, "-o", out, "--filters", "--feature-maps")
    assert result.returncode == 3, result.stderr
    assert "broken.png: " in result.stderr and "1 of 3 images could not be read" in result.stderr
    assert "Traceback" not in result.stderr
    paths = sorted(path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file())
    assert paths == [
        "explanations.csv", "filters.png", "round/P0_0.features.png", "round/P0_0.png",
        "square/P0_0.features.png", "square/P0_0.png",
    ]  # fmt: skip
    for path in out.rglob("*.png"):
        Image.open(path).load()
    with (out / "explanations.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    flags = {Path(row["path"]).name: row["flag"] for row in rows}
    assert len(rows) == 3 and flags == {"P0_0.png": "", "broken.png": "unreadable"}
    assert (
        "depends on what was learnt" in result.stdout
        and "No image has a dark frame" in result.stdout
    )


def in_process(*words: object) -> Any:
    """Run the command line here, without the seconds that a process of its own takes to start."""
    return CliRunner().invoke(app, [str(word) for word in words])


def test_json_holds_every_figure_and_agrees_with_predict(trained, images, tmp_path):
    (images / "square" / "broken.png").unlink()
    (images / "square" / "notes.txt").write_text("no image")
    words = ("--method", "layer-cam", "--class", "round", "--json", "-o", tmp_path / "why")
    result = in_process("explain", trained, images, *words)
    assert result.exit_code == 0, result.output
    content = json.loads(result.stdout)
    assert content["left_out"] == [f"{images}: passed over 1 of 3 files: 1 .txt"]
    assert content["method"] == "layer-cam" and content["layer"].startswith("relu")
    assert {"rank_correlation", "depends_on_training"} <= set(content["sanity"])
    predicted = {p.path: p.probs["round"] for p in tfcnn.predict(trained, images)}
    assert {row["path"] for row in content["images"]} == set(predicted)
    for row in content["images"]:
        assert row["explained"] == "round"
        assert row["prob"] == pytest.approx(predicted[row["path"]], abs=1e-4)


def test_a_network_that_learnt_bands_looks_at_the_band(trained, images):
    """The class `round` is bright in its upper half, `square` in its lower half."""
    study = tfcnn.explain_images(trained, [images / "round", images / "square"], method="layer-cam")
    upper, lower = (one.peak[0] for one in study.explanations if one.peak)
    assert upper < 0.6 and lower > 0.4


def test_the_share_outside_the_object_is_reported(trained, tmp_path):
    pixels = np.zeros((40, 40, 3), np.uint8)
    pixels[10:30, 10:30] = 150
    (tmp_path / "in").mkdir()
    Image.fromarray(pixels).save(tmp_path / "in" / "a.png")
    study = tfcnn.explain_images(trained, tmp_path / "in", layer="relu1", class_name="round")
    (one,) = study.explanations
    assert one.outside_area == pytest.approx(0.75, abs=0.08)
    if one.peak is not None:
        assert 0 <= one.outside_share <= 1
        assert study.outside == [
            {"class": "round", "images": 1, "share": one.outside_share, "area": one.outside_area}
        ]
        assert "outside the object" in study.lines()[0]


def test_predict_writes_overlays_beside_its_predictions(trained, images, tmp_path):
    plain = in_process("predict", trained, images)
    result = in_process("predict", trained, images, "--cam", tmp_path / "cam")
    assert result.exit_code == 3 and result.stdout == plain.stdout
    assert "2 pictures in" in result.stderr
    paths = sorted(path.relative_to(tmp_path / "cam") for path in (tmp_path / "cam").rglob("*.*"))
    assert [path.as_posix() for path in paths] == ["round/P0_0.png", "square/P0_0.png"]
    assert Image.open(tmp_path / "cam" / paths[0]).size == (256, 256)


def test_mistakes_are_named_and_write_nothing(trained, images, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("x")
    for words, name in [
        ((images, "--class", "oval"), "round, square"),
        ((images, "--layer", "head"), "relu"),
        ((tmp_path / "nowhere",), "nowhere"),
        ((images, "--output", blocked), "file"),
    ]:
        result = in_process("explain", trained, *words)
        assert isinstance(result.exception, tfcnn.InputError), result.output
        assert name in str(result.exception) and not result.stdout
    assert blocked.read_text() == "x"
    assert not list(tmp_path.rglob("*.part*"))


def test_a_run_without_its_keras_model_is_refused(run_copy, images):
    card = json.loads((run_copy / "model.json").read_text())
    del card["sha256"]["model.keras"]
    write_card(run_copy, card)
    with pytest.raises(tfcnn.InputError, match=r"model\.keras"):
        Explainer(tfcnn.load(run_copy))
    card["sha256"]["model.keras"] = "0" * 64
    write_card(run_copy, card)
    with pytest.raises(tfcnn.CheckError):
        Explainer(tfcnn.load(run_copy))


def test_no_two_images_share_a_picture_and_none_leaves_the_folder(images, tmp_path):
    shutil.copy(images / "round" / "P0_0.png", images / "round" / "P0_0.JPG")
    shutil.copy(images / "round" / "P0_0.png", images / "filters.png")
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.write(images / "round" / "P0_0.png", "../../escape.png")
        archive.write(images / "round" / "P0_0.png", "/round/P0_0.png")
    (tmp_path / "a.zip").write_bytes(content.getvalue())
    one = images / "round" / "P0_0.png"
    names = [str(name) for _, name in list_images([images, images, tmp_path / "a.zip", one, one])]
    assert len({name.casefold() for name in names}) == len(names)
    assert not any(".." in name or name.startswith("/") for name in names)
    assert {"round/P0_0.png", "round/P0_0.JPG.png", "escape.png", "P0_0.png"} <= set(names)
    assert "filters.png" not in names


@pytest.mark.parametrize(("images_are", "thing"), [("cells", "cell"), ("images", "object")])
def test_what_the_images_show_has_the_runs_own_name(run_copy, images_are, thing, tmp_path):
    card = json.loads((run_copy / "model.json").read_text())
    card["data"]["nouns"] = [images_are, "groups"]
    write_card(run_copy, card)
    pixels = np.zeros((40, 40, 3), np.uint8)
    pixels[8:32, 8:32, 0] = 200
    Image.fromarray(pixels).save(tmp_path / "a.png")
    words = ("--layer", "relu1", "-o", tmp_path / "why")
    result = in_process("explain", run_copy, tmp_path / "a.png", *words)
    assert result.exit_code == 0, result.output
    assert f"outside the {thing}" in result.stdout
    others = {"cell", "object"} - {thing}
    assert not any(f"the {other}" in result.stdout for other in others)


def test_the_shipped_model_of_several_views_is_explained(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    result = in_process("explain", "cifar10", tmp_path / "a.png", "-o", tmp_path / "why")
    assert result.exit_code == 0, result.output
    assert (tmp_path / "why" / "a.png").exists() and "strongest at" in result.stdout
