"""The programs in `scripts/`, run as a reader would run them."""

import runpy
import sys
from pathlib import Path

import pytest
from conftest import MIRROR, needs_mirror
from dataset_fakes import fake_arrays, write_npz

import tfcnn
from tfcnn import datasets

# ImageDataGenerator says it of SciPy
pytestmark = pytest.mark.filterwarnings("ignore:Please import `affine_transform`")
FOLDER = Path(__file__).parents[1] / "scripts"
SCRIPTS = {  # the data set, what is printed, and the parameters that the course's notebook has
    "train_mnist_ann": ("mnist", "105,214 parameters; counted by hand: 105,214", 105_214),
    "train_mnist": ("mnist", "was taken for", 591_786),
    "train_fashion": ("fashion-mnist", "Ankle boot", 591_786),
    "train_cifar10": ("cifar10", "'test': ", 225_610),
}
LEAST_ACCURACY = {  # after one epoch
    "train_mnist_ann": 90.0,
    "train_mnist": 95.0,
    "train_fashion": 80.0,
    "train_cifar10": 40.0,
}
RUNS = {
    "train_mnist_ann": "mnist-ann-keras",
    "train_mnist": "mnist-keras",
    "train_fashion": "fashion-keras",
    "train_cifar10": "cifar10-keras",
}
MALARIA_LINES = 35


def run(name: str, monkeypatch: pytest.MonkeyPatch, *words: str) -> None:
    path = FOLDER / f"{name}.py"
    monkeypatch.setattr(sys, "argv", [str(path), *words])
    runpy.run_path(str(path), run_name="__main__")


def test_every_training_script_is_run():
    scripts = {path.stem for path in FOLDER.glob("train_*.py")}
    assert scripts == {*SCRIPTS, "train_malaria"}


@pytest.mark.parametrize("name", ["evaluate", "predict", "download", "ship_models", "resave_model"])
def test_a_script_without_its_words_says_which(name, monkeypatch, capsys):
    with pytest.raises(SystemExit) as ended:
        run(name, monkeypatch)
    assert (
        ended.value.code == 2 and "the following arguments are required" in capsys.readouterr().err
    )


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_runs(name, monkeypatch, capsys, tmp_path):
    data, shown, parameters = SCRIPTS[name]
    path = tmp_path / f"{data.replace('-', '_')}.npz"
    datasets.download(data, mirror=str(write_npz(path, fake_arrays(data, train=100))))
    run(name, monkeypatch, "--epochs", "1")
    printed = capsys.readouterr().out
    assert "On 30 unseen images: " in printed
    assert shown in printed
    card = tfcnn.load(RUNS[name]).card
    assert card["network"]["parameters"] == parameters


@pytest.mark.parametrize("pipeline", ["tfdata", "generator"])
def test_the_malaria_script_runs(pipeline, monkeypatch, capsys, make_tree):
    tree = make_tree(groups=6, per_group=4)
    run("train_malaria", monkeypatch, str(tree), "--epochs", "1", "--pipeline", pipeline)
    assert "unseen images" in capsys.readouterr().out
    card = tfcnn.load(f"malaria-{pipeline}").card
    assert card["network"]["parameters"] == 1_662_209 and card["network"]["trained_on"] == "train"
    assert len((FOLDER / "train_malaria.py").read_text().splitlines()) <= MALARIA_LINES


@needs_mirror
@pytest.mark.timeout(900)
@pytest.mark.slow
@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_trains_on_real_images(name, monkeypatch, capsys):
    data, shown, _ = SCRIPTS[name]
    datasets.download(data, mirror=MIRROR)
    run(name, monkeypatch, "--epochs", "1")
    printed = capsys.readouterr().out
    assert shown in printed
    sentence = next(line for line in printed.splitlines() if line.startswith("On "))
    assert sentence.startswith("On 10,000 unseen images: ")
    assert float(sentence.split()[4]) >= LEAST_ACCURACY[name]


@needs_mirror
@pytest.mark.timeout(1800)
@pytest.mark.slow
@pytest.mark.parametrize("pipeline", ["tfdata", "generator"])
def test_the_malaria_script_trains_on_real_cells(pipeline, monkeypatch, capsys):
    datasets.download("malaria", mirror=MIRROR)
    run("train_malaria", monkeypatch, "--epochs", "3", "--pipeline", pipeline)
    sentence = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("On "))
    assert "unseen patients" in sentence and float(sentence.split()[4]) >= 80.0
