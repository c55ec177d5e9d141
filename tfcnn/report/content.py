"""What a report says, gathered from the files of a run folder as plain values for the template."""

import csv
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tfcnn import recipe as recipes
from tfcnn.errors import InputError
from tfcnn.evaluation import calibration, scoring
from tfcnn.evaluation import table as predictions
from tfcnn.evaluation.metrics import DESCRIPTIONS, SHARES
from tfcnn.evaluation.scoring import Report
from tfcnn.evaluation.table import Table
from tfcnn.recipe import Recipe
from tfcnn.runs import Run

__all__ = [
    "Content",
    "confusion",
    "errors",
    "history",
    "metric_rows",
    "operating_point",
    "read",
    "reliability",
    "split_rows",
]

LOWER_IS_BETTER = frozenset({"log_loss", "brier", "ece"})
LABELS = {
    "ppv": "PPV", "npv": "NPV", "f1": "F1", "macro_f1": "macro F1", "mcc": "MCC",
    "roc_auc": "ROC AUC", "macro_roc_auc": "macro ROC AUC", "pr_auc": "PR AUC",
    "brier": "Brier score", "ece": "ECE",
}  # fmt: skip
SPLITS = ("train", "val", "test", "")
MAX_ERRORS = 20
MAX_MATRIX_CLASSES, MAX_PAIRS = 30, 30
THRESHOLDS = np.linspace(0, 1, 201)


@dataclass(frozen=True)
class Content:
    """The files of a run folder, read.

    Attributes:
        run: with `model.json`.
        report: `report.json`.
        table: `predictions.csv`.
        split: rows of `split.csv`.
        epochs: per column of `history.csv` a value per epoch.
        recipe: `recipe.toml`.
        shown: the split whose figures stand for the run: test, or val where there is none.
    """

    run: Run
    report: Report
    table: Table
    split: list[dict[str, str]]
    epochs: dict[str, list[float]]
    recipe: Recipe
    shown: str

    @property
    def part(self) -> Table:
        """The predictions of the split that is shown."""
        return self.table.part(self.shown)


def read(run: Run) -> Content:
    """Read all files of a run folder that a report is made of.

    Raises:
        InputError: if one is missing.
    """
    report = scoring.load(run)
    epochs = _rows(run.path / "history.csv")
    return Content(
        run,
        report,
        predictions.read(run),
        _rows(run.path / "split.csv"),
        {key: [float(row[key]) for row in epochs] for key in epochs[0]},
        recipes.load(str(run.path / "recipe.toml")),
        "test" if "test" in report.splits else "val",
    )


def split_rows(content: Content) -> list[dict[str, Any]]:
    """Return images and groups of every split, and images of every class: a row each.

    The split "" holds what was left out; it has a column only where it is not empty.
    """
    rows = content.split
    names = [name for name in SPLITS if name in ("train", "val", "test") or _in(rows, name)]
    counts = Counter((row["split"], row["label"]) for row in rows)
    images, groups = content.run.card["data"]["nouns"]
    table = [{"name": images, "counts": [len(_in(rows, name)) for name in names], "is_sum": True}]
    if any(row["group"] for row in rows):
        of_groups = [len({row["group"] for row in _in(rows, name)}) for name in names]
        table.append({"name": groups, "counts": of_groups, "is_sum": True})
    for label in content.run.class_names:
        table.append(
            {"name": label, "counts": [counts[name, label] for name in names], "is_sum": False}
        )
    return [{"name": "", "counts": [name or "left out" for name in names]}, *table]


def metric_rows(content: Content) -> list[dict[str, Any]]:
    """Return a row per metric: its label, its meaning, and its figures, test before val."""
    splits = content.report.splits
    order = [name for name in ("test", "val") if name in splits]
    return [
        {
            "name": name,
            "label": LABELS.get(name, name.replace("_", " ")),
            "meaning": DESCRIPTIONS[name],
            "is_share": name in SHARES,
            "is_lower_better": name in LOWER_IS_BETTER,
            "cells": [{"split": split, **splits[split][name]} for split in order],
        }
        for name in splits[order[0]]
    ]


