"""What every threshold would give on the split that is shown, for a plot and a slider."""

from typing import Any

import numpy as np

from tfcnn.report.content import Content

__all__ = ["operating_point"]

THRESHOLDS = np.linspace(0, 1, 201)


def operating_point(content: Content) -> dict[str, Any]:
    """Return what thresholds would give on the split shown, and the figures at the stored one.

    Returns:
        `thresholds`, with `sensitivity` and `specificity` at each; the counts behind them,
        `found` of `positives` and `alarms` among `negatives`; and `stored`, a row of figures.
        Empty where there is no positive class, or where the split lacks a class.
    """
    positive, part = content.run.positive, content.part
    if positive is None:
        return {}
    is_positive, score = part.labels == positive, part.probs[:, positive].astype(np.float64)
    if is_positive.all() or not is_positive.any():
        return {}
    own, other = np.sort(score[is_positive]), np.sort(score[~is_positive])
    found = len(own) - np.searchsorted(own, THRESHOLDS)
    alarms = len(other) - np.searchsorted(other, THRESHOLDS)
    stored = content.run.threshold
    at_stored = (int((own >= stored).sum()), int((other >= stored).sum()))
    return {
        "thresholds": THRESHOLDS,
        "sensitivity": found / len(own),
        "specificity": 1 - alarms / len(other),
        "found": found.tolist(),
        "alarms": alarms.tolist(),
        "positives": len(own),
        "negatives": len(other),
        "prevalence": len(own) / len(part.labels),
        "stored": _figures(*at_stored, len(own), len(other)),
    }


def _figures(found: int, alarms: int, positives: int, negatives: int) -> dict[str, Any]:
    """Return the figures at one threshold; `report.js` computes the same for the others."""
    called = found + alarms
    return {
        "found": found,
        "alarms": alarms,
        "missed": positives - found,
        "sensitivity": found / positives,
        "specificity": 1 - alarms / negatives,
        "ppv": found / called if called else None,
    }
