"""Score a run: every metric with its interval, per group, from predictions of the saved model."""

import shlex
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tfcnn import datasets, runs
from tfcnn.base import atomic, records
from tfcnn.base.disk import is_locked
from tfcnn.base.errors import CheckError, InputError
from tfcnn.display import metric_tables
from tfcnn.display.frame import frame
from tfcnn.display.panel import Grid, Panel, Shown
from tfcnn.evaluation import (
    by_class,
    by_group,
    calibration,
    curves,
    flags,
    intervals,
    metrics,
    planning,
    stress,
    subgroups,
    wishes,
)
from tfcnn.evaluation.by_group import Rule
from tfcnn.evaluation.metrics import percent
from tfcnn.evaluation.rules import DEFAULT_THRESHOLD
from tfcnn.evaluation.sample import Sample
from tfcnn.evaluation.table import Table, sample_of
from tfcnn.manifest.corrections import TEST_IS_CORRECTED
from tfcnn.runs import Run

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, repr=False)
class Report(Shown):
    """What is known of a run's quality.

    Attributes:
        splits: per split and metric `{"value", "low", "high"}`; a value that cannot be computed
            is None, with a `reason`.
        counts: images and groups per split.
        confusion: per split a matrix, rows the true class, columns the answer.
        groups: per split a row per group, most errors first.
        warnings: what a reader must know before believing a figure.
        facts: about the training (seconds, agreement between model files); empty for other data.
        sentence: the result in one sentence.
        flags: per split how many images were flagged, and what is right of the others; see
            `flags.measure`.
        patients: the `rule` that calls a group, and per split what it says; see
            `by_group.measure`.
        calibration: per split what the temperature did, with the bins of the reliability diagram.
        baseline: per split the commonest `class` and its `share`: what always saying it gets right.
        confusion_rule: the answer that `confusion` counts: `decision`, by the stored threshold,
            where there is a positive class; else `predicted`, the most probable class.
        operating_point: the threshold, and what was asked of it; see `wishes.describe_wish`.
        classes: per split a row per class; see `by_class.class_table`.
        curves: of the `split` that stands for the run; see `curves.measure`.
        plan: how many groups an interval of that split would need; see `planning.describe`.
        subgroups: of the main split, where a table names them; see `subgroups.measure`.
        stress: what disturbed images cost, where that was asked for; see `stress.measure`.
    """

    splits: dict[str, dict[str, dict[str, Any]]]
    counts: dict[str, dict[str, int]]
    confusion: dict[str, list[list[int]]]
    groups: dict[str, list[dict[str, Any]]]
    warnings: list[str]
    sentence: str
    facts: dict[str, Any] = field(default_factory=dict)
    flags: dict[str, dict[str, Any]] = field(default_factory=dict)
    patients: dict[str, Any] = field(default_factory=dict)
    calibration: dict[str, dict[str, Any]] = field(default_factory=dict)
    baseline: dict[str, dict[str, Any]] = field(default_factory=dict)
    confusion_rule: str = "predicted"
    operating_point: dict[str, Any] = field(default_factory=dict)
    classes: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    curves: dict[str, Any] = field(default_factory=dict)
    plan: dict[str, Any] = field(default_factory=dict)
    subgroups: dict[str, Any] = field(default_factory=dict)
    stress: dict[str, Any] = field(default_factory=dict)

    @property
    def main_split(self) -> str:
        """The split whose figures stand for the run: test, or val where there is none.

        Of other images than the run's it is `data`.
        """
        return next(name for name in ("test", "data", "val") if name in self.splits)

    def lines(self, split: str) -> list[str]:
        """Return a line of text per metric of a split, with its interval or why it has none."""
        lines = []
        for name, row in self.splits[split].items():
            value = "–" if row["value"] is None else f"{row['value']:.4f}"
            interval = row.get("reason", "")
            if row["low"] is not None:
                interval = f"{row['low']:.4f} to {row['high']:.4f}"
            lines.append(f"{name:18} {value:>8}  ({interval})")
            if name == "accuracy" and split in self.baseline:
                usual = self.baseline[split]
                lines.append(f"  always saying {usual['class']}: {usual['share']:.4f}")
        return lines

    def grid(self, split: str) -> Grid:
        """Return every metric of a split with its interval."""
        return metric_tables.metrics(
            split, self.splits[split], self.counts[split], self.baseline.get(split)
        )

    def panel(self) -> Panel:
        """Return what a notebook shows."""
        names = sorted(self.splits)  # test before val
        notes = [*self.remarks(names[0]), *self.warnings]
        more = [*subgroups.grids(self.subgroups), *stress.grids(self.stress)]
        return Panel(self.sentence, notes=notes, grids=[*map(self.grid, names), *more])

    def to_frame(self) -> "pd.DataFrame":
        """Return a pandas row per split and metric: `value`, `low`, `high`, and a `reason` if none.

        Raises:
            InputError: if pandas is not installed.
        """
        rows = [
            {"split": split, "metric": name, "reason": "", **row}
            for split, by_metric in self.splits.items()
            for name, row in by_metric.items()
        ]
        return frame(rows, ("split", "metric", "value", "low", "high", "reason"))

    def remarks(self, split: str) -> list[str]:
        """Return sentences on what a split's images were flagged, and on its groups."""
        return [*flags.sentences(self.flags.get(split, {})),
                *by_group.sentences(self.patients, split)]  # fmt: skip

    def to_dict(self) -> dict[str, Any]:
        """Return the content of `report.json`."""
        content = asdict(self)
        for name in ("subgroups", "stress"):  # that was not asked for
            if not content[name]:
                del content[name]
        return {**content.pop("facts"), **content}


