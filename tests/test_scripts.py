"""The programs in `scripts/` that train on the array data sets, run as a reader would run them."""

import runpy
import sys
from pathlib import Path

import pytest
from conftest import MIRROR, needs_mirror
from dataset_fakes import fake_arrays, write_npz

from tfcnn import datasets

SCRIPTS = {
    "train_mnist_ann": ("mnist", "784"),
    "train_mnist": ("mnist", "was taken for"),
    "train_fashion": ("fashion-mnist", "Ankle boot"),
    "train_cifar10": ("cifar10", ", in truth "),
}
LEAST_ACCURACY = {  # after one epoch
    "train_mnist_ann": 90.0,
    "train_mnist": 95.0,
    "train_fashion": 80.0,
    "train_cifar10": 40.0,
}


def run(name: str, monkeypatch: pytest.MonkeyPatch, *words: str) -> None:
    path = Path(__file__).parents[1] / "scripts" / f"{name}.py"
    monkeypatch.setattr(sys, "argv", [str(path), *words])
    runpy.run_path(str(path), run_name="__main__")


def test_every_training_script_is_run():
    scripts = {path.stem for path in (Path(__file__).parents[1] / "scripts").glob("train_*.py")}
    assert scripts == {*SCRIPTS, "train_malaria"}, "train_malaria runs in test_real"


@pytest.mark.parametrize("name", ["evaluate", "predict", "download", "ship_models", "resave_model"])
def test_a_script_without_its_words_says_which(name, monkeypatch, capsys):
    with pytest.raises(SystemExit) as ended:
        run(name, monkeypatch)
    assert (
        ended.value.code == 2 and "the following arguments are required" in capsys.readouterr().err
    )


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_runs(name, monkeypatch, capsys, tmp_path):
    data, shown = SCRIPTS[name]
    path = tmp_path / f"{data.replace('-', '_')}.npz"
    datasets.download(data, mirror=str(write_npz(path, fake_arrays(data, train=100))))
    small = ["model.options.widths=[8, 16, 16]"] if name == "train_cifar10" else []
    run(name, monkeypatch, "train.epochs=1", "train.batch_size=64", *small)
    printed = capsys.readouterr().out
    assert "On 30 unseen images: " in printed
    assert shown in printed


@needs_mirror
@pytest.mark.timeout(900)
@pytest.mark.slow
@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_trains_on_real_images(name, monkeypatch, capsys):
    data, shown = SCRIPTS[name]
    datasets.download(data, mirror=MIRROR)
    run(name, monkeypatch, "train.epochs=1", "train.batch_size=256")
    printed = capsys.readouterr().out
    assert shown in printed
    sentence = next(line for line in printed.splitlines() if line.startswith("On "))
    assert sentence.startswith("On 10,000 unseen images: ")
    assert float(sentence.split()[4]) >= LEAST_ACCURACY[name]
