"""The benchmarks that need no data of their own run; what they measure is not judged here."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from tfcnn import recipes

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("layers.py --repeats 1 --most 8", "GELU, 8 of 7 px"),
        ("machine.py malaria-fast --float32 --repeats 1", "conv1"),
    ],
)
def test_a_benchmark_runs(words, expected):
    program, *rest = words.split()
    command = [sys.executable, BENCHMARKS / program, *rest]
    result = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stderr
    assert expected in result.stdout


@pytest.fixture
def training(monkeypatch):
    """The program benchmarks/training.py as a module."""
    monkeypatch.syspath_prepend(BENCHMARKS)
    spec = importlib.util.spec_from_file_location("training", BENCHMARKS / "training.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("machine", ["amx", "no_amx", "gpu"])
def test_the_page_has_the_table_of_the_results(machine, training):
    page = (BENCHMARKS.parent / "docs" / "benchmarks.md").read_text(encoding="utf-8")
    other_machine = "| tfcnn, malaria-fast, AdamW, 5 epochs |"  # the page has no ratio for it
    lines = training.summary(machine).splitlines()[2:]
    assert len(lines) >= 5
    assert all(line in page for line in lines if not line.startswith(other_machine))


def test_every_contestant_has_its_program_or_recipe(training):
    for _, program, *words in training.RIVALS.values():
        assert (BENCHMARKS / "rivals" / program).exists()
        assert all(word.startswith("--") or word.isdigit() for word in training.spelt_out(words))
    for recipe, *settings in training.TFCNN.values():
        recipes.override(recipes.load(recipe), training.spelt_out(settings))


def test_the_picture_is_drawn(tmp_path, monkeypatch, training):
    monkeypatch.setattr(training, "PICTURES", tmp_path)
    training.draw("no_amx")
    assert (tmp_path / "benchmark_no_amx.png").stat().st_size > 10_000