def score(
    run: Run,
    table: Table,
    facts: dict[str, Any] | None = None,
    notes: Sequence[str] | None = None,
) -> Report:
    """Score the predictions of a run, each split in the table by itself.

    Args:
        run: the run.
        table: its predictions.
        facts: about the training.
        notes: what a reader must know of these images; of the training data if None.

    Raises:
        InputError: if there is no prediction, or a probability is not a number.
    """
    if not len(table.labels):
        raise InputError(run.path, "predictions to score", "none", "a split that has images")
    warnings = [*(run.card["data"]["notes"] if notes is None else notes), *_of_run(run)]
    parts = {split: table.part(split) for split in dict.fromkeys(table.splits.tolist())}
    samples = {split: sample_of(run, part) for split, part in parts.items()}
    splits = {split: intervals.rows(sample) for split, sample in samples.items()}
    confusion = {split: _confusion(sample) for split, sample in samples.items()}
    warnings += [text for split in parts for text in _warnings(split, parts[split], run, confusion)]
    warnings += _of_groups(parts, run)
    counts = {
        split: {"images": len(sample.labels), "groups": len(sample.unit_names)}
        for split, sample in samples.items()
    }
    point, commonest = wishes.describe_wish(run, splits, samples), _baseline(run, confusion)
    temperature = float(run.card.get("temperature", 1.0))
    main = "test" if "test" in samples else next(iter(samples))
    return Report(
        splits,
        counts,
        confusion,
        {split: by_group.group_table(sample) for split, sample in samples.items()},
        warnings + wishes.wish_warnings(point, parts, run),
        _sentence(run, splits, counts, commonest, point),
        facts or {},
        flags={split: flags.measure(run, part) for split, part in parts.items()},
        patients=_patients(run, samples, splits),
        calibration={
            split: calibration.describe(part.labels, part.probs, temperature, positive=run.positive)
            for split, part in parts.items()
        },
        baseline=commonest,
        confusion_rule="predicted" if run.positive is None else "decision",
        operating_point=point,
        classes={split: by_class.class_table(sample) for split, sample in samples.items()},
        curves={"split": main, **curves.measure(samples[main])},
        plan={"split": main, **planning.describe(samples[main], run.card["data"]["nouns"][1])},
    )


