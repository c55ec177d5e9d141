"""A threshold with a promise: on new patients, the mean sensitivity holds with a given confidence.

A patient's loss is the share of their positive images that are missed, in [0, 1]: 1 - sensitivity.
It rises with the threshold. A threshold is promised where

    product over patients of (1 + bet x (1 - sensitivity asked - loss))  >=  1 / (1 - confidence)

This is the betting bound of Waudby-Smith and Ramdas with one constant bet. Were the mean loss of
patients larger than allowed, each factor would have a mean of at most 1; by Markov's inequality the
product then reaches 1 / (1 - confidence) with a chance of at most 1 - confidence. Nothing is
assumed of how losses are distributed, only that patients are drawn independently, as those to come
are. As the product falls when the threshold rises, thresholds are tried from the lowest upwards,
and the last that passes is kept: trying many needs no correction (fixed-sequence testing).

A specificity is promised likewise, of patients with a negative image, from the highest threshold
downwards. Where no groups are known, each image is a patient of its own.

References:
    Waudby-Smith and Ramdas, "Estimating means of bounded random variables by betting" (2024);
    Bates et al., "Distribution-free, risk-controlling prediction sets" (2021);
    Angelopoulos et al., "Learn then test: calibrating predictive algorithms" (2021).
"""

import math
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tfcnn.evaluation.intervals import Interval, of_means
from tfcnn.evaluation.sample import Ints, Sample

Floats = NDArray[np.floating]

# of the largest bet, which one patient of whom all is missed would lose for good
BET = 0.95
BOUND = "betting bound of Waudby-Smith and Ramdas (2024) on the loss of each patient"
VAL = "val"
KINDS = {"sensitivity": "positive", "specificity": "negative"}


