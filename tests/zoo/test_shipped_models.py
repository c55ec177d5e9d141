"""The models that are shipped: each answers, says what it is, and refuses what it has seen."""

import json
import runpy
import shutil
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from conftest import run_tfcnn
from PIL import Image

import tfcnn
from tfcnn import runs
from tfcnn.base.errors import CheckError, InputError
from tfcnn.evaluation import other_data
from tfcnn.prediction import Predictor

NAMES = sorted(path.name for path in runs.ZOO.iterdir() if path.is_dir())
MOST_BYTES = 12e6
WITHOUT_TWIN = {"cifar10"}  # 8 MB of LiteRT: Keras answers


def test_all_are_there_and_small():
    assert NAMES == ["cifar10", "fashion", "malaria", "mnist"]
    assert sum(file.stat().st_size for file in runs.ZOO.rglob("*") if file.is_file()) < MOST_BYTES


def test_an_unfinished_run_is_not_answered_for_by_the_shipped_one(home):
    folder = home / "models/malaria"
    folder.mkdir(parents=True)
    assert runs.find("malaria") == runs.ZOO / "malaria"
    (folder / "recipe.toml").touch()
    with pytest.raises(InputError, match="an unfinished one"):
        runs.find("malaria")


@pytest.mark.parametrize("name", NAMES)
def test_a_shipped_model_answers_from_an_empty_folder(name, tmp_path, home):
    picture = np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    if name == "cifar10":  # some of its photographs are as rough as noise, which passes for one
        picture[:] = (255, 0, 128)
    path = tmp_path / "picture.png"
    Image.fromarray(picture).save(path)
    result = run_tfcnn("predict", name, path, "--json", home=home)
    assert result.returncode == 0, result.stderr
    found = json.loads(result.stdout.splitlines()[0])
    assert found["predicted"] in tfcnn.load(name).class_names
    assert found["flag"] == "out-of-domain", "neither a cell nor a thing"


@pytest.mark.parametrize("name", sorted(set(NAMES) - WITHOUT_TWIN))
def test_both_files_of_a_shipped_model_agree(name):
    run = tfcnn.load(name)
    images = np.random.default_rng(1).integers(0, 256, (8, *run.decoder.shape), dtype=np.uint8)
    keras, twin = (Predictor(run, engine=engine) for engine in ("keras", "litert"))
    ours, theirs = (each.probs_and_features(images)[0] for each in (keras, twin))
    np.testing.assert_allclose(ours, theirs, atol=1e-4)


@pytest.mark.parametrize("name", NAMES)
def test_a_shipped_model_has_its_card_and_nothing_of_its_images(name):
    folder = runs.ZOO / name
    card = (folder / "README.md").read_text(encoding="utf-8")
    for heading in ("## How good", "## Limits", "## How it was made"):
        assert heading in card
    assert " to 9" in card, "an interval"
    files = {"model.json", "model.keras", "domain.npz", "recipe.toml", "history.csv", "seen.npz"}
    twin = set() if name in WITHOUT_TWIN else {"model.tflite"}
    assert {file.name for file in folder.iterdir()} == files | twin | {"README.md"}


def test_the_shipped_model_of_shifted_views_computes_each_of_them_once():
    with zipfile.ZipFile(runs.ZOO / "cifar10" / "model.keras") as file:
        layers = json.loads(file.read("config.json"))["config"]["layers"]
    (trunk,) = (one for one in layers if one["config"]["name"] == "speedrun_trunk")
    assert len(trunk["inbound_nodes"]) == 6


def test_what_cannot_be_told_of_a_shipped_model_is_said(home):
    result = run_tfcnn("evaluate", "mnist", home=home)
    assert result.returncode == 2 and "its README.md" in result.stderr


def test_what_was_seen_is_known_without_the_split(trained, tmp_path):
    run = tfcnn.load(trained)
    other_data.pack_trained_on(run, tmp_path)
    packed = other_data.read_trained_on(runs.Run(tmp_path, run.card))
    assert packed == other_data.read_trained_on(run) and packed.groups
    with pytest.raises(InputError, match=r"seen\.npz"):
        other_data.read_trained_on(runs.Run(tmp_path / "nothing", run.card))


def test_a_model_without_its_split_still_refuses_what_it_was_trained_on(trained, tmp_path):
    copy = tmp_path / "shipped"
    run = tfcnn.load(trained)
    copy.mkdir()
    for name in ("model.json", "model.keras", "model.tflite", "DONE"):
        (copy / name).write_bytes((run.path / name).read_bytes())
    cells = Path(trained).parents[2] / "cells"
    with pytest.raises(InputError, match="what it was trained on"):
        tfcnn.evaluate(copy, data=cells)
    other_data.pack_trained_on(run, copy)
    with pytest.raises(CheckError, match="has not seen"):
        tfcnn.evaluate(copy, data=cells)


def ship(run: Path, zoo: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Ship a run with the script to another zoo; return its folder there."""
    for module in (runs, runs.home):
        monkeypatch.setattr(module, "ZOO", zoo)
    monkeypatch.setenv("TFCNN_HOME", str(run.parents[1]))
    monkeypatch.setattr(sys, "argv", ["ship_models.py", run.name])
    runpy.run_path(str(Path(__file__).parents[2] / "scripts" / "ship_models.py"))
    return zoo / run.name


def test_a_run_is_shipped_by_the_script(trained, tmp_path, monkeypatch, capsys):
    shipped = ship(Path(trained), tmp_path / "zoo", monkeypatch)
    assert "MB" in capsys.readouterr().out and (shipped / "seen.npz").exists()
    assert "unseen" in (shipped / "README.md").read_text(encoding="utf-8")
    assert (shipped / "model.tflite").exists()


def test_a_large_twin_stays_behind_and_keras_answers(trained, tmp_path, monkeypatch):
    run = tmp_path / "models" / "large"
    shutil.copytree(trained, run)
    with (run / "model.tflite").open("ab") as file:
        file.write(bytes(4_000_000))
    shipped = ship(run, tmp_path / "zoo", monkeypatch)
    assert not (shipped / "model.tflite").exists()
    assert Predictor(runs.open_run(shipped)).engine == "keras"
