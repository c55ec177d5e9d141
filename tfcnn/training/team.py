"""Processes that train one network together: what they agree on, and how all end if one does.

Each runs the same command. The first one, the chief, decides what is trained and alone writes the
run folder. The others get from it what a training that goes on needs, work in a folder of their
own that is removed, and end when it is done. A process with another version, recipe or data is
refused before the first step.
"""

import contextlib
import hashlib
import importlib.metadata
import io
import json
import os
import shutil
import sys
import tempfile
import threading
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import numpy as np

from tfcnn import recipes, runs
from tfcnn.base import atomic, continuing, quiet
from tfcnn.base.errors import CheckError, InputError, TfcnnError
from tfcnn.base.progress import Reporter
from tfcnn.manifest import Manifest
from tfcnn.recipes import Recipe
from tfcnn.training.cluster import Cluster
from tfcnn.training.lines import DONE, FAILED, VANISHED_SECONDS, Lines

WAIT_SECONDS = "TFCNN_WAIT_SECONDS"  # of the environment: how long processes wait for each other
DEFAULT_WAIT_SECONDS = 600.0
NEWS_SECONDS = VANISHED_SECONDS + 10  # TensorFlow may miss a process before its line breaks
LOST_EXIT_CODE = 1
LIBRARIES = ("tfcnn", "tensorflow", "keras", "numpy")
START = (runs.RECIPE, runs.SPLIT, runs.CHECKPOINT, runs.NETWORK, runs.SOURCE, runs.CORRECTIONS)
# where the images lie may differ from machine to machine: what they are is compared
PLACES = (
    "name", "data.source", "data.labels_csv", "data.group_csv", "data.corrections_csv",
    "evaluation.subgroups_csv",
)  # fmt: skip


class LostError(TfcnnError):
    """Another process of the training ended: this one cannot go on."""

    exit_code = LOST_EXIT_CODE


