"""What an audit says: a fact about the data, how grave it is, and what to do."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

Gravity = Literal["blocking", "warning", "note"]
GRAVITIES: tuple[Gravity, ...] = ("blocking", "warning", "note")
MAX_NAMED = 6  # paths of one set of copies


@dataclass(frozen=True)
class Finding:
    """A fact about the data.

    Attributes:
        kind: what it is about, in one word for programs.
        what: the fact, in words.
        gravity: `blocking` if it would spoil a result, `warning` if it may.
        examples: all cases of it, in words.
        advice: what to do.
        images: of each case the paths of its images; empty where nothing can be shown.
    """

    kind: str
    what: str
    gravity: Gravity = "note"
    examples: tuple[str, ...] = ()
    advice: str = ""
    images: tuple[tuple[str, ...], ...] = ()

    @property
    def is_blocking(self) -> bool:
        """Whether it would spoil a result."""
        return self.gravity == "blocking"

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        return {
            "kind": self.kind,
            "what": self.what,
            "gravity": self.gravity,
            "is_blocking": self.is_blocking,
            "examples": list(self.examples),
            "advice": self.advice,
            "images": [list(paths) for paths in self.images],
        }


def by_gravity(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """Return findings with the gravest first, else in their order."""
    return tuple(sorted(findings, key=lambda finding: GRAVITIES.index(finding.gravity)))


def named(paths: Sequence[str], between: str) -> str:
    """Return the paths of one set of copies, the first of many."""
    more = len(paths) - MAX_NAMED
    rest = f" and {more:,} more" if more > 0 else ""
    return between.join(paths[:MAX_NAMED]) + rest


def counted(count: int, noun: str = "image") -> str:
    """Return a count with its noun: "1 image", "1,200 images"."""
    return f"1 {noun}" if count == 1 else f"{count:,} {noun}s"


def pictures_are(count: int) -> str:
    """Return the beginning of a sentence: "1 picture is", "1,200 pictures are"."""
    return f"{counted(count, 'picture')} {'is' if count == 1 else 'are'}"
