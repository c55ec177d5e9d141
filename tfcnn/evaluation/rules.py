"""The rules that val gives: from which probability to decide, when not to answer, whom to call.

A threshold lies midway between two scores, so that rounding on another machine moves no image of
val across it.

The band in which a run does not answer lies about the threshold where there is a positive class,
equally far to both sides on the logit scale. Without one it holds every answer whose largest
probability is too small. A model that may abstain answers fewer images, more of them right: Chow,
"On optimum recognition error and reject tradeoff" (1970); El-Yaniv and Wiener, "On the foundations
of noise-free selective classification" (2010).

A sensitivity that was chosen on a few positive images holds for these images. Its interval, and
test, which has no part in the choice, say what it is elsewhere.
"""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tfcnn.base.errors import InputError
from tfcnn.evaluation import by_group, guarantee
from tfcnn.evaluation.guarantee import Promise
from tfcnn.evaluation.sample import Sample

if TYPE_CHECKING:
    from tfcnn.recipes.schema import EvaluationSettings, Guarantee

Floats = NDArray[np.floating]

DEFAULT_THRESHOLD = 0.5
LEAST_ANSWERED = 0.5  # a run that answers less than half of val's images answers nothing of use
LEAK_PROMISES_NOTHING = "a demonstrated leak promises nothing of new images: the threshold is .5"
SMALLEST = 1e-7  # probabilities of 0 and 1 have no logit


@dataclass(frozen=True)
class OperatingPoint:
    """A threshold and what it does on the images it was chosen on.

    Attributes:
        threshold: in [0, 1]; an image is called positive from it upwards.
        reason: why this one, in words for `model.json` and the report.
        sensitivity: on these images; None where none is positive.
        specificity: on these images; None where none is negative.
        is_reached: whether the wish was met; True where nothing was wished.
        promise: what was to be promised, and whether it is; None where nothing was.
    """

    threshold: float
    reason: str
    sensitivity: float | None
    specificity: float | None
    is_reached: bool
    promise: Promise | None = None


@dataclass(frozen=True)
class Abstention:
    """A band, or None, and why.

    Attributes:
        low: the run abstains from this probability on; None without a band.
        high: up to below this one.
        reason: in words for `model.json` and the report.
        is_reached: whether the wish was met; True where nothing was wished.
    """

    low: float | None
    high: float | None
    reason: str
    is_reached: bool = True

    @property
    def band(self) -> dict[str, float] | None:
        """What `model.json` keeps: `low` and `high`, or None."""
        if self.low is None or self.high is None:
            return None
        return {"low": self.low, "high": self.high}


def choose(
    labels: ArrayLike,
    probs: ArrayLike,
    groups: ArrayLike | None,
    positive: int | None,
    wishes: "EvaluationSettings",
    point: OperatingPoint | None = None,
    *,
    unit: str = "groups",
    is_leaky: bool = False,
) -> dict[str, Any]:
    """Return what `model.json` says of the threshold and of all that follows from it.

    Args:
        labels: int array, shape `(n,)`: the val split's.
        probs: float array, shape `(n, num_classes)`: calibrated, as they will be used.
        groups: strings, shape `(n,)`, or None where none are known.
        positive: index of the positive class of two, or None.
        wishes: `[evaluation]` of the recipe.
        point: the threshold where it is chosen already; the recipe's wish decides if None.
        unit: what a group is, in the plural, for words.
        is_leaky: whether a demonstrated leak predicted them, which promises nothing.

    Raises:
        InputError: if the predictions are not what the arguments say.
    """
    if point is None and wishes.guarantee is not None and not is_leaky:
        point = promise_threshold(labels, probs, groups, positive, wishes.guarantee, unit=unit)
    if point is None:
        point = choose_threshold(
            labels, probs, positive, sensitivity=wishes.sensitivity, specificity=wishes.specificity
        )
    band = choose_band(
        labels, probs, positive, point.threshold,
        fraction=wishes.abstain_fraction, accuracy=wishes.answered_accuracy,
    )  # fmt: skip
    sample = Sample(labels, probs, groups, positive=positive, threshold=point.threshold)
    return {
        "threshold": point.threshold,
        "threshold_reason": point.reason,
        "asked": wish_of(wishes.sensitivity, wishes.specificity),
        "guarantee": {} if point.promise is None else point.promise.to_dict(),
        "abstention": band.band,
        "abstention_reason": band.reason,
        "group_rule": by_group.choose(sample).to_dict(),
        "unmet": [
            *([LEAK_PROMISES_NOTHING] if wishes.guarantee is not None and is_leaky else []),
            *(choice.reason for choice in (point, band) if not choice.is_reached),
        ],
    }