class Team:
    """This process among those that train together, from `opened`.

    Attributes:
        cluster: who is in it.
        folder: that this process writes to: the run folder of the chief, else one of its own.
        failure: why it cannot go on, once another process has ended.
        is_computing: whether the main thread may wait in TensorFlow, which nothing interrupts: this
            process is then ended from another thread.
    """

    def __init__(self, cluster: Cluster, folder: Path) -> None:
        self.cluster = cluster
        self.folder = (
            folder if cluster.is_chief else Path(tempfile.mkdtemp(prefix="tfcnn-")) / "run"
        )
        self.failure: TfcnnError | None = None
        self.is_computing = False
        self._lines = Lines(cluster, self._lost)
        self._others = range(1, len(cluster.addresses)) if cluster.is_chief else range(1)

    def open(self, reporter: Reporter) -> None:
        """Wait for the others; the reporter hears for whom."""
        self._lines.open(_wait_seconds(), reporter.note)

    def joined(self) -> None:
        """Know that TensorFlow has found all processes."""
        self._lines.watch()

    def compute(self) -> None:
        """From now on end this process from another thread: the main one may wait in TensorFlow.

        Raises:
            TfcnnError: if another process has ended before.
        """
        self.is_computing = True  # before one looks: `_lost` does both in the other order
        if self.failure:
            raise self.failure

    def close(self) -> None:
        """Leave; a folder of this process' own is removed."""
        self._lines.close()
        if not self.cluster.is_chief:
            shutil.rmtree(self.folder.parent, ignore_errors=True)

    def refuse_other_setup(self, recipe: Recipe, settings: dict[str, Any]) -> None:
        """Refuse processes with other versions, another recipe or other options.

        Args:
            recipe: that was named.
            settings: the options of the training.

        Raises:
            InputError: in every process, naming the first difference.
        """
        facts: dict[str, Any] = {f"version of {name}": _version(name) for name in LIBRARIES}
        facts["version of Python"] = ".".join(map(str, sys.version_info[:2]))
        facts |= recipes.flat(recipe.model_dump(mode="json"))
        facts |= {f"--{key}": value for key, value in settings.items()}
        self._compare({key: value for key, value in facts.items() if key not in PLACES})

    def refuse_other_data(self, manifest: Manifest, splits: Sequence[str]) -> None:
        """Refuse processes with other images, classes, groups or another split.

        Raises:
            InputError: in every process, naming the first image that differs.
        """
        rows = [
            f"{row.path}: {row.label}, group {row.group or 'none'}, {split}, sha256 {row.sha256}"
            for row, split in zip(manifest.rows, splits, strict=True)
        ]
        text = "\n".join(rows).encode()
        digest = hashlib.sha256(text).hexdigest()
        if self.cluster.is_chief:
            for index in self._others:
                if self._next(index).decode() == digest:
                    continue
                self._lines.send(index, b"rows")
                theirs = zlib.decompress(self._next(index)).decode().split("\n")
                self._refuse(index, "data", *_first_difference(rows, theirs))
            self._tell(b"same")
            return
        self._lines.send(0, digest.encode())
        if self._next(0) == b"rows":
            self._lines.send(0, zlib.compress(text, 1))
            self._next(0)

    def share_files(self, names: Sequence[str]) -> None:
        """Give the files and folders of these names, in the run folder, to all other processes."""
        if self.cluster.is_chief:
            paths = [path for name in names for path in _files(self.folder / name)]
            parts = {str(path.relative_to(self.folder)): path.read_bytes() for path in paths}
            arrays = {name: np.frombuffer(content, np.uint8) for name, content in parts.items()}
            self._tell(_packed(arrays))
            return
        for name, content in _unpacked(self._next(0)).items():
            path = self.folder / name
            if not path.resolve().is_relative_to(self.folder.resolve()):
                raise InputError(name, "a file in the run folder", "another place", "no such link")
            atomic.write_bytes(path, content.tobytes())

    def of_chief(self, compute: Callable[[], Sequence[Any]]) -> list[Any]:
        """Return, in every process, the arrays that the chief computes."""
        if self.cluster.is_chief:
            arrays = list(compute())
            self._tell(_packed({str(i): np.asarray(array) for i, array in enumerate(arrays)}))
            return arrays
        found = _unpacked(self._next(0))
        return [found[str(i)] for i in range(len(found))]

    def until_done(self) -> str:
        """Wait until the chief has finished the run, and return where that is."""
        return self._next(0).removeprefix(DONE).decode()

    def done(self) -> None:
        """Tell the others that the run is finished."""
        self._lines.finish(DONE + str(self.folder.resolve()).encode())

    def failed(self, error: BaseException) -> None:
        """Tell the others why this process ends."""
        if isinstance(error, LostError):
            return
        text = str(error).splitlines()[0] if str(error) else type(error).__name__
        code = error.exit_code if isinstance(error, TfcnnError) else LOST_EXIT_CODE
        self._tell(_last_words(self.cluster.index, text[:2000], code))

    def _compare(self, facts: dict[str, Any]) -> None:
        if not self.cluster.is_chief:
            self._lines.send(0, json.dumps(facts, allow_nan=False).encode())
            self._next(0)
            return
        for index in self._others:
            theirs = json.loads(self._next(index))
            own = json.loads(json.dumps(facts, allow_nan=False))
            for key in sorted({*own, *theirs}):
                if own.get(key) != theirs.get(key):
                    self._refuse(index, key, str(own.get(key)), str(theirs.get(key)))
        self._tell(b"same")

    def _refuse(self, index: int, what: str, expected: str, received: str) -> None:
        subject = f"{self.cluster.name(index)}: {what}"
        hint = "the same versions, recipe, options and images in every process"
        raise InputError(subject, f"{expected}, as the chief has", received, hint)

    def _tell(self, message: bytes, *, but: int | None = None) -> None:
        for index in self._others:
            if index != but:
                self._lines.send(index, message)

    def _next(self, index: int) -> bytes:
        """Return the next message of a process.

        Raises:
            TfcnnError: if it failed, or was lost.
        """
        message = self._lines.receive(index)
        if message is None:
            raise self.failure or self._loss(index)
        return message

    def _lost(self, index: int, last_words: bytes) -> None:
        """Hear, in another thread, that one of the others ended: so must this one."""
        words = last_words or _last_words(index, "", LOST_EXIT_CODE)
        self.failure = self.failure or self._failure(words)
        if self.cluster.is_chief:
            self._tell(words, but=index)
        if not self.is_computing:
            return  # the main thread hears of it when it next waits for a message
        if not self.cluster.is_chief:
            shutil.rmtree(self.folder.parent, ignore_errors=True)
        quiet.say(f"error: {self.failure}")
        os._exit(self.failure.exit_code)

    def _failure(self, last_words: bytes) -> TfcnnError:
        """Return why this process cannot go on, of the last words of another one."""
        index, text, code = json.loads(last_words.removeprefix(FAILED))
        if not text:
            return self._loss(index)
        expected, hint = "a process that goes on to the end", "again when that is mended"
        kind = {2: InputError, 3: CheckError}.get(code, LostError)
        return kind(self.cluster.name(index), expected, text, hint)

    def _loss(self, index: int) -> LostError:
        expected = f"all {len(self.cluster.addresses)} processes to the end"
        can_resume = runs.state(self.folder) == "unfinished"
        hint = f"all of them again, each with: {continuing.line(can_resume)}"
        return LostError(self.cluster.name(index), expected, "a process that ended", hint)


