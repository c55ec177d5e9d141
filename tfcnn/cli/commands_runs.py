"""Commands that use a finished run, from `evaluate` to `export`."""

import functools
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from tfcnn import api
from tfcnn.base.errors import InputError
from tfcnn.base.records import to_json
from tfcnn.cli.options import (
    GroupCsv,
    Json,
    Paths,
    RunArgument,
    app,
    end_if_unanswered,
    load_run,
    say,
)

if TYPE_CHECKING:
    from tfcnn.explain import Explainer
    from tfcnn.explain.study import Explanation


@app.command(
    epilog="Examples: tfcnn evaluate malaria --data other_hospital/ --output there/   "
    "tfcnn evaluate malaria --data images/ --labels-csv labels.csv   "
    "tfcnn evaluate cells --stress --subgroups microscopes.csv"
)
def evaluate(
    run: RunArgument,
    split: Annotated[str | None, typer.Option(help="val or test; both by default.")] = None,
    data: Annotated[
        Path | None, typer.Option(help="A folder of class folders, or my_source.py, unseen.")
    ] = None,
    group_regex: Annotated[
        str | None, typer.Option(help="Reads the group there; '' for none; the run's by default.")
    ] = None,
    labels_csv: Annotated[
        str | None, typer.Option(help="CSV with columns path,label, where no folders are classes.")
    ] = None,
    label_column: Annotated[str | None, typer.Option(help="Its column of labels.")] = None,
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
    subgroups: Annotated[
        str | None, typer.Option(help="CSV: path or group, and columns (site, sex) to compare by.")
    ] = None,
    stress: Annotated[
        bool, typer.Option("--stress", help="Disturb the images in nine ways; what does that cost?")
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="A folder for predictions and report of --data."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Show every metric with its interval, and the groups with the most errors."""
    from tfcnn.cli.terminal import conclude, show_extras, show_split
    from tfcnn.display.console import Console

    opened = load_run(run)
    report = api.evaluate(
        opened,
        data=data,
        group_regex=group_regex,
        labels_csv=labels_csv,
        label_column=label_column,
        group_csv=group_csv,
        group_from=group_from,
        path_column=path_column,
        group_column=group_column,
        ignore=ignore,
        subgroups=subgroups,
        stress=stress,
        output=output,
    )
    names = _splits_to_show(report.splits, split)
    if as_json:
        content = report.to_dict()
        content.get("stress", {}).pop("pictures", None)  # long texts, which the run's file has
        content["splits"] = {name: content["splits"][name] for name in names}
        typer.echo(to_json(content))
        return
    console = Console()
    for name in names:
        show_split(report, name, opened.class_names, console)
    show_extras(report, console)
    conclude(report, console, *([("Report", output / "report.html")] if output else []))


def _splits_to_show(there: Collection[str], wanted: str | None) -> list[str]:
    if wanted and wanted not in there:
        hint = f"--split {next(iter(there))}"
        raise InputError("--split", f"one of {', '.join(there)}", wanted, hint)
    return [wanted] if wanted else list(there)


@app.command(
    epilog="Examples: tfcnn threshold malaria --sensitivity 0.97   "
    "tfcnn threshold malaria --sensitivity 0.95 --confidence 0.9 --crossval malaria-crossval"
)
def threshold(
    run: RunArgument,
    sensitivity: Annotated[
        float | None, typer.Option(help="Find at least this share of the positives of val.")
    ] = None,
    specificity: Annotated[
        float | None, typer.Option(help="Leave at least this share of val's others alone.")
    ] = None,
    value: Annotated[float | None, typer.Option(help="The threshold itself, 0 to 1.")] = None,
    confidence: Annotated[
        float | None,
        typer.Option(help="Promise the share, as a mean over new patients, this surely."),
    ] = None,
    crossval: Annotated[
        str | None, typer.Option(help="Whose patients promise it; val's by default.")
    ] = None,
    positive: Annotated[
        str | None, typer.Option(help="The class looked for; the run's own by default.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Choose a run's threshold anew on val, without training; its report follows."""
    from tfcnn.cli.terminal import conclude, show_threshold
    from tfcnn.display.console import Console

    change = api.set_threshold(
        load_run(run),
        sensitivity=sensitivity,
        specificity=specificity,
        value=value,
        confidence=confidence,
        crossval=crossval,
        positive=positive,
    )
    if as_json:
        typer.echo(to_json(change.to_dict()))
        return
    from tfcnn import runs

    console = Console()
    show_threshold(change, console)
    path = change.run.path
    conclude(change.report, console, ("Run", path), ("Report", path / runs.PAGE))


@app.command(epilog="Example: tfcnn compare malaria malaria-course")
def compare(
    first: RunArgument,
    second: RunArgument,
    as_json: Json = False,
) -> None:
    """Compare two runs on the images that both were tested on."""
    from tfcnn.cli.terminal import conclude, show_comparison
    from tfcnn.display.console import Console

    comparison = api.compare(load_run(first), load_run(second))
    if as_json:
        typer.echo(to_json(comparison.to_dict()))
        return
    console = Console()
    show_comparison(comparison, console)
    conclude(comparison, console)


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
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with what a killed command has predicted.")
    ] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="Begin such a command again.")] = False,
    shard: Annotated[
        str | None, typer.Option(metavar="I/N", help="Predict one part of N: 1/16 to 16/16.")
    ] = None,
    on: Annotated[
        Literal["here", "ray"], typer.Option(help="Compute here, or on a Ray cluster.")
    ] = "here",
    engine: Annotated[
        Literal["auto", "litert", "openvino", "keras"], typer.Option(help="What computes.")
    ] = "auto",
    only_groups: Annotated[
        bool,
        typer.Option("--only-groups", help="Write the table of groups of joined predictions."),
    ] = False,
) -> None:
    """Predict images, in order, as they come; exit 3 where one has no answer."""
    from tfcnn.prediction import joined, many
    from tfcnn.prediction import output as writing

    if only_groups:
        others = (output, excel, cam, as_json, resume, fresh, on != "here", engine != "auto")
        if len(paths) > 1 or shard is not None or any(others):
            expected, received = "one file of predictions and no other option", "more"
            raise InputError("--only-groups", expected, received, joined.HINT)
        for line in joined.write_groups(load_run(run), paths[0]):
            say(line, err=True)
        return
    format_name = writing.format_of(output, as_json, excel)
    part = many.parse_shard(shard) if shard is not None else many.WHOLE
    how = many.How(output, part, engine, on, resume, fresh)
    how.check()
    if cam and part != many.WHOLE:
        raise InputError("--cam", "all images", f"--shard {part}", "--cam without --shard")
    opened = load_run(run)
    explainer = None
    if cam:  # a network that cannot be explained is an error before anything is written
        from tfcnn.explain import Explainer

        explainer = Explainer(opened)
    note = functools.partial(say, err=True)
    with many.predicting(opened, paths, how, note) as predictions:  # and so is a wrong path
        written = writing.write(predictions, opened, format_name, output, excel, part)
    for line in written.lines:
        say(line, err=True)
    if cam and explainer:
        _draw(explainer, paths, cam)
    end_if_unanswered(written.unreadable, written.no_answer, written.total)


