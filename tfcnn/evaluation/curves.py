"""ROC, precision-recall and decision curve, each with a pointwise 95 % band from resampled groups.

The band is at each point what `intervals` gives a metric: the curve is computed anew on resamples
of whole groups, its standard deviation is corrected for few groups, and carried to the logit scale,
so that it stays in [0, 1]. The net benefit has no such range: its band lies on the plain scale. A
band is pointwise: it holds the truth at each point, not everywhere at once, in 95 of 100 such
studies (simulated: `benchmarks/curve_coverage.py`).

* ROC: sensitivity at given false positive rates, between two thresholds on the straight line
  (vertical bands: Macskassy and Provost, "Confidence bands for ROC curves", 2004).
* Precision-recall: PPV at the highest threshold that reaches a given sensitivity, in steps: Davis
  and Goadrich, "The relationship between precision-recall and ROC curves" (2006).
* Decision curve: net benefit = true positives / n - false positives / n x odds of the threshold, of
  calling an image positive from a probability upwards, beside calling all or none positive: Vickers
  and Elkin, "Decision curve analysis: a novel method for evaluating prediction models" (2006).

Several classes, or two without a positive, have the mean over the classes of each one against the
rest, and no decision curve.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tfcnn.evaluation import resampling
from tfcnn.evaluation.intervals import Distribution, exact_ends, logistic_ends
from tfcnn.evaluation.sample import Ints, Sample

Floats = NDArray[np.floating]
Curve = dict[str, list[float | None]]

CONFIDENCE = 0.95
NUM_RESAMPLES, SEED = 500, 0
MAX_EDGES = 256  # of more scores than these, so many are thresholds of a curve
JUST = 1e-9  # beyond a rounded share, and far less than one image
# denser where a useful model lives
FALSE_POSITIVE_RATES = np.concatenate([np.arange(0, 0.1, 0.005), np.linspace(0.1, 1, 46)])
SENSITIVITIES = np.concatenate([np.linspace(0.02, 0.9, 45), np.linspace(0.905, 1, 20)])
THRESHOLDS = np.linspace(0.02, 0.98, 49)
DIGITS = 5


@dataclass(frozen=True)
class _Steps:
    """The images of one class and of the others between thresholds, counted unit by unit.

    Attributes:
        own: sparse float `(edges, units)`: images of the class from a threshold up to the one
            before it, which is higher.
        other: the same of the other images.
    """

    own: Any
    other: Any

    def called(self, by_unit: Floats) -> tuple[Floats, Floats]:
        """Return the weighted images of the class, and others, called positive at each threshold.

        Args:
            by_unit: weights, float array, shape `(units, rows)`.

        Returns:
            Two float arrays, shape `(edges + 1, rows)`; the first threshold calls none.
        """
        own, other = (np.cumsum(part @ by_unit, axis=0) for part in (self.own, self.other))
        none = np.zeros((1, by_unit.shape[1]))
        return np.concatenate([none, own]), np.concatenate([none, other])


def measure(sample: Sample) -> dict[str, Any]:
    """Return the curves of predictions with their bands, as `report.json` holds them.

    Args:
        sample: the predictions; two classes with a positive have all three curves.

    Returns:
        `roc`, `precision_recall` and, with a positive, `net_benefit`: each a list per column, the
        ends `low` and `high` of the band None where there is none; `stored`, where the curves are
        at the stored threshold, and `prevalence`. Empty where a class has no image.
    """
    if len(np.unique(sample.labels)) < sample.num_classes:
        return {}
    columns = _bands(sample)
    content: dict[str, Any] = {
        "roc": {"false_positive_rate": _rounded(FALSE_POSITIVE_RATES), **columns["sensitivity"]},
        "precision_recall": {"sensitivity": _rounded(SENSITIVITIES), **columns["ppv"]},
    }
    if sample.positive is None:
        return content
    prevalence = float((sample.labels == sample.positive).mean())
    content["net_benefit"] = {
        "threshold": _rounded(THRESHOLDS),
        **columns["net_benefit"],
        "treat_all": _rounded(net_benefit(prevalence, 1 - prevalence, THRESHOLDS)),
    }
    return content | {"prevalence": prevalence, "stored": _stored(sample)}


def net_benefit(true_positives: Any, false_positives: Any, threshold: Any) -> Any:
    """Return true positives less what false ones cost, per image (Vickers and Elkin 2006).

    Args:
        true_positives: share of all images that are positive and called so, in [0, 1].
        false_positives: share of all images that are not, and are called positive.
        threshold: the probability from which an image is called positive, in [0, 1): its odds are
            how many false positives one is willing to have for a true one.
    """
    return true_positives - false_positives * threshold / (1 - threshold)


def _edges(sample: Sample, k: int) -> Floats:
    """Return the thresholds of a curve, descending: all scores, or some of each side of many."""
    scores = sample.probs[:, k]
    edges = np.unique(scores)
    if len(edges) > MAX_EDGES:
        shares, is_own = np.linspace(0, 1, MAX_EDGES // 2), sample.labels == k
        sides = (scores[is_own], scores[~is_own])
        edges = np.unique([np.quantile(side, shares, method="lower") for side in sides])
    return edges[::-1]


def _steps(sample: Sample, k: int, edges: Floats) -> _Steps:
    scores, is_own = sample.probs[:, k], sample.labels == k
    rows = np.searchsorted(-edges, -scores, side="left")  # the first edge at or below each score
    is_called = rows < len(edges)
    shape = len(edges), sample.num_units
    return _Steps(
        *(_matrix(rows[side], sample.units[side], shape) for side in
          (is_own & is_called, ~is_own & is_called))
    )  # fmt: skip


def _matrix(rows: Ints, columns: Ints, shape: tuple[int, int]) -> Any:
    from scipy.sparse import csr_array

    return csr_array((np.ones(len(rows)), (rows, columns)), shape=shape)


def _bands(sample: Sample) -> dict[str, Curve]:
    """Return per curve its column, the mean over the classes, and the ends of its band."""
    statistic = _statistic(sample)
    points = statistic(np.ones((1, sample.num_units)))
    drawn = resampling.resampled(statistic, sample.num_units, NUM_RESAMPLES, SEED)
    left_out = resampling.left_out(statistic, sample.num_units) if sample.is_grouped else {}
    images = sample.per_unit["label"]
    counts = images.sum(axis=1) if sample.positive is None else images[:, sample.positive]
    columns = {}
    for name, (values,) in points.items():
        ends = np.empty((2, len(values)))
        for i, point in enumerate(values):
            without = left_out[name][:, i] if left_out else None
            own = Distribution(float(point), drawn[name][:, i], without, sample.num_units)
            ends[:, i] = _ends(own, name, counts)
        if name != "net_benefit":
            ends[0] = _without_cliff(ends[0], values == 1, name)
        columns[name] = {
            name: _rounded(values), "low": _rounded(ends[0]), "high": _rounded(ends[1])
        }  # fmt: skip
    return columns


def _without_cliff(lows: Floats, is_whole: NDArray[np.bool_], name: str) -> Floats:
    """Lift the lower end of a band to what other points of the curve tell.

    Sensitivity rises with the false positive rate, so what it is at least at a lower rate it is at
    a higher one. Where PPV is 1, the images that score highest are taken to be right at least as
    often as those that follow.
    """
    if name == "sensitivity":
        return np.asarray(np.fmax.accumulate(lows))
    return np.where(is_whole, np.fmax.accumulate(lows[::-1])[::-1], lows)


def _statistic(sample: Sample) -> resampling.Statistic:
    """Return what gives all curves of weighted units, `(rows, points)` each."""
    classes = range(sample.num_classes) if sample.positive is None else [sample.positive]
    steps = [(k, _steps(sample, k, _edges(sample, k))) for k in classes]
    at_thresholds = [_steps(sample, k, THRESHOLDS[::-1]) for k in classes if len(classes) == 1]
    images = sample.per_unit["label"]

    def statistic(weights: Floats) -> dict[str, Floats]:
        by_unit = np.ascontiguousarray(weights.T, dtype=np.float64)
        totals = weights @ images
        found: dict[str, list[Floats]] = {"sensitivity": [], "ppv": []}
        with np.errstate(divide="ignore", invalid="ignore"):
            for k, own in steps:
                called, sums = (
                    own.called(by_unit),
                    (totals[:, k], totals.sum(axis=1) - totals[:, k]),
                )
                found["sensitivity"].append(_sensitivity(*called, *sums))
                found["ppv"].append(_ppv(*called, *sums))
            for own in at_thresholds:
                found["net_benefit"] = [_net_benefits(*own.called(by_unit), *sums)]
        return {name: np.asarray(np.mean(parts, axis=0)) for name, parts in found.items()}

    return statistic


def _ends(distribution: Distribution, name: str, counts: Floats) -> tuple[float, float]:
    """Return the ends of a band at one point; NaN where there is none."""
    point, is_share = distribution.point, name != "net_benefit"
    if np.isnan(point) or distribution.num_units < 2:
        return np.nan, np.nan
    if is_share and point in (0, 1):
        return exact_ends(point, counts, CONFIDENCE)
    if distribution.why_no_spread():
        return np.nan, np.nan
    # PPV at a sensitivity leans to neither side, and is held without the few groups that carry it
    freedom = distribution.num_units - 1.0 if name == "ppv" else distribution.freedom()
    margin = distribution.half_width(CONFIDENCE, freedom)
    return logistic_ends(point, margin) if is_share else (point - margin, point + margin)


def _sensitivity(own: Floats, other: Floats, positives: Floats, negatives: Floats) -> Floats:
    """Sensitivity at each false positive rate, `(rows, rates)`; the formulas share arguments.

    Args:
        own: `(edges, rows)`: positives called so at each threshold, from the highest.
        other: negatives called positive there.
        positives: `(rows,)`: all of them.
        negatives: all of them.
    """
    rates, found = other / negatives, own / positives
    # just right of a rate, so that of several thresholds with that rate the lowest counts
    at = FALSE_POSITIVE_RATES + JUST
    return np.array([np.interp(at, rates[:, row], found[:, row]) for row in range(own.shape[1])])


def _ppv(own: Floats, other: Floats, positives: Floats, negatives: Floats) -> Floats:
    """PPV at the highest threshold that reaches each sensitivity, `(rows, sensitivities)`."""
    found, ppv = own / positives, own / (own + other)
    rows = []
    for row in range(own.shape[1]):
        if not positives[row]:
            rows.append(np.full(len(SENSITIVITIES), np.nan))
            continue
        places = np.searchsorted(found[:, row], SENSITIVITIES - JUST, side="left")
        rows.append(ppv[np.minimum(places, len(ppv) - 1), row])
    return np.array(rows)


def _net_benefits(own: Floats, other: Floats, positives: Floats, negatives: Floats) -> Floats:
    """Net benefit at each threshold, `(rows, thresholds)`; edge i + 1 is the i-th from above."""
    images = positives + negatives
    true, false = ((part[1:] / images).T[:, ::-1] for part in (own, other))
    return np.asarray(net_benefit(true, false, THRESHOLDS))


def _stored(sample: Sample) -> dict[str, float | None]:
    """Return where the curves are at the stored threshold."""
    is_positive, called = sample.labels == sample.positive, sample.decision == sample.positive
    true, false = int((called & is_positive).sum()), int((called & ~is_positive).sum())
    images, threshold = len(called), sample.threshold
    return {
        "threshold": threshold,
        "false_positive_rate": false / int((~is_positive).sum()),
        "sensitivity": true / int(is_positive.sum()),
        "ppv": true / (true + false) if true + false else None,
        "net_benefit": None if threshold == 1
        else float(net_benefit(true / images, false / images, threshold)),
    }  # fmt: skip


def _rounded(values: Any) -> list[float | None]:
    """Return numbers as `report.json` holds them: short, None for NaN."""
    array = np.asarray(values, dtype=np.float64).round(DIGITS)
    return [None if np.isnan(value) else float(value) for value in array]