def confusion(content: Content) -> dict[str, Any]:
    """Return the confusion matrix with row shares; beyond 30 classes its largest errors only."""
    matrix = np.array(content.report.confusion[content.shown])
    names, totals = content.run.class_names, matrix.sum(axis=1, keepdims=True)
    shares = matrix / np.maximum(totals, 1)
    wrong = matrix * (1 - np.eye(len(matrix), dtype=np.int64))
    pairs = [
        {
            "label": names[i],
            "predicted": names[j],
            "images": int(wrong[i, j]),
            "share": shares[i, j],
        }
        for i, j in (
            divmod(int(k), len(names)) for k in np.argsort(-wrong, axis=None, kind="stable")
        )
        if wrong[i, j]
    ]
    rows = [
        {"label": name, "cells": [_cell(matrix, shares, i, j) for j in range(len(names))]}
        for i, name in enumerate(names)
    ]
    is_small = len(names) <= MAX_MATRIX_CLASSES
    return {"rows": rows if is_small else [], "pairs": [] if is_small else pairs[:MAX_PAIRS]}


def reliability(content: Content) -> calibration.Reliability:
    """Return the reliability curve of the split that is shown."""
    part = content.part
    return calibration.reliability(part.labels, part.probs, positive=content.run.positive)


def operating_point(content: Content) -> dict[str, Any]:
    """Return what thresholds would give on the split shown, and the errors at the stored one.

    Empty where there is no positive class, or where the split lacks a class.
    """
    positive, part = content.run.positive, content.part
    if positive is None:
        return {}
    is_positive, score = part.labels == positive, part.probs[:, positive].astype(np.float64)
    if is_positive.all() or not is_positive.any():
        return {}
    called = score >= content.run.threshold
    own, other = np.sort(score[is_positive]), np.sort(score[~is_positive])
    return {
        "thresholds": THRESHOLDS,
        "sensitivity": 1 - np.searchsorted(own, THRESHOLDS) / len(own),
        "specificity": np.searchsorted(other, THRESHOLDS) / len(other),
        "found": int((called & is_positive).sum()),
        "positives": len(own),
        "false_alarms": int((called & ~is_positive).sum()),
        "negatives": len(other),
    }


def errors(content: Content) -> dict[str, Any]:
    """Return the errors of the split shown that the model was surest of."""
    part, names = content.part, content.run.class_names
    predicted = part.probs.argmax(axis=1)
    wrong = np.flatnonzero(predicted != part.labels)
    stated = part.probs[wrong, predicted[wrong]]
    worst = wrong[np.argsort(-stated, kind="stable")][:MAX_ERRORS]
    rows = [
        {
            "path": str(part.paths[i]),
            "group": str(part.groups[i]),
            "label": names[part.labels[i]],
            "predicted": names[predicted[i]],
            "prob": float(part.probs[i, predicted[i]]),
        }
        for i in worst
    ]
    return {"rows": rows, "count": len(wrong), "has_groups": any(row["group"] for row in rows)}


def history(content: Content) -> dict[str, Any]:
    """Return the training curves, and which epoch's weights were kept."""
    epochs, train = content.epochs, content.recipe.train
    last = len(epochs["epoch"])
    best = int(np.argmin(epochs["val_loss"])) + 1
    return {
        "loss": {"train": epochs["loss"], "val": epochs["val_loss"]},
        "accuracy": {"val": epochs["val_sparse_categorical_accuracy"]},
        "last": last,
        "kept": best if train.best_weights else last,
        "is_best": train.best_weights,
    }


def _cell(matrix: NDArray[np.int64], shares: NDArray[np.float64], i: int, j: int) -> dict[str, Any]:
    share = float(shares[i, j])
    tint = 0.3 * share if i == j else 0.8 * share**0.5  # the root lets a few errors be seen
    return {"images": int(matrix[i, j]), "share": share, "is_right": i == j, "tint": tint}


def _in(rows: list[dict[str, str]], split: str) -> list[dict[str, str]]:
    return [row for row in rows if row["split"] == split]


def _rows(path: Path) -> list[dict[str, str]]:
    if not path.is_file():
        raise InputError(path, "a file of a trained run", "none", "a run that `train` made")
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))
