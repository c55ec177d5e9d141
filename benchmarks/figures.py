"""What the benchmarks share: medians with their range, rows of Markdown, results in a CSV file."""

import csv
import statistics
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path


def spread(values: Sequence[float], digits: int = 2) -> str:
    """Return "median (least to greatest)"; a single value alone, a dash for none."""
    if not values:
        return "–"
    median = f"{statistics.median(values):.{digits}f}"
    if len(values) == 1:
        return median
    return f"{median} ({min(values):.{digits}f} to {max(values):.{digits}f})"


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a table in Markdown."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def read(path: Path) -> list[dict[str, str]]:
    """Return the rows of a CSV file; none where there is no file."""
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def add(path: Path, row: Mapping[str, object]) -> None:
    """Add a row to a CSV file, which begins with the names of the columns; print it."""
    is_new = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, list(row), lineterminator="\n")
        if is_new:
            writer.writeheader()
        writer.writerow(row)
    print(*row.values(), sep=", ", flush=True)
