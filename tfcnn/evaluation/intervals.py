"""Intervals of metrics from resampled groups, corrected for few groups of unequal weight.

The metrics are computed anew on resamples of whole groups, as images of one group are alike.
Their standard deviation, times sqrt(groups / (groups - 1)), is carried to the logit scale of the
metric's range, where the interval is

    value -+ t(degrees of freedom) x standard deviation,

and back, so that it stays within the range and leans towards its middle. The degrees of freedom
are the number of groups that carry the variance, `(sum of d**2)**2 / sum of d**4` with d the
change when one group is left out: Satterthwaite's approximation (1946) with one component per
group. Few hard groups make it small, and the interval wide.

Simulated coverage of 95 % intervals, accuracy / ROC AUC, +-1 point (images +-5), with as many
cells per patient as the NIH malaria set has (`benchmarks/interval_coverage.py`, seeds fixed):

    patients                    15           21           60           150
    images resampled            .32 / .23    .25 / .23    .24 / .23    .25 / .30
    groups, percentiles         .82 / .75    .81 / .74    .89 / .82    .90 / .87
    here                        .95 / .94    .93 / .92    .96 / .94    .95 / .94
    difference, percentiles     .87 / .87    .90 / .87    .91 / .89    .91 / .89
    difference, here            .97 / .95    .98 / .94    .96 / .96    .97 / .95

Coverage of other corrections on the same simulation, ROC AUC at 21 / 60 patients: Hesterberg's
expanded percentiles .78 / .83 (.88 / .86 with Kish's effective number of patients), BCa .80 / .84
(.89 / .88 so expanded), bootstrap-t .87 / .91, this interval with groups - 1 degrees of freedom
.84 / .89. The cost is width: at 21 patients two to three times the percentiles'.

A difference of two models leans to neither side: it stays on the plain scale, with the variance's
own degrees of freedom. Where there are no groups, images are resampled and the degrees of freedom
are images - 1, which for accuracy is the textbook's logit interval.

References:
    Davison and Hinkley, *Bootstrap Methods and their Application* (1997), sections 2.4 and 5.2;
    Satterthwaite, "An approximate distribution of estimates of variance components" (1946);
    Cameron and Miller, "A practitioner's guide to cluster-robust inference" (2015), section VI.
"""

from collections.abc import Collection
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tfcnn.base.errors import InputError
from tfcnn.evaluation import resampling
from tfcnn.evaluation.metrics import bounds, class_of, values, why_undefined
from tfcnn.evaluation.sample import Sample

Floats = NDArray[np.floating]

MIN_FREEDOM = 2.0  # t of one degree is 12.7: an interval that says nothing
MAX_UNDEFINED_FRACTION = 0.05  # of resamples; beyond it those left would be a selection
# Metrics that are shares of images, and the column that counts those images
SHARES = {
    "accuracy": "images",
    "sensitivity": "label",
    "specificity": "label",
    "ppv": "decision",
    "npv": "decision",
    "recall": "label",  # of one class, as precision
    "precision": "decision",
}


