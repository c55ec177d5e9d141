"""How many images a run flags, and how right it is on those it answers."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tfcnn.evaluation import intervals
from tfcnn.evaluation.intervals import Interval
from tfcnn.evaluation.sample import Sample
from tfcnn.evaluation.table import Table
from tfcnn.prediction import ABSTAIN, OUT_OF_DOMAIN
from tfcnn.runs import Run

__all__ = ["measure", "percent", "row", "sentences", "share", "unknown"]


def measure(run: Run, part: Table, groups: NDArray[np.str_] | None) -> dict[str, Any]:
    """Return the share of each flag in a split, and what is right of the answered.

    Args:
        run: whose flags they are.
        part: one split, with its flags.
        groups: str `(images,)`, or None where none are known.

    Returns:
        `out-of-domain`, `abstain` and `answered` (no flag), each `{"count", "value", "low",
        "high"}`; with an abstention band, `of_answered`: the share decided right (`accuracy`)
        and, with a positive, sensitivity and specificity of the answered images.
    """
    flags = part.flags
    if flags is None:
        return {OUT_OF_DOMAIN: unknown("measured before flags were")}
    outside, abstained = flags == OUT_OF_DOMAIN, flags == ABSTAIN
    found: dict[str, Any] = {OUT_OF_DOMAIN: share(outside, groups)}
    if not run.card.get("domain"):
        reason = run.card.get("domain_reason", "trained before this was fitted")
        found[OUT_OF_DOMAIN] = unknown(reason)
    if run.abstention is None:
        return found
    answered = ~(outside | abstained)
    found[ABSTAIN], found["answered"] = share(abstained, groups), share(answered, groups)
    found["of_answered"] = _answered(run, part, groups, answered)
    return found


def share(hits: NDArray[np.bool_], groups: NDArray[np.str_] | None) -> dict[str, Any]:
    """Return a share of images with its interval from resampled groups, and the count.

    Args:
        hits: bool `(images,)`.
        groups: str `(images,)`, or None where none are known.
    """
    certain = np.tile([0.0, 1.0], (len(hits), 1))
    found = intervals.bootstrap(
        hits.astype(np.int64), certain, groups, positive=None, names=["accuracy"]
    )
    return {"count": int(hits.sum()), **row(found["accuracy"])}


def row(interval: Interval) -> dict[str, Any]:
    """Return an interval as `report.json` holds it."""
    found = {"value": interval.value, "low": interval.low, "high": interval.high}
    return found | ({"reason": interval.reason} if interval.reason else {})


def unknown(reason: str) -> dict[str, Any]:
    """Return what `report.json` holds where nothing can be computed, and why."""
    return row(Interval(None, None, None, reason))


def sentences(found: dict[str, Any]) -> list[str]:
    """Return what `measure` found of a split in words; nothing where nothing was found out."""
    lines = []
    outside = found.get(OUT_OF_DOMAIN)
    if outside and outside["value"] is None:
        lines.append(f"Out of domain: {outside['reason']}.")
    elif outside:
        lines.append(f"Flagged as out of domain: {outside['count']:,}, {percent(outside)}.")
    if ABSTAIN in found:
        lines.append(
            f"Left unanswered: {percent(found[ABSTAIN])}; "
            f"of the answered {percent(found['of_answered']['accuracy'])} are right."
        )
    return lines


def percent(found: dict[str, Any]) -> str:
    """Return a share with its interval for reading: 95.8 % (93.6 to 97.2)."""
    if found["value"] is None:
        return f"– ({found['reason']})"
    value = f"{100 * found['value']:.1f} %"
    if found["low"] is None:
        return f"{value} (no interval: {found['reason']})"
    return f"{value} ({100 * found['low']:.1f} to {100 * found['high']:.1f})"


def _answered(
    run: Run, part: Table, groups: NDArray[np.str_] | None, answered: NDArray[np.bool_]
) -> dict[str, Any]:
    names = ("accuracy", *(("sensitivity", "specificity") if run.positive is not None else ()))
    if not answered.any():
        return {name: unknown("no image is answered") for name in names}
    sample = Sample(
        part.labels[answered], part.probs[answered], positive=run.positive, threshold=run.threshold
    )
    decided = np.eye(len(run.class_names))[sample.decision]  # certain: the decision, not the odds
    found = intervals.bootstrap(
        sample.labels,
        decided,
        None if groups is None else groups[answered],
        positive=run.positive,
        class_names=run.class_names,
        names=names,
    )
    return {name: row(value) for name, value in found.items()}
