"""Fill the reporting checklists CLAIM 2024 and TRIPOD+AI from the files of a run."""

import functools
import tomllib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tfcnn import runs
from tfcnn.base import atomic
from tfcnn.report import checklist_methods, checklist_results
from tfcnn.report import content as gathering
from tfcnn.report.checklist_reader import Fact, Reader
from tfcnn.report.page import TEMPLATES, environment
from tfcnn.runs import Run

FILLERS = {**checklist_methods.FILLERS, **checklist_results.FILLERS}
PAGE, TABLE = "checklist.html", "checklist.csv"
FILLED, PARTLY, YOURS = "filled", "partly filled", "yours to write"
COLUMNS = ("checklist", "item", "section", "asks", "state", "text", "yours to write", "where")


@dataclass(frozen=True)
class Entry:
    """An item of a checklist, and what the run says to it.

    Attributes:
        checklist: its title.
        number: of the item.
        section: of the checklist.
        asks: what the item asks for, in short.
        facts: what the run says.
        yours: what only the author can write; "" for nothing.
    """

    checklist: str
    number: str
    section: str
    asks: str
    facts: tuple[Fact, ...]
    yours: str

    @property
    def state(self) -> str:
        """`filled`, `partly filled` or `yours to write`."""
        if not self.facts:
            return YOURS
        return PARTLY if self.yours else FILLED


@dataclass(frozen=True)
class Checklist:
    """Both checklists of a run.

    Attributes:
        run: its name.
        entries: in the order of the checklists.
        sources: per checklist its title and the paper that it is from.
    """

    run: str
    entries: tuple[Entry, ...]
    sources: dict[str, str]

    def of(self, title: str) -> list[Entry]:
        """Return the entries of one checklist."""
        return [entry for entry in self.entries if entry.checklist == title]

    def counts(self, title: str) -> dict[str, int]:
        """Return how many items of a checklist are in each state."""
        states = [entry.state for entry in self.of(title)]
        return {state: states.count(state) for state in (FILLED, PARTLY, YOURS)}

    @property
    def sentences(self) -> list[str]:
        """How much of each checklist is filled."""
        lines = []
        for title in self.sources:
            counts = self.counts(title)
            lines.append(
                f"{title}: {counts[FILLED] + counts[PARTLY]} of {sum(counts.values())} items hold "
                f"what the run says ({counts[FILLED]} need nothing more); {counts[YOURS]} are "
                "yours to write."
            )
        return lines

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as plain values."""
        return {
            "run": self.run,
            "sources": self.sources,
            "counts": {title: self.counts(title) for title in self.sources},
            "items": [{**asdict(entry), "state": entry.state} for entry in self.entries],
        }


def fill(run: Run) -> Checklist:
    """Fill both checklists.

    Args:
        run: with its report.

    Raises:
        InputError: if a file that they are filled from is missing.
        CheckError: if one is not as it was written.
    """
    reader = Reader(gathering.read(run))
    entries = [
        Entry(
            checklist["title"], item["number"], item["section"], item["asks"],
            *_filled(reader, item),
        )
        for checklist in _items().values()
        for item in checklist["items"]
    ]  # fmt: skip
    sources = {checklist["title"]: checklist["source"] for checklist in _items().values()}
    return Checklist(run.name, tuple(entries), sources)


def _filled(reader: Reader, item: dict[str, Any]) -> tuple[tuple[Fact, ...], str]:
    facts = tuple(fact for name in item.get("fills", ()) for fact in FILLERS[name](reader))
    yours = item.get("yours", "") or ("" if facts else item.get("yours_if_empty", ""))
    return facts, yours


@functools.cache
def _items() -> dict[str, Any]:
    return tomllib.loads((TEMPLATES / "checklists.toml").read_text(encoding="utf-8"))


def write(run: Run) -> tuple[Checklist, list[Path]]:
    """Fill both checklists and write them into the folder of the run, as a page and as a table.

    Returns:
        The checklists, and the paths of `checklist.html` and `checklist.csv`.

    Raises:
        InputError: if a file that they are filled from is missing.
        CheckError: if one is not as it was written.
    """
    filled = fill(run)
    rows = [
        (
            entry.checklist, entry.number, entry.section, entry.asks, entry.state,
            " ".join(fact.text for fact in entry.facts), entry.yours,
            " ".join(dict.fromkeys(f"{runs.PAGE}#{fact.place}" for fact in entry.facts)),
        )
        for entry in filled.entries
    ]  # fmt: skip
    page, table = run.path / PAGE, run.path / TABLE
    template = environment().get_template(PAGE)
    atomic.write_text(page, template.render(checklist=filled, report=runs.PAGE, table=TABLE))
    atomic.write_text(table, atomic.csv_text(COLUMNS, rows))
    return filled, [page, table]
