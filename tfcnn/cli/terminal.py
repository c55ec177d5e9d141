"""How commands look in a terminal: progress and notes on stderr, tables and results on stdout."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console as RichConsole
from rich.console import RenderableType
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from tfcnn.base import interrupts, naming
from tfcnn.base.progress import Reporter

if TYPE_CHECKING:
    from tfcnn.evaluation.comparison import Comparison
    from tfcnn.evaluation.labels import Suspects
    from tfcnn.evaluation.out_of_fold import Summary
    from tfcnn.evaluation.rethreshold import Change
    from tfcnn.evaluation.scoring import Report

MOST_CLASSES = 10


class Console(RichConsole):
    """A console on which a name is what it is: no markup, no emoji, no control of the terminal."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"highlight": False, "markup": False, "emoji": False, **options})

    def render_str(self, text: str, **options: Any) -> Text:
        """Return a text as it is shown, in a line, a table or a title."""
        return super().render_str(naming.visible(text), **options)


class _Where(ProgressColumn):
    """Shows one column where a stage has a count, and another, or nothing, where it has none."""

    def __init__(self, counted: ProgressColumn, other: ProgressColumn | None = None) -> None:
        super().__init__()
        self._counted, self._other = counted, other

    def render(self, task: Task) -> RenderableType:
        """Return what this column shows of a stage."""
        if task.total:
            return self._counted(task)
        return self._other(task) if self._other else Text()


class TerminalReporter(Reporter):
    """Shows stages as progress bars and epochs as lines, on stderr."""

    def __init__(self) -> None:
        self.console = Console(stderr=True)
        self._bars = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            _Where(BarColumn(bar_width=30), TimeElapsedColumn()),
            _Where(MofNCompleteColumn()),
            _Where(TimeRemainingColumn(compact=True)),
            console=self.console,
            transient=True,
            disable=not self.console.is_interactive,  # or it would end with an empty line
        )
        self._task: Any = None

    def __enter__(self) -> "TerminalReporter":
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end()
        self._bars.stop()

    def stage(self, text: str) -> Callable[[int, int | None], None]:
        """Replace the bar by one for this stage."""
        interrupts.check()
        self._end()
        task = self._task = self._bars.add_task(naming.visible(text), total=None)
        self._bars.refresh()  # at once: while TensorFlow starts, nothing gets through

        def update(done: int, total: int | None) -> None:
            interrupts.check()
            self._bars.update(task, completed=done, total=total)

        return update

    def note(self, text: str) -> None:
        """Print a line above the bar."""
        self.console.print(text, style="dim")

    def epoch(self, epoch: int, epochs: int, logs: dict[str, float]) -> None:
        """Print the figures of an epoch."""
        left = logs["seconds"] * (epochs - epoch)
        self.console.print(
            f"epoch {epoch:>2}/{epochs}  loss {logs['loss']:.3f}  val {logs['val_loss']:.3f}  "
            f"{percent(logs['val_sparse_categorical_accuracy']):>7}  "
            f"{logs['images_per_second']:>6,.0f} img/s  "
            f"wait {logs['waiting_fraction']:>3.0%}  {left:.0f} s left"
        )

    def _end(self) -> None:
        if self._task is not None:
            self._bars.remove_task(self._task)
            self._task = None


def percent(value: float | None) -> str:
    """Format a fraction for reading: 95.8 %."""
    return "–" if value is None else f"{100 * value:.1f} %"


def conclude(
    result: "Report | Comparison | Summary", console: Console, *places: tuple[str, object]
) -> None:
    """Print a result: its warnings, where its files are, and its sentence.

    A terminal's lines end between words; what goes into a file or pipe is a line each.
    """
    wrap = not console.is_terminal
    for warning in result.warnings:
        console.print(f"note: {warning}", soft_wrap=wrap)
    if places:
        where = "   ".join(f"{title}: {place}" for title, place in places)
        console.print(where, soft_wrap=True)  # a path that is broken cannot be copied
    console.print(result.sentence, soft_wrap=wrap)


def show_metrics(report: "Report", split: str, console: Console) -> None:
    """Print every metric of a split with its interval."""
    from tfcnn.evaluation.metrics import SHARES  # needs NumPy, which `list` does not

    counts = report.counts[split]
    groups = f", {counts['groups']:,} groups" if counts["groups"] else ""
    title = f"{split}: {counts['images']:,} images{groups}"
    table = _table(title, "metric", "value", "95 % interval")
    usual = report.baseline.get(split)
    for name, row in report.splits[split].items():
        show = percent if name in SHARES else _number
        interval = str(row.get("reason", ""))
        if row["low"] is not None:
            interval = f"{show(row['low'])} to {show(row['high'])}"
        table.add_row(name.replace("_", " "), show(row["value"]), interval)
        if name == "accuracy" and usual:
            table.add_row(f"  always saying {usual['class']}", percent(usual["share"]), "")
    console.print(table)
    if report.operating_point:
        console.print(
            f"Accuracy and balanced accuracy count the most probable class, sensitivity to MCC "
            f"{_rule(report)}."
        )


def show_confusion(
    report: "Report", split: str, class_names: Sequence[str], console: Console
) -> None:
    """Print the confusion matrix and its rule; nothing where there are many classes."""
    if len(class_names) > MOST_CLASSES:
        return
    console.print(f"{split}: true classes in rows, {_rule(report)} in columns", style="italic")
    table = _table(None, "", *class_names)
    for name, counts in zip(class_names, report.confusion[split], strict=True):
        table.add_row(name, *(f"{count:,}" for count in counts))
    console.print(table)


