"""The command of the lab."""

from pathlib import Path
from typing import Annotated

import typer

from tfcnn.base.errors import InputError
from tfcnn.cli.options import app, load_run, say


@app.command(
    epilog="Examples: tfcnn lab   tfcnn lab kernels   tfcnn lab --run malaria   "
    "tfcnn lab --export lab/   tfcnn lab --lesson mnist-ann-1"
)
def lab(
    page: Annotated[
        str | None, typer.Argument(metavar="[PAGE]", help="A page, such as kernels.")
    ] = None,
    run: Annotated[
        str | None, typer.Option(metavar="RUN", help="Whose network the pages show too.")
    ] = None,
    export: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Write the site to a folder, and open nothing."),
    ] = None,
    lesson: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Open a code lesson, as a copy in lessons/."),
    ] = None,
    lessons: Annotated[
        bool, typer.Option(help="Whether --export runs the lessons too; it takes minutes.")
    ] = True,
) -> None:
    """Open the lab: every idea of the course to touch, in the browser, without a network."""
    from tfcnn import api

    if lesson is not None:
        if page is not None or run is not None or export is not None:
            raise InputError("--lesson", "nothing else", "a page, --run or --export", "it alone")
        raise typer.Exit(_show_lesson(lesson))
    opened_run = None if run is None else load_run(run)
    opened = api.open_lab(page, run=opened_run, export=export, lessons=lessons)
    if export is not None:
        say(str(opened.first_page))
        return
    say(opened.address)
    if not opened.is_shown:
        say("note: there is no display here; open this address in a browser", err=True)


def _show_lesson(name: str) -> int:
    from tfcnn.lab import lesson_opening

    path, was_there = lesson_opening.copy(name)
    words = lesson_opening.command(path)
    note = "your copy from before; delete it to begin anew" if was_there else "your own copy"
    say(f"{path}: {note}", err=True)
    say("In the browser, ▷ at the lower right runs all cells. Ctrl-C here ends it.", err=True)
    return lesson_opening.show(words)
