"""A network of a run, as a page takes it; converted once, and kept among the data."""

import functools
import hashlib
import json
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

from tfcnn import runs
from tfcnn.base import atomic, quiet
from tfcnn.base.errors import InputError
from tfcnn.datasets import data_home
from tfcnn.runs import MODEL, Run, keras_file

HERE = Path(__file__).parent
LENET5 = HERE / "lenet5"  # a run folder of model.keras and model.json
FILES = NETWORK, LITERT, REST = "network.json", "model.tflite", "rest"


class OpenedNetwork(NamedTuple):
    """A network, ready for a page.

    Attributes:
        description: see `description.describe`, JSON-ready.
        model: the bytes of a LiteRT model that gives every result.
        rest: weights that are not in it as they are.
    """

    description: dict[str, Any]
    model: bytes
    rest: bytes

    def parts(self, name: str) -> dict[str, bytes]:
        """Return what lies beside the pages, by the names that `lab/network.js` asks for."""
        return {f"{name}-model": self.model, f"{name}-rest": self.rest}


def shipped(name: str) -> Run:
    """Return a run that is shipped: one of the zoo, or the lab's own `lenet5`."""
    return runs.read(LENET5 if name == "lenet5" else runs.ZOO / name)


def open_network(run: Run) -> OpenedNetwork:
    """Return the network of a run, layer by layer.

    The first call for a network converts it, which takes some seconds; later ones read what the
    first has kept.

    Raises:
        InputError: if it is too large for a page, of a kind that cannot be laid open, or of
            operations that LiteRT lacks, or the run has no `model.keras`.
        CheckError: if `model.keras` is not the file that was measured.
    """
    if not run.is_recorded(MODEL):
        raise InputError(run.path, "a model.keras, which is laid open", "none", "training it again")
    return _opened(run.model_path, _key(run.card["sha256"][MODEL]), run.name)


@functools.lru_cache(maxsize=8)
def _opened(path: Path, key: str, name: str) -> OpenedNetwork:
    kept = data_home() / "cache" / "lab-networks" / f"{key}.zip"
    found = _read(kept)
    if found is None:
        found = _convert(path, name)
        _keep(kept, found)
    return found


def _convert(path: Path, name: str) -> OpenedNetwork:
    model = keras_file.load(path)
    from tfcnn.lab.inside import all_results, description, steps  # which import TensorFlow

    found = steps.steps_of(model)
    all_results.require_small(f"run {name}", model, found)
    converted = all_results.convert(model, found)
    described, rest = description.describe(found, converted)
    return OpenedNetwork(described, converted.content, rest)


def _key(sha256: str) -> str:
    """Return a name for what these modules make of a model file."""
    made = hashlib.sha256(sha256.encode())
    for source in sorted(HERE.glob("*.py")):
        made.update(source.read_bytes())
    return made.hexdigest()[:32]


def _read(path: Path) -> OpenedNetwork | None:
    """Return what was kept; None where nothing was, or it is damaged."""
    try:
        with zipfile.ZipFile(path) as kept:  # each file's CRC-32 is compared
            network, model, rest = (kept.read(name) for name in FILES)
        return OpenedNetwork(json.loads(network), model, rest)
    except (OSError, zipfile.BadZipFile, KeyError, ValueError):
        return None


def _keep(path: Path, network: OpenedNetwork) -> None:
    import io

    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as kept:
        kept.writestr(NETWORK, json.dumps(network.description, allow_nan=False))
        kept.writestr(LITERT, network.model)
        kept.writestr(REST, network.rest)
    try:
        atomic.make_folder(path.parent)
        atomic.write_bytes(path, content.getvalue())
    except OSError as error:  # a place that cannot be written to makes the next start slower
        quiet.write_log(f"the lab's networks are not kept: {error}")


def about(run: Run) -> str:
    """Return in a sentence how good a shipped run is."""
    from tfcnn.runs.shipped import read_about

    found = read_about(run.path)
    return "" if found is None else found.result
