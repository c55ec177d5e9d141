"""The command `explain`: where a network looks, and whether that depends on what it learnt."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from tfcnn import api
from tfcnn.base.records import to_json
from tfcnn.cli.app import app
from tfcnn.cli.arguments import Json, Paths, RunArgument, end_if_unanswered, opened_run, say

if TYPE_CHECKING:
    from tfcnn.explain.files import Explanation

__all__ = ["explain"]


@app.command(
    epilog="Examples: tfcnn explain malaria new_cells/ --class Parasitized   "
    "tfcnn explain malaria cell.png --filters --feature-maps --output why/"
)
def explain(
    run: RunArgument,
    paths: Paths,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="A folder for the pictures; RUN-explained by default."),
    ] = None,
    method: Annotated[
        Literal["layer-cam", "grad-cam"], typer.Option(help="grad-cam is coarser.")
    ] = "layer-cam",
    class_name: Annotated[
        str | None, typer.Option("--class", help="The class asked about; each image's predicted.")
    ] = None,
    layer: Annotated[
        str | None, typer.Option(help="Whose feature maps; the deepest fine enough by default.")
    ] = None,
    filters: Annotated[
        bool, typer.Option("--filters", help="Draw the first convolution's kernels too.")
    ] = False,
    feature_maps: Annotated[
        bool, typer.Option("--feature-maps", help="Draw each image's feature maps too.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Show where a run sees evidence, and check that it learnt to; exit 3 as `predict` does."""
    from tfcnn.cli.terminal import TerminalReporter

    opened = opened_run(run)
    folder = output or Path(f"{opened.name}-explained")
    with TerminalReporter() as reporter:
        found = api.explain_images(
            opened,
            paths,
            method=method,
            layer=layer,
            class_name=class_name,
            output=folder,
            with_filters=filters,
            with_features=feature_maps,
            progress=reporter.stage("explaining"),
            note=reporter.note,
        )
    if as_json:
        typer.echo(to_json(found.to_dict()))
    else:
        for one in found.explanations:
            if not one.flag:
                say(_line(one, found.thing))
        say(f"Pictures: {folder}   Figures: {folder / 'explanations.csv'}")
        for line in found.lines():
            say(line)
    for one in (*found.unreadable, *found.no_answer):
        say(f"{one.path}: {one.reason}", err=True)
    end_if_unanswered(len(found.unreadable), len(found.no_answer), len(found.explanations))


def _line(one: "Explanation", thing: str) -> str:
    from tfcnn.cli.terminal import percent

    text = f"{one.path}: {one.explained} {percent(one.prob)}"
    if one.peak is None:
        return f"{text}, nothing here speaks for this class"
    down, across = (f"{100 * share:.0f} %" for share in one.peak)
    text += f", strongest at {down} of the height and {across} of the width"
    if one.outside_share is not None:
        text += f", {percent(one.outside_share)} of the evidence outside the {thing}"
        text += f" ({percent(one.outside_area)} of the area)"
    return text
