"""Commands about data sets, folders and leftovers, and `list` and `kernel`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from tfcnn.base.records import to_json
from tfcnn.cli.options import DATA, Json, Settings, app, say, with_shorts

if TYPE_CHECKING:
    from tfcnn.manifest.audit import Audit

MAX_UNFIT = 20  # shown


@app.command(epilog="Example: tfcnn download malaria --from /media/stick")
def download(
    names: Annotated[list[str], typer.Argument(metavar="NAME...|all", help="Data sets to fetch.")],
    mirror: Annotated[
        str | None, typer.Option("--from", help="A folder, zip or address that holds the data.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Fetch, verify and unpack data sets; a cut transfer goes on where it stopped."""
    from tfcnn import api, datasets
    from tfcnn.display.console import TerminalReporter

    chosen = datasets.names() if names == ["all"] else names
    for name in chosen:
        datasets.find(name)  # a wrong name is an error before anything is fetched
    if names == ["all"] and mirror is not None:
        chosen = [name for name in chosen if not datasets.is_local(name)]
    with TerminalReporter() as reporter:
        found = [api.download(name, mirror=mirror, reporter=reporter) for name in chosen]
    if as_json:
        typer.echo(to_json([one.to_dict() for one in found]))
        return
    for one in found:
        say(f"{one.name}: {one.images:,} images in {one.folder}")


@app.command(
    epilog="Examples: tfcnn check cells/ --group-regex '^(P[0-9]+)'   "
    "tfcnn check images/ --labels-csv labels.csv   tfcnn check my_net.py"
)
@with_shorts(*DATA)
def check(
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE", help="A data set, a folder, a recipe, or a Python file of your own."
        ),
    ],
    settings: Settings = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="A page with pictures: a .html file.")
    ] = None,
    fix: Annotated[
        bool,
        typer.Option("--fix", help="List what training should leave out, in tfcnn-ignore.csv."),
    ] = False,
    as_json: Json = False,
) -> None:
    """Audit images before training; exit 3 where a finding would spoil a result.

    A Python file of your own, a network or a source, must do what tfcnn's own do.
    """
    from tfcnn import api
    from tfcnn.api.sources import audit_of
    from tfcnn.display.console import TerminalReporter

    with TerminalReporter() as reporter:
        report = api.check(source, settings=settings or [], output=output, reporter=reporter)
    audit = audit_of(report)
    if as_json:
        added = {"listed": audit.fix() if audit else 0} if fix else {}
        typer.echo(to_json({**report.to_dict(), **added}))
    else:
        for line in report.lines():
            say(line)
        if fix and audit:
            _fix(audit)
        if output:
            say(f"page: {output}")
    if report.is_blocking:
        raise typer.Exit(3)


def _fix(audit: "Audit") -> None:
    """Show what training should leave out, and then list it."""
    from tfcnn.manifest.findings import counted

    if not audit.unfit:
        audit.fix()  # removes what a killed one left
        say("to leave out: nothing new")
        return
    say(f"to leave out: {counted(len(audit.unfit))}; none is deleted")
    for path, reason in list(audit.unfit.items())[:MAX_UNFIT]:
        say(f"    {path}: {reason}")
    if len(audit.unfit) > MAX_UNFIT:
        say(f"    and {len(audit.unfit) - MAX_UNFIT:,} more")
    count = audit.fix()
    say(f"listed {count:,} of them in {audit.ignore_csv}; `tfcnn check` again shows what is left")


@app.command(epilog="Examples: tfcnn clean --dry-run   tfcnn clean --older-than 30 --keep-gb 5")
def clean(
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be removed.")
    ] = False,
    older_than: Annotated[
        float | None,
        typer.Option(
            min=0, metavar="DAYS", help="Also remove what was unused, or retired, for so long."
        ),
    ] = None,
    keep_gb: Annotated[
        float | None,
        typer.Option(
            min=0,
            metavar="GB",
            help="Decoded images to keep; by default 20, or a tenth of the disk.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Remove what can be made again: decoded images, leftovers, and old retired runs if asked.

    Decoded images are made again when needed. Runs in models/, downloads and your own folders are
    never touched; runs that newer ones replaced (models/.old) only with --older-than.
    """
    from tfcnn.cli import cleaning

    leftovers = cleaning.find(older_than_days=older_than, keep_gb=keep_gb)
    if not dry_run:
        leftovers.remove()
    if as_json:
        typer.echo(to_json({"dry_run": dry_run, **leftovers.to_dict()}))
        return
    for line in leftovers.lines(dry_run):
        say(line)


@app.command(epilog="Example: tfcnn doctor")
def doctor(as_json: Json = False) -> None:
    """Look for what would fail here, and say what to do; exit 3 if anything would.

    Python, processor, memory, libraries, devices, extras, folders and space. A TensorFlow that is
    broken or missing is one of the findings.
    """
    from tfcnn.cli.examination import examine
    from tfcnn.display.console import Console

    found = examine()
    if as_json:
        typer.echo(to_json(found.to_dict()))
    else:
        console = Console()
        for line, style in found.lines(console.width):
            console.print(line, style=style, soft_wrap=True)  # a path that is broken is no path
    if found.fails:
        raise typer.Exit(3)


@app.command(name="list")
def list_(as_json: Json = False) -> None:
    """List data sets, networks, recipes, shipped models and runs."""
    from tfcnn import api
    from tfcnn.display.console import Console, print_grid

    lists = api.list_all()
    if as_json:
        typer.echo(to_json(lists))
        return
    console = Console()
    for grid in lists.grids():
        print_grid(grid, console)
    for note in lists.panel().notes:
        console.print(note, style="dim")


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
    """Apply an image kernel (blur, sharpen, outline, sobel ...) to a picture."""
    from tfcnn.lab.image_kernel import apply_to_file

    path = apply_to_file(image, kernel, output, stride=stride, padding=padding)
    if as_json:
        typer.echo(to_json({"image": str(path)}))
    else:
        say(str(path))
