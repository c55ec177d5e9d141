"""What a report says, gathered from the files of a run folder as plain values for the template."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np

from tfcnn.evaluation import scoring
from tfcnn.evaluation import table as predictions
from tfcnn.evaluation.metrics import DESCRIPTIONS, SHARES
from tfcnn.evaluation.scoring import Report
from tfcnn.evaluation.table import Table
from tfcnn.recipes import Recipe
from tfcnn.runs import Run

__all__ = [
    "Content",
    "audit",
    "history",
    "metric_rows",
    "read",
    "split_rows",
]

UNBOUNDED = frozenset({"log_loss", "mcc"})  # all others lie in [0, 1], or are drawn so
LOWER_IS_BETTER = frozenset({"log_loss", "brier", "ece"})
LABELS = {
    "ppv": "PPV", "npv": "NPV", "f1": "F1", "macro_f1": "macro F1", "mcc": "MCC",
    "roc_auc": "ROC AUC", "macro_roc_auc": "macro ROC AUC", "pr_auc": "PR AUC",
    "brier": "Brier score", "ece": "ECE",
}  # fmt: skip
SPLITS = ("train", "val", "test", "")


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
        InputError: if one is missing, or is something else.
        CheckError: if one is not as it was written.
    """
    report = scoring.load(run)
    return Content(
        run,
        report,
        predictions.read(run),
        run.split(),
        run.history(),
        run.recipe,
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


def audit(content: Content) -> dict[str, int]:
    """Return what was found in the data besides classes and splits.

    Returns:
        Images whose pixels another image has too (`duplicates`), files set aside (`quarantined`)
        and passed over (`ignored`), images in no split (`left_out`), and, where groups are known,
        how many there are (`groups`) and how many have images of one class only (`one_class`).
    """
    pixels = Counter(row["pixels_sha256"] for row in content.split)
    classes: dict[str, set[str]] = {}
    for row in content.split:
        if row["group"]:
            classes.setdefault(row["group"], set()).add(row["label"])
    return {
        "duplicates": sum(count for count in pixels.values() if count > 1),
        "quarantined": len(content.report.facts["quarantined"]),
        "ignored": content.report.facts["ignored_files"],
        "left_out": len(_in(content.split, "")),
        "groups": len(classes),
        "one_class": sum(len(labels) == 1 for labels in classes.values()),
    }


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
            # the Brier score of all classes ends at 2
            "is_unit": name not in UNBOUNDED
            and (name != "brier" or content.run.positive is not None),
            "is_lower_better": name in LOWER_IS_BETTER,
            "cells": [{"split": split, **splits[split][name]} for split in order],
        }
        for name in splits[order[0]]
    ]


def history(content: Content) -> dict[str, Any]:
    """Return the training curves, and which epoch's weights were kept."""
    epochs, train = content.epochs, content.recipe.train
    last = len(epochs["epoch"])
    before = content.report.facts.get("phase_start", 0)  # epochs whose weights are not kept
    best = before + int(np.argmin(epochs["val_loss"][before:])) + 1
    return {
        "loss": {"train": epochs["loss"], "val": epochs["val_loss"]},
        "accuracy": {"val": epochs["val_sparse_categorical_accuracy"]},
        "last": last,
        "phase_start": before,
        "kept": best if train.best_weights else last,
        "is_best": train.best_weights,
    }


def _in(rows: list[dict[str, str]], split: str) -> list[dict[str, str]]:
    return [row for row in rows if row["split"] == split]