@dataclass(frozen=True)
class Interval:
    """A metric with its interval; None, and the reason, for what cannot be computed."""

    value: float | None
    low: float | None
    high: float | None
    reason: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return what `report.json` holds; a `reason` only where there is one."""
        row = {"value": self.value, "low": self.low, "high": self.high}
        return row | ({"reason": self.reason} if self.reason else {})


def undefined(reason: str) -> dict[str, Any]:
    """Return what `report.json` holds where nothing can be computed, and why."""
    return Interval(None, None, None, reason).to_dict()


@dataclass(frozen=True)
class Distribution:
    """One metric, or one difference of a metric, with all its resampled values.

    Attributes:
        point: the value of the data as they are; NaN where undefined.
        resampled: float array, shape `(resamples,)`; NaN where undefined.
        left_out: float array, shape `(groups,)`: the value without each group; None where each
            unit is one image.
        num_units: groups, or images where there are no groups.
    """

    point: float
    resampled: Floats
    left_out: Floats | None
    num_units: int

    def __sub__(self, other: "Distribution") -> "Distribution":
        left_out = None
        if self.left_out is not None and other.left_out is not None:
            left_out = self.left_out - other.left_out
        point, resampled = self.point - other.point, self.resampled - other.resampled
        return Distribution(point, resampled, left_out, self.num_units)

    def why_no_spread(self) -> str:
        """Return why the resamples give no interval, or an empty string where they do."""
        if self.num_units < 2:
            unit = "image" if self.left_out is None else "group"
            return f"one {unit} only: nothing can be said of others"
        if self.left_out is not None and np.isnan(self.left_out).any():
            return "rests on one group, without which it is undefined"
        undefined = float(np.isnan(self.resampled).mean())
        if undefined > MAX_UNDEFINED_FRACTION:
            return f"undefined in {100 * undefined:.0f} % of resamples, as too few images count"
        if np.nanstd(self.resampled) <= 1e-6 * abs(self.point):
            return f"every resample gives {self.point:.3g}: nothing shows how it varies"
        return ""

    def freedom(self, *, is_difference: bool = False) -> float:
        """Return the degrees of freedom of the standard deviation, at least 2.

        For a metric, the number of groups that carry its variance, `c = (sum d**2)**2 / sum d**4`
        with d the change when a group is left out. For a difference, which leans to neither side,
        about twice that: `2 c / (1 - c / groups)`, the variance of a variance by its kurtosis.
        With images as units, their number less 1, as an image is right or wrong by itself.
        """
        most = self.num_units - 1.0
        if self.left_out is None:
            return most
        change = (self.left_out - self.point) ** 2
        if not change.any():
            return MIN_FREEDOM
        carrying = float(change.sum() ** 2 / (change**2).sum())
        if is_difference:
            carrying = 2 * carrying / max(1 - carrying / len(change), 1e-9)
        return max(min(carrying, most), MIN_FREEDOM)

    def half_width(self, confidence: float, freedom: float | None = None) -> float:
        """Return t times the corrected standard deviation, on the metric's own scale.

        Args:
            confidence: in (0, 1).
            freedom: degrees of freedom of t; those of `freedom()` if None.
        """
        from scipy.special import stdtrit  # scipy.stats takes half a second to import

        freedom = self.freedom() if freedom is None else freedom
        deviation = np.nanstd(self.resampled) * np.sqrt(self.num_units / (self.num_units - 1))
        return float(stdtrit(freedom, (1 + confidence) / 2) * deviation)


def bootstrap(
    sample: Sample,
    *,
    names: Collection[str] | None = None,
    num_resamples: int = 2000,
    confidence: float = 0.95,
    seed: int = 0,
) -> dict[str, Interval]:
    """Return every metric with an interval, from resampled groups (images without groups).

    Args:
        sample: the predictions. Where it has no groups, the intervals are too narrow if several
            images come from one.
        names: of the metrics to compute; all that apply if None.
        num_resamples: how many resamples, at least 100.
        confidence: share of such intervals that hold the true value, in (0, 1).
        seed: of the resamples; the same seed gives the same intervals.

    Returns:
        For each metric an `Interval`.

    Raises:
        InputError: if an argument is out of its range.
    """
    _check(num_resamples, confidence)
    distributions = measure(sample, num_resamples=num_resamples, seed=seed, names=names)
    return of_measured(sample, distributions, confidence)


def rows(sample: Sample, names: Collection[str] | None = None) -> dict[str, dict[str, Any]]:
    """Return what `report.json` holds of every metric that is named, all if None."""
    return {name: interval.to_dict() for name, interval in bootstrap(sample, names=names).items()}


def of_share(hits: NDArray[np.bool_], groups: NDArray[np.str_] | None) -> dict[str, Any]:
    """Return a share of images with its interval from resampled groups, as `report.json` holds it.

    Args:
        hits: bool `(images,)`, of at least one.
        groups: str `(images,)`, or None where none are known.
    """
    certain = np.tile([0.0, 1.0], (len(hits), 1))
    return rows(Sample(hits.astype(np.int64), certain, groups), ["accuracy"])["accuracy"]


def of_measured(
    sample: Sample, distributions: dict[str, Distribution], confidence: float = 0.95
) -> dict[str, Interval]:
    """Return the intervals of metrics that `measure` resampled; see `bootstrap`."""
    return {name: _interval(sample, name, m, confidence) for name, m in distributions.items()}


def of_means(values_of_units: Floats, *, confidence: float = 0.95) -> Interval:
    """Return the mean of one number per unit, such as each patient's sensitivity, in an interval.

    Args:
        values_of_units: float array, shape `(units,)`, in [0, 1]; each counts alike.
        confidence: in (0, 1).
    """
    count, point = len(values_of_units), float(values_of_units.mean())

    def mean(weights: Floats) -> dict[str, Floats]:
        return {"mean": weights @ values_of_units / weights.sum(axis=1)}

    if count > 1 and point in (0, 1):
        ends = exact_ends(point, np.ones(count), confidence)
        return Interval(point, *ends, "exact binomial bound over groups")
    drawn = resampling.resampled(mean, count, 2000, 0)["mean"]
    left_out = resampling.left_out(mean, count)["mean"] if count > 1 else None
    distribution = Distribution(point, drawn, left_out, count)
    if reason := distribution.why_no_spread():
        return Interval(point, None, None, reason)
    return Interval(point, *logistic_ends(point, distribution.half_width(confidence)))


def paired(
    first: Sample,
    second: Sample,
    *,
    num_resamples: int = 2000,
    confidence: float = 0.95,
    seed: int = 0,
    names: Collection[str] | None = None,
) -> dict[str, Interval]:
    """Return first model minus second for every metric, both on the same images and resamples.

    As both see the same groups, hard groups cancel, and the interval is narrower than the two
    models' own intervals suggest. It lies on the plain scale, cut at the largest difference
    possible.

    Args:
        first: the first model's predictions.
        second: the second model's, of the same images, groups and positive class.
        num_resamples: how many resamples, at least 100.
        confidence: in (0, 1).
        seed: of the resamples.
        names: of the metrics to compute; all that apply if None.

    Returns:
        For each metric the difference as an `Interval`; one that does not hold 0 shows which
        model is better on groups like these.

    Raises:
        InputError: if an argument is out of its range, or the models' numbers of classes differ.
    """
    _check(num_resamples, confidence)
    if first.num_classes != second.num_classes:
        classes = f"{first.num_classes} and {second.num_classes}"
        raise InputError("probs", "two models of the same classes", classes, "comparable runs")

    ours, theirs = (
        measure(sample, num_resamples=num_resamples, seed=seed, names=names)
        for sample in (first, second)
    )
    return differences_of((first, ours), (second, theirs), confidence)


def differences_of(
    first_and_own: tuple[Sample, dict[str, Distribution]],
    second_and_own: tuple[Sample, dict[str, Distribution]],
    confidence: float = 0.95,
) -> dict[str, Interval]:
    """Return the differences of metrics that `measure` resampled alike; see `paired`."""
    (first, ours), (second, theirs) = first_and_own, second_and_own
    differences = {}
    for name in ours:
        pairs = (first, ours[name]), (second, theirs[name])
        whys = [why for sample, own in pairs if (why := _why_undefined(sample, name, own))]
        if whys:
            differences[name] = Interval(None, None, None, whys[0])
        else:
            both = ours[name] - theirs[name]
            differences[name] = _difference(both, bounds(first, name), confidence)
    return differences


def _interval(sample: Sample, name: str, distribution: Distribution, confidence: float) -> Interval:
    point, (low, high) = distribution.point, bounds(sample, name)
    if why := _why_undefined(sample, name, distribution):
        return Interval(None, None, None, why)
    reason = distribution.why_no_spread()
    is_share = name.partition(".")[0] in SHARES
    if reason and is_share and point in (low, high) and sample.num_units > 1:
        return _exact(sample, name, point, confidence)
    if not reason and point in (low, high):
        reason = "at the end of its range, where the logit scale does not reach"
    if reason:
        return Interval(point, None, None, reason)
    margin = distribution.half_width(confidence)
    if np.isinf(high):
        factor = float(np.exp(margin / point))  # the log scale, for what has no upper end
        return Interval(point, point / factor, point * factor)
    return Interval(point, *logistic_ends(point, margin, (low, high)))


def _difference(
    distribution: Distribution, bounds_of_each: tuple[float, float], confidence: float
) -> Interval:
    reason = distribution.why_no_spread()
    if not distribution.point and not distribution.resampled.any():
        return Interval(0.0, 0.0, 0.0, "the two models do not differ in it on any resample")
    if reason:
        return Interval(distribution.point, None, None, reason)
    margin = distribution.half_width(confidence, distribution.freedom(is_difference=True))
    most = bounds_of_each[1] - bounds_of_each[0]
    low, high = max(distribution.point - margin, -most), min(distribution.point + margin, most)
    return Interval(distribution.point, low, high)


def logistic_ends(
    point: float, margin: float, bounds_of_metric: tuple[float, float] = (0.0, 1.0)
) -> tuple[float, float]:
    """Carry point -+ margin to the logit scale of its range (by its slope there), the ends back."""
    low, high = bounds_of_metric
    share, margin = (point - low) / (high - low), margin / (high - low)
    odds = share / (1 - share)
    factor = np.exp(min(margin / (share * (1 - share)), 700))
    left, right = float(odds / (odds + factor)), float(odds / (odds + 1 / factor))
    return low + (high - low) * left, low + (high - low) * right


def _exact(sample: Sample, name: str, point: float, confidence: float) -> Interval:
    """Bound a share of exactly 0 or 1, where resamples show no spread."""
    counts = sample.per_unit[SHARES[name.partition(".")[0]]]
    if "." in name:
        counts = counts[:, [class_of(name)]]
    elif counts.shape[1] > 1 and sample.positive is not None:
        is_of_positive = name in {"sensitivity", "ppv"}
        counts = counts[:, [sample.positive if is_of_positive else 1 - sample.positive]]
    unit = "groups" if sample.is_grouped else "images"
    reason = f"no {'error' if point else 'hit'} seen: exact binomial bound over {unit}"
    return Interval(point, *exact_ends(point, counts, confidence), reason)


def exact_ends(point: float, counts: Floats, confidence: float) -> tuple[float, float]:
    """Return the binomial bound of Clopper and Pearson (1934) of a share of exactly 0 or 1.

    It counts groups, as if all images of a group were right or wrong together; groups of unequal
    size count as Kish's effective number.

    Args:
        point: 0 or 1.
        counts: float array, of any shape: the images of each group that the share counts.
        confidence: in (0, 1).
    """
    effective = float(counts.sum() ** 2 / (counts**2).sum())
    farthest = ((1 - confidence) / 2) ** (1 / effective)
    return (farthest, 1.0) if point else (0.0, 1 - farthest)


def _why_undefined(sample: Sample, name: str, distribution: Distribution) -> str:
    return why_undefined(sample, name) if np.isnan(distribution.point) else ""


def _check(num_resamples: int, confidence: float) -> None:
    if num_resamples < 100:
        raise InputError("num_resamples", "at least 100", str(num_resamples), "2000")
    if not 0 < confidence < 1:
        raise InputError("confidence", "a share in (0, 1)", str(confidence), "0.95")


def measure(
    sample: Sample, *, num_resamples: int, seed: int, names: Collection[str] | None = None
) -> dict[str, Distribution]:
    """Return metrics with their resampled values; the arguments are those of `resample`."""
    points = values(sample, np.ones((1, sample.num_units)), names)
    resampled = resample(sample, num_resamples=num_resamples, seed=seed, names=names)
    left_out = leave_one_out(sample, names)
    return {
        name: Distribution(float(point[0]), resampled[name], left_out.get(name), sample.num_units)
        for name, point in points.items()
    }


def resample(
    sample: Sample, *, num_resamples: int, seed: int, names: Collection[str] | None = None
) -> dict[str, Floats]:
    """Return metrics on resamples of groups (images), drawn with replacement, as many as there are.

    Args:
        sample: the predictions.
        num_resamples: how many.
        seed: the same seed and number of units draw the same resamples, whatever the predictions.
        names: of the metrics to compute; all that apply if None.

    Returns:
        For each metric a float array, shape `(num_resamples,)`; NaN where it is undefined.
    """
    of_weights = partial(values, sample, names=names)
    return resampling.resampled(of_weights, sample.num_units, num_resamples, seed)


def leave_one_out(sample: Sample, names: Collection[str] | None = None) -> dict[str, Floats]:
    """Return metrics with each group left out in turn; nothing where each unit is one image.

    Args:
        sample: the predictions.
        names: of the metrics to compute; all that apply if None.

    Returns:
        For each metric a float array, shape `(groups,)`; beyond 400 groups, of 400 blocks of them.
    """
    if sample.num_units == len(sample.labels):
        return {}
    return resampling.left_out(partial(values, sample, names=names), sample.num_units)
