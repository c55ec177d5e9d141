"""Commands that write what is known of a run: its report and checklists, doubted labels, a plan."""

from pathlib import Path
from typing import Annotated

import typer

from tfcnn import api
from tfcnn.base.errors import InputError
from tfcnn.base.records import to_json
from tfcnn.cli.options import Json, RunArgument, app, load_run, say


@app.command(
    epilog="Examples: tfcnn report malaria --figures figures/   tfcnn report malaria --checklist"
)
def report(
    run: RunArgument,
    figures: Annotated[
        Path | None, typer.Option(help="A folder for every plot as SVG, PNG and CSV.")
    ] = None,
    checklist: Annotated[
        bool,
        typer.Option("--checklist", help="Fill CLAIM 2024 and TRIPOD+AI as far as it can."),
    ] = False,
    as_json: Json = False,
) -> None:
    """Write a run's report.html anew, its plots for a paper, or checklists filled from it."""
    if checklist:
        _fill_checklist(run, figures, as_json)
        return
    path = api.report(load_run(run), figures=figures)
    names = {} if figures is None else {"figures": str(figures)}
    if as_json:
        typer.echo(to_json({"report": str(path), **names}))
        return
    say(str(path))
    if figures is not None:
        say(str(figures))


@app.command(epilog="Example: tfcnn plan malaria --width 0.02 --metric sensitivity")
def plan(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run, or a cross-validation.")],
    width: Annotated[
        float, typer.Option(help="Of the 95 % interval, from end to end: 0.02 is 2 points.")
    ] = 0.02,
    metric: Annotated[str, typer.Option(help="Such as accuracy or sensitivity.")] = "accuracy",
    as_json: Json = False,
) -> None:
    """Say how many test patients an interval of a stated width would need."""
    found = api.plan(run, width=width, metric=metric)
    if as_json:
        typer.echo(to_json(found.to_dict()))
    else:
        say(found.sentence)


def _fill_checklist(run: str, figures: Path | None, as_json: bool) -> None:
    if figures is not None:
        raise InputError("report", "--checklist or --figures", "both", "one after the other")
    opened = load_run(run)
    filled = api.checklist(opened)
    if as_json:
        typer.echo(to_json(filled.to_dict()))
        return
    say(f"Page: {opened.path / 'checklist.html'}   Table: {opened.path / 'checklist.csv'}")
    for line in filled.sentences:
        say(line)


@app.command(
    epilog="Examples: tfcnn crossval malaria, then tfcnn labels malaria   "
    "tfcnn labels malaria --review corrections.csv"
)
def labels(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A cross-validation, or its recipe.")],
    top: Annotated[
        int | None, typer.Option(min=1, help="How many suspects to show; all, up to 500.")
    ] = None,
    blind: Annotated[
        int | None,
        typer.Option(min=0, help="Others to mix in at random; a tenth of the suspects, or 25."),
    ] = None,
    review: Annotated[
        Path | None, typer.Option(help="Sum up the corrections.csv that the page saved.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Rank suspected label errors by what models of other groups say; needs `crossval`."""
    from tfcnn.cli.terminal import show_suspects
    from tfcnn.display.console import Console

    suspects = api.label_errors(run, top=top, blind=blind)
    reviewed = suspects.review(review) if review else None
    if as_json:
        more = {"review": reviewed.to_dict()} if reviewed else {}
        typer.echo(to_json({**suspects.to_dict(top), **more}))
        return
    if reviewed:
        for line in reviewed.lines():
            say(line)
        return
    show_suspects(suspects, Console(), limit=min(top or 10, 10))
    for weakness in suspects.models.weaknesses:
        say(f"note: {weakness}")
    say(f"All: {suspects.path / 'labels.csv'}   To judge: {suspects.path / 'labels.html'}")
    say(suspects.sentence)
