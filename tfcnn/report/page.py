"""Write `report.html`: one file that opens without a network."""

import functools
import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
from markupsafe import Markup

from tfcnn import runs
from tfcnn.base import atomic, records
from tfcnn.base.errors import InputError
from tfcnn.display import html_pages
from tfcnn.evaluation.by_group import FEW_GROUPS
from tfcnn.report import content as gathering
from tfcnn.report import exhibits, fold_table, model_card, robustness, siblings
from tfcnn.report.colours import DAY, NIGHT
from tfcnn.report.content import Content
from tfcnn.runs import Run

TEMPLATES = Path(__file__).with_name("templates")
NO_BREAK = "\u00a0"
MAX_QUARANTINED = 20
MAX_STEPS = 3
NO_SUSPECTS: dict[str, Any] = {"ranks": {}, "folder": None}  # of other images than the run's


def write(folder: Path) -> Path:
    """Write the report of a run from its folder, and from its images where they still are.

    Args:
        folder: a run folder; it need not be stamped as done.

    Returns:
        The path of `report.html`.

    Raises:
        InputError: if a file that the report is made of is missing.
        CheckError: if one is not as it was written.
    """
    target = folder / runs.PAGE
    atomic.write_text(target, render(runs.read(folder)))
    return target


def render(run: Run) -> str:
    """Return the report of a run as HTML, the same text for the same files."""
    try:
        return render_content(gathering.read(run))
    except (jinja2.UndefinedError, KeyError) as error:
        if not run.caution:  # nothing is damaged: a fault of ours
            raise
        subject = f"{run.path}: report.json or model.json"
        raise InputError(subject, "all that a report says", str(error), runs.HINT) from error


def render_content(content: Content, **values: Any) -> str:
    """Return a report as HTML; `values` are for the template, besides those of every report."""
    return environment().get_template("page.html").render({**_values(content), **values})


@functools.cache  # its templates are compiled once
def environment() -> jinja2.Environment:
    """Return the templates of this room, and how they write numbers."""
    templates = html_pages.environment(TEMPLATES)
    templates.filters |= {"percent": _percent, "number": _number, "seconds": _seconds}
    templates.globals |= {"colours": DAY, "dark": NIGHT}
    return templates


def _percent(share: float, sign: str = f"{NO_BREAK}%") -> str:
    """Format a share for reading: 95.8 %."""
    return f"{100 * share:.1f}{sign}"


def _number(value: float) -> str:
    """Format a figure that is no share: 0.987."""
    return f"{value:.3f}"


def _seconds(value: float) -> str:
    """Format a duration: 8.3 s, 4 min 10 s."""
    if value < 60:
        return f"{value:.1f}{NO_BREAK}s"
    minutes, rest = divmod(round(value), 60)
    return f"{minutes:,}{NO_BREAK}min {rest}{NO_BREAK}s"


def _values(content: Content) -> dict[str, Any]:
    """Return all that the template names."""
    run, report = content.run, content.report
    images, groups = run.card["data"]["nouns"]
    suspects = siblings.suspects(content) if content.source is None else NO_SUSPECTS
    pictures = exhibits.collect(content, suspects["ranks"])
    return {
        "result": _result(report.sentence),
        "steps": next_steps(content, pictures.num_errors),
        "run": run,
        "report": report,
        "facts": report.facts,
        "card": run.card,
        "nouns": {"images": images, "groups": groups, "group": groups.removesuffix("s")},
        "split": content.split,
        "warnings": [text for text in report.warnings if not text.startswith("LEAKY")],
        "split_rows": gathering.split_rows(content),
        "audit": gathering.audit(content),
        "quarantined": report.facts["quarantined"][:MAX_QUARANTINED],
        "metrics": gathering.metric_rows(content),
        "classes": gathering.classes(content),
        "baseline": report.baseline,
        "by_threshold": report.confusion_rule == "decision",
        "confusion": exhibits.confusion(content),
        "exhibits": pictures,
        "groups": gathering.groups(content),
        "group_rule": gathering.group_rule(content),
        "flags": gathering.flags(content),
        "beginning": gathering.beginning(content),
        "history": gathering.history(content),
        **_at_thresholds(content),
        "leak": siblings.leak(content),
        "crossval": siblings.crossval(content),
        "folds": fold_table.gather(content),
        "other": {},
        "suspects": suspects,
        **robustness.values(content),
        "reference_recipe": siblings.recipe_path(content),
        "reference": shlex.quote(runs.as_typed(run.path)),
        "python_reference": records.to_json(runs.as_typed(run.path)),  # a Python string too
        "intended_use": model_card.intended_use(run),
        "limits": model_card.limits(run, report, content.split),
        "recipe": run.file(runs.RECIPE).read_text(encoding="utf-8"),
        **_script(),
    }


