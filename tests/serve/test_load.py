"""The benchmark of the service runs, and the service is what it is compared for: sooner."""

import re
import subprocess
import sys

import pytest
from documents import ROOT


@pytest.mark.slow
def test_it_answers_five_times_as_many_requests_as_an_endpoint_of_keras(trained):
    cells = trained.parents[2] / "cells"
    command = [sys.executable, ROOT / "benchmarks/serve.py", trained, cells]
    command += ["--seconds", 5, "--repeats", 1]
    result = subprocess.run([*map(str, command)], capture_output=True, text=True, check=True)
    assert re.findall(r"errors (\d+)", result.stdout) == ["0", "0"], result.stdout
    assert float(re.search(r"times the throughput: ([\d.]+)", result.stdout)[1]) >= 5
    assert float(re.search(r"times the p99: ([\d.]+)", result.stdout)[1]) <= 1
