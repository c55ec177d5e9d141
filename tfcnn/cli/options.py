"""Arguments and options that several commands share, and how they end."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tfcnn.base import naming

if TYPE_CHECKING:
    from tfcnn.runs import Run

__all__ = [
    "Fresh",
    "GroupCsv",
    "Json",
    "Paths",
    "RecipeArgument",
    "Resume",
    "RunArgument",
    "RunName",
    "Settings",
    "end_if_unanswered",
    "opened_run",
    "say",
]

Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
RunArgument = Annotated[str, typer.Argument(metavar="RUN", help="A run's name or path.")]
Paths = Annotated[
    list[Path], typer.Argument(metavar="PATH...", help="Images, folders, zip archives.")
]
RecipeArgument = Annotated[
    str, typer.Argument(metavar="RECIPE|FOLDER", help="A recipe, or a folder of classes.")
]
Settings = Annotated[
    list[str] | None, typer.Option("--set", metavar="A.B=V", help="Change the recipe.")
]
RunName = Annotated[str | None, typer.Option(help="Name or path of the run folder.")]
Resume = Annotated[
    bool, typer.Option("--resume", help="Go on with an unfinished run, as it was begun.")
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
        said = "images got no answer: the network gives no number for them"
        typer.echo(f"{no_answer} of {total:,} {said}", err=True)
    if unreadable or no_answer:
        raise typer.Exit(3)


def opened_run(name: str) -> "Run":
    """Open a run, and say on standard error what its card cannot vouch for."""
    from tfcnn import api

    run = api.load(name)
    if run.caution:
        say(f"note: {run.caution}", err=True)
    return run