def write(report: Report, folder: Path) -> None:
    """Write `report.json`."""
    atomic.write_text(folder / runs.REPORT, records.to_json(report.to_dict(), indent=2) + "\n")


def load(run: Run) -> Report:
    """Return the report of a run.

    Raises:
        InputError: if the run was shipped without one, or another process changes its threshold.
        CheckError: if a change of its threshold was cut before all figures followed.
    """
    if "changing" in run.card:
        if is_locked(run.path):
            expected, received = "a run that no other process changes", "one that gets a threshold"
            raise InputError(run.path, expected, received, "again when that has ended")
        command = f"tfcnn threshold {shlex.quote(runs.as_typed(run.path))} {run.card['changing']}"
        hint = f"`{command}`, which finishes it"
        received = "a change of it that was cut"
        raise CheckError(run.path, "figures at the run's threshold", received, hint)
    return _read(run)


def facts(run: Run) -> dict[str, Any]:
    """Return what a run's `report.json` says of the training besides metrics.

    Raises:
        InputError: if the run was shipped without one.
    """
    return _read(run).facts


def _read(run: Run) -> Report:
    content = dict(run.report)
    if not content:
        hint = "its README.md" if (run.path / "README.md").exists() else "--data FOLDER"
        raise InputError(run.path, "a report.json", "none", hint)
    own = {key: content.pop(key) for key in Report.__dataclass_fields__ if key in content}
    try:
        if "baseline" not in own:  # a run from before it was written
            own["baseline"] = _baseline(run, own.get("confusion", {}))
        report = Report(**own, facts=content)
        _look_through(report)
        return report
    except (TypeError, KeyError, ValueError, AttributeError, IndexError) as error:
        path, received = run.path / runs.REPORT, str(error).rpartition("__() ")[2]
        received = f"no {received}" if isinstance(error, KeyError) else received
        raise InputError(path, "the report of a run", received, runs.HINT) from error


def _look_through(report: Report) -> None:
    """Read what commands show of a report, so that one without it is refused by its name."""
    for split in report.splits:
        _ = report.lines(split), report.remarks(split)
        _ = report.counts[split]["images"] + report.counts[split]["groups"]
        for row in report.groups[split]:
            _ = row["group"], row["images"], row["per_class"].items(), row["errors"]
            _ = float(row["accuracy"])


def _patients(
    run: Run, samples: dict[str, Sample], splits: dict[str, dict[str, dict[str, Any]]]
) -> dict[str, Any]:
    """Return the rule for groups, val's where the run has none on record, and what it says."""
    stored = run.card.get("group_rule")
    rule = Rule(None, "no rule: it is chosen on val, whose predictions this run lacks")
    if stored:
        rule = Rule(**stored)
    elif "val" in samples:
        rule = by_group.choose(samples["val"])
    caveat = datasets.part(run.card["data"]["source"], "group_caveat")
    content: dict[str, Any] = {"rule": rule.to_dict(), "splits": {}}
    for split, sample in samples.items():
        if not sample.is_grouped or sample.positive is None:
            continue
        row = content["splits"][split] = by_group.measure(sample, rule)
        specificity = splits[split]["specificity"]
        if caveat and specificity["value"] is not None:
            images = float(np.median([group["images"] for group in row["groups"]]))
            row["caveat"] = caveat(specificity["value"], specificity["low"], images)
    return content


def _confusion(sample: Sample) -> list[list[int]]:
    """Count true class by decision: by the stored threshold, or the most probable class."""
    matrix = np.zeros((sample.num_classes, sample.num_classes), dtype=np.int64)
    np.add.at(matrix, (sample.labels, sample.decision), 1)
    counts: list[list[int]] = matrix.tolist()
    return counts


def _baseline(run: Run, confusion: dict[str, list[list[int]]]) -> dict[str, dict[str, Any]]:
    return {
        split: metrics.commonest_class([sum(row) for row in matrix], run.class_names)
        for split, matrix in confusion.items()
    }