def _draw(explainer: "Explainer", paths: list[Path], folder: Path) -> None:
    from tfcnn.display.console import TerminalReporter
    from tfcnn.explain.study import write_overlays

    with TerminalReporter() as reporter:
        count = write_overlays(explainer, paths, folder, reporter.stage("explaining"))
    say(f"{count:,} pictures in {folder}", err=True)


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
        str | None,
        typer.Option(
            "--class", help="The class to explain; each image's predicted one by default."
        ),
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
    from tfcnn.display.console import TerminalReporter

    opened = load_run(run)
    folder = output or Path(f"{opened.name}-explained")
    with TerminalReporter() as reporter:
        study = api.explain_images(
            opened,
            paths,
            method=method,
            layer=layer,
            class_name=class_name,
            output=folder,
            with_filters=filters,
            with_features=feature_maps,
            reporter=reporter,
        )
    if as_json:
        typer.echo(to_json(study.to_dict()))
    else:
        for one in study.explanations:
            if not one.flag:
                say(_explanation_line(one, study.thing))
        say(f"Pictures: {folder}   Figures: {folder / 'explanations.csv'}")
        for line in study.lines():
            say(line)
    for one in (*study.unreadable, *study.no_answer):
        say(f"{one.path}: {one.reason}", err=True)
    end_if_unanswered(len(study.unreadable), len(study.no_answer), len(study.explanations))


def _explanation_line(one: "Explanation", thing: str) -> str:
    from tfcnn.display.figures import percent

    text = f"{one.path}: {one.explained} {percent(one.prob)}"
    if one.peak is None:
        return f"{text}, nothing here speaks for this class"
    down, across = (f"{100 * share:.0f} %" for share in one.peak)
    text += f", strongest at {down} of the height and {across} of the width"
    if one.outside_share is not None:
        text += f", {percent(one.outside_share)} of the evidence outside the {thing}"
        text += f" ({percent(one.outside_area)} of the area)"
    return text


@app.command(
    epilog="Examples: tfcnn export malaria --format page   "
    "tfcnn export malaria --format litert --output for_anna/"
)
def export(
    run: RunArgument,
    format_name: Annotated[
        str, typer.Option("--format", "-f", help="page, saved-model, onnx, litert or litert-int8.")
    ],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Where to; ./RUN-FORMAT by default.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Write a run as a file that needs no tfcnn; exit 3 where it gives other answers."""
    from tfcnn.display.console import Console, TerminalReporter, print_grid

    opened = load_run(run)
    with TerminalReporter() as reporter:
        exported = api.export(opened, format_name, output, reporter=reporter)
    if as_json:
        typer.echo(to_json(exported.to_dict()))
        return
    print_grid(exported.grid(), Console())
    if exported.path.is_dir():
        say(f"Folder: {exported.path}   Files: {', '.join(exported.files)}")
    else:
        say(f"File: {exported.path}")
    panel = exported.panel()
    for line in (*(f"note: {note}" for note in panel.notes), *panel.lines):
        say(line)
