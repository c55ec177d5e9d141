"""Score a run: every metric with its interval, per group, from predictions of the saved model."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from tfcnn import atomic
from tfcnn.errors import InputError
from tfcnn.evaluation import groups as grouping
from tfcnn.evaluation import intervals
from tfcnn.evaluation.table import Table
from tfcnn.runs import Run

__all__ = ["Report", "load", "score", "write"]


@dataclass(frozen=True)
class Report:
    """What is known of a run's quality.

    Attributes:
        splits: per split and metric `{"value", "low", "high"}`; a value that cannot be computed
            is None, with a `reason`.
        counts: images and groups per split.
        confusion: per split a matrix, rows the true class, columns the predicted one.
        groups: per split a row per group, most errors first.
        warnings: what a reader must know before believing a figure.
        facts: about the training (seconds, agreement between model files); empty for other data.
        sentence: the result in one sentence.
    """

    splits: dict[str, dict[str, dict[str, Any]]]
    counts: dict[str, dict[str, int]]
    confusion: dict[str, list[list[int]]]
    groups: dict[str, list[dict[str, Any]]]
    warnings: list[str]
    sentence: str
    facts: dict[str, Any] = field(default_factory=dict)

    def lines(self, split: str) -> list[str]:
        """Return a line of text per metric of a split, with its interval or why it has none."""
        lines = []
        for name, row in self.splits[split].items():
            value = "–" if row["value"] is None else f"{row['value']:.4f}"
            interval = row.get("reason", "")
            if row["low"] is not None:
                interval = f"{row['low']:.4f} to {row['high']:.4f}"
            lines.append(f"{name:18} {value:>8}  ({interval})")
        return lines

    def to_dict(self) -> dict[str, Any]:
        """Return the content of `report.json`."""
        content = asdict(self)
        return {**content.pop("facts"), **content}


def score(run: Run, table: Table, facts: dict[str, Any] | None = None) -> Report:
    """Score the predictions of a run, each split in the table by itself.

    Raises:
        InputError: if a probability is not a number.
    """
    splits: dict[str, dict[str, dict[str, Any]]] = {}
    counts, confusion, groups = {}, {}, {}
    warnings = list(run.card["data"]["notes"])
    if run.is_leaky:
        warnings.append("LEAKY: split by image, so patients are on both sides; a demonstration")
    for split in dict.fromkeys(table.splits.tolist()):
        part = table.part(split)
        grouped = bool((part.groups != "").all())
        found = intervals.bootstrap(
            part.labels,
            part.probs,
            part.groups if grouped else None,
            positive=run.positive,
            threshold=run.threshold,
        )
        splits[split] = {name: _interval(value) for name, value in found.items()}
        num_groups = len(set(part.groups.tolist())) if grouped else 0
        counts[split] = {"images": len(part.labels), "groups": num_groups}
        confusion[split] = _confusion(part, len(run.class_names))
        groups[split] = (
            grouping.group_table(part.labels, part.probs, part.groups, run.class_names)
            if grouped
            else []
        )
        warnings += _warnings(split, part, num_groups, run)
    sentence = _sentence(run, splits, counts)
    return Report(splits, counts, confusion, groups, warnings, sentence, facts or {})


def write(report: Report, folder: Path) -> None:
    """Write `report.json`."""
    text = json.dumps(report.to_dict(), indent=2, allow_nan=False)
    atomic.write_text(folder / "report.json", text + "\n")


def load(run: Run) -> Report:
    """Return the report that a run was trained with.

    Raises:
        InputError: if the run was shipped without one.
    """
    content = dict(run.report)
    if not content:
        raise InputError(run.path, "a report.json", "none", "--data FOLDER")
    own = {key: content.pop(key) for key in Report.__dataclass_fields__ if key in content}
    return Report(**own, facts=content)


def _interval(value: Any) -> dict[str, Any]:
    row = {"value": value.value, "low": value.low, "high": value.high}
    return row | ({"reason": value.reason} if value.reason else {})


def _confusion(part: Table, classes: int) -> list[list[int]]:
    matrix = np.zeros((classes, classes), dtype=np.int64)
    np.add.at(matrix, (part.labels, part.probs.argmax(axis=1)), 1)
    counts: list[list[int]] = matrix.tolist()
    return counts


def _warnings(split: str, part: Table, num_groups: int, run: Run) -> list[str]:
    found = []
    missing = sorted(set(range(len(run.class_names))) - set(part.labels.tolist()))
    if missing:
        names = ", ".join(run.class_names[i] for i in missing)
        found.append(f"{split}: no image of class {names}; what needs it is not computed")
    noun = run.card["data"]["nouns"][1]
    said = grouping.warning(part.groups if num_groups else None, noun=noun)
    return found + ([f"{split}: {said}"] if said else [])


def _sentence(
    run: Run, splits: dict[str, dict[str, dict[str, Any]]], counts: dict[str, dict[str, int]]
) -> str:
    split = next((name for name in ("test", "data") if name in splits), None)
    images, groups = run.card["data"]["nouns"]
    if split is None:
        return "No test split: trained to be shipped; `crossval` measures such a recipe."
    count, row = counts[split], splits[split]["accuracy"]
    on = f"{count['images']:,} unseen {images}"
    if count["groups"]:
        on = f"{count['groups']} unseen {groups}"
    if run.is_leaky:
        on = f"{count['images']:,} {images} of {groups} also trained on (a demonstrated leak)"
    if row["value"] is None:
        return f"On {on}: no accuracy, {row['reason']}."
    accuracy = f"{100 * row['value']:.1f} %"
    if row["low"] is None:
        return f"On {on}: {accuracy}, without an interval: {row['reason']}."
    return f"On {on}: {accuracy} ({100 * row['low']:.1f} to {100 * row['high']:.1f})."
