"""How a figure is written: a share, a number, the difference of two, and its interval."""

from collections.abc import Callable, Mapping
from typing import Any

NONE = "–"  # what cannot be computed
# of the metrics, those that are read in percent
SHARES = frozenset(
    {"accuracy", "balanced_accuracy", "sensitivity", "specificity", "ppv", "npv", "f1", "macro_f1"}
)

Write = Callable[[float | None], str]


def percent(share: float | None) -> str:
    """Write a share: 95.8 %."""
    return NONE if share is None else f"{100 * share:.1f} %"


def number(value: float | None) -> str:
    """Write a figure that is no share: 0.9871."""
    return NONE if value is None else f"{value:.4f}"


def points(difference: float | None) -> str:
    """Write the difference of two shares: +1.2 pt."""
    return NONE if difference is None else f"{100 * difference:+.1f} pt"


def signed(difference: float | None) -> str:
    """Write the difference of two figures that are no shares: +0.0123."""
    return NONE if difference is None else f"{difference:+.4f}"


def metric(name: str) -> Write:
    """Return how a metric is written."""
    return percent if name in SHARES else number


def change(name: str) -> Write:
    """Return how the difference of a metric is written."""
    return points if name in SHARES else signed


def interval(row: Mapping[str, Any], write: Write) -> str:
    """Write an interval, or why there is none: 93.6 % to 97.2 %.

    Args:
        row: `low` and `high`, both None where there is a `reason` instead.
        write: how one end is written.
    """
    if row["low"] is None:
        return str(row.get("reason", ""))
    return f"{write(row['low'])} to {write(row['high'])}"
