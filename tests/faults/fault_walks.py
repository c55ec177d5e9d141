"""Walk over the events of a command: a fault at each, then a second call, then a comparison."""

import json
import os
import re
import shutil
import time
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

import fault_tally
from fault_forks import KILLED, Ended, Forks, words_of
from fault_hooks import COUNT, FULL, INTERRUPT, KILL, TORN, Fault, named

from tfcnn import runs
from tfcnn.manifest import rows

CONTINUE = re.compile(r"to continue: (tfcnn .*)")
TWO_HOURS = 7200
STARVED = "starved"
# what no two runs have in common: times, and the hashes of files that hold times
CHANGING = {
    "train_seconds", "train_cpu_seconds", "images_per_second", "waiting_fraction",
    "decode_seconds", "sha256", "shared_object_id", "seconds", "created", "date_saved",
}  # fmt: skip
CHANGING_LINES = ('<td class="hash">', '<tr><th scope="row">training</th>')  # of a report
TIMES = ("seconds", "images_per_second", "waiting_fraction")  # columns of history.csv

Result = dict[str, object]


def result(folder: Path) -> Result:
    """Return what all files of a home or a folder say, by path, without what chance decides.

    Hidden files are left out, as are the logs of TensorBoard, DONE's time, and the caches that are
    checked whenever they are opened.
    """
    found: Result = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if path.is_file() and not hidden and "/logs/" not in name and "/checkpoint/" not in name:
            found[name] = said(path, folder)
    return found


def said(path: Path, home: Path) -> object:
    """Return what a file says, without what chance decides."""
    if path.name == runs.DONE:
        return bool(path.read_bytes().strip())
    if path.suffix == ".json" or path.suffix == ".ipynb":
        return _without_times(json.loads(path.read_text()))
    if path.name == rows.FILE:
        lines = path.read_text().splitlines()
        return [re.sub(r",\d{15,}", "", line) for line in lines if rows.CHECKSUM not in line]
    if path.suffix in (".keras", ".npz", ".zip") and zipfile.is_zipfile(path):
        return _members(path)
    if path.name == runs.HISTORY:
        lines = [line.split(",") for line in path.read_text().splitlines()]
        kept = [i for i, name in enumerate(lines[0]) if name not in TIMES]
        return [[line[i] for i in kept] for line in lines]
    if path.suffix == ".html":
        text = path.read_text(errors="surrogateescape")
        lines = text.replace(str(home), "").splitlines()
        return [one for one in lines if not any(text in one for text in CHANGING_LINES)]
    return path.read_bytes()


def _members(path: Path) -> object:
    with zipfile.ZipFile(path) as archive:
        return {
            name: _without_times(json.loads(archive.read(name)))
            if name.endswith(".json") else archive.read(name)
            for name in archive.namelist() if not name.startswith("metadata")
        }  # fmt: skip


def _without_times(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_times(one) for key, one in value.items() if key not in CHANGING}
    return [_without_times(one) for one in value] if isinstance(value, list) else value


@dataclass
class Command:
    """A command to be cut, and what must be true of it.

    Attributes:
        words: what a person types.
        template: a home to begin with; None for an empty one. It is copied each time.
        again: what a person types after a fault; the same words if None. Where tfcnn refuses them
            and offers `--resume`, that is added.
        trusted: what is believed right after a fault: a subset of the paths of `result` that a
            reader would use. Each must then be as before the command or as after the whole one.
        environment: more variables.
        asks: what is asked right after a fault. It is refused in one line, or answered as before
            the command or as after the whole one.
        kept: more of a home that must be the same in the end, such as what was moved aside.
        code: with which it ends where nothing happens to it.
        ignored: paths whose content may differ after all, such as a cache that was made again.
    """

    words: tuple[object, ...]
    template: Path | None = None
    again: tuple[object, ...] | None = None
    trusted: Callable[[Path], Iterable[str]] = lambda home: ()
    environment: dict[str, str] = field(default_factory=dict)
    asks: tuple[object, ...] = ()
    kept: Callable[[Path], object] = lambda home: None
    code: int = 0
    ignored: str = r"^$"


@dataclass
class Walk:
    """The faults that were injected into one command.

    Attributes:
        events: the names of all events of the undisturbed command, in order.
        faults: how many were injected, by kind.
        losses: what went wrong, a line each.
    """

    events: list[str]
    faults: dict[str, int] = field(default_factory=dict)
    losses: list[str] = field(default_factory=list)


