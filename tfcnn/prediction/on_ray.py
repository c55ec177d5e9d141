"""Predictions on a Ray cluster: Ray Data hands batches of images to actors, one per core or GPU.

The images are not sent: every node reads them, and the run, by the same paths as this machine. Each
actor compares what it has with what this machine has before it answers. Ray Data keeps the order,
and starts an actor that was lost again, with its batches.
"""

import contextlib
import importlib.metadata
import importlib.util
import json
import logging
import os
import pickle
import signal
import socket
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tfcnn import __version__, runs
from tfcnn.base import interrupts, quiet, threads
from tfcnn.base.errors import InputError, TfcnnError
from tfcnn.decode import limits
from tfcnn.prediction import journal
from tfcnn.prediction.answers import Prediction
from tfcnn.prediction.engines import Note
from tfcnn.prediction.paths import Image
from tfcnn.prediction.predictor import Predictor
from tfcnn.prediction.work import Work
from tfcnn.runs import Run

BATCHES_AT_ONCE = 8  # of a task: a lost actor's are computed again
COMPARED = ("numpy", "pillow")  # packages that decide over pixels and numbers
CONNECT_SECONDS = 10
SHOWN = 200  # signs of Ray's own message


@dataclass(frozen=True)
class Setting:
    """What a node must have in common with the machine that the command runs on.

    Attributes:
        run: the whole path of the run's folder.
        card: the sha256 of the content of its `model.json`.
        engine: what computes.
        versions: of tfcnn and of the packages that decide over the numbers.
        folder: the working folder, for paths that are relative to it.
        roots: the paths that a user gave.
        megapixels: how large an image may be.
    """

    run: str
    card: str
    engine: str
    versions: dict[str, str]
    folder: str
    roots: tuple[str, ...]
    megapixels: float


def versions() -> dict[str, str]:
    """Return the versions that must be the same everywhere."""
    return {"tfcnn": __version__, **{name: importlib.metadata.version(name) for name in COMPARED}}


class Answerer:
    """An actor: it has the model open and answers batches of images.

    What is wrong with its node it answers too: Ray would start an actor that raises for ever.
    """

    def __init__(self, setting: dict[str, Any]) -> None:
        wanted = Setting(**setting)
        threads.use_at_most(1)  # there is an actor for each core
        os.environ[limits.VARIABLE] = str(wanted.megapixels)
        self._fault = ""
        try:
            self._predictor = Predictor(_run_of(wanted), wanted.engine)
        except Exception as error:  # an engine raises many types for what a machine lacks
            self._fault = json.dumps(_fault(error), allow_nan=False)

    def __call__(self, rows: dict[str, Any]) -> dict[str, list[Any]]:
        """Return the lines of the predictions of each batch, see `journal.encode`, or a fault."""
        numbers = [*rows["number"]]
        lines = [b""] * len(numbers)
        if not self._fault:
            batches: list[Sequence[Image]] = [pickle.loads(one) for one in rows["images"]]
            answers = self._predictor.of_batches(iter(batches))
            lines = [b"".join(map(journal.encode, batch)) for batch in answers]
        return {"number": numbers, "lines": lines, "fault": [self._fault] * len(numbers)}


def _fault(error: Exception) -> list[str]:
    """Return the arguments of the InputError that the command is to end with."""
    node = f"node {os.uname().nodename}"
    if isinstance(error, TfcnnError):
        return [f"{node}: {error.subject}", error.expected, error.received, error.hint]
    return [node, "an engine that starts", f"{type(error).__name__}: {error}", "another --engine"]


def _run_of(wanted: Setting) -> Run:
    """Open the run on a node, after comparing the node with the command's machine."""
    for name, version in wanted.versions.items():
        if (own := versions()[name]) != version:
            hint = "the same environment on all nodes"
            raise InputError(name, version, own, hint)
    hint = "a folder that all nodes share"
    for path in (wanted.folder, wanted.run):
        if not Path(path).is_dir():
            raise InputError(path, "a folder", "none", hint)
    os.chdir(wanted.folder)
    for root in wanted.roots:
        if not Path(root).exists():
            raise InputError(root, "images", "none", hint)
    run = runs.read(Path(wanted.run))
    if run.card_sha256 != wanted.card:
        raise InputError(wanted.run, "the run of the command", "another run", hint)
    return run


