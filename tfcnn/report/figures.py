"""The plots of a report with the figures that stand beside them."""

from typing import Any

import numpy as np
from markupsafe import Markup

from tfcnn.base import naming
from tfcnn.evaluation import calibration
from tfcnn.evaluation.calibration import Reliability
from tfcnn.report import content, plots
from tfcnn.report.content import Content
from tfcnn.report.threshold import operating_point

__all__ = ["groups", "history", "point", "reliability"]

MAX_GROUP_ROWS = 10
MAX_CLASS_COLUMNS = 3  # in the table of groups, which has to fit a phone


def groups(made: Content) -> dict[str, Any]:
    """Return accuracy by group; empty where no groups are known."""
    rows = made.report.groups[made.shown]
    if not rows:
        return {}
    by_accuracy = sorted(rows, key=lambda row: (row["accuracy"], -row["images"], row["group"]))
    overall = made.report.splits[made.shown]["accuracy"]["value"]
    named = [{**row, "group": naming.visible(row["group"])} for row in by_accuracy]
    names = made.run.class_names
    return {
        "count": len(rows),
        "drawn": min(len(rows), plots.MAX_GROUPS),
        "svg": Markup(plots.groups(named, overall)),
        "lowest": by_accuracy[0],
        "highest": by_accuracy[-1],
        "rows": [row for row in rows[:MAX_GROUP_ROWS] if row["errors"]],
        "classes": names if len(names) <= MAX_CLASS_COLUMNS else (),
    }


def history(made: Content) -> dict[str, Any]:
    """Return the training curves, and which epoch's weights were kept."""
    found = content.history(made)
    loss = plots.curves(found["loss"], label="loss", is_share=False, colours=("muted", "blue"))
    accuracy = plots.curves(
        found["accuracy"], label="accuracy on val", is_share=True, colours=("blue",)
    )
    return {**found, "loss_svg": Markup(loss), "accuracy_svg": Markup(accuracy)}


def reliability(made: Content) -> dict[str, Any]:
    """Return the reliability diagram, with ECE and Brier score before and after calibration."""
    part, positive, temperature = made.part, made.run.positive, made.run.card["temperature"]
    after = calibration.reliability(part.labels, part.probs, positive=positive)
    before: Reliability | None = None
    scores: dict[str, tuple[float, float]] = {}
    if made.recipe.evaluation.calibrate and temperature != 1:
        # the temperature is folded into the model: its inverse gives what was there before
        raw = calibration.apply_temperature(part.probs, 1 / temperature)
        before = calibration.reliability(part.labels, raw, positive=positive)
        scores = calibration.before_and_after(part.labels, raw, temperature, positive=positive)
    event = "predicted class right"
    if positive is not None:
        event = f"share that is {naming.visible(made.run.class_names[positive])}"
    return {
        "svg": Markup(plots.reliability(after, event, before)),
        "event": event,
        "ece": made.report.splits[made.shown]["ece"],
        "scores": {key: scores[key] for key in ("ece", "brier") if _known(scores.get(key))},
        "temperature": temperature,
        "is_at_limit": temperature in calibration.TEMPERATURES,
        "is_calibrated": made.recipe.evaluation.calibrate,
    }


def point(made: Content) -> dict[str, Any]:
    """Return what every threshold would give; empty where there is nothing to choose."""
    found = operating_point(made)
    if not found:
        return {}
    svg = plots.operating_point(
        found["thresholds"], found["sensitivity"], found["specificity"], made.run.threshold
    )
    left, right = plots.AXIS
    return {**found, "svg": Markup(svg), "left": left, "right": 1 - right,
            "axis_width": plots.WIDTH * (right - left)}  # fmt: skip


def _known(pair: tuple[float, float] | None) -> bool:
    return pair is not None and bool(np.isfinite(pair).all())
