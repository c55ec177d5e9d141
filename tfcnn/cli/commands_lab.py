"""The command of the lab."""

from pathlib import Path
from typing import Annotated

import typer

from tfcnn.cli.options import app, load_run, say


@app.command(
    epilog="Examples: tfcnn lab   tfcnn lab kernels   tfcnn lab --run malaria   "
    "tfcnn lab --export lab/"
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
) -> None:
    """Open the lab: every idea of the course to touch, in the browser, without a network."""
    from tfcnn import api

    opened = api.open_lab(page, run=None if run is None else load_run(run), export=export)
    if export is not None:
        say(str(opened.first_page))
        return
    say(opened.address)
    if not opened.is_shown:
        say("note: there is no display here; open this address in a browser", err=True)