def _at_thresholds(content: Content) -> dict[str, Any]:
    """Return what the template names of the stored threshold and of all others."""
    report = content.report
    return {
        "point": gathering.operating_point(content),
        "calibration": gathering.reliability(content),
        "curves": gathering.curve_figures(content),
        "plan": report.plan,
        "promise": report.operating_point.get("guarantee", {}),
        "wish": report.operating_point if "asked" in report.operating_point else {},
    }


def _script() -> dict[str, Any]:
    """Return the page's own script, and its hash, the only script that the page lets run."""
    text = (TEMPLATES / "report.js").read_text(encoding="utf-8")
    return {"script": Markup(text), "script_hash": html_pages.script_hash(text)}


def _result(sentence: str) -> list[tuple[str, str]]:
    """Take the sentence apart, to be set in sizes: on whom, what, how sure, and what beside it."""
    text = sentence.replace(" %", f"{NO_BREAK}%").replace("`", "")
    match = re.fullmatch(rf"(On .+?:) ([\d.]+{NO_BREAK}%,?)([^;]*;?)(.*)", text)
    if not match:
        return [("text", text)]
    *first, rest = match.groups()
    pieces = re.findall(r"[^;]+;?", rest.strip())
    kinds = ("on", "value", "range", *("beside" for _ in pieces))
    return [
        (kind, part) for kind, part in zip(kinds, [*first, *pieces], strict=True) if part.strip()
    ]


@dataclass(frozen=True)
class Step:
    """One thing to do: what, in which section of the page, and by which command, if any."""

    text: str
    section: str = ""
    command: str = ""


def next_steps(content: Content, num_errors: int) -> list[Step]:
    """Return at most three things that a reader should do next, the most urgent first.

    Args:
        content: the run.
        num_errors: on the split that stands for it.
    """
    run, (images, nouns) = content.run, content.run.card["data"]["nouns"]
    if run.is_leaky and siblings.is_adopted(content):
        text = f"Split by {nouns.removesuffix('s')}, train on these, and adopt that model."
        return [Step(text)]
    if run.is_leaky:
        text = f"Train it split by {nouns.removesuffix('s')}: that result can be believed."
        return [Step(text, command=siblings.other_split(content))]
    num_groups = content.report.counts[content.split]["groups"]
    steps = []
    crossval = siblings.crossval(content)
    is_own = not run.num_folds and content.source is None
    if (
        is_own
        and (crossval["folder"] or crossval.get("command"))
        and (content.split != "test" or 0 < num_groups < FEW_GROUPS)
    ):
        verb = "See the test" if crossval["folder"] else "Test"
        text = f"{verb} on all {nouns if num_groups else images}, each by a model of the others."
        steps.append(Step(text, "checks", crossval.get("command", "")))
    if num_errors:
        noun = "error" if num_errors == 1 else f"{num_errors:,} errors"
        steps.append(Step(f"Look at the {noun}, the surest first.", "errors"))
    has_both = len(np.unique(content.predictions.labels)) == 2  # else there is no such section
    if run.positive is not None and has_both and run.card["threshold_reason"] == "default":
        steps.append(Step("Choose a threshold: it is still the default.", "threshold"))
    command = f"tfcnn predict {shlex.quote(runs.as_typed(run.path))} new_images/"
    section = "use" if content.source is None else ""
    return [*steps[: MAX_STEPS - 1], Step("Use it on images of your own.", section, command)]
