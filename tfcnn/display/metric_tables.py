"""The tables of a split's figures, from the plain values that `report.json` holds."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from tfcnn.display import figures
from tfcnn.display.panel import Grid

MOST_CLASSES = 10  # of a confusion matrix that is shown


def metrics(
    split: str,
    rows: Mapping[str, Mapping[str, Any]],
    counts: Mapping[str, int],
    usual: Mapping[str, Any] | None = None,
    only: Collection[str] = (),
) -> Grid:
    """Return every metric of a split with its interval.

    Args:
        split: its name.
        rows: per metric `{"value", "low", "high"}`; a value that is None has a `reason`.
        counts: its `images` and `groups`.
        usual: the commonest `class` and its `share`, if known.
        only: the metrics to show; all if empty.
    """
    groups = f", {counts['groups']:,} groups" if counts["groups"] else ""
    cells = []
    for name, row in rows.items():
        if only and name not in only:
            continue
        write = figures.metric(name)
        cells.append([as_words(name), write(row["value"]), figures.interval(row, write)])
        if name == "accuracy" and usual:
            cells.append([f"  always saying {usual['class']}", figures.percent(usual["share"]), ""])
    title = f"{split}: {counts['images']:,} images{groups}"
    return Grid(["metric", "value", "95 % interval"], cells, title)


def confusion(
    split: str,
    matrix: Sequence[Sequence[int]],
    class_names: Sequence[str],
    rule: str,
    point: Mapping[str, Any],
) -> Grid | None:
    """Return a confusion matrix, the true classes in rows; None where there are many classes.

    Args:
        split: its name.
        matrix: counts, rows the true class, columns the answer.
        class_names: in that order.
        rule: as `confusion_rule` of a report.
        point: as `operating_point` of a report.
    """
    if len(class_names) > MOST_CLASSES:
        return None
    answers = answer(rule, point)
    rows = [
        [name, *(f"{count:,}" for count in counts)]
        for name, counts in zip(class_names, matrix, strict=True)
    ]
    # the root lets a few errors be seen
    tints = [[0.0, *(0.25 * (n / max(1, sum(counts))) ** 0.5 for n in counts)] for counts in matrix]
    title = f"{split}: true classes in rows, {answers} in columns"
    return Grid(["", *class_names], rows, title, tints=tints)


def answer(rule: str, point: Mapping[str, Any]) -> str:
    """Say which answer a confusion matrix counts."""
    if rule == "decision" and point:
        return f"decisions ({point['positive']} from {point['threshold']:.3g} upwards)"
    return "most probable classes"


def as_words(name: str) -> str:
    """Return a metric's name as it is read: `balanced accuracy`."""
    return name.replace("_", " ")
