"""The command `tfcnn` itself, the arguments and options that commands share, and how they end."""

import functools
import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from tfcnn.base import naming
from tfcnn.base.errors import InputError

if TYPE_CHECKING:
    from tfcnn.runs import Run

Command = Callable[..., None]

app = typer.Typer(
    name="tfcnn",
    help="From a folder of images to a CNN that can be trusted.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Start with: tfcnn train smears, then tfcnn evaluate smears",
)


def _version(value: bool) -> None:
    if value:
        from tfcnn import __version__

        typer.echo(f"tfcnn {__version__}")
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    pass


Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
RunArgument = Annotated[str, typer.Argument(metavar="RUN", help="A run's name or path.")]
Paths = Annotated[
    list[Path], typer.Argument(metavar="PATH...", help="Images, folders, zip archives.")
]
RecipeArgument = Annotated[
    str,
    typer.Argument(
        metavar="RECIPE|FOLDER", help="A recipe, a folder of classes, or your own my_source.py."
    ),
]
Settings = Annotated[
    list[str] | None, typer.Option("--set", metavar="A.B=V", help="Change the recipe.")
]
RunName = Annotated[str | None, typer.Option(help="Name or path of the run folder.")]
Resume = Annotated[
    bool, typer.Option("--resume", help="Go on with an unfinished run, with its own settings.")
]
Fresh = Annotated[bool, typer.Option("--fresh", help="Start an unfinished run again.")]
GroupCsv = Annotated[str | None, typer.Option(help="CSV with columns path,group.")]


def say(text: str, err: bool = False) -> None:
    """Print a line in which nothing acts on the terminal."""
    typer.echo(naming.visible(text), err=err)


def end_if_unanswered(unreadable: int, no_answer: int, total: int) -> None:
    """Say how many images could not be read, or got no answer, and exit with 3 if any."""
    if unreadable:
        typer.echo(f"{unreadable} of {total:,} images could not be read", err=True)
    if no_answer:
        reason = "the network gives no number for them"
        typer.echo(f"{no_answer} of {total:,} images got no answer: {reason}", err=True)
    if unreadable or no_answer:
        raise typer.Exit(3)


def load_run(name: str) -> "Run":
    """Open a run, and say on standard error what its card cannot vouch for."""
    from tfcnn import api

    run = api.load(name)
    if run.caution:
        say(f"note: {run.caution}", err=True)
    return run


@dataclass(frozen=True)
class Short:
    """An option that is short for a `--set` of one key."""

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
        text = f"{self.help} \\[{self.key}]"
        option = typer.Option(
            self.option, help=text, metavar=self.metavar, rich_help_panel="Short for --set"
        )
        return Annotated[self.kind | None, option]


DATA = (
    Short("--labels-csv", "data.labels_csv", str, "A table path,label instead of class folders."),
    Short("--label-column", "data.label_column", str, "The table's column of labels."),
    Short(
        "--group-regex", "data.group_regex", str, "Read the group (patient) from a name or path."
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
    Short("--ignore-csv", "data.ignore_csv", str, "A table path,reason of images to leave out."),
)
TRAIN = (
    Short("--epochs", "train.epochs", int, "How many times every image is seen."),
    Short("--batch-size", "train.batch_size", int, "Images per step."),
    Short("--image-size", "data.image_size", str, "A side in px, or 48x64, height first.", "PX"),
    Short("--seed", "train.seed", int, "Seed of the training; the split has data.split.seed."),
)


def with_shorts(*shorts: Short) -> Callable[[Command], Command]:
    """Give a command these options; it receives their values in `settings`, as assignments."""

    def decorate(command: Command) -> Command:
        @functools.wraps(command)
        def with_them(**values: Any) -> None:
            short_values = {short: values.pop(short.parameter) for short in shorts}
            values["settings"] = _settings(values["settings"] or [], short_values)
            command(**values)

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
    """Return the typed assignments, then those that the short options stand for.

    Raises:
        InputError: if a key is given two values.
    """
    if all(value is None for value in values.values()):
        return settings
    from tfcnn import recipes

    by_key = dict(recipes.read_assignment(text) for text in settings)
    assignments = list(settings)
    for short, value in values.items():
        if value is None:
            continue
        value = _size(value) if short.parameter == "image_size" else value
        if short.key in by_key and by_key[short.key] != value:
            received = f"{value!r}, and {by_key[short.key]!r} by --set"
            raise InputError(short.option, f"one value of {short.key}", received, "one of them")
        assignments.append(recipes.assignment(short.key, value))
    return assignments


def _size(text: str) -> Any:
    """Return a side in px or (height, width); what is neither is left for the schema to refuse."""
    sides = re.fullmatch(r"(\d+)(?:\s*[x,]\s*(\d+))?", text.strip())
    if sides is None:
        return text
    height, width = sides.groups()
    return int(height) if width is None else [int(height), int(width)]
