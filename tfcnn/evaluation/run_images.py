"""The images that a run was made of, where they still are, as the network sees them."""

import shlex
from collections.abc import Sequence
from pathlib import Path

from tfcnn import datasets, runs
from tfcnn.base import own_files
from tfcnn.base.errors import InputError, TfcnnError
from tfcnn.datasets import Source
from tfcnn.datasets.folder import open_images
from tfcnn.inputs.streamed import Streamed
from tfcnn.manifest import Row
from tfcnn.runs import Run


def of_paths(run: Run, paths: Sequence[str]) -> Streamed:
    """Return images of a run by their paths, decoded when they are asked for.

    A file that is no longer the one that was measured is refused then.

    Args:
        run: an opened run.
        paths: as in its `split.csv`.

    Raises:
        InputError: if the images are gone, or only a user's Python file can read them.
        CheckError: if `split.csv` is not the one that was written.
    """
    hashes = {row["path"]: row for row in run.split}
    rows = [
        Row(path, row["label"], row["group"], "", row["sha256"], row["pixels_sha256"], 0, 0)
        for path, row in ((path, hashes[path]) for path in paths)
    ]
    return Streamed(_source_of(run, paths[0]), rows, run.decoder)


def _source_of(run: Run, first: str) -> Source:
    """Open where the images of a run are; nothing is fetched or made anew."""
    data, card = run.recipe.data, run.card["data"]
    command = f"`tfcnn evaluate {shlex.quote(runs.as_typed(run.path))} --data FOLDER`"
    hint = f"putting them back there, or {command}"
    expected = f"the images of {run.name}"
    if own_files.is_own(data.source):
        if "root" not in card:
            received = "images that only its Python file can read, which is not run"
            raise InputError(run.path, "images in files", received, command)
        images, groups = card["nouns"]
        source = Source(card["source"], Path(card["root"]), (), nouns=(images, groups))
    elif data.source in datasets.names() and not (datasets.data_home() / data.source).is_dir():
        place = datasets.data_home() / data.source
        raise InputError(place, expected, "no such folder", hint)
    else:
        try:
            source = open_images(data)
        except (TfcnnError, OSError) as error:
            raise InputError(data.source, expected, f"none ({error})", hint) from error
    try:
        source.read(first)
    except (OSError, LookupError, ValueError, TfcnnError) as error:
        raise InputError(source.root / first, expected, f"none ({error})", hint) from error
    return source