def _rule(report: "Report") -> str:
    """Say which answer a confusion matrix counts."""
    point = report.operating_point
    if report.confusion_rule == "decision" and point:
        return f"decisions ({point['positive']} from {point['threshold']:.3g} upwards)"
    return "most probable classes"


def show_groups(report: "Report", split: str, console: Console, limit: int = 10) -> None:
    """Print the groups with the most errors."""
    rows = report.groups[split]
    if not rows:
        return
    title = f"{split}: {min(limit, len(rows))} of {len(rows)} groups, most errors first"
    if report.operating_point.get("threshold", 0.5) != 0.5:
        title += ", by the most probable class"
    names = ["group", "images", *rows[0]["per_class"], "errors", "accuracy"]
    table = _table(title, *names)
    for row in ({**row, **row["per_class"]} for row in rows[:limit]):
        table.add_row(
            *(percent(row[name]) if name == "accuracy" else str(row[name]) for name in names)
        )
    console.print(table)


def show_folds(summary: "Summary", console: Console) -> None:
    """Print a row per fold, their mean and sd, and all predictions pooled."""
    titles = {
        "accuracy": "accuracy", "roc_auc": "AUC", "macro_roc_auc": "macro AUC",
        **{name: name.replace("_", " ") for name in summary.by_class},
    }  # fmt: skip
    names = [name for name in titles if name in summary.metrics]
    counted = ["images", "groups"] if summary.counts["groups"] else ["images"]
    usual = summary.baseline
    table = _table(
        f"{len(summary.folds)} folds, every image tested in one",
        "run", *counted, *(titles[name] for name in names), "train s",
        caption=f"always saying {usual['class']}: {percent(usual['share'])}" if usual else None,
        caption_justify="left", padding=(0, 0) if summary.by_class else (0, 1),
    )  # fmt: skip

    def cells(values: dict[str, float | None]) -> list[str]:
        return [_number(values[n]) if n.endswith("auc") else percent(values[n]) for n in names]

    for row in summary.folds:
        counts = [f"{row[key]:,}" for key in counted]
        table.add_row(row["run"], *counts, *cells(row["metrics"]), f"{row['train_seconds']:,.1f}")
    table.add_section()
    for key in ("mean", "sd"):
        row = {name: summary.metrics[name][key] for name in names}
        table.add_row(key, *("" for _ in counted), *cells(row), "")
    total = f"{sum(row['train_seconds'] for row in summary.folds):,.1f}"
    pooled = {name: summary.metrics[name]["pooled"]["value"] for name in names}
    counts = [f"{summary.counts[key]:,}" for key in counted]
    table.add_row("pooled", *counts, *cells(pooled), total)
    console.print(table)


def show_comparison(comparison: "Comparison", console: Console) -> None:
    """Print every metric of two runs and their difference, with its interval."""
    from tfcnn.evaluation.metrics import SHARES

    groups = f" of {comparison.counts['groups']:,} groups" if comparison.counts["groups"] else ""
    title = f"{comparison.counts['images']:,} test images{groups}"
    table = _table(title, "metric", *comparison.runs, "difference", "95 % interval")
    for name, row in comparison.metrics.items():
        show, change = (percent, _points) if name in SHARES else (_number, _signed)
        difference = row["difference"]
        interval = str(difference.get("reason", ""))
        if difference["low"] is not None:
            interval = f"{change(difference['low'])} to {change(difference['high'])}"
        values = [show(row["first"]), show(row["second"]), change(difference["value"])]
        table.add_row(name.replace("_", " "), *values, interval)
    console.print(table)


def show_threshold(change: "Change", console: Console) -> None:
    """Print what a run's threshold was and is, and what either does, with intervals."""
    from tfcnn.evaluation.metrics import percent as with_interval

    title = f"{change.run.name}: {change.run.card['positive']} from a probability on, upwards"
    table = _table(title, "", "before", "after")
    table.add_row("threshold", f"{change.before:.3g}", f"{change.after:.3g}")
    for split, rows in change.splits.items():
        table.add_section()
        for name, row in rows.items():
            cells = (with_interval(row[key]) for key in ("before", "after"))
            table.add_row(f"{split} {name}", *cells)
    console.print(table)
    console.print(f"Chosen: {change.reason}.")
    band, rule = change.run.card["abstention_reason"], change.run.card["group_rule"]["reason"]
    if change.run.abstention:
        console.print(f"Abstention anew: {band}.")
    if change.run.card["group_rule"]["least_share"] is not None:
        console.print(f"Rule for groups anew: {rule}.")


def show_suspects(suspects: "Suspects", console: Console, limit: int = 10) -> None:
    """Print the labels that are least believed."""
    rows = suspects.rows[:limit]
    title = f"{len(rows)} of {len(suspects.rows):,} labels, the least believed first"
    table = Table(title=title, title_justify="left")
    for name in ("image", "group", "label", "suggested"):
        table.add_column(name, overflow="fold")
    table.add_column("its label's probability", justify="right")
    for row in rows:
        texts = (row[name] for name in ("path", "group", "label", "suggested"))
        table.add_row(*texts, percent(row["prob_label"]))
    console.print(table)


def _table(title: str | None, first: str, *others: str, **options: Any) -> Table:
    """Return an empty table of names on the left and numbers on the right."""
    table = Table(title=title, title_justify="left", **options)
    table.add_column(first)
    for name in others:
        table.add_column(name, justify="right")
    return table


def _points(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:+.1f} pt"


def _signed(value: float | None) -> str:
    return "–" if value is None else f"{value:+.4f}"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"
