"""The metrics of section "Evaluation": one formula each, for the data as they are and resampled.

Two rules turn probabilities into a class, and each metric counts one of them:

* `predicted`, the most probable class: accuracy and balanced accuracy, and all metrics where
  there is no positive class;
* `decision`, positive from the stored threshold upwards: sensitivity, specificity, PPV, NPV, F1
  and MCC where two classes have a positive, as that is what a user acts on.

At the default threshold of .5 the two agree.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tfcnn.evaluation.sample import ECE_BINS, Sample
from tfcnn.manifest import IMBALANCED

Floats = NDArray[np.floating]
Totals = dict[str, Floats]
Formula = Callable[[Totals], Floats]

WITH_POSITIVE = (
    "accuracy", "balanced_accuracy", "sensitivity", "specificity", "ppv", "npv", "f1", "mcc",
    "roc_auc", "pr_auc", "brier", "ece",
)  # fmt: skip
WITHOUT_POSITIVE = (
    "accuracy", "balanced_accuracy", "macro_f1", "mcc", "macro_roc_auc", "log_loss", "brier", "ece",
)  # fmt: skip

LUCK = 0.05  # chance that an accuracy is reached by luck, beyond which nothing is shown
MOST_NAMED = 5
DESCRIPTIONS = {
    "accuracy": "share of images whose most probable class is right",
    "balanced_accuracy": "mean over the classes of the share of their images predicted right",
    "sensitivity": "share of positive images that the threshold calls positive (recall)",
    "specificity": "share of negative images that the threshold calls negative",
    "ppv": "share of images called positive that are (precision); depends on prevalence",
    "npv": "share of images called negative that are; depends on prevalence",
    "f1": "harmonic mean of sensitivity and PPV at the threshold",
    "macro_f1": "mean over the classes of each one's F1 against the rest",
    "mcc": "Matthews correlation of label and decision, from -1 to 1",
    "roc_auc": "chance that a positive image scores above a negative one, ties half",
    "macro_roc_auc": "mean over the classes of each one's ROC AUC against the rest",
    "pr_auc": "average precision, summed in steps; a useless score gets the share of positives",
    "log_loss": "mean negative log of the probability given to the right class, in nats",
    "brier": "mean squared error of the probabilities, from 0 to 1; to 2 with several classes",
    "ece": f"expected calibration error: mean gap of confidence and hits, {ECE_BINS} equal bins",
}


@dataclass(frozen=True)
class Metric:
    """A number, or None with the reason why it cannot be computed."""

    value: float | None
    reason: str = ""


def compute(sample: Sample) -> dict[str, Metric]:
    """Return every metric of the predictions, by name; its value is None where undefined."""
    results = values(sample, np.ones((1, sample.num_units)))
    return {
        name: Metric(None, why_undefined(sample, name)) if np.isnan(v[0]) else Metric(float(v[0]))
        for name, v in results.items()
    }


def metric_names(sample: Sample) -> tuple[str, ...]:
    """Return the metrics that apply, in the order a report shows them."""
    return WITHOUT_POSITIVE if sample.positive is None else WITH_POSITIVE


def of_parts(positive: int | None) -> tuple[str, ...]:
    """Return the metrics that stand for some of the images, such as a subgroup."""
    return ("accuracy", *(("sensitivity", "specificity") if positive is not None else ()))


def class_metric_names(sample: Sample) -> tuple[str, ...]:
    """Return the metrics of each class against the rest: `precision.0`, `recall.0`, `f1.0`, ..."""
    return tuple(f"{name}.{k}" for k in range(sample.num_classes) for name in _OF_EACH_CLASS)


def values(
    sample: Sample, weights: Floats, names: Collection[str] | None = None
) -> dict[str, Floats]:
    """Return metrics under weights: the one formula of point values and of resamples.

    Args:
        sample: the predictions.
        weights: float array, shape `(rows, num_units)`: how often each group (image, where there
            are no groups) counts; ones for the data as they are.
        names: of the metrics to compute, also of `class_metric_names`; if None, all of
            `metric_names`.

    Returns:
        For each name a float array, shape `(rows,)`; NaN where the metric is undefined.
    """
    totals = sample.totals(weights)
    known = metric_names(sample)
    if names is not None:
        known = tuple(name for name in (*known, *class_metric_names(sample)) if name in names)
    with np.errstate(divide="ignore", invalid="ignore"):
        results = {name: _value(name, sample, totals, weights) for name in known}
    has_all_classes = (totals["label"] > 0).all(axis=1)
    return {
        name: value
        if name in _WITHOUT_ALL_CLASSES or "." in name
        else np.where(has_all_classes, value, np.nan)
        for name, value in results.items()
    }


# the lowest and the highest value of a metric that leaves [0, 1]
BOUNDS = {"mcc": (-1.0, 1.0), "log_loss": (0.0, np.inf)}


def bounds(sample: Sample, name: str) -> tuple[float, float]:
    """Return the lowest and the highest value a metric can take."""
    if name == "brier" and sample.num_classes > 2:
        return 0.0, 2.0
    return BOUNDS.get(name, (0.0, 1.0))


def why_undefined(sample: Sample, name: str) -> str:
    """Return why a metric of these predictions is NaN, in words for a reader."""
    present = np.bincount(sample.labels, minlength=sample.num_classes) > 0
    if "." in name:
        k = class_of(name)
        why = "no image is called" if present[k] else "no image of class"
        return f"{why} {sample.class_names[k]}"
    missing = [sample.class_names[k] for k in np.flatnonzero(~present)]
    if missing:
        return f"no image of class {', '.join(missing)}"
    called = np.bincount(sample.decision, minlength=sample.num_classes) > 0
    if name in {"ppv", "npv", "mcc"} and not called.all():
        never = [sample.class_names[k] for k in np.flatnonzero(~called)]
        return f"no image is called {', '.join(never)}"
    return "undefined for these predictions"


def class_of(name: str) -> int:
    """Return the index of the class that one of `class_metric_names` is of."""
    return int(name.partition(".")[2])


def _value(name: str, sample: Sample, totals: Totals, weights: Floats) -> Floats:
    if "." in name:
        k = class_of(name)
        # of a class that has no image, precision would be 0 whatever the model does
        value = _OF_EACH_CLASS[name.partition(".")[0]](totals)[:, k]
        return np.where(totals["label"][:, k] > 0, value, np.nan)
    if name == "pr_auc":
        return sample.rankings[0].average_precision(weights)
    if name in {"roc_auc", "macro_roc_auc"}:
        areas = [ranking.roc_auc(weights) for ranking in sample.rankings]
        return np.asarray(np.mean(areas, axis=0))
    if name in _OF_ONE_CLASS and sample.positive is not None:
        formula, is_of_positive = _OF_ONE_CLASS[name]
        return formula(totals)[:, sample.positive if is_of_positive else 1 - sample.positive]
    return _OF_ALL_CLASSES[name](totals)


def _recall(totals: Totals) -> Floats:
    return totals["hit"] / totals["label"]


def _precision(totals: Totals) -> Floats:
    return totals["hit"] / totals["decision"]


def _f1(totals: Totals) -> Floats:
    return 2 * totals["hit"] / (totals["label"] + totals["decision"])


def _balanced_accuracy(totals: Totals) -> Floats:
    return np.asarray((totals["recalled"] / totals["label"]).mean(axis=1))


def _macro_f1(totals: Totals) -> Floats:
    return np.asarray(_f1(totals).mean(axis=1))


def _mcc(totals: Totals) -> Floats:
    """Gorodkin, "Comparing two K-category assignments by a K-category correlation" (2004)."""
    label, decision, images = totals["label"], totals["decision"], totals["images"][:, 0]
    covariance = totals["hit"].sum(axis=1) * images - (label * decision).sum(axis=1)
    spread = (images**2 - (label**2).sum(axis=1)) * (images**2 - (decision**2).sum(axis=1))
    return np.asarray(covariance / np.sqrt(spread))


def _ece(totals: Totals) -> Floats:
    return np.asarray(np.abs(totals["gap"]).sum(axis=1) / totals["images"][:, 0])


def _mean_of(column: str) -> Formula:
    return lambda totals: totals[column][:, 0] / totals["images"][:, 0]


_OF_ONE_CLASS: dict[str, tuple[Formula, bool]] = {
    "sensitivity": (_recall, True),
    "specificity": (_recall, False),
    "ppv": (_precision, True),
    "npv": (_precision, False),
    "f1": (_f1, True),
}
_OF_EACH_CLASS: dict[str, Formula] = {"precision": _precision, "recall": _recall, "f1": _f1}
_OF_ALL_CLASSES: dict[str, Formula] = {
    "accuracy": _mean_of("right"),
    "balanced_accuracy": _balanced_accuracy,
    "macro_f1": _macro_f1,
    "mcc": _mcc,
    "log_loss": _mean_of("log_loss"),
    "brier": _mean_of("brier"),
    "ece": _ece,
}
# The others say nothing where a class has no image: PPV would be 0 or 1 whatever the model does
_WITHOUT_ALL_CLASSES = {"accuracy", "sensitivity", "specificity", "log_loss", "brier", "ece"}


def percent(row: dict[str, Any]) -> str:
    """Return a share with its interval for reading: 95.8 % (93.6 to 97.2)."""
    if row["value"] is None:
        return f"– ({row['reason']})"
    value = f"{100 * row['value']:.1f} %"
    if row["low"] is None:
        return f"{value} (no interval: {row['reason']})"
    return f"{value} ({100 * row['low']:.1f} to {100 * row['high']:.1f})"


def commonest_class(counts: ArrayLike, class_names: Sequence[str]) -> dict[str, Any]:
    """Return the class with most images, the first of equals, and its share.

    Args:
        counts: int `(classes,)`: images of each class; not all 0.
        class_names: in the same order.

    Returns:
        `{"class": name, "share": in (0, 1]}`: what always saying that class gets right.
    """
    images = np.asarray(counts, dtype=np.int64)
    most = int(images.argmax())
    return {"class": class_names[most], "share": float(images[most] / images.sum())}


def is_imbalanced(baseline: dict[str, Any]) -> bool:
    """Say whether the share of the commonest class (`commonest_class`) makes accuracy mislead."""
    return bool(baseline["share"] > IMBALANCED)


def against_baseline(accuracy: dict[str, Any], baseline: dict[str, Any]) -> list[str]:
    """Return what must be said beside an accuracy; nothing where it speaks for itself.

    Args:
        accuracy: `{"value", "low", "high"}`, None where there is no interval.
        baseline: from `commonest_class`, of the same images.
    """
    share, low, high = baseline["share"], accuracy["low"], accuracy["high"]
    always = f"always saying {baseline['class']}: {100 * share:.1f} %"
    if share == 1:  # whatever the answers are: of the other classes they say nothing
        return [f"{always}, as no other class is there"]
    if high is not None and high < share:
        return [f"worse than {always}"]
    if (accuracy["value"] if low is None else low) <= share:
        return [f"not shown to be better than {always}"]
    return [always] if is_imbalanced(baseline) else []


def telling_metrics(baseline: dict[str, Any], *, has_positive: bool) -> tuple[str, ...]:
    """Return the metrics that say what accuracy hides: how much of each class is found."""
    if has_positive:
        return ("sensitivity", "specificity")
    return ("balanced_accuracy",) if is_imbalanced(baseline) else ()


def never_answered(confusion: Sequence[Sequence[int]], class_names: Sequence[str]) -> str:
    """Return "no image is called round" for classes that have images and are never answered.

    Args:
        confusion: counts, rows the true class, columns the answer.
        class_names: in that order.
    """
    counts = np.asarray(confusion)
    never = np.flatnonzero((counts.sum(axis=0) == 0) & (counts.sum(axis=1) > 0))
    if not len(never):
        return ""
    names = [class_names[k] for k in never[:MOST_NAMED]]
    more = len(never) - len(names)
    return f"no image is called {', '.join(names)}{f' and {more} other classes' if more else ''}"


def may_be_luck(right: int, images: int, baseline: dict[str, Any]) -> bool:
    """Say whether so many right answers can be had by luck from the commonest class's share.

    One-sided exact binomial test. It takes every image as independent, so with few groups it
    calls too little luck rather than too much.

    Args:
        right: images answered right.
        images: of how many.
        baseline: from `commonest_class`.
    """
    from scipy.special import bdtrc  # scipy.stats takes half a second to import

    return bool(bdtrc(right - 1, images, baseline["share"]) > LUCK) if right else True


def percents(rows: dict[str, dict[str, Any]], names: Sequence[str], but: str = "") -> list[str]:
    """Return metrics with their intervals for reading, without those that cannot be computed.

    Args:
        rows: per metric `{"value", "low", "high"}`.
        names: of the metrics to show, in order.
        but: one of them that is said elsewhere.
    """
    defined = [name for name in names if name != but and rows[name]["value"] is not None]
    return [f"{name.replace('_', ' ')} {percent(rows[name])}" for name in defined]