@contextlib.contextmanager
def opened(cluster: Cluster | None, folder: Path, reporter: Reporter) -> Iterator[Team | None]:
    """Yield this process among those of the cluster; None where there is none.

    An error of one process ends all of them, each with the same words.

    Args:
        cluster: from `strategy.team`.
        folder: of the run.
        reporter: hears who is waited for.
    """
    if cluster is None:
        yield None
        return
    team = Team(cluster, folder)
    try:
        count = len(cluster.addresses)
        reporter.stage(f"waiting for {count} processes")
        team.open(reporter)
        reporter.note(f"{cluster.name(cluster.index)} of {count} processes ({cluster.source})")
        yield team
    except SystemExit:  # of a process that has done its part
        raise
    except BaseException as error:
        if _is_of_tensorflow(error) and (failure := _news(team)):
            raise failure from error
        team.failed(error)
        raise
    finally:
        team.close()


def _news(team: Team) -> TfcnnError | None:
    """Return why another process has ended, once that is known; None where none has."""
    deadline = monotonic() + NEWS_SECONDS
    while team.failure is None and monotonic() < deadline:
        sleep(0.1)
    return team.failure


def _is_of_tensorflow(error: BaseException) -> bool:
    return any(one.__module__.startswith("tensorflow") for one in type(error).__mro__)


def _wait_seconds() -> float:
    text = os.environ.get(WAIT_SECONDS, "").strip() or str(DEFAULT_WAIT_SECONDS)
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < threading.TIMEOUT_MAX:
        raise InputError(WAIT_SECONDS, "seconds as a number", repr(text[:80]), "unsetting it")
    return seconds


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:  # TensorFlow has several names
        return "unknown"


def _last_words(index: int, text: str, exit_code: int) -> bytes:
    return FAILED + json.dumps([index, text, exit_code], allow_nan=False).encode()


def _first_difference(own: Sequence[str], theirs: Sequence[str]) -> tuple[str, str]:
    """Return the first row that differs, here and there."""
    for one, other in zip(own, theirs, strict=False):
        if one != other:
            return one, other
    return f"{len(own):,} images", f"{len(theirs):,}"


def _files(path: Path) -> list[Path]:
    return sorted(one for one in [path, *path.rglob("*")] if one.is_file())


def _packed(arrays: dict[str, Any]) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def _unpacked(content: bytes) -> dict[str, Any]:
    with np.load(io.BytesIO(content), allow_pickle=False) as file:
        return {name: file[name] for name in file.files}
