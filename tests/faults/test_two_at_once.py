"""Two processes at the same thing: the first is held at an event while the second comes and goes.

One of them refuses in one line, or waits, or both end right: what is there is never of both.
"""

import os
import shutil
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import fault_tally
import pytest
from dataset_fakes import write_cells
from fault_forks import Ended, Forks, warm
from fault_hooks import COUNT, HOLD, Fault, named
from fault_walks import finished_runs, hidden, result
from test_starved import GROUPED, TINY, held

ANSWERS = ("predict", "cells", "{cells}", "--output", "answers.csv")
LOWER, HIGHER = ("threshold", "cells", "--value", "0.3"), ("threshold", "cells", "--value", "0.7")
REPORT = ("report", "cells")
DIGITS = ("download", "digits")
MALARIA = ("download", "malaria", "--from", "{mirror}")
LAB = ("lab", "--run", "cells", "--export", "site", "--no-lessons")
OTHER, CHANGES = "another process that makes the same", "one that gets a threshold"
# the first command, the event it is held at, the second command, what that says where it refuses
PAIRS = {
    "download, download": (MALARIA, "rename /data/malaria", MALARIA, OTHER),
    "download digits, download": (DIGITS, "write /data/digits", DIGITS, ""),
    "check, check": (("check", "{cells}"), "rename /data/folders", ("check", "{cells}"), ""),
    "predict, predict": (ANSWERS, "rename /answers.csv", ANSWERS, ""),
    "threshold, threshold": (LOWER, "open /models/cells/.report", HIGHER, OTHER),
    "threshold, report": (LOWER, "open /models/cells/.report", REPORT, CHANGES),
    "threshold, evaluate": (LOWER, "open /models/cells/.report", ("evaluate", "cells"), CHANGES),
    "threshold, lab": (LOWER, "open /models/cells/.report", LAB, CHANGES),
    "report, lab": (REPORT, "open /models/cells/.report", LAB, ""),
    "lab, threshold": (LAB, "rename /site", LOWER, ""),
    "report, threshold": (REPORT, "open /models/cells/.report", LOWER, OTHER),
    "report, report": (REPORT, "open /models/cells/.report", REPORT, OTHER),
    "predict, clean": (ANSWERS, "rename /answers.csv", ("clean",), ""),
    "download, clean": (DIGITS, "rename /data/digits", ("clean",), ""),
    "lab, lab": (
        ("lab", "--export", "site", "--no-lessons"), "rename /site",
        ("lab", "--export", "site", "--no-lessons"), OTHER,
    ),
}  # fmt: skip
DEFAULT = ("report, threshold", "download, download")
READ_BEFORE = ("lab, threshold",)  # what the first shows is wholly of before the second


@pytest.fixture(scope="session")
def second(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forks]:
    """Give another warm parent, as each waits for its own child."""
    with warm(tmp_path_factory.mktemp("second"), with_keras=False) as parent:
        yield parent


def together(
    first: Forks, second: Forks, home: Path, words: tuple, event: str, other: tuple
) -> tuple[Ended, Ended]:
    """Run a command while another one is held before the first event of this name."""
    log = home.parent / "events"
    ended = first.run(*words, home=home.parent / "alone", fault=Fault(
        str(home.parent / "alone"), COUNT, log=str(log)))  # fmt: skip
    assert ended.code == 0, str(ended)
    names = [named(line, home.parent / "alone") for line in log.read_text().splitlines()]
    at = next(n for n, name in enumerate(names, 1) if name.startswith(event))
    held_log = home.parent / "held"
    first.start(*words, home=home, fault=Fault(str(home), HOLD, at, str(held_log)))
    process = held(held_log)
    came = second.run(*other, home=home)
    os.kill(process, signal.SIGCONT)
    return first.wait(), came


@pytest.mark.parametrize(
    "pair", [pytest.param(name, marks=[] if name in DEFAULT else pytest.mark.faults)
             for name in PAIRS],
)  # fmt: skip
def test_two_at_once(pair, forks, second, used_home, cells, tmp_path):
    first, event, other, refusal = PAIRS[pair]
    places = {"cells": cells, "mirror": tmp_path / "mirror"}
    write_cells(places["mirror"])
    words, other = ([word.format(**places) for word in one] for one in (first, other))
    homes = {name: tmp_path / name for name in ("home", "alone", "right")}
    for home in homes.values():
        shutil.copytree(used_home, home)
    stayed, came = together(forks, second, homes["home"], tuple(words), event, tuple(other))
    assert stayed.code == 0, str(stayed)
    if refusal:
        assert came.code in (2, 3) and refusal in came.err, str(came)
        assert came.err.count("error:") == 1
    else:
        assert came.code == 0, str(came)
    order = [words, other] if pair in READ_BEFORE else [other, words]
    for one in [words] if refusal else order:
        assert forks.run(*one, home=homes["right"]).code == 0
    found, right = (result(homes[name]) for name in ("home", "right"))
    assert {n for n in right if found.get(n) != right[n]} == set()
    assert not hidden(homes["home"])
    assert all(name in right for name in finished_runs(homes["home"]))
    fault_tally.add(pair, "two at once", 1)


