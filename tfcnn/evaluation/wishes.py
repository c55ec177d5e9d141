"""What was asked of the threshold, beside what it gives: in figures, words and warnings."""

from typing import Any

import numpy as np

from tfcnn.evaluation import guarantee
from tfcnn.evaluation.metrics import percent
from tfcnn.evaluation.sample import Sample
from tfcnn.evaluation.table import Table
from tfcnn.runs import Run


def describe_wish(
    run: Run, splits: dict[str, dict[str, dict[str, Any]]], samples: dict[str, Sample]
) -> dict[str, Any]:
    """Return what `report.json` holds of the threshold: empty without a positive class.

    Args:
        run: its card has the threshold, and the wish in `asked`.
        splits: per split the metrics with their intervals.
        samples: per split its predictions.

    Returns:
        `positive`, `threshold` and `reason`; where a sensitivity or specificity was asked for
        also `metric`, the share `asked`, and per split its `{"value", "low", "high"}`. Where it
        was to be promised, `guarantee`: what the card holds of it, and per split the mean over
        patients.
    """
    if run.positive is None:
        return {}
    content: dict[str, Any] = {
        "positive": run.card["positive"],
        "threshold": run.threshold,
        "reason": run.card["threshold_reason"],
    }
    for metric, share in (run.card.get("asked") or {}).items():
        content |= {"metric": metric, "asked": share}
        content["splits"] = {split: rows[metric] for split, rows in splits.items()}
    if promise := run.card.get("guarantee"):
        means = {  # in a cross-validation each fold decided by its own threshold, not by this
            split: guarantee.mean_per_unit(sample, promise["metric"]).to_dict()
            for split, sample in samples.items()
            if split == "data" or not run.num_folds
        }
        content["guarantee"] = {**promise, "splits": means}
    return content


def wish_in_words(point: dict[str, Any]) -> str:
    """Return "sensitivity asked 95 %, val 95.8 % (...), test 75.0 % (...)" where one was asked."""
    got = [
        f"{split} {percent(point['splits'][split])}"
        for split in ("val", "test", "data")
        if point["splits"].get(split, {}).get("value") is not None
    ]
    return ", ".join([f"{point['metric']} asked {100 * point['asked']:g} %", *got])


def promise_in_words(point: dict[str, Any]) -> list[str]:
    """Return what was promised beside what it is on test, or on other data; nothing without it."""
    promise = point.get("guarantee", {})
    if not promise.get("is_kept"):
        return []
    per = f" per {promise['unit'].removesuffix('s')}" if promise["unit"] != "images" else ""
    got = [
        f"{split} {percent(promise['splits'][split])}"
        for split in ("test", "data")
        if promise["splits"].get(split, {}).get("value") is not None
    ]
    promised = f"mean {promise['metric']}{per} promised {100 * promise['share']:g} %"
    return [", ".join([f"{promised} ({100 * promise['confidence']:g} % confidence)", *got])]


def wish_warnings(point: dict[str, Any], parts: dict[str, Table], run: Run) -> list[str]:
    """Say where val is too small to promise what was asked, and where other images fall short."""
    warnings = []
    if run.card.get("threshold_set_after_test") and "test" in parts:
        warnings.append(
            "the threshold was set after test was scored: if a look at test chose it, the figures "
            "of test flatter"
        )
    if "asked" not in point:
        return warnings
    metric, wish = point["metric"], point["asked"]
    # twice the misses asked for, but no more than five points and no less than one
    least = wish - min(0.05, max(1 - wish, 0.01))
    val = point["splits"].get("val")
    target = f"a {metric} of {100 * wish:g} %"
    if val and val["value"] is not None and (val["low"] is None or val["low"] < least):
        size = _size(parts["val"], metric, run)
        warnings.append(
            f"val, {size}, is too small to promise {target}: it is {percent(val)} there"
        )
    for split in ("test", "data"):
        row = point["splits"].get(split)
        if row and row["value"] is not None and row["value"] < least:
            warnings.append(f"{split}: {target} was asked, and it is {percent(row)}")
    return warnings


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