class Walker:
    """Cuts a command at its events.

    Args:
        forks: the warm parent of its processes.
        base: a folder for the homes.
        command: to be cut.
    """

    def __init__(self, forks: Forks, base: Path, command: Command) -> None:
        self.forks, self.base, self.command = forks, base, command
        self.home, self.log = base / "home", base / "events"
        self.before, self.answers = self.fresh(), list[str]()
        self._ask()
        ended = self._run(self.command.words, Fault(str(self.home), COUNT, log=str(self.log)))
        assert ended.code == command.code, str(ended)
        self.whole = self._result()
        self._ask()
        lines = self.log.read_text(errors="surrogateescape").splitlines()
        self.walk = Walk([named(line, self.home) for line in lines])
        left = hidden(self.home)
        assert not left, left

    def _result(self) -> Result:
        found = result(self.home)
        found = {n: v for n, v in found.items() if not re.search(self.command.ignored, n)}
        return {**found, "what is kept": self.command.kept(self.home)}

    def fresh(self) -> Result:
        """Make the home what it is before the command; return what it says."""
        shutil.rmtree(self.home, ignore_errors=True)
        if self.command.template is None:
            self.home.mkdir(parents=True, exist_ok=True)
        else:
            shutil.copytree(self.command.template, self.home, symlinks=True, dirs_exist_ok=True)
        return self._result()

    def _run(self, words: Iterable[object], fault: Fault | None = None) -> Ended:
        return self.forks.run(*words, home=self.home, fault=fault, **self.command.environment)

    def sample(self, most: int, kind: str = KILL) -> list[int]:
        """Return the numbers of at most so many events, evenly spread.

        Of several in a row that are one to the eye, such as the writes of a file, it is the middle.
        """
        events = self.walk.events
        rows = [[n for n, _ in group] for _, group in groupby(enumerate(events, 1), _what)]
        numbers = [row[len(row) // 2] for row in rows]
        if kind == TORN:
            numbers = [n for n in numbers if events[n - 1].startswith("write")]
        count = len(numbers)
        most = min(most, count)
        return [numbers[int((i + 0.5) * count / most)] for i in range(most)]

    def inject(self, name: str, most: dict[str, int]) -> None:
        """Inject so many faults of each kind, and count them for the table under a name."""
        for kind, count in most.items():
            before = len(self.walk.losses)
            for at in self.sample(count, kind):
                self.cut(at, kind)
            lost = len(self.walk.losses) - before
            fault_tally.add(name, kind, self.walk.faults.get(kind, 0), lost)

    def cut(self, at: int, kind: str = KILL, *, times: int = 1) -> None:
        """Inject one fault, call again, and note what is lost.

        Args:
            at: the number of the event.
            kind: of the fault.
            times: the second call is itself cut at this event so many times less one.
        """
        self.fresh()
        event = self.walk.events[at - 1]
        place = f"{kind} at {at} ({event}): "
        words = self.command.words
        for _ in range(times):
            words, ended = self._call(words, Fault(str(self.home), kind, at))
            if ended.code == self.command.code:  # it needed fewer events, as most was there
                self._compare(place)
                return
            self.walk.faults[kind] = self.walk.faults.get(kind, 0) + 1
            self._check_end(ended, kind, place)
            self._check_trust(place)
            words = self._next(ended)
        self._finish(words, place)

    def starve(self, place: str, end: Callable[[], None] = lambda: None, **options: Any) -> None:
        """Run the command where something is lacking: in a fresh home that the caller has starved.

        Args:
            place: what is lacking, in words.
            end: what ends the want, before the second call.
            options: of `Forks.run`.
        """
        ended = self.forks.run(
            *self.command.words, home=self.home, **options, **self.command.environment
        )
        self._expect(ended.code in (2, self.command.code), place, f"exit 2 expected: {ended}")
        if ended.code == 2:
            self._one_line(ended, place)
            self.walk.faults[STARVED] = self.walk.faults.get(STARVED, 0) + 1
        self._check_trust(place)
        end()
        self._finish(self._next(ended), place)

    def _one_line(self, ended: Ended, place: str) -> None:
        lines = [line for line in ended.err.splitlines() if line.startswith("error:")]
        self._expect(len(lines) == 1 and "Traceback" not in ended.err, place, f"{ended}")

    def _check_end(self, ended: Ended, kind: str, place: str) -> None:
        if kind in (KILL, TORN):
            self._expect(ended.code == KILLED, place, f"not killed: {ended}")
            return
        wanted = 130 if kind == INTERRUPT else 2
        self._expect(ended.code == wanted, place, f"exit {wanted} expected: {ended}")
        self._one_line(ended, place)
        if kind == INTERRUPT:
            self._expect(bool(CONTINUE.search(ended.err)), place, f"no line: {ended}")
        if kind == FULL:
            told = ("full disk", "No space left")
            self._expect(any(text in ended.err for text in told), place, f"not named: {ended}")

    def _check_trust(self, place: str) -> None:
        now = self._result()
        for name in self.command.trusted(self.home):
            if name in now:
                right = now[name] in (self.whole.get(name), self.before.get(name))
                self._expect(right, place, f"{name} is trusted and untrue")
        if self.command.asks:
            ended = self._run(self.command.asks)
            if ended.code == 0:
                self._expect(ended.out in self.answers, place, f"neither old nor new: {ended}")
            else:
                self._expect(ended.code in (2, 3), place, str(ended))
                self._one_line(ended, place)

    def _ask(self) -> None:
        """Keep what is answered now."""
        if self.command.asks:
            ended = self._run(self.command.asks)
            self.answers += [ended.out] if ended.code == 0 else []

    def _next(self, ended: Ended) -> tuple[object, ...]:
        """Return what a person types next: the line that was printed, if any was."""
        if match := CONTINUE.search(ended.err):
            return tuple(words_of(match[1]))
        return self.command.again or self.command.words

    def _finish(self, words: tuple[object, ...], place: str) -> None:
        words, ended = self._call(words)
        is_over = "--resume" in words and "received a finished one" in ended.err
        is_right = ended.code == self.command.code or is_over
        self._expect(is_right, place, f"the second call: {ended}")
        self._compare(place)

    def _call(
        self, words: tuple[object, ...], fault: Fault | None = None
    ) -> tuple[tuple[object, ...], Ended]:
        """Run a command, and where tfcnn refuses it and offers `--resume`, with that."""
        ended = self._run(words, fault)
        if ended.code == 2 and "try --resume" in ended.err:
            words = (*words, "--resume")
            ended = self._run(words, fault)
        return words, ended

    def _compare(self, place: str) -> None:
        """Note what is not as after the undisturbed command, and what nothing removes."""
        now = self._result()
        for name in sorted({*now, *self.whole}):
            if now.get(name) != self.whole.get(name):
                change = "differs" if name in now and name in self.whole else (
                    "is missing" if name in self.whole else "is new")  # fmt: skip
                self.walk.losses.append(f"{place}{name} {change}{_first(now, self.whole, name)}")
        left = hidden(self.home)
        # what lies beside a table of a user's is removed where that is written again
        for again in (["clean"], self.command.words):
            if left:
                age(self.home)
                self._run(again)
                left = hidden(self.home)
        self._expect(not left, place, f"stays for ever: {left}")

    def _expect(self, is_true: bool, place: str, text: str) -> None:
        if not is_true:
            self.walk.losses.append(place + text)


def _first(now: Result, whole: Result, name: str) -> str:
    """Return the first line in which two texts differ."""
    texts = [one.get(name) for one in (now, whole)]
    if not all(isinstance(text, str | bytes | list) for text in texts):
        return f" from {texts[1]!r:.300}: {texts[0]!r:.300}"
    lines = [text.splitlines() if isinstance(text, str | bytes) else text for text in texts]
    found = [pair for pair in zip(*lines, strict=False) if pair[0] != pair[1]]
    return f": {found[0][0]!r:.300}, not {found[0][1]!r:.300}" if found else ""


def _what(numbered: tuple[int, str]) -> str:
    """Return an event without the file that is flushed with others before the stamp."""
    return "fsync" if numbered[1].startswith("fsync") else numbered[1]


def hidden(home: Path) -> list[str]:
    """Return the hidden files and folders below a home, but retired runs and what is in others."""
    found = []
    for parent, folders, names in os.walk(home):
        found += [Path(parent, name) for name in (*folders, *names) if name.startswith(".")]
        folders[:] = [name for name in folders if not name.startswith(".")]
    return sorted(path.relative_to(home).as_posix() for path in found if path.name != ".old")


def age(home: Path) -> None:
    """Let all that is in a home be two hours old."""
    then = time.time() - TWO_HOURS
    for path in home.rglob("*"):
        os.utime(path, (then, then), follow_symlinks=False)


def finished_runs(home: Path) -> list[str]:
    """Return the files of all runs that say that they are finished."""
    folders = [path.parent for path in home.glob(f"models/**/{runs.DONE}")]
    return [
        path.relative_to(home).as_posix()
        for folder in folders if runs.is_done(folder) for path in folder.iterdir() if path.is_file()
    ]  # fmt: skip
