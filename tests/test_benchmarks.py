"""The benchmarks that need no data of their own run; what they measure is not judged here."""

import subprocess
import sys
from pathlib import Path

import pytest

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
