"""The folds of a cross-validation, side by side: what its report has in place of a training."""

from typing import Any

from tfcnn import runs
from tfcnn.display import figures
from tfcnn.report.content import Content, metric_label

SHOWN = ("accuracy", "sensitivity", "specificity", "roc_auc", "macro_f1", "macro_roc_auc")


def gather(content: Content) -> dict[str, Any]:
    """Return a row per fold, and their mean and standard deviation; empty for any other run.

    Returns:
        `titles` of the metrics shown; `rows`, each a fold with its counts and the metrics as
        `cells`; `mean` and `sd`, as cells too; the `thresholds` and `temperatures` of the folds,
        the lowest and the highest; `has_groups`; `size`, how many folds there are.

    Raises:
        InputError: if the summary is missing.
        CheckError: if it is not as it was written.
    """
    if not content.run.num_folds or content.source is not None:
        return {}
    summary = runs.read_summary(content.run.path)
    metrics, rows = summary["metrics"], summary["folds"]
    names = [name for name in SHOWN if name in metrics]

    def cells(values: dict[str, float | None]) -> list[str]:
        return [figures.metric(name)(values[name]).replace(" ", "\u00a0") for name in names]

    return {
        "titles": [metric_label(name) for name in names],
        "rows": [{**row, "cells": cells(row["metrics"])} for row in rows],
        "mean": cells({name: metrics[name]["mean"] for name in names}),
        "sd": cells({name: metrics[name]["sd"] for name in names}),
        "thresholds": _ends([row["threshold"] for row in rows]),
        "temperatures": _ends([row["temperature"] for row in rows]),
        "has_groups": bool(summary["counts"]["groups"]),
        "size": len(rows),
    }


def _ends(values: list[float]) -> tuple[float, float]:
    return min(values), max(values)