@pytest.fixture(scope="session")
def keras_second(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forks]:
    """Give another warm parent with TensorFlow."""
    with warm(tmp_path_factory.mktemp("keras_second"), with_keras=True) as parent:
        yield parent


@dataclass(frozen=True)
class Trainings:
    """Two trainings at one time.

    Attributes:
        source: of both.
        event: at which the first is held.
        waits: whether the second waits for it there; else it comes and goes.
    """

    source: str
    event: str
    waits: bool


TRAININGS = {
    "one cache, which one writes": Trainings("{cells}", "rename /data/cache", waits=True),
    "one cache, which is not begun": Trainings("{cells}", "mkdir /data/cache", waits=False),
    "one list of hashes": Trainings("{cells}", "rename /data/folders", waits=False),
    "one data set, which one makes": Trainings("digits", "rename /data/digits", waits=False),
}


@pytest.mark.faults
@pytest.mark.parametrize("name", TRAININGS)
def test_two_train_at_one_folder_of_data(name, keras_forks, keras_second, cells, tmp_path):
    """Both end as they do alone, and the cache holds each array once."""
    two = TRAININGS[name]
    source = two.source.format(cells=cells)
    grouped = GROUPED if source != "digits" else ()
    first, second = (("train", source, *TINY, *grouped, "--run", run) for run in ("one", "two"))
    home, right, log = tmp_path / "home", tmp_path / "right", tmp_path / "events"
    ended = keras_forks.run(*first, home=right, fault=Fault(str(right), COUNT, log=str(log)))
    assert ended.code == 0, str(ended)
    ended = keras_forks.run(*second, home=right)
    assert ended.code == 0, str(ended)
    names = [named(line, right) for line in log.read_text().splitlines()]
    at = next(n for n, event in enumerate(names, 1) if event.startswith(two.event))
    held_log = tmp_path / "held"
    keras_forks.start(*first, home=home, fault=Fault(str(home), HOLD, at, str(held_log)))
    process = held(held_log)
    keras_second.start(*second, home=home)
    if two.waits:
        someone_waits(home)
        os.kill(process, signal.SIGCONT)
        came = keras_second.wait()
    else:
        came = keras_second.wait()
        os.kill(process, signal.SIGCONT)
    stayed = keras_forks.wait()
    assert (stayed.code, came.code) == (0, 0), f"{stayed}{came}"
    found, expected = result(home), result(right)
    kept = {n for n in expected if not n.endswith(".html")}
    assert {n for n in kept if found.get(n) != expected[n]} == set()
    assert not hidden(home)
    fault_tally.add(f"train, train: {name}", "two at once", 1)


def someone_waits(home: Path) -> None:
    """Wait until a process waits for a lock below a home, as the system tells."""
    for _ in range(6000):
        waiting = {line.split()[6].rpartition(":")[2] for line in
                   Path("/proc/locks").read_text().splitlines() if "->" in line}  # fmt: skip
        locks = [path for path in home.rglob(".*.lock") if str(path.stat().st_ino) in waiting]
        if locks:
            return
        time.sleep(0.01)
    raise AssertionError("it waits for no lock")


@pytest.mark.faults
def test_one_trains_and_others_come(keras_forks, second, cells, tmp_path):
    """Of the same name each is refused, whatever it asks for; `clean` takes nothing away."""
    words = ("train", cells, *TINY, *GROUPED)
    right = keras_forks.run(*words, home=tmp_path / "right")
    assert right.code == 0, str(right)
    home, log = tmp_path / "home", tmp_path / "held"
    log_all = tmp_path / "events"
    keras_forks.run(*words, home=tmp_path / "alone", fault=Fault(
        str(tmp_path / "alone"), COUNT, log=str(log_all)))  # fmt: skip
    names = [named(line, tmp_path / "alone") for line in log_all.read_text().splitlines()]
    at = next(n for n, name in enumerate(names, 1) if name.startswith("rename /models/cells/check"))
    keras_forks.start(*words, home=home, fault=Fault(str(home), HOLD, at, str(log)))
    process = held(log)
    for others in ((), ("--resume",), ("--fresh",)):
        came = second.run(*words, *others, home=home)
        assert came.code == 2 and OTHER in came.err, str(came)
        fault_tally.add(f"train, train {' '.join(others)}", "two at once", 1)
    for asks in (("evaluate", "cells"), ("predict", "cells", cells), ("report", "cells")):
        came = second.run(*asks, home=home)
        assert came.code == 2 and "unfinished" in came.err, str(came)
        fault_tally.add(f"train, {asks[0]}", "two at once", 1)
    assert second.run("clean", home=home).code == 0
    os.kill(process, signal.SIGCONT)
    ended = keras_forks.wait()
    assert ended.code == 0, str(ended)
    found, expected = result(home), result(tmp_path / "right")
    assert {n for n in expected if not n.endswith(".html") and found.get(n) != expected[n]} == set()