@dataclass(frozen=True)
class Promise:
    """What is promised of a threshold, or why nothing is.

    Attributes:
        metric: `sensitivity` or `specificity`, of which a patient's own is meant.
        share: the least mean over new patients, in (0, 1).
        confidence: with which it holds, in (0, 1).
        patients: with an image that the metric counts; images where no groups are known.
        needed: the least number of patients that could do, were no image missed.
        unit: what a patient is, in the plural: `patients`, or `images`.
        source: whose patients: `val`, or the name of a cross-validation.
        bound: how it was reached.
        is_kept: whether the threshold is promised.
        mean: the mean of these patients at the threshold; None where none is promised.
        why_not: why nothing is promised; empty where it is.
    """

    metric: str
    share: float
    confidence: float
    patients: int
    needed: int
    unit: str
    source: str
    bound: str = BOUND
    is_kept: bool = False
    mean: float | None = None
    why_not: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return what `model.json` keeps."""
        return asdict(self)

    @property
    def words(self) -> str:
        """What is promised and by whom, or why nothing is: for cards, reports and terminals."""
        groups, confidence = self.unit, f"{100 * self.confidence:g} %"
        per = "" if groups == "images" else f" per {groups.removesuffix('s')}"
        mean = f"{'mean ' if per else ''}{self.metric}{per}"
        if not self.is_kept or self.mean is None:
            return (
                f"a {mean} of {100 * self.share:g} % cannot be promised with {confidence} "
                f"confidence: {self.why_not}"
            )
        of = f"of {self.source}" if self.source == VAL else f"that {self.source} predicted unseen"
        text = (
            f"promised with {confidence} confidence: on new {groups}, a {mean} of at least "
            f"{100 * self.share:g} %, by {self.patients:,} {groups} {of}, whose mean is "
            f"{100 * self.mean:.1f} %"
        )
        return text if self.source == VAL else f"{text}; by other models of the same recipe"


def promised(
    sample: Sample, metric: str, share: float, confidence: float, unit: str, source: str
) -> tuple[Promise, float | None]:
    """Return a promise and its threshold, or why there is none, and None.

    Args:
        sample: the predictions of patients that their models did not learn from.
        metric: `sensitivity` or `specificity`.
        share: the mean over patients that is promised, in (0, 1).
        confidence: in (0, 1).
        unit: what a patient is, in the plural; `images` where no groups are known.
        source: `val`, or the name of a cross-validation.
    """
    least = needed(share, confidence)
    blank = Promise(metric, share, confidence, 0, least, unit, source)
    if sample.positive is None:
        return replace(blank, why_not="there is no positive class"), None
    own, units = counted(sample, metric)
    count, kind = int(units.max(initial=-1)) + 1, KINDS[metric]
    blank = replace(blank, patients=count)
    sign = 1 if metric == "sensitivity" else -1
    scores = sample.probs[:, sample.positive]
    last = last_kept(sign * scores[own], units, share, confidence) if count else None
    if last is None:
        of = unit if unit == "images" else f"{unit} with a {kind} image"
        why = f"{source} has {count:,} {of}, and at least {least:,} are needed"
        why += "; a cross-validation has all of them" if source == VAL else ""
        return replace(blank, why_not=why), None
    score = sign * last
    if sign < 0 and score >= 1:
        return replace(blank, why_not="too many negative images score exactly 1"), None
    threshold = midway_below(scores, score) if sign > 0 else midway_above(scores, score)
    right = (scores[own] >= threshold) == (sign > 0)
    mean = float((np.bincount(units, right) / np.bincount(units)).mean())
    return replace(blank, is_kept=True, mean=mean), threshold


def needed(share: float, confidence: float) -> int:
    """Return the least number of patients for a promise, were no image missed.

    Args:
        share: the mean that is promised, in (0, 1).
        confidence: in (0, 1).
    """
    return math.ceil(math.log(1 / (1 - confidence)) / math.log1p(_bet(share) * (1 - share)))


def log_wealth(losses: Floats, share: float) -> float:
    """Return the log of the product that a promise needs to be large.

    Args:
        losses: float array, shape `(patients,)`, in [0, 1].
        share: the mean of 1 - loss that is promised, in (0, 1).
    """
    return float(np.log1p(_bet(share) * (1 - share - losses)).sum())


def last_kept(scores: Floats, units: Ints, share: float, confidence: float) -> float | None:
    """Return the lowest score that a promised threshold must not miss; None without a promise.

    Args:
        scores: float array, shape `(images,)`: of the images that count, the higher the safer.
        units: int array, shape `(images,)`: of which patient each is, from 0 without a gap.
        share: the mean share of a patient's images that is promised to be found, in (0, 1).
        confidence: in (0, 1).
    """
    order = np.argsort(scores, kind="stable")
    sizes = np.bincount(units)
    images = sizes[units[order]]
    missed = _ranks(units[order])  # of the same patient, before this one
    bet, allowed = _bet(share), 1 - share
    # what is lost as one image more is missed, from the lowest score upwards
    change = np.log1p(bet * (allowed - (missed + 1) / images))
    change -= np.log1p(bet * (allowed - missed / images))
    wealth = len(sizes) * np.log1p(bet * allowed) + np.concatenate([[0.0], np.cumsum(change)])
    passes = wealth[:-1] >= np.log(1 / (1 - confidence))
    return float(scores[order][np.flatnonzero(passes)[-1]]) if passes[0] else None


def mean_per_unit(sample: Sample, metric: str) -> Interval:
    """Return the mean sensitivity, or specificity, of a patient with its 95 % interval.

    Args:
        sample: the predictions, with a positive and the threshold.
        metric: `sensitivity` or `specificity`.
    """
    own, units = counted(sample, metric)
    if not len(own):
        return Interval(None, None, None, f"no {KINDS[metric]} image")
    right = (sample.decision == sample.labels)[own]
    sizes = np.bincount(units)
    return of_means(np.bincount(units, right) / sizes)


def counted(sample: Sample, metric: str) -> tuple[Ints, Ints]:
    """Return the images that a metric counts, and of which patient each is, from 0 on."""
    is_positive = sample.labels == sample.positive
    own = np.flatnonzero(is_positive if metric == "sensitivity" else ~is_positive)
    return own, np.unique(sample.units[own], return_inverse=True)[1]


def _bet(share: float) -> float:
    """Return the bet; at 1 / share, a patient with a loss of 1 would take all that was won."""
    return BET / share


def _ranks(units: Ints) -> Ints:
    """Return for each image how many of its patient come before it."""
    order = np.argsort(units, kind="stable")
    sorted_units = units[order]
    starts = np.searchsorted(sorted_units, sorted_units, side="left")
    ranks = np.empty(len(units), dtype=np.int64)
    ranks[order] = np.arange(len(units)) - starts
    return ranks


def midway_below(scores: Floats, score: float) -> float:
    """Return a threshold just low enough to call `score` positive."""
    lower = float(scores[scores < score].max(initial=0.0))
    return _midway(lower, score) if lower < score else score


def midway_above(scores: Floats, score: float) -> float:
    """Return a threshold just high enough to call `score`, below 1, negative."""
    return _midway(score, float(scores[scores > score].min(initial=1.0)))


def _midway(low: float, high: float) -> float:
    """Return a number above `low`, up to `high`; one of float32, as some compare in that."""
    middle = float(np.float32((low + high) / 2))
    return middle if low < middle <= high else high
