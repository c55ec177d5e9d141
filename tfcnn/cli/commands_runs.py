"""Commands that use a trained run: `evaluate`, `threshold`, `compare`, `labels`, `predict`, ..."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from tfcnn import api
from tfcnn.base.errors import InputError
from tfcnn.base.records import to_json
from tfcnn.cli.app import app
from tfcnn.cli.arguments import (
    GroupCsv,
    Json,
    Paths,
    RunArgument,
    end_if_unanswered,
    opened_run,
    say,
)

if TYPE_CHECKING:
    from tfcnn.explain import Explainer

__all__ = ["compare", "evaluate", "labels", "predict", "report", "threshold"]


@app.command(epilog="Example: tfcnn evaluate malaria --data other_hospital/")
def evaluate(
    run: RunArgument,
    split: Annotated[str | None, typer.Option(help="val or test; both by default.")] = None,
    data: Annotated[Path | None, typer.Option(help="A folder of class folders, unseen.")] = None,
    group_regex: Annotated[
        str | None, typer.Option(help="Reads the group there; '' for none; the run's by default.")
    ] = None,
    group_csv: GroupCsv = None,
    group_from: Annotated[
        Literal["name", "folder", "folder-above"] | None,
        typer.Option(help="The folder below the class folder, or above it; the run's by default."),
    ] = None,
    path_column: Annotated[str | None, typer.Option(help="The CSV's column of images.")] = None,
    group_column: Annotated[str | None, typer.Option(help="The CSV's column of groups.")] = None,
    ignore: Annotated[
        list[str] | None, typer.Option(help="Files to leave out; the run's by default.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Show every metric with its interval, and the groups with the most errors."""
    from tfcnn.cli.terminal import Console, conclude, show_confusion, show_groups, show_metrics

    opened = opened_run(run)
    report = api.evaluate(
        opened,
        data=data,
        group_regex=group_regex,
        group_csv=group_csv,
        group_from=group_from,
        path_column=path_column,
        group_column=group_column,
        ignore=ignore,
    )
    shown = [split] if split else list(report.splits)
    for name in shown:
        if name not in report.splits:
            has = ", ".join(report.splits)
            raise InputError(
                "--split", f"one of {has}", name, f"--split {next(iter(report.splits))}"
            )
    if as_json:
        content = report.to_dict()
        content["splits"] = {name: content["splits"][name] for name in shown}
        typer.echo(to_json(content))
        return
    console = Console()
    for name in shown:
        show_metrics(report, name, console)
        show_confusion(report, name, opened.class_names, console)
        show_groups(report, name, console)
        for line in report.remarks(name):
            console.print(line)
    conclude(report, console)


@app.command(epilog="Example: tfcnn threshold malaria --sensitivity 0.97")
def threshold(
    run: RunArgument,
    sensitivity: Annotated[
        float | None, typer.Option(help="Find at least this share of the positives of val.")
    ] = None,
    specificity: Annotated[
        float | None, typer.Option(help="Leave at least this share of val's others alone.")
    ] = None,
    value: Annotated[float | None, typer.Option(help="The threshold itself, 0 to 1.")] = None,
    positive: Annotated[
        str | None, typer.Option(help="The class looked for; the run's own by default.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Choose a run's threshold anew on val, without training; its report follows."""
    from tfcnn.cli.terminal import Console, conclude, show_threshold

    changed = api.set_threshold(
        opened_run(run),
        sensitivity=sensitivity,
        specificity=specificity,
        value=value,
        positive=positive,
    )
    if as_json:
        typer.echo(to_json(changed.to_dict()))
        return
    from tfcnn import runs

    console = Console()
    show_threshold(changed, console)
    path = changed.run.path
    conclude(changed.report, console, ("Run", path), ("Report", path / runs.PAGE))


@app.command(epilog="Example: tfcnn compare malaria malaria-course")
def compare(
    first: RunArgument,
    second: RunArgument,
    as_json: Json = False,
) -> None:
    """Compare two runs on the images that both were tested on."""
    from tfcnn.cli.terminal import Console, conclude, show_comparison

    found = api.compare(opened_run(first), opened_run(second))
    if as_json:
        typer.echo(to_json(found.to_dict()))
        return
    console = Console()
    show_comparison(found, console)
    conclude(found, console)


@app.command(
    epilog="Example: tfcnn predict malaria new_cells/ --output predictions.csv --cam looked/"
)
def predict(
    run: RunArgument,
    paths: Paths,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="A .csv, .jsonl or .xlsx file.")
    ] = None,
    excel: Annotated[
        bool, typer.Option("--excel", help="Write a CSV that spreadsheets read as UTF-8.")
    ] = False,
    cam: Annotated[
        Path | None, typer.Option(help="A folder for pictures of where the network looked.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Predict images, in order, as they come; exit 3 where one has no answer."""
    from tfcnn.prediction import output as writing

    format_name = writing.format_of(output, as_json, excel)
    opened = opened_run(run)
    explainer = None
    if cam:  # a network that cannot be explained is said before anything is written, too
        from tfcnn.explain import Explainer

        explainer = Explainer(opened)
    # a wrong path is said before anything is written
    predictions = api.stream(opened, paths, note=_say)
    written = writing.write(predictions, opened, format_name, output, excel)
    for line in written.lines:
        _say(line)
    if cam and explainer:
        _draw(explainer, paths, cam)
    end_if_unanswered(written.unreadable, written.no_answer, written.total)


def _say(text: str) -> None:
    say(text, err=True)


def _draw(explainer: "Explainer", paths: list[Path], folder: Path) -> None:
    from tfcnn.cli.terminal import TerminalReporter
    from tfcnn.explain.study import write_overlays

    with TerminalReporter() as reporter:
        count = write_overlays(explainer, paths, folder, reporter.stage("explaining"))
    say(f"{count:,} pictures in {folder}", err=True)


@app.command()
def report(run: RunArgument, as_json: Json = False) -> None:
    """Write a run's report.html anew."""
    from tfcnn.report import page

    path = page.write(opened_run(run).path)
    content: dict[str, Any] = {"report": str(path)}
    if as_json:
        typer.echo(to_json(content))
    else:
        say(str(path))


@app.command(epilog="Example: tfcnn crossval malaria, then tfcnn labels malaria")
def labels(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A cross-validation, or its recipe.")],
    top: Annotated[int, typer.Option(min=1, help="How many images to show.")] = 60,
    as_json: Json = False,
) -> None:
    """Rank suspected label errors by what models of other groups say; needs `crossval`."""
    from tfcnn.cli.terminal import Console, show_suspects

    found = api.label_errors(run, top=top)
    if as_json:
        typer.echo(to_json(found.to_dict(top)))
        return
    show_suspects(found, Console(), limit=min(top, 10))
    say(f"All: {found.path / 'labels.csv'}   To look at: {found.path / 'labels.html'}")
    say(found.sentence)
