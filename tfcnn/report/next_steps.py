"""What a reader of a report should do next, the most urgent first."""

import shlex
from dataclasses import dataclass

from tfcnn import runs
from tfcnn.evaluation.groups import FEW_GROUPS
from tfcnn.report import siblings
from tfcnn.report.content import Content

__all__ = ["Step", "next_steps", "reference"]

MAX_STEPS = 3


@dataclass(frozen=True)
class Step:
    """One thing to do: what, in which section of the page, and by which command, if any."""

    text: str
    section: str = ""
    command: str = ""


def next_steps(content: Content, num_errors: int) -> list[Step]:
    """Return at most three things to do, in order.

    Args:
        content: the run.
        num_errors: on the split that is shown.
    """
    run, name = content.run, reference(content)
    if run.is_leaky:
        command, noun = (
            siblings.other_split(content),
            run.card["data"]["nouns"][1].removesuffix("s"),
        )
        return [Step(f"Train it split by {noun}: that result can be believed.", command=command)]
    groups = content.report.counts[content.shown]["groups"]
    steps = []
    known = siblings.crossval(content)
    if not known.get("part_of") and (content.shown != "test" or 0 < groups < FEW_GROUPS):
        what = f"all {run.card['data']['nouns'][1 if groups else 0]}"
        by = "each by a model of the others"
        verb = "See the test" if known["folder"] else "Test"
        steps.append(Step(f"{verb} on {what}, {by}.", "checks", known.get("command", "")))
    if num_errors:
        noun = "error" if num_errors == 1 else f"{num_errors:,} errors"
        steps.append(Step(f"Look at the {noun}, the surest first.", "errors"))
    if run.positive is not None and run.card["threshold_reason"] == "default":
        steps.append(Step("Choose a threshold: it is still the default.", "threshold"))
    command = f"tfcnn predict {name} new_images/"
    return [*steps[: MAX_STEPS - 1], Step("Use it on images of your own.", "use", command)]


def reference(content: Content) -> str:
    """Return how a command names the run: by name in `models/`, else by path."""
    return shlex.quote(runs.as_typed(content.run.path))
