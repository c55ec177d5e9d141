"""Groups (patients, slides, videos) one by one, and the rule that calls a whole group positive.

A group is positive if one of its images is. It is called positive where the share of its images
that are decided positive reaches a limit, which is chosen on val. Groups are independent of each
other, so their counts have exact binomial intervals (Clopper and Pearson 1934).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tfcnn.evaluation.intervals import undefined
from tfcnn.evaluation.metrics import percent
from tfcnn.evaluation.sample import Sample

Floats = NDArray[np.floating]

FEW_GROUPS = 40


@dataclass(frozen=True)
class Rule:
    """The limit that a group's share of positive decisions is held against.

    Attributes:
        least_share: called positive from this share on, in (0, 1]; None where there is no rule.
        reason: how it was chosen, or why there is none.
    """

    least_share: float | None
    reason: str

    def to_dict(self) -> dict[str, Any]:
        """Return what `model.json` keeps."""
        return {"least_share": self.least_share, "reason": self.reason}


@dataclass(frozen=True)
class _Groups:
    names: list[str]
    images: NDArray[np.integer]
    shares: Floats
    is_positive: NDArray[np.bool_]


def group_table(sample: Sample) -> list[dict[str, Any]]:
    """Return a row per group, most errors first, then the least accurate, then by name.

    Args:
        sample: the predictions; none where it has no groups.

    Returns:
        Rows `{"group", "images", "per_class": {class name: images}, "errors", "accuracy"}`;
        errors and accuracy count the most probable class.
    """
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
            f"narrow where several come from one {noun.removesuffix('s')}."
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


def choose(sample: Sample) -> Rule:
    """Return the limit with the best sum of sensitivity and specificity over val's groups.

    Of several equally good limits it is the most specific one, and midway between two groups.

    Args:
        sample: the predictions on val, with the threshold that decides images.
    """
    if sample.positive is None:
        return Rule(None, "no rule: there is no positive class")
    if not sample.is_grouped:
        return Rule(None, "no rule: no groups are known")
    units = _per_group(sample)
    counts = int(units.is_positive.sum()), int((~units.is_positive).sum())
    if not all(counts):
        lacks = "positive" if not counts[0] else "negative"
        return Rule(None, f"no rule: val has no {lacks} group among its {sum(counts)}")
    shares = np.unique(np.append(units.shares, [0.0, 1.0]))
    limits = np.append((shares[:-1] + shares[1:]) / 2, 1.0)
    called = units.shares >= limits[:, None]
    sensitivity = called[:, units.is_positive].mean(axis=1)
    specificity = 1 - called[:, ~units.is_positive].mean(axis=1)
    best = max(range(len(limits)), key=lambda i: (sensitivity[i] + specificity[i], specificity[i]))
    return Rule(
        float(limits[best]),
        f"best sum of sensitivity and specificity over val's {counts[0]} positive and "
        f"{counts[1]} negative groups (there: {sensitivity[best]:.3f} and {specificity[best]:.3f})",
    )


def measure(sample: Sample, rule: Rule) -> dict[str, Any]:
    """Return what the rule says of each group, and how often it is right.

    Args:
        sample: the predictions, with groups, a positive class and the threshold.
        rule: as `choose` returned it on val.

    Returns:
        `groups`: rows `{"group", "images", "called_share", "is_positive", "is_called"}`, the
        largest share first; `sensitivity` and `specificity` of groups, each `{"value", "low",
        "high", "groups"}`, None with a `reason` where they cannot be computed.
    """
    units = _per_group(sample)
    limit = rule.least_share
    called = None if limit is None else units.shares >= limit
    rows = [
        {
            "group": name,
            "images": int(units.images[i]),
            "called_share": float(units.shares[i]),
            "is_positive": bool(units.is_positive[i]),
            "is_called": None if called is None else bool(called[i]),
        }
        for i, name in enumerate(units.names)
    ]
    return _measured(_sorted(rows), rule.reason)


def pooled(parts: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return in one what `measure` returned of several parts, each by a rule of its own.

    Args:
        parts: of different groups, such as the test splits of the folds of a cross-validation.
    """
    rows = [row for part in parts for row in part["groups"]]
    reasons = [part["sensitivity"].get("reason", "") for part in parts]
    return _measured(_sorted(rows), next(filter(None, reasons), ""))


def _sorted(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(rows, key=lambda row: (-float(row["called_share"]), str(row["group"])))


def _measured(rows: list[dict[str, Any]], reason: str) -> dict[str, Any]:
    """Return the rows of groups, and how often a call is right; `reason` where some have none."""
    if any(row["is_called"] is None for row in rows):
        missing = {**undefined(reason), "groups": 0}
        return {"groups": rows, "sensitivity": missing, "specificity": dict(missing)}
    positive = [row["is_called"] for row in rows if row["is_positive"]]
    negative = [not row["is_called"] for row in rows if not row["is_positive"]]
    return {
        "groups": rows,
        "sensitivity": _share(positive, "positive"),
        "specificity": _share(negative, "negative"),
    }


def sentences(content: dict[str, Any], split: str) -> list[str]:
    """Return in words how well groups are called; nothing without groups or a positive class.

    Args:
        content: `rule`, and per split in `splits` what `measure` returned, with a `caveat` where
            the data set has one.
        split: which.
    """
    part = content.get("splits", {}).get(split)
    if not part:
        return []
    limit = content["rule"]["least_share"]
    if limit is None:
        return [f"Per group: {content['rule']['reason']}."]
    line = (
        f"Per group, called positive from {limit:.1%} of its images on: "
        f"sensitivity {percent(part['sensitivity'])}, specificity {percent(part['specificity'])}."
    )
    return [line, *([part["caveat"]["sentence"]] if "caveat" in part else [])]


def _per_group(sample: Sample) -> _Groups:
    positive = sample.positive
    counts = sample.per_unit
    images = counts["images"][:, 0]
    return _Groups(
        sample.unit_names,
        images.astype(np.int64),
        counts["decision"][:, positive] / images,
        counts["label"][:, positive] > 0,
    )


def _share(right: Sequence[bool], kind: str) -> dict[str, Any]:
    """Return a share of groups with its exact 95 % interval."""
    total, hits = len(right), sum(right)
    if not total:
        return {**undefined(f"no {kind} group"), "groups": 0}
    low, high = exact_bounds(hits, total)
    return {"value": hits / total, "low": low, "high": high, "groups": total}


def exact_bounds(hits: int, total: int) -> tuple[float, float]:
    """Return the exact 95 % interval of a share (Clopper and Pearson 1934); `total` is not 0."""
    from scipy.special import betaincinv  # scipy.stats takes half a second to import

    low = betaincinv(hits, total - hits + 1, 0.025) if hits else 0.0
    high = betaincinv(hits + 1, total - hits, 0.975) if hits < total else 1.0
    return float(low), float(high)
