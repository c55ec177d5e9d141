"""Calibration: one temperature fitted on val, and the curve that shows what it mended."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tfcnn.base.errors import InputError
from tfcnn.evaluation.metrics import values
from tfcnn.evaluation.sample import ECE_BINS, SMALLEST_PROB, Sample, confidence_and_hit

__all__ = [
    "TEMPERATURES",
    "Reliability",
    "apply_temperature",
    "before_and_after",
    "describe",
    "fit_temperature",
    "reliability",
]

Floats = NDArray[np.floating]

# Label smoothing of .2 wants about .5, a badly overconfident network about 4
TEMPERATURES = MIN_TEMPERATURE, MAX_TEMPERATURE = 0.25, 10.0


@dataclass(frozen=True)
class Reliability:
    """Stated probability against what came true, in bins of equal width.

    Attributes:
        edges: float array, shape `(bins + 1,)`, from 0 to 1.
        counts: int array, shape `(bins,)`: images per bin.
        confidence: float array, shape `(bins,)`: mean stated probability; NaN in an empty bin.
        frequency: float array, shape `(bins,)`: share that came true; NaN in an empty bin.
    """

    edges: Floats
    counts: NDArray[np.integer]
    confidence: Floats
    frequency: Floats


def fit_temperature(labels: ArrayLike, probs: ArrayLike) -> float:
    """Return the temperature that gives val the smallest negative log likelihood.

    The likelihood is convex in 1 / temperature, so the bounded search finds the one minimum.
    Where no image of val is wrong, nothing limits how certain the model may become: the
    temperature is then at least 1. Where val has images of one class only, it is 1: such a val says
    how sure the model is of that class, and nothing of the others.

    Args:
        labels: int array, shape `(n,)`: the val split's.
        probs: float array, shape `(n, num_classes)`; 0 and 1 are taken as 1e-12 short of them.

    Returns:
        In [.25, 10]: above 1 softens, below 1 sharpens.

    Raises:
        InputError: if the predictions are not what the arguments say.

    Reference:
        Guo et al., "On calibration of modern neural networks" (2017), section 4.2.
    """
    from scipy.optimize import minimize_scalar

    sample = Sample(labels, probs)
    if len(np.unique(sample.labels)) < 2:
        return 1.0
    logits = np.log(sample.probs.clip(SMALLEST_PROB))
    rows = np.arange(len(logits))

    def loss(log_temperature: float) -> float:
        scaled = logits / np.exp(log_temperature)
        scaled -= scaled.max(axis=1, keepdims=True)
        return float(np.mean(np.log(np.exp(scaled).sum(axis=1)) - scaled[rows, sample.labels]))

    least = MIN_TEMPERATURE if (sample.predicted != sample.labels).any() else 1.0
    limits = (np.log(least), np.log(MAX_TEMPERATURE))
    found = minimize_scalar(loss, bounds=limits, method="bounded", options={"xatol": 1e-6})
    best = min((0.0, *limits, float(found.x)), key=loss)  # the search stops short of its bounds
    return float(np.clip(np.exp(best), least, MAX_TEMPERATURE))


def apply_temperature(probs: ArrayLike, temperature: float) -> Floats:
    """Return the probabilities that the logits divided by the temperature give.

    Args:
        probs: float array, shape `(n, num_classes)`, in [0, 1], rows summing to 1.
        temperature: above 0; 1 changes nothing, and no temperature changes the order in a row.

    Returns:
        Float64 array, shape `(n, num_classes)`, rows summing to 1.

    Raises:
        InputError: if the temperature is not above 0.
    """
    if not (0 < temperature < np.inf):
        raise InputError("temperature", "a number above 0", str(temperature), "1")
    array = np.asarray(probs, dtype=np.float64)
    if temperature == 1:
        return array.copy()
    scaled = np.log(array.clip(SMALLEST_PROB)) / temperature
    exponentials = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    return np.asarray(exponentials / exponentials.sum(axis=1, keepdims=True))


def reliability(
    labels: ArrayLike, probs: ArrayLike, *, positive: int | None = None, bins: int = ECE_BINS
) -> Reliability:
    """Return the reliability curve whose mean gap, weighted by counts, is the ECE.

    Args:
        labels: int array, shape `(n,)`.
        probs: float array, shape `(n, num_classes)`.
        positive: with it, the probability of the positive against the share of positives;
            without it, the largest probability against the share predicted right.
        bins: how many, at least 1.

    Returns:
        The curve.

    Raises:
        InputError: if the predictions are not what the arguments say.
    """
    sample = Sample(labels, probs, positive=positive)
    stated, hit = confidence_and_hit(sample.labels, sample.probs, positive)
    index = np.minimum((stated * bins).astype(np.int64), bins - 1)
    counts = np.bincount(index, minlength=bins)
    with np.errstate(invalid="ignore"):
        confidence = np.bincount(index, stated, bins) / counts
        frequency = np.bincount(index, hit, bins) / counts
    return Reliability(np.linspace(0, 1, bins + 1), counts, confidence, frequency)


def before_and_after(
    labels: ArrayLike, probs: ArrayLike, temperature: float, *, positive: int | None = None
) -> dict[str, tuple[float, float]]:
    """Return what a temperature did to the probabilities.

    Args:
        labels: int array, shape `(n,)`; another split than the temperature was fitted on.
        probs: float array, shape `(n, num_classes)`: before the temperature.
        temperature: above 0.
        positive: index of the positive class of two, or None.

    Returns:
        For `ece`, `brier` and, without a positive, `log_loss`: before and after.

    Raises:
        InputError: if the predictions are not what the arguments say.
    """
    found = []
    for version in (probs, apply_temperature(probs, temperature)):
        sample = Sample(labels, version, positive=positive)
        ones = np.ones((1, sample.num_units))
        found.append(values(sample, ones, ("ece", "brier", "log_loss")))
    before, after = found
    return {name: (float(before[name][0]), float(after[name][0])) for name in before}


def describe(
    labels: ArrayLike, probs: ArrayLike, temperature: float, *, positive: int | None = None
) -> dict[str, Any]:
    """Return what the temperature that is folded into a model did to its probabilities.

    Those before it are found back from those after: `softmax(temperature x log probs)`.

    Args:
        labels: int array, shape `(n,)`; val's flatter, as the temperature was fitted on them.
        probs: float array, shape `(n, num_classes)`: as the model gives them.
        temperature: above 0: the one folded in.
        positive: index of the positive class of two, or None.

    Returns:
        `temperature`; `ece`, `brier` and, without a positive, `log_loss`, each `{"before",
        "after"}`; `edges` of the bins; and per version `bins`, rows `{"count", "confidence",
        "frequency"}` as `Reliability` has them, None for an empty bin.

    Raises:
        InputError: if the predictions are not what the arguments say.
    """
    versions = {"before": apply_temperature(probs, 1 / temperature), "after": probs}
    scores = before_and_after(labels, versions["before"], temperature, positive=positive)
    curves = {name: reliability(labels, own, positive=positive) for name, own in versions.items()}
    return {
        "temperature": temperature,
        **{name: dict(zip(versions, pair, strict=True)) for name, pair in scores.items()},
        "edges": curves["after"].edges.tolist(),
        "bins": {name: _rows(curve) for name, curve in curves.items()},
    }


def _rows(curve: Reliability) -> list[dict[str, Any]]:
    columns = zip(curve.counts, curve.confidence, curve.frequency, strict=True)
    return [
        {"count": int(count), "confidence": float(stated), "frequency": float(true)}
        if count
        else {"count": 0, "confidence": None, "frequency": None}
        for count, stated, true in columns
    ]
