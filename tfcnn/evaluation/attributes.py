"""What a user's table says of the images: microscope, site, sex, stain. One row per image or group.

A column of few values is taken as it is. A column of more numbers is cut at its quartiles. What
cannot be compared is named with the reason.
"""

import contextlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tfcnn.base import tables
from tfcnn.base.errors import InputError

MOST_VALUES = 12  # of a column of texts
FEW_NUMBERS = 5  # so many different numbers are values, not a scale
KEYS = ("path", "group")
HINT = "a header line with path, or with group"


@dataclass(frozen=True)
class Attribute:
    """A column, for the images that are compared.

    Attributes:
        name: of the column.
        values: str `(images,)`; "" where none is known.
        order: the values that are there, in the order in which they are shown.
        note: what a reader must know of it, mostly "".
        refusal: why it cannot be compared; "" where it can.
    """

    name: str
    values: NDArray[np.str_]
    order: tuple[str, ...]
    note: str = ""
    refusal: str = ""


@dataclass(frozen=True)
class Attributes:
    """A table of attributes.

    Attributes:
        key: the column that names the images or groups: `path` or `group`.
        columns: in the order of the file.
        notes: what a reader must know of the table.
    """

    key: str
    columns: tuple[Attribute, ...]
    notes: tuple[str, ...]


def read(
    path: Path,
    paths: Sequence[str],
    groups: NDArray[np.str_],
    known: tuple[Collection[str], Collection[str]],
    root: Path,
) -> Attributes:
    """Read what a table says of some images.

    Args:
        path: a CSV with a column `path` or `group`, and others.
        paths: of the images.
        groups: str `(images,)`: theirs, "" where there is none.
        known: paths and groups of all images of the run: a row that names another is a stranger.
        root: the data folder, which paths may begin with.

    Raises:
        InputError: if it is no such table, names groups where none are known, or says two things
            of one image or group.
    """
    key, names, table = _read(path)
    if key == "path":
        everything = list(dict.fromkeys([*known[0], *paths]))
        found, strangers = tables.by_path(table, names, everything, root)
        rows = [found.get(one) for one in paths]
    else:
        if not (groups != "").any():
            received = "a column group, and images of no known group"
            raise InputError(path, "a column path", received, "a column path, or --group-regex")
        by_group = _by_group(table, names)
        strangers = [name for name in by_group if name not in known[1] and name not in {*groups}]
        rows = [by_group.get(group) for group in groups.tolist()]
    notes = list(table.notes)
    if strangers:
        what = "image" if key == "path" else "group"
        count = f"{len(strangers):,} of {len(table.rows):,} rows"
        notes.append(f"{count} name no {what} of this run, such as {strangers[0]}")
    absent = sum(row is None for row in rows)
    if absent == len(rows):
        received = f"none for any of the {len(rows):,} images, such as {paths[0]}"
        raise InputError(path, "rows for the images that were tested", received, HINT)
    if absent:
        notes.append(f"{absent:,} of {len(rows):,} images have no row, and are in no subgroup")
    columns = [_attribute(name, [row[name] if row else "" for row in rows], groups)
               for name in names]  # fmt: skip
    return Attributes(key, tuple(columns), tuple(notes))


def _read(path: Path) -> tuple[str, tuple[str, ...], tables.Table]:
    """Return the column that is the key, the names of the others, and the table."""
    key, table = _table(path)
    if not table.rows:
        raise InputError(path, "a row for each image or group", "a header without rows", HINT)
    names = tuple(name for name in table.rows[0] if name and name not in KEYS)
    if not names:
        hint = "a column such as site or microscope"
        raise InputError(path, "a column to compare by", f"only {key}", hint)
    return key, names, table


def _table(path: Path) -> tuple[str, tables.Table]:
    for key in KEYS:
        with contextlib.suppress(InputError):
            return key, tables.read(path, (key,), HINT)
    return KEYS[0], tables.read(path, KEYS[:1], HINT)  # which raises


def _by_group(table: tables.Table, names: Sequence[str]) -> dict[str, tables.Row]:
    rows: dict[str, tables.Row] = {}
    for row in table.rows:
        name = row["group"].strip()
        other = rows.setdefault(name, row)
        for column in names:
            one, another = other[column].strip(), row[column].strip()
            if one != another:
                subject = f"{table.path}: {name}"
                received = f"{one or 'none'} and {another or 'none'}"
                raise InputError(subject, f"one {column}", received, "one row for each group")
    return rows


def _attribute(name: str, cells: Sequence[str], groups: NDArray[np.str_]) -> Attribute:
    values = np.array(["" if tables.is_missing(cell) else cell.strip() for cell in cells])
    missing = int((values == "").sum())
    note = f"{missing:,} of {len(values):,} images without a value" if missing else ""
    there = sorted(set(values.tolist()) - {""})
    numbers = _numbers(there)
    if numbers is not None and len(there) > FEW_NUMBERS:
        values, order, cuts = _quartiles(values, groups)
        note = "; ".join(filter(None, [f"numbers, cut at their quartiles {cuts}", note]))
    else:
        order = tuple(there if numbers is None else sorted(there, key=float))
    refusal = ""
    if len(order) < 2:
        refusal = f"all images have {there[0]}" if there else "no image has a value"
        refusal = "its quartiles are one number" if there[1:] else refusal
    elif len(order) > MOST_VALUES:
        refusal = f"{len(order):,} values are too many to compare: at most {MOST_VALUES}"
    return Attribute(name, values, order, note, refusal)


def _numbers(texts: Sequence[str]) -> NDArray[np.float64] | None:
    try:
        numbers = np.array([float(text) for text in texts])
    except ValueError:
        return None
    return numbers if len(numbers) and bool(np.isfinite(numbers).all()) else None


def _quartiles(
    values: NDArray[np.str_], groups: NDArray[np.str_]
) -> tuple[NDArray[np.str_], tuple[str, ...], str]:
    """Cut numbers at their quartiles over groups; over images where no groups are known."""
    has = np.flatnonzero(values != "")
    numbers = values[has].astype(np.float64)
    each = numbers
    if (groups[has] != "").all():
        _, units = np.unique(groups[has], return_inverse=True)
        each = np.bincount(units, numbers) / np.bincount(units)
    cuts = np.unique(np.quantile(each, [0.25, 0.5, 0.75]))
    cuts = cuts[cuts > numbers.min()]
    texts = [f"{cut:.4g}" for cut in cuts]
    names = [f"below {texts[0]}", *(f"{a} to below {b}" for a, b in pairwise(texts)),
             f"{texts[-1]} and above"] if texts else ["all"]  # fmt: skip
    places = np.searchsorted(cuts, numbers, side="right")
    cut = np.full(len(values), "", dtype=f"<U{max(map(len, names))}")
    cut[has] = np.array(names)[places]
    order = tuple(name for place, name in enumerate(names) if (places == place).any())
    return cut, order, ", ".join(texts)
