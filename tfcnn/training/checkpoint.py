"""The state of a training: a cut one goes on to the same result as one that was not cut.

One file holds all that has a state at the end of an epoch: weights, optimizer, the best weights so
far, the memory of the stopping rule, and the history. It is written whole or not at all. The file
of the epoch before is kept beside it, as a disk may damage what was written whole. Batches and
augmentation have no state (see `inputs`); the state of dropout follows from (seed, epoch).
"""

import errno
import json
from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import keras
import numpy as np

from tfcnn import runs
from tfcnn.base import atomic
from tfcnn.base.errors import CheckError, InputError
from tfcnn.base.progress import Reporter
from tfcnn.base.records import sha256_of
from tfcnn.training.callbacks import Plateau

Array = np.ndarray[Any, Any]
FILE, BEFORE = f"{runs.CHECKPOINT}/state.npz", f"{runs.CHECKPOINT}/before.npz"
START_FILES = (runs.RECIPE, runs.SPLIT)


@dataclass
class State:
    """What a resume needs to know besides weights.

    Attributes:
        epoch: epochs that are done.
        history: one row of figures per epoch.
        stopping: the memory of the stopping rule.
        plateau: that of the rule that lowers the rate, where there is one.
        train_seconds: time spent training so far.
        train_cpu_seconds: the same of all cores together, which other work disturbs less.
        precision: the dtype policy, kept by a resume on another machine.
        is_done: whether no epoch is left to train.
        head: what a linear model of a backbone's features was fitted with, see `frozen.fit`.
        epochs: how many there are to be, where the time is limited; 0: as many as the recipe says.
        sha256: of the files that the run was begun with, by name; see `sha256_at_start`.
        continues: the run that it continues, and how many epochs that had; empty where it begins
            anew. See `more`.
        replicas: devices that computed it; 0 before it has begun.
    """

    epoch: int = 0
    history: list[dict[str, float]] = field(default_factory=list)
    stopping: dict[str, float] = field(default_factory=dict)
    plateau: dict[str, float] = field(default_factory=dict)
    train_seconds: float = 0.0
    train_cpu_seconds: float = 0.0
    precision: str = ""
    is_done: bool = False
    head: dict[str, Any] = field(default_factory=dict)
    epochs: int = 0
    sha256: dict[str, str] = field(default_factory=dict)
    continues: dict[str, Any] = field(default_factory=dict)
    replicas: int = 0

    @property
    def first_epoch(self) -> int:
        """The epoch that the training began with, counted from 0."""
        return int(self.continues.get("epochs", 0))


@dataclass(frozen=True)
class Start:
    """Where a training begins: at nothing, or at the end of an epoch.

    Attributes:
        state: what a resume needs to know; the training brings it up to date.
        weights: of the model; empty at nothing, as are the others.
        optimizer: the values of its variables.
        best: the best weights so far; empty too where no epoch was best.
    """

    state: State = field(default_factory=State)
    weights: tuple[Array, ...] = ()
    optimizer: tuple[Array, ...] = ()
    best: tuple[Array, ...] = ()


class Stopping(keras.callbacks.EarlyStopping):  # type: ignore[misc]
    """Early stopping that remembers, over a cut, what was best and how long ago."""

    def __init__(self, patience: int, epochs: int, best_weights: bool) -> None:
        super().__init__("val_loss", patience=patience or epochs, restore_best_weights=best_weights)
        self.kept: dict[str, float] = {}
        self.kept_weights: list[Any] | None = None

    def on_train_begin(self, logs: Any = None) -> None:
        """Forget, as Keras does; then remember what a checkpoint held."""
        super().on_train_begin(logs)
        for key, value in self.kept.items():
            setattr(self, key, value if key == "best" else int(value))
        if self.kept_weights is not None:
            self.best_weights = self.kept_weights

    def memory(self) -> dict[str, float]:
        """Return what a checkpoint must hold of the rule, besides the best weights."""
        if self.best is None:
            return {}
        return {key: float(getattr(self, key)) for key in ("best", "wait", "best_epoch")}


class SeedEpochs(keras.callbacks.Callback):  # type: ignore[misc]
    """Set every seed generator (dropout's) from (seed, epoch) when an epoch begins."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.seed = seed

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Overwrite the generators' states."""
        layers = self.model._flatten_layers()  # the public `layers` skips nested models
        generators = [layer.seed_generator for layer in layers if hasattr(layer, "seed_generator")]
        for number, generator in enumerate(generators):
            words = np.random.SeedSequence([self.seed, epoch, number]).generate_state(2)
            generator.state.assign(words.astype(np.uint32))


