"""What folds say together: how much of a rare class is found, pooled, in table and sentence."""

import csv
import io
import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from paper_runs import make_run
from rich.console import Console

from tfcnn.cli.terminal import show_folds
from tfcnn.datasets import Source
from tfcnn.evaluation import out_of_fold, scoring, table
from tfcnn.evaluation.table import Table
from tfcnn.manifest import Manifest, Row
from tfcnn.runs import Run


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def fold_run(path: Path, rng: np.random.Generator, positive: str | None) -> Run:
    """A fold of 8:1 whose model misses half of the rare class, as `train` leaves it."""
    path.mkdir(parents=True)
    labels = np.repeat([0, 1], [80, 10]).astype(np.int32)
    logits = rng.normal(size=90) - 2 + 2 * labels
    scores = 1 / (1 + np.exp(-logits))
    run = make_run(path, positive=positive is not None)
    run.card["temperature"] = 1.0
    made = Table(
        np.array([f"{path.name}/{i}.png" for i in range(90)]), np.full(90, "test"),
        np.array([f"{path.name}P{i % 6}" for i in range(90)]), labels,
        np.stack([1 - scores, scores], axis=1).astype(np.float32),
    )  # fmt: skip
    table.write(run, made)
    facts = {"epochs": 1, "decode_seconds": 1.0, "train_seconds": 1.0}
    scoring.write(scoring.score(run, made, facts), path)
    return run


@pytest.mark.parametrize("positive", ["infected", None])
def test_a_rare_class_that_is_missed_is_said(tmp_path, positive):
    rng = np.random.default_rng(0)
    runs = [fold_run(tmp_path / f"fold-{i}", rng, positive) for i in range(3)]
    rows = [row for run in runs for row in rows_of(run.path / "predictions.csv")]
    listed = tuple(Row(row["path"], row["label"], row["group"], "", "", "", 0, 0) for row in rows)
    tested = Manifest(Source("cells", tmp_path, (), nouns=("cells", "patients")), listed, (), ())
    summary = out_of_fold.summarise(tmp_path, runs, tested)
    names = ("sensitivity", "specificity") if positive else ("balanced_accuracy",)
    assert summary.by_class == names
    assert "always saying healthy: 88.9 %" in summary.sentence
    pooled = summary.metrics[names[0]]["pooled"]
    assert (
        f"; pooled {names[0].replace('_', ' ')} {100 * pooled['value']:.1f} % (" in summary.sentence
    )
    if positive:
        missed = [row["decision"] == "healthy" for row in rows if row["label"] == "infected"]
        assert pooled["value"] == pytest.approx(1 - np.mean(missed)) and pooled["value"] < 0.7
    console = Console(width=80, record=True, file=io.StringIO())
    show_folds(summary, console)
    shown = console.export_text()
    assert all(len(line) <= 80 for line in shown.splitlines())
    assert names[0].replace("_", " ") in shown and f"{100 * pooled['value']:.1f} %" in shown
    assert "always saying healthy: 88.9 %" in shown
    never = json.loads((tmp_path / "summary.json").read_text())
    assert never["baseline"]["class"] == "healthy"


def test_a_fold_without_a_metric_is_said(tmp_path):
    run, rows, tested = make_run(tmp_path), [{"group": ""}], SimpleNamespace(notes=())
    metrics = {"ppv": {"folds": [0.5, None, 0.7]}, "accuracy": {"folds": [0.5, 0.5, 0.7]}}
    said = out_of_fold._warnings(run, tested, rows, metrics, np.eye(2, dtype=np.int64))
    assert "ppv: mean and sd leave out fold 1, which has none" in said
    assert not any(text.startswith("accuracy") for text in said)
