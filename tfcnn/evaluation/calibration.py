"""Calibration: one temperature fitted on val, and what it does to the probabilities."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tfcnn.base.errors import InputError
from tfcnn.evaluation.metrics import values
from tfcnn.evaluation.sample import ECE_BINS, SMALLEST_PROB, Sample, confidence_and_hit

Floats = NDArray[np.floating]

# Label smoothing of .2 wants about .5, a badly overconfident network about 4
TEMPERATURES = MIN_TEMPERATURE, MAX_TEMPERATURE = 0.25, 10.0


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
    result = minimize_scalar(loss, bounds=limits, method="bounded", options={"xatol": 1e-6})
    best = min((0.0, *limits, float(result.x)), key=loss)  # the search stops short of its bounds
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


def describe(
    labels: ArrayLike, probs: ArrayLike, temperature: float, *, positive: int | None = None
) -> dict[str, Any]:
    """Return what the temperature that is folded into a model did to its probabilities.

    The probabilities before it are computed back from those after: `softmax(temperature x log
    probs)`.

    Args:
        labels: int array, shape `(n,)`. Val's flatter, as the temperature was fitted on them.
        probs: float array, shape `(n, num_classes)`: as the model gives them.
        temperature: above 0: the one folded in.
        positive: index of the positive class of two, or None.

    Returns:
        `temperature`; `ece`, `brier` and, without a positive, `log_loss`, each `{"before",
        "after"}`; `edges` of the bins; and `bins`, `{"before", "after"}` as `reliability` returns
        them.

    Raises:
        InputError: if the predictions are not what the arguments say.
    """
    before = apply_temperature(probs, 1 / temperature)
    versions = {"before": before, "after": apply_temperature(before, temperature)}
    scores = {name: _scores(labels, own, positive) for name, own in versions.items()}
    versions["after"] = np.asarray(probs)
    bins = {name: reliability(labels, own, positive=positive) for name, own in versions.items()}
    return {
        "temperature": temperature,
        **{name: {when: scores[when][name] for when in scores} for name in scores["after"]},
        "edges": np.linspace(0, 1, ECE_BINS + 1).tolist(),
        "bins": bins,
    }


def reliability(
    labels: ArrayLike, probs: ArrayLike, *, positive: int | None = None, bins: int = ECE_BINS
) -> list[dict[str, Any]]:
    """Return stated probability against what came true, in bins of equal width.

    The mean gap of the two, weighted by counts, is the ECE.

    Args:
        labels: int array, shape `(n,)`.
        probs: float array, shape `(n, num_classes)`.
        positive: with it, the probability of the positive against the share of positives;
            without it, the largest probability against the share predicted right.
        bins: how many, at least 1.

    Returns:
        A row per bin, from probability 0 to 1: the `count` of its images, `confidence`, their mean
        stated probability, and `frequency`, the share that came true; None in an empty bin.

    Raises:
        InputError: if the predictions are not what the arguments say.
    """
    sample = Sample(labels, probs, positive=positive)
    stated, hit = confidence_and_hit(sample.labels, sample.probs, positive)
    index = np.minimum((stated * bins).astype(np.int64), bins - 1)
    columns = (np.bincount(index, weights, bins).tolist() for weights in (None, stated, hit))
    return [
        {
            "count": int(count),
            "confidence": confidence / count if count else None,
            "frequency": frequency / count if count else None,
        }
        for count, confidence, frequency in zip(*columns, strict=True)
    ]


def _scores(labels: ArrayLike, probs: ArrayLike, positive: int | None) -> dict[str, float]:
    sample = Sample(labels, probs, positive=positive)
    scores = values(sample, np.ones((1, sample.num_units)), ("ece", "brier", "log_loss"))
    return {name: float(value[0]) for name, value in scores.items()}
