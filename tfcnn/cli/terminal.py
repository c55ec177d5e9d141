"""What the commands print on stdout: tables, and at the end the result in one sentence."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tfcnn.display import metric_tables
from tfcnn.display.console import Console, print_grid
from tfcnn.display.figures import percent
from tfcnn.display.panel import Grid

if TYPE_CHECKING:
    from tfcnn.evaluation.comparison import Comparison
    from tfcnn.evaluation.labels import Suspects
    from tfcnn.evaluation.out_of_fold import Summary
    from tfcnn.evaluation.rethreshold import Change
    from tfcnn.evaluation.scoring import Report


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
    print_grid(report.grid(split), console)
    if report.operating_point:
        console.print(
            f"Accuracy and balanced accuracy count the most probable class, sensitivity to MCC "
            f"{metric_tables.answer(report.confusion_rule, report.operating_point)}."
        )


def show_confusion(
    report: "Report", split: str, class_names: Sequence[str], console: Console
) -> None:
    """Print the confusion matrix and its rule; nothing where there are many classes."""
    table = metric_tables.confusion(
        split, report.confusion[split], class_names, report.confusion_rule, report.operating_point
    )
    if table:
        print_grid(table, console)


def show_groups(report: "Report", split: str, console: Console, limit: int = 10) -> None:
    """Print the groups with the most errors."""
    rows = report.groups[split]
    if not rows:
        return
    title = f"{split}: {min(limit, len(rows))} of {len(rows)} groups, most errors first"
    if report.operating_point.get("threshold", 0.5) != 0.5:
        title += ", by the most probable class"
    names = ["group", "images", *rows[0]["per_class"], "errors", "accuracy"]
    cells = [
        [percent(row[name]) if name == "accuracy" else str(row[name]) for name in names]
        for row in ({**row, **row["per_class"]} for row in rows[:limit])
    ]
    print_grid(Grid(names, cells, title), console)


def show_split(report: "Report", split: str, class_names: Sequence[str], console: Console) -> None:
    """Print all that is known of a split: metrics, confusion, groups, flags."""
    show_metrics(report, split, console)
    show_confusion(report, split, class_names, console)
    show_groups(report, split, console)
    for line in report.remarks(split):
        console.print(line)


def show_extras(report: "Report", console: Console) -> None:
    """Print subgroups and stress test, where the report has them."""
    from tfcnn.evaluation import stress, subgroups

    for part, content in ((subgroups, report.subgroups), (stress, report.stress)):
        for table in part.grids(content):
            print_grid(table, console)
        for line in part.remarks(content):
            console.print(line)


def show_folds(summary: "Summary", console: Console) -> None:
    """Print a row per fold, their mean and sd, and all predictions pooled."""
    print_grid(summary.grid(), console)


def show_comparison(comparison: "Comparison", console: Console) -> None:
    """Print every metric of two runs and their difference, with its interval."""
    print_grid(comparison.grid(), console)


def show_threshold(change: "Change", console: Console) -> None:
    """Print what a run's threshold was and is, and what either does, with intervals."""
    from tfcnn.evaluation.metrics import percent as with_interval

    title = f"{change.run.name}: {change.run.card['positive']} from a probability on, upwards"
    rows = [["threshold", f"{change.before:.3g}", f"{change.after:.3g}"]]
    rules = []
    for split, by_metric in change.splits.items():
        rules.append(len(rows))
        for name, row in by_metric.items():
            rows.append([f"{split} {name}", *(with_interval(row[k]) for k in ("before", "after"))])
    print_grid(Grid(["", "before", "after"], rows, title, rules=rules), console)
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
    columns = ["image", "group", "label", "suggested", "its label's probability"]
    cells = [
        [
            *(row[name] for name in ("path", "group", "label", "suggested")),
            percent(row["prob_label"]),
        ]
        for row in rows
    ]
    print_grid(Grid(columns, cells, title, num_texts=4), console)
