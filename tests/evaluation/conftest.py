"""A run whose thresholds matter, for what moves them."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from conftest import reseal

from tfcnn.evaluation import scoring, table
from tfcnn.evaluation.table import Table
from tfcnn.report import page
from tfcnn.runs import Run


@pytest.fixture(scope="session")
def overlapping(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of round (positive) and square whose scores overlap; nothing may change it."""
    folder = Path(shutil.copytree(trained, tmp_path_factory.mktemp("overlapping") / "cells"))
    opened = Run(folder, json.loads((folder / "model.json").read_text()))
    was = table.read(opened)
    rng = np.random.default_rng(0)
    logits = rng.normal(size=len(was.labels)) + 2 * (was.labels == 0) - 1
    scores = 1 / (1 + np.exp(-logits))
    made = Table(**{**vars(was), "probs": np.stack([scores, 1 - scores], 1).astype(np.float32)})
    table.write(opened, made)
    scoring.write(scoring.score(opened, made, scoring.facts(opened)), folder)
    reseal(folder)
    page.write(folder)
    return folder


@pytest.fixture
def run(overlapping: Path, tmp_path: Path) -> Path:
    """A copy of a run of round (positive) and square whose scores overlap, as a user's do."""
    return Path(shutil.copytree(overlapping, tmp_path / "copy" / "cells"))
