"""How well each class of many is told from the rest: precision, recall and F1, with intervals."""

from typing import Any

from tfcnn.evaluation import intervals, metrics
from tfcnn.evaluation.sample import Sample


def class_table(sample: Sample) -> list[dict[str, Any]]:
    """Return a row per class, in the order of the classes.

    Args:
        sample: the predictions of one split.

    Returns:
        Each row with `class`, `images` of it, and `precision`, `recall` and `f1`, each
        `{"value", "low", "high"}`. Nothing where there is a positive class: its sensitivity, PPV
        and F1 are metrics of the split.
    """
    if sample.positive is not None:
        return []
    found = intervals.bootstrap(sample, names=metrics.class_metric_names(sample))
    rows: list[dict[str, Any]] = [
        {"class": name, "images": int((sample.labels == k).sum())}
        for k, name in enumerate(sample.class_names)
    ]
    for name, interval in found.items():
        rows[metrics.class_of(name)][name.partition(".")[0]] = interval.to_dict()
    return rows
