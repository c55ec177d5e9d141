"""When a run does not answer, and what it says of a whole group: where the run measured it."""

from typing import Any

from tfcnn.report.content import Content

__all__ = ["flags", "patients"]

LABELS = {
    "out-of-domain": "out of domain",
    "abstain": "left unanswered",
    "answered": "answered",
    "accuracy": "right among the answered",
    "sensitivity": "sensitivity among the answered",
    "specificity": "specificity among the answered",
}


def flags(content: Content) -> dict[str, Any]:
    """Return how many images were flagged, and how right the run is on the others.

    Returns:
        `splits`, test before val; `rows`, each a `label` and a cell per split; and whether the
        run `abstains`. Empty for a run from before flags were measured.
    """
    found = content.run.report.get("flags", {})
    parts = {split: _flat(found[split]) for split in ("test", "val") if split in found}
    rows = [
        {"label": label, "cells": [part[name] for part in parts.values()]}
        for name, label in LABELS.items()
        if parts and all(name in part for part in parts.values())
    ]
    if not any(cell["value"] is not None for row in rows for cell in row["cells"]):
        return {}
    abstains = any("abstain" in part for part in parts.values())
    return {"splits": list(parts), "rows": rows, "abstains": abstains}


def patients(content: Content) -> dict[str, Any]:
    """Return the rule that calls a group, and how often it is right on the split shown.

    Returns:
        `least_share`, `reason`, `sensitivity`, `specificity` and the `caveat` in words, if any;
        empty where groups or a positive class are not known.
    """
    found = content.run.report.get("patients", {})
    part = found.get("splits", {}).get(content.shown)
    if not part:
        return {}
    return {
        **found["rule"],
        "sensitivity": part["sensitivity"],
        "specificity": part["specificity"],
        "caveat": part.get("caveat", {}).get("sentence", ""),
    }


def _flat(part: dict[str, Any]) -> dict[str, Any]:
    """Return the shares of a split, and what is right of the answered, under one roof."""
    return {**part, **part.get("of_answered", {})}
