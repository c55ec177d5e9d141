"""Trainings are killed, interrupted and starved at many moments, of every stage.

A training that goes on, with the line that tfcnn itself names, ends with the same bytes as one
that nothing has happened to: weights, history, answers and report.
"""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from fault_forks import Forks
from fault_hooks import FULL, INTERRUPT, KILL, TORN, Fault
from fault_walks import Command, Walker, finished_runs
from test_starved import GROUPED, TINY

from tfcnn import runs

pytestmark = [pytest.mark.faults, pytest.mark.timeout(3600)]

TRAIN = ("train", "digits", *TINY)


@pytest.fixture(scope="module")
def trained_home(keras_forks: Forks, cells: Path, tmp_path_factory) -> Path:
    """Return a home with a finished run of digits, and one of cells."""
    home = tmp_path_factory.mktemp("trained_home") / "home"
    crossval = ("crossval", cells, "--folds", "2", *TINY, *GROUPED)
    for words in (TRAIN, ("train", cells, *TINY, *GROUPED), crossval):
        ended = keras_forks.run(*words, home=home)
        assert ended.code == 0, str(ended)
    return home


def of_train(base: Path, home: Path, cells: Path) -> Command:
    return Command(TRAIN, trusted=finished_runs, asks=("evaluate", "digits"))


def of_more(base: Path, home: Path, cells: Path) -> Command:
    words = ("train", "digits", "--more", "1")
    # the twin of a training that has loaded another model differs in names: its answers do not
    twin = r"digits-more/model\.tflite$"
    asks = ("evaluate", "digits-more")
    return Command(words, home, trusted=finished_runs, asks=asks, ignored=twin)


def of_another(base: Path, home: Path, cells: Path) -> Command:
    """A finished run of that name is moved aside, and kept."""
    return Command(
        (*TRAIN, "--set", "train.seed=5"), home, trusted=finished_runs,
        kept=lambda home: [runs.is_done(path) for path in home.glob("models/.old/*")],
    )  # fmt: skip


def of_resume(base: Path, home: Path, cells: Path) -> Command:
    """The second call, which goes on from the first epoch, is killed too."""
    return Command((*TRAIN, "--resume"), base / "begun", trusted=finished_runs)


def of_crossval(base: Path, home: Path, cells: Path) -> Command:
    words = ("crossval", cells, "--folds", "2", *TINY, *GROUPED)
    return Command(words, trusted=finished_runs, asks=("evaluate", "cells-crossval/fold-0"))


def of_labels(base: Path, home: Path, cells: Path) -> Command:
    return Command(("labels", "cells-crossval"), home, trusted=finished_runs)


def of_adopt(base: Path, home: Path, cells: Path) -> Command:
    model = base / "mine.keras"
    shutil.copy(home / "models" / "cells-crossval" / "fold-0" / runs.MODEL, model)
    words = ("adopt", model, cells, "--run", "mine", *GROUPED, "--set", "data.image_size=8")
    return Command(words, trusted=finished_runs, asks=("evaluate", "mine"))


COMMANDS: dict[str, tuple[Callable[[Path, Path, Path], Command], dict[str, int]]] = {
    "train": (of_train, {KILL: 34, TORN: 4, INTERRUPT: 5, FULL: 5}),
    "train, in place of a run": (of_another, {KILL: 6, INTERRUPT: 1, FULL: 2}),
    "train --more": (of_more, {KILL: 5}),
    "train --resume": (of_resume, {KILL: 7, INTERRUPT: 2}),
    "crossval": (of_crossval, {KILL: 8, INTERRUPT: 1, FULL: 1}),
    "labels": (of_labels, {KILL: 8, TORN: 2, FULL: 2}),
    "adopt": (of_adopt, {KILL: 7, FULL: 3}),
}


def begin(forks: Forks, home: Path) -> None:
    """Leave what a training leaves that was killed in its second epoch."""
    walker = Walker(forks, home.parent / "first", Command(TRAIN))
    epochs = [n for n, name in enumerate(walker.walk.events, 1) if name.endswith("in an epoch")]
    walker.home.rename(home.parent / "whole")
    ended = forks.run(*TRAIN, home=walker.home, fault=Fault(str(walker.home), KILL, epochs[-1]))
    assert ended.code < 0, str(ended)
    assert (walker.home / "models/digits" / runs.CHECKPOINT / "state.npz").exists()
    walker.home.rename(home)


@pytest.mark.parametrize("name", COMMANDS)
def test_cut_anywhere_it_goes_on_to_the_same(name, keras_forks, tmp_path, trained_home, cells):
    of_command, most = COMMANDS[name]
    command = of_command(tmp_path, trained_home, cells)
    if name == "train --resume":
        begin(keras_forks, tmp_path / "begun")
    walker = Walker(keras_forks, tmp_path, command)
    walker.inject(name, most)
    assert not walker.walk.losses, "\n".join(walker.walk.losses)
