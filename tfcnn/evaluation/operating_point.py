"""The threshold that turns a probability into a decision, chosen on val and stored with the model.

A threshold lies midway between two scores, so that rounding on another machine moves no image of
val across it.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tfcnn.base.errors import InputError
from tfcnn.evaluation.sample import Sample

__all__ = ["DEFAULT_THRESHOLD", "OperatingPoint", "asked", "at", "choose"]

Floats = NDArray[np.floating]

DEFAULT_THRESHOLD = 0.5


@dataclass(frozen=True)
class OperatingPoint:
    """A threshold and what it does on the images it was chosen on.

    Attributes:
        threshold: in [0, 1]; an image is called positive from it upwards.
        reason: why this one, in words for `model.json` and the report.
        sensitivity: on these images; None where none is positive.
        specificity: on these images; None where none is negative.
        is_reached: whether the wish was met; True where nothing was wished.
    """

    threshold: float
    reason: str
    sensitivity: float | None
    specificity: float | None
    is_reached: bool


def choose(
    labels: ArrayLike,
    probs: ArrayLike,
    positive: int | None,
    *,
    sensitivity: float | None = None,
    specificity: float | None = None,
) -> OperatingPoint:
    """Return the threshold that reaches a stated sensitivity or specificity on val.

    For a sensitivity it is the highest such threshold, as it leaves the best specificity; for a
    specificity the lowest. It holds on val: on new patients expect somewhat less.

    Args:
        labels: int array, shape `(n,)`: the val split's.
        probs: float array, shape `(n, num_classes)`: calibrated, as they will be used.
        positive: index of the positive class of two, or None, which leaves the default.
        sensitivity: the least share of positive images to be called positive, in (0, 1].
        specificity: the least share of negative images to be called negative, in (0, 1].

    Returns:
        The operating point; the default of .5, and why, where the wish cannot be met (val lacks
        the class, there is no positive, or scores of exactly 1 stand in the way).

    Raises:
        InputError: if both are asked for, one is outside (0, 1], or the predictions are not what
            the arguments say.
    """
    name, wish = _checked_wish(sensitivity, specificity)
    sample = Sample(labels, probs, positive=positive)
    if wish is None:
        return _described(sample, DEFAULT_THRESHOLD, "default", is_reached=True)
    threshold, why = _threshold(sample, name, wish)
    if threshold is None:
        reason = f"default, as {name} {wish:g} cannot be had: {why}"
        return _described(sample, DEFAULT_THRESHOLD, reason, is_reached=False)
    reason = f"{name} at least {wish:g} on {len(sample.labels)} val images"
    return _described(sample, threshold, reason, is_reached=True)


def at(labels: ArrayLike, probs: ArrayLike, positive: int, threshold: float) -> OperatingPoint:
    """Return what a threshold that someone names does on val.

    Args:
        labels: int array, shape `(n,)`: the val split's.
        probs: float array, shape `(n, 2)`: calibrated, as they will be used.
        positive: index of the positive class.
        threshold: in [0, 1].

    Raises:
        InputError: if it is not in [0, 1], or the predictions are not what the arguments say.
    """
    sample = Sample(labels, probs, positive=positive, threshold=threshold)
    reason = f"{threshold:g}, as it was asked for, on {len(sample.labels)} val images"
    return _described(sample, float(threshold), reason, is_reached=True)


def asked(sensitivity: float | None, specificity: float | None) -> dict[str, float]:
    """Return a wish as `model.json` keeps it: the metric and its share; empty without one."""
    wishes = {"sensitivity": sensitivity, "specificity": specificity}
    return {metric: share for metric, share in wishes.items() if share is not None}


def _threshold(sample: Sample, name: str, wish: float) -> tuple[float | None, str]:
    """Return the threshold, or None and why there is none."""
    if sample.positive is None:
        return None, "there is no positive class"
    scores, is_positive = sample.probs[:, sample.positive], sample.labels == sample.positive
    own = scores[is_positive] if name == "sensitivity" else scores[~is_positive]
    if not len(own):
        return None, f"val has no {'positive' if name == 'sensitivity' else 'negative'} image"
    needed = int(np.ceil(wish * len(own) - 1e-9))  # .95 x 20 is 19, not 19.000000000000004
    if name == "sensitivity":
        return _midway_below(scores, float(np.sort(own)[::-1][needed - 1])), ""
    score = float(np.sort(own)[needed - 1])
    if score >= 1:
        return None, "too many negative images score exactly 1"
    return _midway_above(scores, score), ""


def _midway_below(scores: Floats, score: float) -> float:
    """Return a threshold just low enough to call `score` positive."""
    lower = float(scores[scores < score].max(initial=0.0))
    return _midway(lower, score) if lower < score else score


def _midway_above(scores: Floats, score: float) -> float:
    """Return a threshold just high enough to call `score`, below 1, negative."""
    return _midway(score, float(scores[scores > score].min(initial=1.0)))


def _midway(low: float, high: float) -> float:
    """Return a number above `low`, up to `high`; one of float32, as some compare in that."""
    middle = float(np.float32((low + high) / 2))
    return middle if low < middle <= high else high


def _described(
    sample: Sample, threshold: float, reason: str, *, is_reached: bool
) -> OperatingPoint:
    """Add to a threshold what it achieves."""
    if sample.positive is None:
        return OperatingPoint(threshold, reason, None, None, is_reached)
    called = sample.probs[:, sample.positive] >= threshold
    is_positive = sample.labels == sample.positive
    sensitivity = float(called[is_positive].mean()) if is_positive.any() else None
    specificity = float((~called[~is_positive]).mean()) if not is_positive.all() else None
    if reason != "default":
        achieved = {"sensitivity": sensitivity, "specificity": specificity}
        found = [f"{name} {value:.3f}" for name, value in achieved.items() if value is not None]
        reason = f"{reason} (there: {', '.join(found)}){_beside_default(threshold, reason)}"
    return OperatingPoint(threshold, reason, sensitivity, specificity, is_reached)


def _beside_default(threshold: float, reason: str) -> str:
    """Say where the threshold for a wish finds less of its own class than .5 does."""
    if reason.startswith("sensitivity") and threshold > DEFAULT_THRESHOLD:
        return "; stricter than .5: the highest that keeps this on val, and calls fewer positive"
    if reason.startswith("specificity") and threshold < DEFAULT_THRESHOLD:
        return "; laxer than .5: the lowest that keeps this on val, and calls more positive"
    return ""


def _checked_wish(sensitivity: float | None, specificity: float | None) -> tuple[str, float | None]:
    if sensitivity is not None and specificity is not None:
        raise InputError(
            "operating point", "sensitivity or specificity", "both", "the one that must hold"
        )
    name, wish = "sensitivity", sensitivity
    if specificity is not None:
        name, wish = "specificity", specificity
    if wish is not None and not 0 < wish <= 1:
        raise InputError(name, "a share in (0, 1]", str(wish), "0.95")
    return name, wish
