"""`check(path)`: what a user's own file must do, and whether it does, a line for each promise."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tfcnn.base import own_files, quiet
from tfcnn.base.errors import InputError, TfcnnError
from tfcnn.base.progress import Reporter
from tfcnn.manifest.audit import Audit, audit
from tfcnn.recipes import DataSettings

LONGEST = 200  # signs of what a library says


@dataclass(frozen=True)
class Outcome:
    """A promise, and why it is not kept; "" where it is."""

    promise: str
    reason: str

    @property
    def is_kept(self) -> bool:
        """Whether the file keeps it."""
        return not self.reason


@dataclass(frozen=True)
class Part:
    """What a file is, a network or a source of images, and the outcome of each promise."""

    kind: str
    outcomes: tuple[Outcome, ...]


@dataclass(frozen=True)
class Verdict:
    """What is found in a user's own file.

    Attributes:
        path: of the file.
        parts: one, or two of a file that is a network and a source.
        audit: of the images of a source that keeps its promises.
    """

    path: Path
    parts: tuple[Part, ...]
    audit: Audit | None = None

    @property
    def is_blocking(self) -> bool:
        """Whether a promise is not kept, or a finding on the images would spoil a result."""
        is_kept = all(outcome.is_kept for part in self.parts for outcome in part.outcomes)
        return not is_kept or (self.audit is not None and self.audit.is_blocking)

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        promises = [
            {"kind": part.kind, "promise": one.promise, "kept": one.is_kept, "reason": one.reason}
            for part in self.parts for one in part.outcomes
        ]  # fmt: skip
        audit = self.audit.to_dict() if self.audit else None
        return {"file": str(self.path), "promises": promises, "audit": audit,
                "blocking": self.is_blocking}  # fmt: skip

    def lines(self) -> list[str]:
        """Return what a person reads."""
        lines = []
        for part in self.parts:
            lines.append(f"{self.path}: {part.kind}")
            for one in part.outcomes:
                end = f": {one.reason}" if one.reason else ""
                lines.append(f"{'pass' if one.is_kept else 'FAIL'}  {one.promise}{end}")
        return lines + (self.audit.lines() if self.audit else [])


def check(path: Path, options: dict[str, Any], data: DataSettings, reporter: Reporter) -> Verdict:
    """Run a user's own file, and see which promises it keeps.

    Args:
        path: of the file. What it is (a network, a source, or both) is read from its text.
        options: of the network, for `build`.
        data: how the images of a source are audited.
        reporter: hears what is looked at.

    Raises:
        InputError: if there is no such file, or it is neither.
    """
    functions, parts = own_files.kinds(path), list[Part]()
    for function in functions:
        own_files.tree(path, function)
        found = tuple(_outcomes(path, function, options, reporter))
        parts.append(Part(own_files.KINDS[function], found))
    verdict = Verdict(path, tuple(parts))
    if own_files.SOURCE in functions and not verdict.is_blocking:
        verdict = replace(verdict, audit=audit(data, reporter))
    return verdict


def _outcomes(
    path: Path, function: str, options: dict[str, Any], reporter: Reporter
) -> Iterator[Outcome]:
    promises: list[tuple[str, Callable[[], str]]]
    if function == own_files.NETWORK:
        quiet.load_tensorflow(reporter)
        from tfcnn.contracts import of_networks  # late: it imports Keras

        promises = of_networks.of(str(path), options)
    else:
        from tfcnn.contracts import of_sources

        promises = of_sources.of(str(path))
    broken = ""
    for number, (text, why_not) in enumerate(promises):
        reporter.stage(text)(number, len(promises))
        if broken:
            yield Outcome(text, f"not looked at, as it does not keep: {broken}")
            continue
        outcome = Outcome(text, _reason(path, why_not))
        if number == 0 and not outcome.is_kept:  # all others rest on the first
            broken = text
        yield outcome


def _reason(path: Path, why_not: Callable[[], str]) -> str:
    """Return why a promise is not kept, by what it says itself or by its error."""
    try:
        with own_files.running(path, "an answer"):
            return why_not()
    except InputError as error:
        return _cut(error.received)
    except TfcnnError as error:
        return error.problem


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST].rpartition(' ')[0]} ..."
