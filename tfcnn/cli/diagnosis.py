"""`tfcnn doctor`: what this machine has, what would fail on it, and what to do about that."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Literal

State = Literal["ok", "note", "fails"]
SIGNS: dict[State, str] = {"ok": "ok", "note": "note", "fails": "FAILS"}
STYLES: dict[State, str] = {"ok": "", "note": "yellow", "fails": "bold red"}
TITLE = "bold"


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        topic: what it belongs to.
        name: of the thing.
        found: what is there.
        state: `note` where something is slower or absent, and nothing fails for it.
        fix: what to do, "" where nothing is needed.
    """

    topic: str
    name: str
    found: str
    state: State = "ok"
    fix: str = ""


@dataclass(frozen=True)
class Diagnosis:
    """All findings, in the order in which they are shown."""

    findings: tuple[Finding, ...]

    @property
    def fails(self) -> bool:
        """Whether something would fail."""
        return any(one.state == "fails" for one in self.findings)

    @property
    def sentence(self) -> str:
        """What it comes to."""
        counts = {state: sum(one.state == state for one in self.findings) for state in SIGNS}
        if not counts["fails"]:
            notes = {0: "", 1: "; 1 line is a note"}
            many = f"; {counts['note']} lines are notes"
            return f"Nothing here would fail{notes.get(counts['note'], many)}."
        things = "1 thing" if counts["fails"] == 1 else f"{counts['fails']} things"
        return f"{things} would fail: each has a line that begins with FAILS, and what to try."

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        return {"fails": self.fails, "sentence": self.sentence,
                "findings": [asdict(one) for one in self.findings]}  # fmt: skip

    def lines(self, width: int = 100) -> Iterator[tuple[str, str]]:
        """Yield what a terminal of this width shows, a topic after the other, and its style."""
        left = max(len(one.name) for one in self.findings)
        topic = ""
        for one in self.findings:
            if one.topic != topic:
                yield from [("", "")] if topic else []
                yield one.topic, TITLE
                topic = one.topic
            start = f"  {SIGNS[one.state]:5}  {one.name:{left}}  "
            for line in _wrapped(one.found, start, width):
                yield line, STYLES[one.state]
            if one.fix:
                for line in _wrapped(f"try {one.fix}", " " * len(start), width):
                    yield line, ""
        yield "", ""
        yield self.sentence, TITLE


def _wrapped(text: str, start: str, width: int) -> Iterator[str]:
    """Yield a text in lines; a command in it may not fit, and is not broken."""
    import textwrap

    lines = textwrap.wrap(text, max(20, width - len(start)), break_long_words=False,
                          break_on_hyphens=False) or [""]  # fmt: skip
    for number, line in enumerate(lines):
        yield f"{start if number == 0 else ' ' * len(start)}{line}"
