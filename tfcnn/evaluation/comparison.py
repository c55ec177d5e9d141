"""Compare two runs on the images that both were tested on, group by group."""

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from tfcnn.base.errors import InputError
from tfcnn.display import figures
from tfcnn.display.frame import frame
from tfcnn.display.metric_tables import as_words
from tfcnn.display.panel import Grid, Panel, Shown
from tfcnn.evaluation import by_group, intervals, table
from tfcnn.evaluation.metrics import compute
from tfcnn.evaluation.sample import Sample
from tfcnn.evaluation.table import Table
from tfcnn.runs import SPLIT, Run

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, repr=False)
class Comparison(Shown):
    """How two runs differ on the same unseen images.

    Attributes:
        runs: the names of the first and the second run.
        metrics: per metric `first` and `second`, and `difference`, first minus second, with `low`
            and `high` of its 95 % interval; None where it cannot be computed, with a `reason`.
        counts: images and groups that both were tested on.
        warnings: what a reader must know before believing a figure.
        sentence: the result in one sentence.
    """

    runs: tuple[str, str]
    metrics: dict[str, dict[str, Any]]
    counts: dict[str, int]
    warnings: list[str]
    sentence: str

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as plain values."""
        return asdict(self)

    def grid(self) -> Grid:
        """Return every metric of both, and the difference with its interval."""
        rows = []
        for name, row in self.metrics.items():
            write, change = figures.metric(name), figures.change(name)
            difference = row["difference"]
            values = [write(row["first"]), write(row["second"]), change(difference["value"])]
            rows.append([as_words(name), *values, figures.interval(difference, change)])
        groups = f" of {self.counts['groups']:,} groups" if self.counts["groups"] else ""
        title = f"{self.counts['images']:,} test images{groups}"
        return Grid(["metric", *self.runs, "difference", "95 % interval"], rows, title)

    def panel(self) -> Panel:
        """Return what a notebook shows."""
        head = f"{self.runs[0]} and {self.runs[1]}"
        return Panel(head, [self.sentence], self.warnings, [self.grid()])

    def to_frame(self) -> "pd.DataFrame":
        """Return a pandas row per metric: `first`, `second`, `difference`, `low`, `high`, `reason`.

        Raises:
            InputError: if pandas is not installed.
        """
        rows = [
            {"metric": name, "reason": "", **row, **row["difference"]}
            | {"difference": row["difference"]["value"]}
            for name, row in self.metrics.items()
        ]
        columns = ("metric", "first", "second", "difference", "low", "high", "reason")
        return frame(rows, columns)


def compare(first: Run, second: Run) -> Comparison:
    """Compare two runs by a paired bootstrap over groups; each decides by its own threshold.

    Args:
        first: a finished run.
        second: another of the same classes, tested on some of the same images.

    Raises:
        CheckError: if a split is not the one that was written.
        InputError: if they have other classes, were tested on no common image, or read its
            groups in different ways.
    """
    if first.class_names != second.class_names:
        classes = f"{', '.join(first.class_names)} and {', '.join(second.class_names)}"
        raise InputError(second.path, "the same classes", classes, "two runs on the same data")
    tables = [table.read(run).part("test") for run in (first, second)]
    ours, theirs = _common(first, second, tables)
    positive = first.positive if first.positive == second.positive else None
    groups = _groups((first, second), ours, theirs)
    samples = [
        Sample(
            t.labels,
            t.probs,
            groups,
            positive=positive,
            threshold=run.threshold,
            decisions=t.decisions,
        )
        for run, t in ((first, ours), (second, theirs))
    ]
    own = [compute(sample) for sample in samples]  # no intervals: hard groups are hard for both
    differences = intervals.paired(*samples)
    metrics: dict[str, dict[str, Any]] = {
        name: {
            "first": own[0][name].value,
            "second": own[1][name].value,
            "difference": difference.to_dict(),
        }
        for name, difference in differences.items()
    }
    counts = {"images": len(ours.labels), "groups": 0 if groups is None else len(set(groups))}
    names = (first.name, second.name)
    return Comparison(
        names,
        metrics,
        counts,
        _warnings((first, second), tables, counts, groups),
        _sentence((first, second), names, counts, metrics["accuracy"]["difference"]),
    )


def _common(first: Run, second: Run, tables: list[Table]) -> tuple[Table, Table]:
    """Return the rows of the images that both were tested on, in the same order."""
    hashes = [_hashes(run) for run in (first, second)]
    paths = np.intersect1d(tables[0].paths, tables[1].paths)
    same = np.array([hashes[0].get(path) == hashes[1].get(path) for path in paths], dtype=bool)
    paths = paths[same]
    if not len(paths):
        raise InputError(
            f"{first.path} and {second.path}", "test images in common", "none",
            f"--split {first.path / 'split.csv'} when training the second",
        )  # fmt: skip
    ours, theirs = (_rows(t, paths) for t in tables)
    if not np.array_equal(ours.labels, theirs.labels):
        path = paths[np.flatnonzero(ours.labels != theirs.labels)[0]]
        raise InputError(second.path, "the same labels in both", f"two of {path}", "the same data")
    return ours, theirs


def _groups(runs: tuple[Run, Run], ours: Table, theirs: Table) -> npt.NDArray[np.str_] | None:
    """Return the groups of the common images, which one of the runs may know alone."""
    both = [groups for part in (ours, theirs) if (groups := part.known_groups) is not None]
    if len(both) == 2 and (differ := both[0] != both[1]).any():
        i = np.flatnonzero(differ)[0]
        raise InputError(
            runs[1].path, "the same groups in both runs",
            f"{both[0][i]} and {both[1][i]} for {ours.paths[i]}",
            f"--split {runs[0].path / SPLIT} when training the second",
        )  # fmt: skip
    return both[0] if both else None


def _rows(of: Table, paths: npt.NDArray[np.str_]) -> Table:
    order = np.argsort(of.paths)
    return of.take(order[np.searchsorted(of.paths, paths, sorter=order)])


def _hashes(run: Run) -> dict[str, str]:
    path = run.path / SPLIT
    if not path.is_file():
        raise InputError(path, "the split of a run", "no such file", "a run that was trained here")
    return {row["path"]: row["sha256"] for row in run.split}


def _warnings(
    runs: tuple[Run, Run],
    tables: list[Table],
    counts: dict[str, int],
    groups: npt.NDArray[np.str_] | None,
) -> list[str]:
    warnings = list(dict.fromkeys(note for run in runs for note in run.card["data"]["notes"]))
    for run, tested in zip(runs, tables, strict=True):
        if run.doubt:
            warnings.append(f"{run.name}: {run.doubt}")
        if run.is_leaky:
            warnings.append(f"LEAKY: {run.name} was split by image, so its figures flatter it")
        elif groups is not None and tested.known_groups is None:
            nouns = run.card["data"]["nouns"]
            warnings.append(
                f"LEAKY: {run.name} knew no groups, so it may have been trained on other "
                f"{nouns[0]} of those it was tested on, and its figures flatter it"
            )
        if len(tested.labels) > counts["images"]:
            warnings.append(
                f"{run.name} was tested on {len(tested.labels):,} images; "
                f"compared on the {counts['images']:,} that both were"
            )
    few_groups = by_group.warning(groups, noun=runs[0].card["data"]["nouns"][1])
    return warnings + ([few_groups] if few_groups else [])


def _sentence(
    both: tuple[Run, Run],
    names: tuple[str, str],
    counts: dict[str, int],
    difference: dict[str, Any],
) -> str:
    images, groups = both[0].card["data"]["nouns"]
    unseen = "" if any(one.doubt for one in both) else "unseen "
    on = f"On {counts['images']:,} {unseen}{images}"
    on += f" of {counts['groups']} {groups}" if counts["groups"] else ""
    value, low, high = (difference[key] for key in ("value", "low", "high"))
    if value is None or low is None:
        return f"{on} the accuracies cannot be compared: {difference['reason']}."
    if low <= 0 <= high:
        return (
            f"{on} neither is shown to be better: the accuracy of {names[0]} less that of "
            f"{names[1]} is {_points(value)} points ({_points(low)} to {_points(high)})."
        )
    ends = sorted((abs(low), abs(high)))
    better, worse = names if value > 0 else names[::-1]
    return (
        f"{on} {better} is better than {worse}: by {100 * abs(value):.1f} points of accuracy "
        f"({100 * ends[0]:.1f} to {100 * ends[1]:.1f})."
    )


def _points(value: float) -> str:
    return f"{100 * value:+.1f}".replace("-", "−")
