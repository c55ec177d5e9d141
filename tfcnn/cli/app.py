"""The command `tfcnn` itself: its name, help and version."""

from typing import Annotated

import typer

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