def choose_threshold(
    labels: ArrayLike,
    probs: ArrayLike,
    positive: int | None,
    *,
    sensitivity: float | None = None,
    specificity: float | None = None,
) -> OperatingPoint:
    """Return the threshold that reaches a stated sensitivity or specificity on val.

    For a sensitivity it is the highest such threshold, as it leaves the best specificity; for a
    specificity the lowest. It holds on val: on new groups expect somewhat less.

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
    name, wish = _one_wish(sensitivity, specificity)
    sample = Sample(labels, probs, positive=positive)
    if wish is None:
        return _describe(sample, DEFAULT_THRESHOLD, "default", is_reached=True)
    threshold, why = _threshold(sample, name, wish)
    if threshold is None:
        reason = f"default, as {name} {wish:g} cannot be had: {why}"
        return _describe(sample, DEFAULT_THRESHOLD, reason, is_reached=False)
    reason = f"{name} at least {wish:g} on {len(sample.labels)} val images"
    return _describe(sample, threshold, reason, is_reached=True)


def promise_threshold(
    labels: ArrayLike,
    probs: ArrayLike,
    groups: ArrayLike | None,
    positive: int | None,
    wish: "Guarantee",
    *,
    unit: str = "groups",
    source: str = "val",
) -> OperatingPoint:
    """Return the threshold of a promise: that a mean over new groups holds, with a confidence.

    For a sensitivity it is the highest that can be promised, for a specificity the lowest.

    Args:
        labels: int array, shape `(n,)`: of groups that no model learnt from which predicted them.
        probs: float array, shape `(n, num_classes)`: calibrated.
        groups: strings, shape `(n,)`; each image is one of its own if None.
        positive: index of the positive class of two, or None.
        wish: what is to be promised.
        unit: what a group is, in the plural, for words.
        source: whose images these are: `val`, or the name of a cross-validation.

    Returns:
        The operating point with its `promise`; the default of .5, and why, where there is none.

    Raises:
        InputError: if the predictions are not what the arguments say.
    """
    sample = Sample(labels, probs, groups, positive=positive)
    promise, threshold = guarantee.promised(
        sample, wish.metric, wish.share, wish.confidence,
        "images" if groups is None else unit, source,
    )  # fmt: skip
    if threshold is None:
        point = _describe(
            sample, DEFAULT_THRESHOLD, f"default, as {promise.words}", is_reached=False
        )
    else:
        point = _describe(sample, threshold, promise.words, is_reached=True)
    return replace(point, promise=promise)


def threshold_at(
    labels: ArrayLike, probs: ArrayLike, positive: int, threshold: float
) -> OperatingPoint:
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
    return _describe(sample, float(threshold), reason, is_reached=True)


def wish_of(sensitivity: float | None, specificity: float | None) -> dict[str, float]:
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
        return guarantee.midway_below(scores, float(np.sort(own)[::-1][needed - 1])), ""
    score = float(np.sort(own)[needed - 1])
    if score >= 1:
        return None, "too many negative images score exactly 1"
    return guarantee.midway_above(scores, score), ""


def _describe(sample: Sample, threshold: float, reason: str, *, is_reached: bool) -> OperatingPoint:
    """Add to a threshold what it achieves."""
    if sample.positive is None:
        return OperatingPoint(threshold, reason, None, None, is_reached)
    called = sample.probs[:, sample.positive] >= threshold
    is_positive = sample.labels == sample.positive
    sensitivity = float(called[is_positive].mean()) if is_positive.any() else None
    specificity = float((~called[~is_positive]).mean()) if not is_positive.all() else None
    if reason != "default":
        achieved = {"sensitivity": sensitivity, "specificity": specificity}
        shares = [f"{name} {value:.3f}" for name, value in achieved.items() if value is not None]
        reason = f"{reason} (there: {', '.join(shares)}){_beside_default(threshold, reason)}"
    return OperatingPoint(threshold, reason, sensitivity, specificity, is_reached)


def _beside_default(threshold: float, reason: str) -> str:
    """Say where the threshold for a wish finds less of its own class than .5 does."""
    if reason.startswith("sensitivity") and threshold > DEFAULT_THRESHOLD:
        return "; stricter than .5: the highest that keeps this on val, and calls fewer positive"
    if reason.startswith("specificity") and threshold < DEFAULT_THRESHOLD:
        return "; laxer than .5: the lowest that keeps this on val, and calls more positive"
    return ""


def _one_wish(sensitivity: float | None, specificity: float | None) -> tuple[str, float | None]:
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


def choose_band(
    labels: ArrayLike,
    probs: ArrayLike,
    positive: int | None,
    threshold: float = 0.5,
    *,
    fraction: float | None = None,
    accuracy: float | None = None,
) -> Abstention:
    """Return the band that leaves a stated share of val unanswered, or a stated accuracy.

    It holds on val: on new groups expect somewhat less.

    Args:
        labels: int array, shape `(n,)`: the val split's.
        probs: float array, shape `(n, num_classes)`: calibrated, as they will be used.
        positive: index of the positive class of two, or None.
        threshold: the operating point, in [0, 1].
        fraction: at most this share of val is left unanswered, those closest to call; in (0, 1).
        accuracy: the smallest band that leaves this share of right decisions among the answered;
            in (0, 1).

    Returns:
        The band; none where nothing is asked for, or where it cannot be had, with the reason.

    Raises:
        InputError: if both are asked for, one is outside (0, 1), or the predictions are not what
            the arguments say.
    """
    _refuse_both(fraction, accuracy)
    if fraction is None and accuracy is None:
        return Abstention(None, None, "off")
    sample = Sample(labels, probs, positive=positive, threshold=threshold)
    clearness = _clearness(sample)
    order = np.argsort(clearness, kind="stable")
    clearness, right = clearness[order], (sample.decision == sample.labels)[order]
    # a band may end only between two images that differ; 0 is no band
    ends = np.concatenate([[0], np.flatnonzero(np.diff(clearness) > 0) + 1])
    answered = len(right) - ends
    accuracies = (right.sum() - np.concatenate([[0], np.cumsum(right)])[ends]) / answered
    if fraction is not None:
        wish = f"abstain_fraction {fraction:g}"
        fits = np.flatnonzero(ends <= fraction * len(right))[-1]
        missing = "the images closest to call are more than that, and alike"
    else:
        wish = f"answered_accuracy {accuracy:g}"
        usable = answered >= LEAST_ANSWERED * len(right)
        reached = np.flatnonzero(usable & (accuracies >= accuracy))
        best = float(accuracies[usable].max())
        if not len(reached):
            why = f"at best {best:.3f} with at least half of val answered"
            return Abstention(None, None, f"off, as {wish} cannot be had: {why}", is_reached=False)
        fits, missing = reached[0], "it holds without a band"
    if not ends[fits]:
        return Abstention(None, None, f"off, as {wish} asks for no band: {missing}")
    cut = float(clearness[ends[fits] - 1 : ends[fits] + 1].mean())
    result = f"{1 - answered[fits] / len(right):.1%} abstained, accuracy {accuracies[fits]:.3f}"
    reason = f"{wish} on {len(right)} val images (there: {result} among the answered)"
    return Abstention(*_band(sample, cut), reason)


def _clearness(sample: Sample) -> Floats:
    """Return how far each image is from being undecided, `(n,)`."""
    if sample.positive is None:
        return np.asarray(sample.probs.max(axis=1))
    distance = _logit(sample.probs[:, sample.positive]) - _logit(sample.threshold)
    return np.asarray(np.abs(distance))


def _band(sample: Sample, cut: float) -> tuple[float, float]:
    if sample.positive is None:
        return 0.0, cut
    middle = float(_logit(sample.threshold))
    low, high = 1 / (1 + np.exp(-(middle + np.array([-cut, cut]))))
    return float(low), float(high)


def _logit(prob: ArrayLike) -> Floats:
    clipped = np.asarray(prob, dtype=np.float64).clip(SMALLEST, 1 - SMALLEST)
    return np.asarray(np.log(clipped / (1 - clipped)))


def _refuse_both(fraction: float | None, accuracy: float | None) -> None:
    if fraction is not None and accuracy is not None:
        raise InputError(
            "abstention", "abstain_fraction or answered_accuracy", "both", "the one that must hold"
        )
    for name, wish in (("abstain_fraction", fraction), ("answered_accuracy", accuracy)):
        if wish is not None and not 0 < wish < 1:
            raise InputError(name, "a share in (0, 1)", str(wish), "0.05")
