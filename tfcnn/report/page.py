"""Write `report.html`: one file that opens without a network, on a phone and on paper."""

import json
import re
import shlex
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from tfcnn import atomic, runs
from tfcnn.errors import InputError
from tfcnn.report import content, model_card, plots
from tfcnn.report.content import Content
from tfcnn.runs import Run

__all__ = ["environment", "write"]

FILE = "report.html"
NO_BREAK = "\u00a0"
MAX_GROUP_ROWS = 10
MAX_CLASS_COLUMNS = 3  # in the table of groups, which has to fit a phone
MAX_QUARANTINED = 20


def write(folder: Path) -> Path:
    """Write the report of a run from the files in its folder alone.

    Args:
        folder: a run folder; it need not be stamped as done.

    Returns:
        The path of `report.html`.

    Raises:
        InputError: if a file that the report is made of is missing.
    """
    path = folder / runs.CARD
    if not path.is_file():
        raise InputError(path, "the contract of a run", "none", "a run that `train` made")
    run = Run(folder, json.loads(path.read_text(encoding="utf-8")))
    target = folder / FILE
    atomic.write_text(target, render(run))
    return target


def render(run: Run) -> str:
    """Return the report of a run as HTML, the same text for the same files."""
    return environment().get_template("page.html").render(_values(content.read(run)))


def environment() -> jinja2.Environment:
    """Return the templates of this folder, and how they write numbers."""
    templates = jinja2.Environment(
        loader=jinja2.PackageLoader("tfcnn", "report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters |= {"percent": percent, "number": number, "seconds": seconds}
    return templates


def percent(share: float, sign: str = f"{NO_BREAK}%") -> str:
    """Format a share for reading: 95.8 %."""
    return f"{100 * share:.1f}{sign}"


def number(value: float) -> str:
    """Format a figure that is no share: 0.987."""
    return f"{value:.3f}"


def seconds(value: float) -> str:
    """Format a duration: 8.3 s, 4 min 10 s."""
    if value < 60:
        return f"{value:.1f}{NO_BREAK}s"
    minutes, rest = divmod(round(value), 60)
    return f"{minutes:,}{NO_BREAK}min {rest}{NO_BREAK}s"


def _values(made: Content) -> dict[str, Any]:
    """Return all that the template names."""
    run, report = made.run, made.report
    images, groups = run.card["data"]["nouns"]
    return {
        "result": _result(report.sentence),
        "run": run,
        "report": report,
        "facts": report.facts,
        "card": run.card,
        "colours": plots.COLOURS,
        "nouns": {"images": images, "groups": groups, "group": groups.removesuffix("s")},
        "shown": made.shown,
        "warnings": [text for text in report.warnings if not text.startswith("LEAKY")],
        "split_rows": content.split_rows(made),
        "quarantined": report.facts["quarantined"][:MAX_QUARANTINED],
        "metrics": content.metric_rows(made),
        "confusion": content.confusion(made),
        "groups": _groups(made),
        "history": _history(made),
        "calibration": _calibration(made),
        "point": _point(made),
        "errors": content.errors(made),
        "reference": shlex.quote(_reference(run)),
        "python_reference": json.dumps(_reference(run)),  # a Python string too
        "intended_use": model_card.intended_use(run),
        "limits": model_card.limits(run, report, made.shown),
        "recipe": (run.path / "recipe.toml").read_text(encoding="utf-8"),
    }


def _result(sentence: str) -> list[tuple[str, str]]:
    """Take the sentence apart, to be set in sizes: on whom, what, and how sure."""
    text = sentence.replace(" %", f"{NO_BREAK}%").replace("`", "")
    found = re.fullmatch(rf"(On .+?:) ([\d.]+{NO_BREAK}%,?)(.*)", text)
    if not found:
        return [("text", text)]
    kinds = ("on", "value", "range")
    return [(kind, part) for kind, part in zip(kinds, found.groups(), strict=True) if part.strip()]


def _reference(run: Run) -> str:
    """Return how a command names the run: by name in `models/`, else by path."""
    return run.name if run.path == runs.models_home() / run.name else str(run.path)


def _groups(made: Content) -> dict[str, Any]:
    rows = made.report.groups[made.shown]
    if not rows:
        return {}
    by_accuracy = sorted(rows, key=lambda row: (row["accuracy"], -row["images"], row["group"]))
    overall = made.report.splits[made.shown]["accuracy"]["value"]
    names = made.run.class_names
    return {
        "count": len(rows),
        "drawn": min(len(rows), plots.MAX_GROUPS),
        "svg": Markup(plots.groups(by_accuracy, overall)),
        "lowest": by_accuracy[0],
        "highest": by_accuracy[-1],
        "rows": [row for row in rows[:MAX_GROUP_ROWS] if row["errors"]],
        "classes": names if len(names) <= MAX_CLASS_COLUMNS else (),
    }


def _history(made: Content) -> dict[str, Any]:
    found = content.history(made)
    loss = plots.curves(found["loss"], label="loss", is_share=False, colours=("muted", "blue"))
    accuracy = plots.curves(
        found["accuracy"], label="accuracy on val", is_share=True, colours=("blue",)
    )
    return {**found, "loss_svg": Markup(loss), "accuracy_svg": Markup(accuracy)}


def _calibration(made: Content) -> dict[str, Any]:
    curve = content.reliability(made)
    positive = made.run.positive
    event = (
        "predicted class right"
        if positive is None
        else f"share that is {made.run.class_names[positive]}"
    )
    return {
        "svg": Markup(plots.reliability(curve, event)),
        "event": event,
        "ece": made.report.splits[made.shown]["ece"],
        "temperature": made.run.card["temperature"],
        "is_calibrated": made.recipe.evaluation.calibrate,
    }


def _point(made: Content) -> dict[str, Any]:
    found = content.operating_point(made)
    if not found:
        return {}
    svg = plots.operating_point(
        found["thresholds"], found["sensitivity"], found["specificity"], made.run.threshold
    )
    return {**found, "svg": Markup(svg)}