@dataclass(frozen=True)
class Cluster:
    """A Ray cluster that this process is connected to.

    Attributes:
        run: what answers.
        engine: what computes.
        actors: how many there are at most.
        has_gpus: whether each has a GPU of its own, and not a core.
    """

    run: Run
    engine: str
    actors: int
    has_gpus: bool

    def of_batches(self, work: Work) -> Iterator[Iterable[Prediction]]:
        """Yield the predictions of each batch, in order.

        Raises:
            InputError: if a node has not what this machine has, or Ray gives up.
        """
        names = self.run.class_names
        for number, lines in enumerate(self._lines(work)):
            interrupts.check()
            if lines[0] != number:
                received = f"batch {lines[0]} in place of {number}"
                raise InputError("Ray", "the batches in their order", received, "--on here")
            yield [journal.decode(line, names) for line in lines[1].splitlines(keepends=True)]

    def _lines(self, work: Work) -> Iterator[tuple[int, bytes]]:
        """Yield the number and the lines of each batch."""
        import ray
        from ray.data.exceptions import SystemException
        from ray.exceptions import RayError

        items = [
            {"number": number, "images": pickle.dumps(list(batch))}
            for number, batch in enumerate(work.batches())
        ]
        if not items:
            return
        blocks = -(-len(items) // BATCHES_AT_ONCE)
        # so few images that some actors would have no block
        blocks = min(len(items), max(blocks, 2 * self.actors))
        data = ray.data.from_items(items, override_num_blocks=blocks)
        data.context.execution_options.preserve_order = True
        data.context.enable_progress_bars = False
        if not os.environ.get(quiet.SHOW):  # Ray Data has set it when it began
            logging.getLogger("ray.data").setLevel(logging.ERROR)
        share = {"num_gpus": 1} if self.has_gpus else {"num_cpus": 1}
        answered = data.map_batches(
            Answerer,
            fn_constructor_args=[asdict(self._setting(work))],
            batch_size=BATCHES_AT_ONCE,
            batch_format="numpy",
            compute=ray.data.ActorPoolStrategy(min_size=1, max_size=self.actors),
            **share,
        )
        try:
            for row in answered.iter_rows():
                if row["fault"]:
                    raise InputError(*json.loads(row["fault"]))
                yield int(row["number"]), bytes(row["lines"])
        except (RayError, SystemException) as error:
            received = " ".join(str(error).split())[-SHOWN:]
            hint = "Ray's own logs, or --on here"
            raise InputError("Ray", "answers of its actors", received, hint) from error

    def _setting(self, work: Work) -> Setting:
        return Setting(
            str(self.run.path.resolve()),
            self.run.card_sha256,
            self.engine,
            versions(),
            str(Path.cwd()),
            tuple(map(str, work.roots)),
            limits.megapixels(),
        )


def connect(run: Run, engine: str, note: Note | None = None) -> Cluster:
    """Connect to the cluster of RAY_ADDRESS, or to one that runs here, or start one here.

    Raises:
        InputError: if Ray is not installed, or the cluster cannot be reached.
    """
    if importlib.util.find_spec("ray") is None:
        raise InputError("--on ray", "the package ray", "none", "pip install 'tfcnn[ray]'")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is sent to anybody
    _reach(os.environ.get("RAY_ADDRESS", ""))
    is_shown = bool(os.environ.get(quiet.SHOW))
    if not is_shown:
        os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    level = logging.INFO if is_shown else logging.ERROR
    with _own_signals(), quiet.stderr_to_log():  # Ray writes on the file descriptor too
        import ray

        try:
            ray.init(ignore_reinit_error=True, log_to_driver=is_shown, logging_level=level)
        except (ConnectionError, ValueError, RuntimeError, TimeoutError) as error:
            place = os.environ.get("RAY_ADDRESS", "here")
            received = " ".join(str(error).split())[:SHOWN]
            raise InputError(f"Ray at {place}", "a cluster", received, "ray status") from error
    resources = ray.cluster_resources()
    has_gpus = engine == "keras" and resources.get("GPU", 0) >= 1
    actors = max(1, int(resources.get("GPU" if has_gpus else "CPU", 1)))
    if note:
        nodes = sum(node["Alive"] for node in ray.nodes())
        each = "GPU" if has_gpus else "core"
        note(f"on Ray: nodes {nodes}, actors {actors}, one per {each}")
    return Cluster(run, engine, actors, has_gpus)


def _reach(address: str) -> None:
    """Raise InputError at once if nothing answers at `host:port`: Ray tries for minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not port.isdigit():  # none, or a name such as `auto`
        return
    try:
        socket.create_connection((host, int(port)), timeout=CONNECT_SECONDS).close()
    except OSError as error:
        received, hint = str(error.strerror or error), "ray status on a node, and RAY_ADDRESS"
        raise InputError(f"Ray at {address}", "a cluster", received, hint) from error


@contextlib.contextmanager
def _own_signals() -> Iterator[None]:
    """Keep what SIGINT and SIGTERM do: Ray would end the process without the line that resumes."""
    numbers = (signal.SIGINT, signal.SIGTERM)
    handlers = {number: signal.getsignal(number) for number in numbers}
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            for number, handler in handlers.items():
                signal.signal(number, handler)
