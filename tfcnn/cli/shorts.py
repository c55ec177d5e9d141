"""Options that are short for a `--set`, the same on every command that reads or trains."""

import functools
import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import typer

from tfcnn.base.errors import InputError

__all__ = ["DATA", "TRAIN", "with_shorts"]

Command = Callable[..., None]


@dataclass(frozen=True)
class Short:
    """An option that is short for an assignment of a key."""

    option: str
    key: str
    kind: Any
    help: str
    metavar: str | None = None

    @property
    def parameter(self) -> str:
        """The name under which a command receives it."""
        return self.option.removeprefix("--").replace("-", "_")

    @property
    def annotation(self) -> Any:
        """What Typer reads of it."""
        shown = f"{self.help} \\[{self.key}]"
        option = typer.Option(
            self.option, help=shown, metavar=self.metavar, rich_help_panel="Short for --set"
        )
        return Annotated[self.kind | None, option]


DATA = (
    Short(
        "--group-regex",
        "data.group_regex",
        str,
        "Read the group (patient) from a name or path.",
    ),
    Short("--group-csv", "data.group_csv", str, "A table with columns path,group."),
    Short(
        "--group-from",
        "data.group_from",
        Literal["name", "folder", "folder-above"],
        "Read the group from the folder below, or above, the class folder.",
    ),
    Short("--path-column", "data.path_column", str, "The table's column of images."),
    Short("--group-column", "data.group_column", str, "The table's column of groups."),
    Short("--positive", "data.positive", str, "Which of two classes is looked for."),
    Short("--ignore", "data.ignore", list[str], "Files to leave out: '*_mask.png'; repeatable."),
)
TRAIN = (
    Short("--epochs", "train.epochs", int, "How many times every image is seen."),
    Short("--batch-size", "train.batch_size", int, "Images per step."),
    Short("--image-size", "data.image_size", str, "A side in px, or 48x64, height first.", "PX"),
    Short("--seed", "train.seed", int, "Seed of the training; the split has data.split.seed."),
)


def with_shorts(*shorts: Short) -> Callable[[Command], Command]:
    """Give a command these options; it receives what they say in `settings`, as assignments."""

    def decorate(command: Command) -> Command:
        @functools.wraps(command)
        def with_them(**given: Any) -> None:
            values = {short: given.pop(short.parameter) for short in shorts}
            given["settings"] = _settings(given["settings"] or [], values)
            command(**given)

        signature = inspect.signature(command)
        own = list(signature.parameters.values())
        place = 1 + [parameter.name for parameter in own].index("settings")
        own[place:place] = [
            inspect.Parameter(
                short.parameter, own[place].kind, default=None, annotation=short.annotation
            )
            for short in shorts
        ]
        vars(with_them)["__signature__"] = signature.replace(parameters=own)
        with_them.__annotations__ = {parameter.name: parameter.annotation for parameter in own}
        return with_them

    return decorate


def _settings(settings: list[str], values: dict[Short, Any]) -> list[str]:
    """Return the assignments that were typed, and those that the short options stand for.

    Raises:
        InputError: if a key is given two values.
    """
    if all(value is None for value in values.values()):
        return settings
    from tfcnn import recipes

    typed = dict(recipes.read_assignment(text) for text in settings)
    found = list(settings)
    for short, value in values.items():
        if value is None:
            continue
        value = _size(value) if short.parameter == "image_size" else value
        if short.key in typed and typed[short.key] != value:
            received = f"{value!r}, and {typed[short.key]!r} by --set"
            raise InputError(short.option, f"one value of {short.key}", received, "one of them")
        found.append(recipes.assignment(short.key, value))
    return found


def _size(text: str) -> Any:
    """Return a side in px or (height, width); what is neither is left for the schema to refuse."""
    sides = re.fullmatch(r"(\d+)(?:\s*[x,]\s*(\d+))?", text.strip())
    if sides is None:
        return text
    height, width = sides.groups()
    return int(height) if width is None else [int(height), int(width)]
