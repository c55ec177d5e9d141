"""What an accuracy is held against: an answer that is always the commonest class.

Where one class holds most images, that answer is right most often, and accuracy alone says little:
what is right of each class has to stand beside it.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from tfcnn.evaluation.flags import percent

__all__ = [
    "IMBALANCED",
    "beside",
    "by_class",
    "by_luck",
    "commonest",
    "is_imbalanced",
    "never_called",
    "shares",
]

IMBALANCED = 0.6  # of the images in one class: beyond, accuracy alone misleads
LUCK = 0.05  # chance that an accuracy is reached by luck, beyond which nothing is shown
MOST_NAMED = 5


def commonest(counts: ArrayLike, class_names: Sequence[str]) -> dict[str, Any]:
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
    """Say whether a split's commonest class, from `commonest`, makes accuracy alone mislead."""
    return bool(baseline["share"] > IMBALANCED)


def beside(accuracy: dict[str, Any], baseline: dict[str, Any]) -> list[str]:
    """Return what must be said beside an accuracy; nothing where it speaks for itself.

    Args:
        accuracy: `{"value", "low", "high"}`, None where there is no interval.
        baseline: from `commonest`, of the same images.
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


def by_class(baseline: dict[str, Any], *, has_positive: bool) -> tuple[str, ...]:
    """Return the metrics that say what accuracy hides: how much of each class is found."""
    if has_positive:
        return ("sensitivity", "specificity")
    return ("balanced_accuracy",) if is_imbalanced(baseline) else ()


def never_called(confusion: Sequence[Sequence[int]], class_names: Sequence[str]) -> str:
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


def by_luck(right: int, images: int, baseline: dict[str, Any]) -> bool:
    """Say whether so many right answers can be had by luck from the commonest class's share.

    One-sided exact binomial test. It takes every image as independent, so with few patients it
    calls too little luck rather than too much.

    Args:
        right: images answered right.
        images: of how many.
        baseline: from `commonest`.
    """
    from scipy.special import bdtrc  # scipy.stats takes half a second to import

    return bool(bdtrc(right - 1, images, baseline["share"]) > LUCK) if right else True


def shares(found: dict[str, dict[str, Any]], names: Sequence[str], but: str = "") -> list[str]:
    """Return metrics with their intervals for reading, without those that cannot be computed.

    Args:
        found: per metric `{"value", "low", "high"}`.
        names: the metrics wanted, in order.
        but: one of them that is said elsewhere.
    """
    known = [name for name in names if name != but and found[name]["value"] is not None]
    return [f"{name.replace('_', ' ')} {percent(found[name])}" for name in known]
