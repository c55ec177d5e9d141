"""Write `report.html`: one file that opens without a network, on a phone and on paper."""

import base64
import hashlib
import re
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from tfcnn import runs
from tfcnn.base import atomic, naming, records
from tfcnn.base.errors import InputError
from tfcnn.report import answers, content, exhibits, figures, matrix, model_card, plots, siblings
from tfcnn.report.content import Content
from tfcnn.report.next_steps import next_steps, reference
from tfcnn.runs import Run

__all__ = ["environment", "render", "write"]

SCRIPT = Path(__file__).with_name("report.js")
NO_BREAK = "\u00a0"
MAX_QUARANTINED = 20


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
        return environment().get_template("page.html").render(_values(content.read(run)))
    except (jinja2.UndefinedError, KeyError) as error:
        if not run.caution:  # nothing is damaged: a fault of ours
            raise
        subject = f"{run.path}: report.json or model.json"
        raise InputError(subject, "all that a report says", str(error), runs.HINT) from error


def environment() -> jinja2.Environment:
    """Return the templates of this folder, and how they write numbers."""
    templates = jinja2.Environment(
        loader=jinja2.PackageLoader("tfcnn", "report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters |= {"percent": percent, "number": number, "seconds": seconds}
    templates.globals |= {"colours": plots.COLOURS, "dark": plots.DARK}
    return templates


def _shown(value: Any) -> Any:
    """Return a value that turns no letters of the page around it; tabs and line ends stay."""
    is_ours = not isinstance(value, str) or isinstance(value, Markup)
    return value if is_ours else naming.visible(value, is_one_line=False)


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
    suspects = siblings.suspects(made)
    shown = exhibits.collect(made, suspects["ranks"])
    return {
        "result": _result(report.sentence),
        "steps": next_steps(made, shown.num_errors),
        "run": run,
        "report": report,
        "facts": report.facts,
        "card": run.card,
        "nouns": {"images": images, "groups": groups, "group": groups.removesuffix("s")},
        "shown": made.shown,
        "warnings": [text for text in report.warnings if not text.startswith("LEAKY")],
        "split_rows": content.split_rows(made),
        "audit": content.audit(made),
        "quarantined": report.facts["quarantined"][:MAX_QUARANTINED],
        "metrics": content.metric_rows(made),
        "baseline": report.baseline,
        "by_threshold": report.confusion_rule == "decision",
        "confusion": matrix.confusion(made),
        "exhibits": shown,
        "groups": figures.groups(made),
        "patients": answers.patients(made),
        "flags": answers.flags(made),
        "history": figures.history(made),
        "calibration": figures.reliability(made),
        "point": figures.point(made),
        "asked": report.operating_point if "asked" in report.operating_point else {},
        "leak": siblings.leak(made),
        "crossval": siblings.crossval(made),
        "suspects": suspects,
        "reference": reference(made),
        "python_reference": records.to_json(runs.as_typed(run.path)),  # a Python string too
        "intended_use": model_card.intended_use(run),
        "limits": model_card.limits(run, report, made.shown),
        "recipe": run.file(runs.RECIPE).read_text(encoding="utf-8"),
        **_script(),
    }


def _script() -> dict[str, Any]:
    """Return the page's own script, and its hash, the only script that the page lets run."""
    text = SCRIPT.read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")
    return {"script": Markup(text), "script_hash": f"sha256-{digest}"}


def _result(sentence: str) -> list[tuple[str, str]]:
    """Take the sentence apart, to be set in sizes: on whom, what, how sure, and what beside it."""
    text = sentence.replace(" %", f"{NO_BREAK}%").replace("`", "")
    found = re.fullmatch(rf"(On .+?:) ([\d.]+{NO_BREAK}%,?)([^;]*;?)(.*)", text)
    if not found:
        return [("text", text)]
    *first, rest = found.groups()
    pieces = re.findall(r"[^;]+;?", rest.strip())
    kinds = ("on", "value", "range", *("beside" for _ in pieces))
    return [
        (kind, part) for kind, part in zip(kinds, [*first, *pieces], strict=True) if part.strip()
    ]
