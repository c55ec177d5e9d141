"""What was asked of a run's threshold, and what it gives: on val, which chose it, and on test.

A sensitivity that was chosen on a few positive images holds for these images. An interval, and
test, which had no part in the choice, say what it is elsewhere.
"""

from typing import Any

import numpy as np

from tfcnn.evaluation.flags import percent
from tfcnn.evaluation.table import Table
from tfcnn.runs import Run

__all__ = ["describe", "in_words", "warnings"]


def describe(run: Run, splits: dict[str, dict[str, dict[str, Any]]]) -> dict[str, Any]:
    """Return what `report.json` holds of the threshold: empty without a positive class.

    Args:
        run: its card has the threshold, and the wish in `asked`.
        splits: per split the metrics with their intervals.

    Returns:
        `positive`, `threshold` and `reason`; where a sensitivity or specificity was asked for
        also `metric`, the share `asked`, and per split its `{"value", "low", "high"}`.
    """
    if run.positive is None:
        return {}
    found: dict[str, Any] = {
        "positive": run.card["positive"],
        "threshold": run.threshold,
        "reason": run.card["threshold_reason"],
    }
    for metric, asked in (run.card.get("asked") or {}).items():
        found |= {"metric": metric, "asked": asked}
        found["splits"] = {split: rows[metric] for split, rows in splits.items()}
    return found


def in_words(point: dict[str, Any]) -> str:
    """Return "sensitivity asked 95 %, val 95.8 % (...), test 75.0 % (...)" where one was asked."""
    got = [
        f"{split} {percent(point['splits'][split])}"
        for split in ("val", "test", "data")
        if point["splits"].get(split, {}).get("value") is not None
    ]
    return ", ".join([f"{point['metric']} asked {100 * point['asked']:g} %", *got])


def warnings(point: dict[str, Any], parts: dict[str, Table], run: Run) -> list[str]:
    """Say where val is too small to promise what was asked, and where other images fall short."""
    found = []
    if run.card.get("threshold_set_after_test") and "test" in parts:
        found.append("the threshold was set after test was scored: if a look at test chose it, "
                     "the figures of test flatter")  # fmt: skip
    if "asked" not in point:
        return found
    metric, asked = point["metric"], point["asked"]
    # twice the misses asked for, but no more than five points and no less than one
    least = asked - min(0.05, max(1 - asked, 0.01))
    val = point["splits"].get("val")
    wanted = f"a {metric} of {100 * asked:g} %"
    if val and val["value"] is not None and (val["low"] is None or val["low"] < least):
        found.append(f"val, {_size(parts['val'], metric, run)}, is too small to promise {wanted}: "
                     f"it is {percent(val)} there")  # fmt: skip
    for split in ("test", "data"):
        row = point["splits"].get(split)
        if row and row["value"] is not None and row["value"] < least:
            found.append(f"{split}: {wanted} was asked, and it is {percent(row)}")
    return found


def _size(val: Table, metric: str, run: Run) -> str:
    """Say how many images, and groups, of val the metric counts."""
    is_positive = val.labels == run.positive
    own = is_positive if metric == "sensitivity" else ~is_positive
    images, groups = run.card["data"]["nouns"]
    of = f"{run.card['positive']} {images}"
    if metric == "specificity":
        of = f"{images} that are not {run.card['positive']}"
    size = f"{int(own.sum()):,} {of}"
    names = val.known_groups
    return size if names is None else f"{size} of {len(np.unique(names[own]))} {groups}"
