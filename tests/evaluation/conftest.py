"""A run whose thresholds matter, for what moves them."""

import json
from pathlib import Path

import numpy as np
import pytest
from conftest import reseal

from tfcnn.evaluation import scoring, table
from tfcnn.evaluation.table import Table
from tfcnn.report import page
from tfcnn.runs import Run


@pytest.fixture
def run(run_copy: Path) -> Path:
    """A run of round (positive) and square whose scores overlap, as a user's do."""
    opened = Run(run_copy, json.loads((run_copy / "model.json").read_text()))
    was = table.read(opened)
    rng = np.random.default_rng(0)
    logits = rng.normal(size=len(was.labels)) + 2 * (was.labels == 0) - 1
    scores = 1 / (1 + np.exp(-logits))
    made = Table(**{**vars(was), "probs": np.stack([scores, 1 - scores], 1).astype(np.float32)})
    table.write(opened, made)
    scoring.write(scoring.score(opened, made, scoring.facts(opened)), run_copy)
    reseal(run_copy)
    page.write(run_copy)
    return run_copy
