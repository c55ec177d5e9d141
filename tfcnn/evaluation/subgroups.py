"""How a run does on parts of the images that a user's table names, and whether a part differs.

Each value of each column is a subgroup. Its accuracy is compared with that of the other images of
the column by a test over groups (`permutation`), and all tests are corrected together by Holm. A
difference may come from another mix of classes: sensitivity and specificity stand beside it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tfcnn.display import figures
from tfcnn.display.panel import Grid
from tfcnn.evaluation import intervals, metrics, permutation
from tfcnn.evaluation.attributes import Attribute, Attributes
from tfcnn.evaluation.attributes import read as read_attributes
from tfcnn.evaluation.metrics import percent
from tfcnn.evaluation.table import Table, sample_of
from tfcnn.runs import SPLIT, Run

LEVEL = 0.05  # of the chance that any subgroup is called different where none is
FEW_GROUPS = 10
FEW_MIXED = 0.1  # of the groups: so many that have several values are left out of a test
Content = dict[str, Any]


@dataclass(frozen=True)
class _Test:
    """The p value of each part of a column, and what was left out of the test."""

    p_values: list[float]
    note: str = ""


def measure(run: Run, part: Table, csv: str | Path) -> Content:
    """Compare the subgroups that a table names.

    Args:
        run: an opened run.
        part: its predictions of one split.
        csv: the table; see `attributes.read`.

    Returns:
        `sentence`, `tests` (how many), `level`, `notes`, and per column `name`, `note`, `refusal`
        and `rows`: `value`, `images`, `groups`, `accuracy`, with a positive class `sensitivity` and
        `specificity`, `difference` (its accuracy less that of the rest), `p` and `p_corrected`,
        `differs`, and `is_few` for under 10 groups.

    Raises:
        InputError: if it is no such table.
    """
    attributes = _attributes(run, part, Path(csv))
    columns = [_column(run, part, one) for one in attributes.columns]
    tested = [(column, row) for column in columns for row in column["rows"]]
    _correct(columns)
    few = any(row["is_few"] for _, row in tested)
    unit = "image" if part.known_groups is None else run.card["data"]["nouns"][1].removesuffix("s")
    notes = list(attributes.notes)
    if few:
        notes.append(
            f"a subgroup of under {FEW_GROUPS} {unit}s is marked few: such a one may differ much "
            "without being shown to"
        )
    if part.known_groups is None:
        notes.append(
            "no groups are known: each image counts as independent, so that a difference is found "
            "too easily where several come from one group"
        )
    tests = sum(_num_tests(column) for column in columns)
    return {
        "csv": str(csv),
        "split": str(part.splits[0]),
        "key": attributes.key,
        "tests": tests,
        "level": LEVEL,
        "sentence": _sentence(tested, tests),
        "notes": notes,
        "columns": columns,
    }


def check(csv: str, paths: Sequence[str], groups: NDArray[np.str_], root: Path) -> None:
    """Refuse a table of subgroups that names none of some images, before a run is trained on them.

    Raises:
        InputError: if it cannot be used.
    """
    read_attributes(Path(csv), paths, groups, ((), ()), root)


def _attributes(run: Run, part: Table, csv: Path) -> Attributes:
    data = run.card["data"]
    rows = run.split if (run.path / SPLIT).exists() else []
    known = {row["path"] for row in rows}, {row["group"] for row in rows}
    root = Path(data.get("root") or data.get("source", "")).absolute()
    return read_attributes(csv, part.paths.tolist(), part.groups, known, root)


def _column(run: Run, part: Table, attribute: Attribute) -> Content:
    content = {"name": attribute.name, "note": attribute.note, "refusal": attribute.refusal}
    if attribute.refusal:
        return {**content, "rows": []}
    known = part.take(np.flatnonzero(attribute.values != ""))
    values = attribute.values[attribute.values != ""]
    places = np.array([attribute.order.index(value) for value in values.tolist()])
    right = (known.probs.argmax(axis=1) == known.labels).astype(np.int64)
    test = _test(right, known.known_groups, places, len(attribute.order))
    rows = []
    for place, value in enumerate(attribute.order):
        inside = places == place
        own = known.take(np.flatnonzero(inside))
        groups = own.known_groups
        count = len(own.labels) if groups is None else len(np.unique(groups))
        rows.append({
            "value": value,
            "images": len(own.labels),
            "groups": 0 if groups is None else count,
            **intervals.rows(sample_of(run, own), metrics.of_parts(run.positive)),
            "difference": float(right[inside].mean() - right[~inside].mean()),
            "p": test.p_values[place],
            "is_few": count < FEW_GROUPS,
        })  # fmt: skip
    note = "; ".join(filter(None, [attribute.note, test.note]))
    return {**content, "note": note, "rows": rows}


def _test(
    right: NDArray[np.integer],
    groups: NDArray[np.str_] | None,
    places: NDArray[np.integer],
    count: int,
) -> _Test:
    """Test each part of a column against the rest, between groups or within them."""
    units = np.arange(len(right))
    if groups is not None:
        _, units = np.unique(groups, return_inverse=True)
    size = int(units.max()) + 1
    lowest, highest = np.full(size, count), np.full(size, -1)
    np.minimum.at(lowest, units, places)
    np.maximum.at(highest, units, places)
    is_mixed, note = lowest != highest, ""
    if 0 < is_mixed.mean() <= FEW_MIXED and len(np.unique(lowest[~is_mixed])) == count:
        count_mixed = int(is_mixed.sum())
        noun = "group" if count_mixed == 1 else "groups"
        note = f"left out of the test: {count_mixed} {noun} with several values"
        kept = ~is_mixed[units]
        right, places = right[kept], places[kept]
        units = np.unique(units[kept], return_inverse=True)[1]
    elif is_mixed.any():
        only = "" if is_mixed.all() else ": the others are left out of the test"
        note = f"compared within the {is_mixed.sum():,} groups that have several values{only}"
        return _Test([permutation.within(right, units, places == k) for k in range(count)], note)
    size = int(units.max()) + 1
    images, hits = np.bincount(units, minlength=size), np.bincount(units, right, size)
    parts = np.zeros(size, dtype=np.int64)
    parts[units] = places
    p_values = permutation.between(hits.astype(np.float64), images.astype(np.float64), parts, count)
    return _Test(p_values.tolist(), note)


def _num_tests(column: Content) -> int:
    """Return how many questions a column asks: two values ask one."""
    count = len(column["rows"])
    return 1 if count == 2 else count


def _correct(columns: list[Content]) -> None:
    """Add to each row its p value corrected for the number of all tests, and the verdict."""
    asked = [row for column in columns for row in column["rows"][: _num_tests(column)]]
    corrected = permutation.holm([row["p"] for row in asked])
    for row, p in zip(asked, corrected, strict=True):
        row["p_corrected"] = p
    for column in columns:
        for row in column["rows"]:
            row.setdefault("p_corrected", column["rows"][0].get("p_corrected"))
            row["differs"] = row["p_corrected"] <= LEVEL


def _sentence(tested: list[tuple[Content, Content]], tests: int) -> str:
    if not tests:
        return "No column has subgroups to compare."
    how = "1 comparison" if tests == 1 else f"{tests} comparisons, corrected together by Holm"
    found = [(column, row) for column, row in tested if row["differs"]]
    if not found:
        return f"No subgroup is shown to differ from the rest ({how})."
    worst = sorted(found, key=lambda pair: pair[1]["difference"])
    texts = [
        f"{column['name']} {row['value']} ({figures.percent(row['accuracy']['value'])}, "
        f"{figures.points(row['difference'])})"
        for column, row in worst
    ]
    return f"More than chance lies between the rest and {', '.join(texts)} ({how})."


def grids(content: Content) -> list[Grid]:
    """Return a row per subgroup: first its accuracy beside that of the rest, then by class.

    None where there is no content.
    """
    if not content:
        return []
    first: list[list[str]] = []
    second: list[list[str]] = []
    rules = []
    for column in content["columns"]:
        rules.append(len(first))
        for row in column["rows"]:
            name = f"{column['name']} {row['value']}" + (" (few)" if row["is_few"] else "")
            size = [f"{row['images']:,}", f"{row['groups']:,}" if row["groups"] else figures.NONE]
            verdict = p_value(row["p_corrected"]) + (" differs" if row["differs"] else "")
            change = figures.points(row["difference"])
            first.append([name, *size, percent(row["accuracy"]), change, verdict])
            if "sensitivity" in row:
                second.append([name, percent(row["sensitivity"]), percent(row["specificity"])])
    title = f"{content['split']} by {content['csv']}: {content['tests']} comparisons, Holm"
    head = ["subgroup", "images", "groups", "accuracy", "to the rest", "p, corrected"]
    found = [Grid(head, first, title, rules=rules[1:])] if first else []
    if second:
        found.append(Grid(["subgroup", "sensitivity", "specificity"], second, rules=rules[1:]))
    return found


def p_value(p: float) -> str:
    """Write a p value: 0.031, or < 0.001."""
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def remarks(content: Content) -> list[str]:
    """Return sentences on the columns and on the table, the result first; none of no content."""
    if not content:
        return []
    columns = content["columns"]
    lines = [f"{one['name']}: not compared, {one['refusal']}" for one in columns if one["refusal"]]
    lines += [f"{one['name']}: {one['note']}" for one in columns if one["note"]]
    notes = [f"{note[0].upper()}{note[1:]}" for note in content["notes"]]
    return [content["sentence"], *(f"{line}." for line in [*notes, *lines])]
