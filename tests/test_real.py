"""Real cells through the whole line, where TFCNN_TEST_MIRROR names a mirror of the data sets."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import MIRROR, needs_mirror, run_tfcnn

import tfcnn

pytestmark = [needs_mirror, pytest.mark.timeout(900)]


def script(name: str, *words: object, home: Path) -> str:
    """Run a program of `scripts/`, as a user does, and return what it prints."""
    path = Path(__file__).parents[1] / "scripts" / f"{name}.py"
    result = subprocess.run(
        [sys.executable, str(path), *map(str, words)],
        capture_output=True,
        text=True,
        env={**os.environ, "TFCNN_HOME": str(home)},
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:  # type: ignore[misc]
    """One home for the module: downloaded once, trained shortly."""
    folder = tmp_path_factory.mktemp("real")
    result = script("download", "malaria", "--from", MIRROR, home=folder)
    assert "malaria: 9,065 images" in result
    settings = "train.epochs=2", "data.image_size=32", "model.options.widths=[16, 32, 64, 128]"
    words = [word for setting in settings for word in ("--set", setting)]
    result = run_tfcnn("train", "malaria", *words, home=folder).stdout
    assert "On 2" in result and "unseen patients: " in result
    return folder


def test_the_subset_is_said_wherever_a_result_is(home):
    result = run_tfcnn("evaluate", "malaria", home=home)
    assert "9,065 cells of 140 patients" in result.stdout
    assert "9,065 cells of 140 patients" in (home / "models/malaria/report.html").read_text()


def test_unseen_patients_are_told_apart(home):
    report = json.loads((home / "models/malaria/report.json").read_text())
    assert report["splits"]["test"]["accuracy"]["value"] >= 0.85, "two epochs at 32 px give .93"
    assert report["counts"]["test"]["groups"] >= 18


def test_no_patient_is_in_two_splits(home):
    rows = list(csv.DictReader((home / "models/malaria/split.csv").open()))
    assert len(rows) == 9065 and len({row["group"] for row in rows}) == 140
    assert len({(row["group"], row["split"]) for row in rows}) == 140


def test_a_folder_of_cells_is_predicted(home, tmp_path):
    rows = list(csv.DictReader((home / "models/malaria/predictions.csv").open()))
    cells = home / "data/malaria/cell_images"
    output = tmp_path / "out.csv"
    result = run_tfcnn("predict", "malaria", cells / "Parasitized", "-o", output, home=home)
    assert result.returncode == 0, result.stderr
    predicted = {row["path"]: row for row in csv.DictReader(output.open())}
    for row in rows:
        if row["label"] == "Parasitized":
            again = predicted[str(cells / row["path"])]
            assert again["predicted"] == row["predicted"]
            assert float(again["prob_Parasitized"]) == pytest.approx(
                float(row["prob_Parasitized"]),
                abs=1e-4,  # OpenVINO, where it is sooner
            )


def test_a_second_training_opens_no_image(home, monkeypatch):
    monkeypatch.setenv("TFCNN_HOME", str(home))
    small = ["train.epochs=1", "model.options.widths=[4, 8, 16, 32]"]
    second = tfcnn.train("malaria-fast", settings=small, run="second")
    report = json.loads((second.path / "report.json").read_text())
    assert report["decode_seconds"] == 0
