"""The command line. Each command parses, calls one verb, and shows what came back."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.console import Console

from tfcnn import api
from tfcnn.errors import InputError

if TYPE_CHECKING:
    from tfcnn.prediction import Prediction

__all__ = ["app"]

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
Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
RunArgument = Annotated[str, typer.Argument(metavar="RUN", help="A run's name or path.")]
RecipeArgument = Annotated[
    str, typer.Argument(metavar="RECIPE|FOLDER", help="A recipe, or a folder of classes.")
]
Settings = Annotated[
    list[str] | None, typer.Option("--set", metavar="A.B=V", help="Change the recipe.")
]
RunName = Annotated[str | None, typer.Option(help="Name or path of the run folder.")]
Resume = Annotated[bool, typer.Option("--resume", help="Go on with an unfinished run.")]
Fresh = Annotated[bool, typer.Option("--fresh", help="Start an unfinished run again.")]
GroupRegex = Annotated[str | None, typer.Option(help="Reads the group (patient) from a file name.")]
GroupCsv = Annotated[str | None, typer.Option(help="CSV with columns path,group.")]


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


@app.command(epilog="Example: tfcnn download malaria --from /media/stick")
def download(
    names: Annotated[list[str], typer.Argument(metavar="NAME...|all", help="Data sets to fetch.")],
    source: Annotated[
        str | None, typer.Option("--from", help="A folder, zip or address that holds the data.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Fetch, verify and unpack data sets; a cut transfer goes on where it stopped."""
    from tfcnn import datasets
    from tfcnn.terminal import TerminalReporter

    wanted = datasets.names() if names == ["all"] else names
    for name in wanted:
        datasets.find(name)  # a wrong name is said before anything is fetched
    if names == ["all"] and source is not None:
        wanted = [name for name in wanted if not getattr(datasets.find(name), "IS_LOCAL", False)]
    rows = []
    with TerminalReporter() as reporter:
        for name in wanted:
            folder = datasets.download(name, mirror=source, progress=reporter.stage(name))
            opened = datasets.open_named(name)
            rows.append({"name": name, "folder": str(folder), "images": len(opened.items)})
            for note in opened.notes:
                reporter.note(f"{name}: {note}")
    if as_json:
        typer.echo(json.dumps(rows))
        return
    for row in rows:
        typer.echo(f"{row['name']}: {row['images']:,} images in {row['folder']}")


@app.command(epilog="Example: tfcnn check cells/ --group-regex '^(P[0-9]+)'")
def check(
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="A data set or a folder.")],
    group_regex: GroupRegex = None,
    group_csv: GroupCsv = None,
    as_json: Json = False,
) -> None:
    """Audit images before training; exit 3 where a finding would spoil a result."""
    from tfcnn import audit
    from tfcnn.terminal import TerminalReporter

    with TerminalReporter() as reporter:
        found = audit.audit(source, group_regex, group_csv, reporter)
    if as_json:
        typer.echo(json.dumps(found.to_dict()))
    else:
        for line in found.lines():
            typer.echo(line)
    if found.is_blocking:
        raise typer.Exit(3)


@app.command(
    epilog="Examples: tfcnn train malaria --set data.split.seed=3   "
    "tfcnn train cells/ --set data.group_regex='^(P[0-9]+)'"
)
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
    as_json: Json = False,
) -> None:
    """Train, calibrate, and score once on unseen groups."""
    from tfcnn.terminal import TerminalReporter

    if resume and fresh:
        raise InputError("train", "--resume or --fresh", "both", "one of them")
    with TerminalReporter() as reporter:
        made = api.train(
            recipe,
            settings=settings or [],
            run=run,
            split=split,
            resplit=resplit,
            resume=resume,
            fresh=fresh,
            reporter=reporter,
        )
    report = api.evaluate(made)
    if as_json:
        typer.echo(json.dumps({"run": str(made.path), **report.to_dict()}))
        return
    for warning in report.warnings:
        typer.echo(f"note: {warning}")
    typer.echo(f"Run: {made.path}   Report: {made.path / 'report.html'}")
    typer.echo(report.sentence)