class Checkpoint(keras.callbacks.Callback):  # type: ignore[misc]
    """Write the state of the training at the end of every epoch.

    Attributes:
        weights: of the model, as they were when the last epoch ended; empty before one has.
    """

    def __init__(
        self, folder: Path, place: str, state: State, stopping: Stopping, plateau: Plateau | None
    ) -> None:
        super().__init__()
        self.folder, self.place, self.state = folder, place, state
        self.stopping, self.plateau = stopping, plateau
        self.weights: list[Array] = []

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Save; `self.state` has been brought up to date by the callback that keeps the history."""
        self.state.stopping = self.stopping.memory()
        self.state.plateau = self.plateau.memory() if self.plateau else {}
        # so that a cut from here on trains no epoch more
        self.state.is_done = self.model.stop_training or epoch + 1 == self.params["epochs"]
        self.weights = self.model.get_weights()
        optimizer = [_array(variable) for variable in self.model.optimizer.variables]
        best = self.stopping.best_weights or []
        start = Start(self.state, tuple(self.weights), tuple(optimizer), tuple(best))
        write(start, self.folder, self.place)


def write(start: Start, folder: Path, place: str = "") -> None:
    """Write weights, optimizer, best weights and state as one file.

    Args:
        start: where a training stands.
        folder: of the run.
        place: see `files_at`.
    """
    path, before = files_at(folder, place)
    state = json.dumps(vars(start.state), allow_nan=False)
    arrays: dict[str, Any] = {"state": np.array(state)}
    for name in ("weights", "optimizer", "best"):
        arrays |= {f"{name}_{i}": value for i, value in enumerate(getattr(start, name))}
    with atomic.writing(path) as part:
        np.savez(part, **arrays)
        if path.exists():
            path.replace(before)


def files_at(folder: Path, place: str) -> tuple[Path, Path]:
    """Return the paths of the state, and of that of the epoch before.

    Args:
        folder: of the run.
        place: a folder among the checkpoints, where several ways to begin are tried; else "".
    """
    path, before = folder / FILE, folder / BEFORE
    return path.parent / place / path.name, before.parent / place / before.name


def read(folder: Path, reporter: Reporter, place: str = "") -> Start:
    """Return where an unfinished run stopped; its beginning where no epoch had ended.

    Where the file is damaged, that of the epoch before takes its place, and the reporter hears of
    it.

    Raises:
        InputError: if there is none that can be read.
        CheckError: if a file that the run was begun with is another one now.
    """
    path, before = files_at(folder, place)
    if not path.exists() and not before.exists():
        return Start(State(sha256=sha256_at_start(folder)))
    try:
        start = _read(path)
    except Exception as error:  # of a damaged file NumPy and zipfile raise nearly every type
        if not _is_damage(error):
            raise
        start = _read_before(path, before, error)
        what = f"{path} is {_damage(error)}"
        reporter.note(f"{what}: going on from {before.name}, after epoch {start.state.epoch}")
        atomic.replace(before, path)
    _refuse_other_start(start.state, folder, reporter)
    return start


def restore(start: Start, model: Any, stopping: Stopping, plateau: Plateau | None = None) -> None:
    """Put a compiled model, its optimizer and the rules that remember where a training begins."""
    if not start.weights:
        return
    with model.distribute_strategy.scope():  # a GPU's variables are made in no other
        model.set_weights(list(start.weights))
        if not start.optimizer:  # of a run that another one continues
            return
        for variable, value in zip(model.optimizer.variables, start.optimizer, strict=True):
            variable.assign(value)
    stopping.kept = start.state.stopping
    stopping.kept_weights = list(start.best) or None
    if plateau is not None:
        plateau.kept = start.state.plateau


def sha256_at_start(folder: Path) -> dict[str, str]:
    """Return the sha256 of each file that a run is begun with, by name.

    A run that goes on with another split would be tested on what it has learnt.
    """
    names = (*START_FILES, *runs.copies(folder))
    there = (name for name in names if (folder / name).is_file())
    return {name: sha256_of(folder / name) for name in there}


def _refuse_other_start(state: State, folder: Path, reporter: Reporter) -> None:
    if not state.sha256:
        reporter.note(f"{folder / FILE} is of an earlier tfcnn: it cannot vouch for the split")
    now = sha256_at_start(folder)
    for name, recorded in state.sha256.items():
        if now.get(name) != recorded:
            raise CheckError(
                folder / name,
                "the file that this run was begun with",
                "another content" if name in now else "no such file",
                "putting the old one back, or --fresh",
            )
    state.sha256 = now


def _read(path: Path) -> Start:
    """Read a checkpoint, every array of it, for the checksum is compared in reading."""
    with np.load(path, allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    groups = {
        group: tuple(arrays[f"{group}_{i}"] for i in range(_count(arrays, group)))
        for group in ("weights", "optimizer", "best")
    }
    known = {one.name for one in fields(State)}  # an earlier tfcnn wrote more
    state = {key: value for key, value in json.loads(str(arrays["state"])).items() if key in known}
    return Start(State(**state), **groups)


def _read_before(path: Path, before: Path, error: Exception) -> Start:
    try:
        return _read(before)
    except Exception as other:
        received = f"{_damage(error)}, and {before.name}, of the epoch before, {_damage(other)}"
        hint = "--fresh, or a copy of the file"
        raise InputError(path, "a checkpoint that can be read", received, hint) from error


def _is_damage(error: Exception) -> bool:
    """Say whether an error is the file's, and not one of the machine that may pass."""
    if isinstance(error, OSError):
        return error.errno in (None, errno.ENOENT, errno.EIO)
    return not isinstance(error, MemoryError)


def _damage(error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return "missing"
    return f"damaged ({str(error) or type(error).__name__})"


def _count(names: Iterable[str], group: str) -> int:
    return sum(name.startswith(f"{group}_") for name in names)


def _array(variable: Any) -> Array:
    return np.asarray(keras.ops.convert_to_numpy(variable))