def _of_run(run: Run) -> list[str]:
    """Say what speaks against all figures of a run."""
    groups = run.card["data"]["nouns"][1]
    leak = f"LEAKY: split by image, so {groups} are on both sides; a demonstration"
    return [*([leak] if run.is_leaky else []), *([run.doubt] if run.doubt else []),
            *run.card.get("unmet", [])]  # fmt: skip


def _warnings(
    split: str, part: Table, run: Run, confusion: dict[str, list[list[int]]]
) -> list[str]:
    warnings = []
    missing = sorted(set(range(len(run.class_names))) - set(part.labels.tolist()))
    if missing:
        names = ", ".join(run.class_names[i] for i in missing)
        warnings.append(f"no image of class {names}; what needs it is not computed")
    warnings.append(metrics.never_answered(confusion[split], run.class_names))
    return [f"{split}: {text}" for text in warnings if text]


def _of_groups(parts: dict[str, Table], run: Run) -> list[str]:
    """Say what few groups, or none, mean for the intervals: once where it is so for all splits."""
    noun, splits = run.card["data"]["nouns"][1], dict[str, list[str]]()
    for split, part in parts.items():
        if warning := by_group.warning(part.known_groups, noun=noun):
            splits.setdefault(warning, []).append(split)
    return [f"{' and '.join(names)}: {warning}" for warning, names in splits.items()]


def _sentence(
    run: Run,
    splits: dict[str, dict[str, dict[str, Any]]],
    counts: dict[str, dict[str, int]],
    commonest: dict[str, dict[str, Any]],
    point: dict[str, Any],
) -> str:
    split = next((name for name in ("test", "data") if name in splits), None)
    images, groups = run.card["data"]["nouns"]
    if split is None:
        if run.card.get("network", {}).get("start") == runs.ADOPTED:
            return "No test split: `evaluate --data` measures the model on other images."
        return "No test split: trained to be shipped; `crossval` measures such a recipe."
    count, row = counts[split], splits[split]["accuracy"]
    on = f"{count['images']:,} unseen {_counted(images, count['images'])}"
    if count["groups"]:
        on = f"{count['groups']} unseen {_counted(groups, count['groups'])}"
    if run.doubt:
        on = f"{on.replace(' unseen', '')} that the model may have learnt from"
    if run.is_leaky and split == "test":  # groups of other data were refused if trained on
        on = f"{count['images']:,} {images} of {groups} also trained on (a demonstrated leak)"
    if run.is_test_corrected and split == "test":
        on = f"{on} ({TEST_IS_CORRECTED})"
    if row["value"] is None:
        return f"On {on}: no accuracy, {row['reason']}."
    value = percent(row)
    if row["low"] is None:
        value = f"{100 * row['value']:.1f} %, without an interval: {row['reason']}"
    remarks = metrics.against_baseline(row, commonest[split])
    by_class = _by_class(splits[split], commonest[split], point)
    return "; ".join([f"On {on}: {value}", *remarks, *by_class]) + "."


def _counted(noun: str, count: int) -> str:
    """Return a noun in the plural as it is written after its number."""
    return noun.removesuffix("s") if count == 1 else noun


def _by_class(
    rows: dict[str, dict[str, Any]], usual: dict[str, Any], point: dict[str, Any]
) -> list[str]:
    """Say how much of each class is found, where accuracy hides it or counts another rule."""
    is_moved = bool(point) and point["threshold"] != DEFAULT_THRESHOLD
    if not (is_moved or metrics.is_imbalanced(usual) or "asked" in point):
        return []
    names = metrics.telling_metrics(usual, has_positive=bool(point))
    parts = [wishes.wish_in_words(point)] if "asked" in point else wishes.promise_in_words(point)
    parts += metrics.percents(rows, names, but=point.get("metric", ""))
    if parts and is_moved:
        parts[0] = f"at the threshold of {point['threshold']:.3g}: {parts[0]}"
    return parts