@app.command(epilog="Example: tfcnn crossval malaria --folds 5")
def crossval(
    recipe: RecipeArgument,
    folds: Annotated[int, typer.Option(help="How many; each tests other groups.")] = 5,
    settings: Settings = None,
    run: RunName = None,
    resume: Resume = False,
    fresh: Fresh = False,
    as_json: Json = False,
) -> None:
    """Train once per fold, so that every image is predicted by a model of other groups."""
    from tfcnn.terminal import TerminalReporter, show_folds

    if resume and fresh:
        raise InputError("crossval", "--resume or --fresh", "both", "one of them")
    options: dict[str, Any] = {"run": run, "resume": resume, "fresh": fresh}
    with TerminalReporter() as reporter:
        summary = api.crossval(
            recipe, folds=folds, settings=settings or [], reporter=reporter, **options
        )
    if as_json:
        typer.echo(json.dumps({"run": str(summary.path), **summary.to_dict()}))
        return
    show_folds(summary, Console(highlight=False, markup=False))
    for warning in summary.warnings:
        typer.echo(f"note: {warning}")
    typer.echo(f"Runs: {summary.path}   Out-of-fold: {summary.path / 'predictions.csv'}")
    typer.echo(summary.sentence)


@app.command(epilog="Example: tfcnn evaluate malaria --data other_hospital/")
def evaluate(
    run: RunArgument,
    split: Annotated[str | None, typer.Option(help="val or test; both by default.")] = None,
    data: Annotated[Path | None, typer.Option(help="A folder of class folders, unseen.")] = None,
    group_regex: GroupRegex = None,
    group_csv: GroupCsv = None,
    as_json: Json = False,
) -> None:
    """Show every metric with its interval, and the groups with the most errors."""
    from tfcnn.terminal import show_groups, show_metrics

    report = api.evaluate(run, data=data, group_regex=group_regex, group_csv=group_csv)
    shown = [split] if split else list(report.splits)
    for name in shown:
        if name not in report.splits:
            has = ", ".join(report.splits)
            raise InputError(f"--split {name}", "a split of this run", has, f"--split {has}")
    if as_json:
        content = report.to_dict()
        content["splits"] = {name: content["splits"][name] for name in shown}
        typer.echo(json.dumps(content))
        return
    console = Console(highlight=False, markup=False)
    for name in shown:
        show_metrics(report, name, console)
        show_groups(report, name, console)
    for warning in report.warnings:
        console.print(f"note: {warning}")
    console.print(report.sentence)


@app.command(epilog="Example: tfcnn predict malaria new_cells/ --output predictions.csv")
def predict(
    run: RunArgument,
    paths: Annotated[
        list[Path], typer.Argument(metavar="PATH...", help="Images, folders, zip archives.")
    ],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="A .csv or .jsonl file.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Predict images, in order, as they come; exit 3 where one could not be read."""
    from tfcnn import output as writing

    format_name = writing.format_of(output, as_json)
    opened = api.load(run)
    predictions = api.stream(opened, paths)  # a wrong path is said before anything is written
    unreadable = 0

    def counted() -> "Iterator[Prediction]":
        nonlocal unreadable
        for prediction in predictions:
            unreadable += prediction.flag == "unreadable"
            yield prediction

    total = writing.write(counted(), opened.class_names, format_name, output)
    if output:
        typer.echo(f"{total:,} predictions in {output}", err=True)
    if unreadable:
        typer.echo(f"{unreadable} of {total:,} images could not be read", err=True)
        raise typer.Exit(3)


@app.command(name="list")
def list_(as_json: Json = False) -> None:
    """List data sets, networks, recipes and runs."""
    from tfcnn import inventory

    found = inventory.take()
    if as_json:
        typer.echo(json.dumps(found))
        return
    inventory.show(found, Console(highlight=False, markup=False))


@app.command()
def report(run: RunArgument, as_json: Json = False) -> None:
    """Write a run's report.html anew."""
    from tfcnn.report import page

    path = page.write(api.load(run).path)
    content: dict[str, Any] = {"report": str(path)}
    typer.echo(json.dumps(content) if as_json else str(path))


@app.command(epilog="Example: tfcnn kernel photo.jpg --kernel sharpen")
def kernel(
    image: Annotated[Path, typer.Argument(help="A picture.")],
    kernel: Annotated[str, typer.Option(help="A kernel's name, or a text file of numbers.")],
    stride: Annotated[int, typer.Option(min=1, help="Step in px.")] = 1,
    padding: Annotated[
        Literal["valid", "same"], typer.Option(help="valid loses the border, same keeps the size.")
    ] = "valid",
    output: Annotated[Path | None, typer.Option("--output", "-o", help="A .png file.")] = None,
    as_json: Json = False,
) -> None:
    """Apply an image kernel (blur, sharpen, sobel-left ...) to a picture."""
    from tfcnn.kernel import apply_to_file

    path = apply_to_file(image, kernel, output, stride=stride, padding=padding)
    typer.echo(json.dumps({"image": str(path)}) if as_json else str(path))
