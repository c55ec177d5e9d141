"""The command that answers over the network."""

import functools
from typing import Annotated

import typer

from tfcnn.cli.options import RunArgument, app, load_run, say


@app.command(
    epilog="Examples: tfcnn serve malaria   "
    "curl -F images=@cell.png http://127.0.0.1:8000/v1/predict   "
    "TFCNN_TOKEN=$(openssl rand -hex 16) tfcnn serve malaria --host 0.0.0.0"
)
def serve(
    run: RunArgument,
    host: Annotated[
        str, typer.Option(help="An address of this machine; 0.0.0.0 lets others in.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="0 for one that is free.")] = 8000,
    insecure: Annotated[
        bool, typer.Option("--insecure", help="Let other machines in without TFCNN_TOKEN.")
    ] = False,
    heat_maps: Annotated[
        bool, typer.Option("--heat-maps", help="Draw heat maps on request; needs TensorFlow.")
    ] = False,
    max_image_mb: Annotated[float, typer.Option(help="Of one file.")] = 20,
    max_request_mb: Annotated[float, typer.Option(help="Of a request, with all its files.")] = 64,
    max_images: Annotated[int, typer.Option(help="In a request.")] = 64,
    max_megapixels: Annotated[float, typer.Option(help="Of an image.")] = 50,
    timeout: Annotated[float, typer.Option(help="Seconds for a request and its answer.")] = 30,
    max_requests: Annotated[int, typer.Option(help="That are worked on at once.")] = 32,
    max_held_mb: Annotated[float, typer.Option(help="Of files of all requests at once.")] = 256,
) -> None:
    """Answer over HTTP, with a page to drop images on; SIGTERM ends it when all is answered."""
    from tfcnn import serve as serving

    opened = load_run(run)
    settings = serving.prepare(
        opened,
        host,
        port,
        is_insecure=insecure,
        has_heat_maps=heat_maps,
        limits=serving.Limits(
            max_image_mb,
            max_request_mb,
            max_images,
            max_megapixels,
            timeout,
            max_requests,
            max_held_mb,
        ),
    )
    from tfcnn.serve.server import run_service  # after it is known that its packages are there

    run_service(opened, settings, functools.partial(say, err=True))
