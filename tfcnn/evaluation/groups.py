"""Groups (patients) one by one, and what a reader must know when there are few."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from tfcnn.evaluation.sample import Sample

__all__ = ["FEW_GROUPS", "group_table", "warning"]

FEW_GROUPS = 40


def group_table(
    labels: ArrayLike,
    probs: ArrayLike,
    groups: ArrayLike | Sequence[str],
    class_names: Sequence[str],
) -> list[dict[str, Any]]:
    """Return a row per group, most errors first, then the least accurate, then by name.

    Args:
        labels: int array, shape `(n,)`, values in [0, num_classes).
        probs: float array, shape `(n, num_classes)`.
        groups: strings, shape `(n,)`.
        class_names: in the order of the columns.

    Returns:
        Rows `{"group", "images", "per_class": {class name: images}, "errors", "accuracy"}`;
        errors and accuracy count the most probable class.

    Raises:
        InputError: if the predictions are not what the arguments say.
    """
    sample = Sample(labels, probs, groups, class_names=class_names)
    counts = sample.per_unit
    rows = []
    for unit, name in enumerate(sample.unit_names):
        images, right = int(counts["images"][unit, 0]), int(counts["right"][unit, 0])
        per_class = counts["label"][unit].astype(int).tolist()
        rows.append(
            {
                "group": name,
                "images": images,
                "per_class": dict(zip(sample.class_names, per_class, strict=True)),
                "errors": images - right,
                "accuracy": right / images,
            }
        )
    return sorted(rows, key=lambda row: (-row["errors"], row["accuracy"], row["group"]))


def warning(groups: ArrayLike | Sequence[str] | None, *, noun: str = "groups") -> str:
    """Return what to say beside the intervals, or an empty string where there is nothing.

    Args:
        groups: strings, shape `(n,)`, or None where none are known.
        noun: what a group is, in the plural, such as "patients".

    Returns:
        One sentence.
    """
    if groups is None:
        return (
            f"No {noun} are known: the intervals take every image as independent, and are too "
            f"narrow where several come from one of the {noun}."
        )
    count = len(np.unique(np.asarray(groups, dtype=np.str_)))
    if count >= FEW_GROUPS:
        return ""
    if count == 1:
        return f"All images come from one of the {noun}: nothing can be said of others."
    return (
        f"{count} {noun} only: below {FEW_GROUPS} an interval depends much on who happened to be "
        "among them."
    )
