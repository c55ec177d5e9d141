"""The band of probabilities in which a run rather says nothing, chosen on val.

With a positive class the band lies about the operating point, equally far to both sides on the
logit scale; without one it holds every answer whose largest probability is too small. A model that
may abstain answers fewer images, more of them right: Chow, "On optimum recognition error and
reject tradeoff" (1970); El-Yaniv and Wiener, "On the foundations of noise-free selective
classification" (2010).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tfcnn.base.errors import InputError
from tfcnn.evaluation.sample import Sample

__all__ = ["LEAST_ANSWERED", "Abstention", "choose"]

Floats = NDArray[np.floating]

LEAST_ANSWERED = 0.5  # a run that answers less than half of val's images answers nothing of use
SMALLEST = 1e-7  # probabilities of 0 and 1 have no logit


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
    positive: int | None,
    threshold: float = 0.5,
    *,
    fraction: float | None = None,
    accuracy: float | None = None,
) -> Abstention:
    """Return the band that leaves a stated share of val unanswered, or a stated accuracy.

    It holds on val: on new patients expect somewhat less.

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
    _check(fraction, accuracy)
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
    found = f"{1 - answered[fits] / len(right):.1%} abstained, accuracy {accuracies[fits]:.3f}"
    reason = f"{wish} on {len(right)} val images (there: {found} among the answered)"
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


def _check(fraction: float | None, accuracy: float | None) -> None:
    if fraction is not None and accuracy is not None:
        raise InputError(
            "abstention", "abstain_fraction or answered_accuracy", "both", "the one that must hold"
        )
    for name, wish in (("abstain_fraction", fraction), ("answered_accuracy", accuracy)):
        if wish is not None and not 0 < wish < 1:
            raise InputError(name, "a share in (0, 1)", str(wish), "0.05")
