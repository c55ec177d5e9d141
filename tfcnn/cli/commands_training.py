"""Commands that make runs: `train`, `crossval`, `reproduce`, `adopt`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from tfcnn import api
from tfcnn.base import continuing
from tfcnn.base.records import to_json
from tfcnn.cli.options import (
    DATA,
    TRAIN,
    Fresh,
    Json,
    RecipeArgument,
    Resume,
    RunArgument,
    RunName,
    Settings,
    app,
    with_shorts,
)

if TYPE_CHECKING:
    from tfcnn.runs import Run


@app.command(
    epilog="Examples: tfcnn train malaria --set data.split.seed=3   "
    "tfcnn train cells/ --group-regex '^(P[0-9]+)' --epochs 20   "
    "tfcnn train images/ --labels-csv labels.csv   tfcnn train cells --more 10"
)
@with_shorts(*DATA, *TRAIN)
def train(
    recipe: RecipeArgument,
    settings: Settings = None,
    split: Annotated[Path | None, typer.Option(help="A split.csv to use.")] = None,
    run: RunName = None,
    resume: Resume = False,
    fresh: Fresh = False,
    resplit: Annotated[
        bool, typer.Option("--resplit", help="Ignore the split that the folder is in.")
    ] = False,
    more: Annotated[
        int | None,
        typer.Option(help="Continue a finished RUN, named as RECIPE, for so many epochs."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Train, calibrate, and score once on unseen groups."""
    from tfcnn.display.console import TerminalReporter

    continuing.refuse_both("train", resume=resume, fresh=fresh)
    with TerminalReporter() as reporter:
        finished = api.train(
            recipe,
            settings=settings or [],
            run=run,
            split=split,
            resplit=resplit,
            resume=resume,
            fresh=fresh,
            more=more,
            reporter=reporter,
        )
    _conclude(finished, as_json)


@app.command(epilog="Example: tfcnn crossval malaria --folds 5")
@with_shorts(*DATA, *TRAIN)
def crossval(
    recipe: RecipeArgument,
    folds: Annotated[
        int | None, typer.Option(help="How many; each tests other groups.  [default: 5]")
    ] = None,
    settings: Settings = None,
    run: RunName = None,
    resume: Resume = False,
    fresh: Fresh = False,
    as_json: Json = False,
) -> None:
    """Train once per fold, so that every image is predicted by a model of other groups."""
    from tfcnn.cli.terminal import conclude, show_folds
    from tfcnn.display.console import Console, TerminalReporter

    continuing.refuse_both("crossval", resume=resume, fresh=fresh)
    options: dict[str, Any] = {"run": run, "resume": resume, "fresh": fresh}
    with TerminalReporter() as reporter:
        summary = api.crossval(
            recipe, folds=folds, settings=settings or [], reporter=reporter, **options
        )
    if as_json:
        typer.echo(to_json({"run": str(summary.path), **summary.to_dict()}))
        return
    from tfcnn import runs

    console, path = Console(), summary.path
    show_folds(summary, console)
    conclude(summary, console, ("Runs", path), ("Out-of-fold", path / runs.PREDICTIONS))


@app.command(epilog="Examples: tfcnn reproduce cells   tfcnn reproduce cells --resume")
def reproduce(
    name: RunArgument,
    run: Annotated[
        str | None,
        typer.Option(help="Name or path of the new run.  [default: NAME-reproduced]"),
    ] = None,
    resume: Resume = False,
    fresh: Fresh = False,
    as_json: Json = False,
) -> None:
    """Train a run again from its folder, and say what is equal; exit 3 where something differs."""
    from tfcnn.display.console import Console, TerminalReporter, print_grid

    continuing.refuse_both("reproduce", resume=resume, fresh=fresh)
    with TerminalReporter() as reporter:
        found = api.reproduce(name, name=run, resume=resume, fresh=fresh, reporter=reporter)
    if as_json:
        typer.echo(to_json(found.to_dict()))
    else:
        console = Console()
        print_grid(found.grid(), console)
        for note in found.notes:
            console.print(f"note: {note}")
        console.print(f"Run: {found.again.path}", soft_wrap=True)
        console.print(found.sentence)
    if not found.is_equal:
        raise typer.Exit(3)


@app.command(
    epilog="Example: tfcnn adopt mine.keras cells/ --pixels 0..1 --group-regex '^(P[0-9]+)'"
)
@with_shorts(*DATA)
def adopt(
    model: Annotated[Path, typer.Argument(metavar="MODEL.keras", help="A Keras classifier.")],
    source: Annotated[
        str, typer.Argument(metavar="SOURCE", help="A data set, a folder or a recipe.")
    ],
    settings: Settings = None,
    pixels: Annotated[
        Literal["0..255", "0..1", "-1..1", "imagenet"],
        typer.Option(help="What the model takes as pixels."),
    ] = "0..255",
    class_names: Annotated[
        list[str] | None,
        typer.Option(
            "--class", help="In the order of the outputs; repeatable.  [default: by name]"
        ),
    ] = None,
    calibrate: Annotated[
        bool,
        typer.Option(
            "--calibrate/--as-is", help="Fit a temperature on val, or leave the probabilities."
        ),
    ] = True,
    split: Annotated[Path | None, typer.Option(help="A split.csv to use.")] = None,
    resplit: Annotated[
        bool, typer.Option("--resplit", help="Ignore the split that the folder is in.")
    ] = False,
    run: RunName = None,
    fresh: Fresh = False,
    as_json: Json = False,
) -> None:
    """Make a run of a Keras model that was trained elsewhere: calibrate, score once, report."""
    from tfcnn.display.console import TerminalReporter

    with TerminalReporter() as reporter:
        finished = api.adopt(
            model, source,
            name=run, pixels=pixels, class_names=class_names, calibrate=calibrate, fresh=fresh,
            settings=settings or [], split=split, resplit=resplit, reporter=reporter,
        )  # fmt: skip
    _conclude(finished, as_json)


def _conclude(finished: "Run", as_json: bool) -> None:
    """Print the figures of a run that was made, and where it is."""
    from tfcnn.cli.terminal import conclude
    from tfcnn.display.console import Console

    report = api.evaluate(finished)
    if as_json:
        typer.echo(to_json({"run": str(finished.path), **report.to_dict()}))
        return
    from tfcnn import runs

    conclude(report, Console(), ("Run", finished.path), ("Report", finished.path / runs.PAGE))
