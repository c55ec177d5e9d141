"""The list of images that are left out: a table of path and reason, beside the images."""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path

from tfcnn.base import atomic, files, tables
from tfcnn.base.errors import InputError
from tfcnn.datasets import LeftOut, Source

FILE = "tfcnn-ignore.csv"
COLUMNS = ("path", "reason")
HINT = "a table with columns path,reason, as `tfcnn check --fix` writes it"


def place(source: Source, ignore_csv: str | None) -> Path:
    """Return where the list of a source is, or would be.

    Args:
        source: of the images.
        ignore_csv: as `data.ignore_csv`.
    """
    if ignore_csv:
        return files.own_path(ignore_csv)
    # a data set in one file has no folder of images
    return (source.root if source.root.is_dir() else source.store) / FILE


def apply(source: Source, ignore_csv: str | None) -> Source:
    """Leave out of a source the images that its list names, by their whole paths.

    Args:
        source: all images.
        ignore_csv: as `data.ignore_csv`: a file, which must be there; None for that beside the
            images, if there is one; "" for none.

    Raises:
        InputError: if the file is no list, or names all images of a class, in a given split or in
            all.
    """
    file = place(source, ignore_csv)
    own = tuple(one for one in source.left_out if one.path != FILE)  # the list is no lost image
    source = replace(source, left_out=own)
    if ignore_csv == "" or (ignore_csv is None and files.what(file) == files.NOTHING):
        return source
    paths = {item.path for item in source.items}
    table = _table(file)
    names = [path.removeprefix(f"{source.root.as_posix()}/") for path in _paths(table)]
    listed = {tables.whole_path(path, paths) for path in names}
    require_classes(source, listed, file)
    kept = tuple(item for item in source.items if item.path not in listed)
    lost = [item for item in source.items if item.path in listed]
    strangers = sorted(listed - paths)
    notes = (*source.notes, *table.notes)
    if strangers:
        count = "a path that is" if len(strangers) == 1 else f"{len(strangers):,} paths that are"
        such_as = strangers[0] + _other_case(strangers[0], paths)
        notes = (*notes, f"{file.name} names {count} no image here, such as {such_as}")
    left_out = [LeftOut(item.path, f"by {file.name}", item.label) for item in lost]
    both = sorted((*source.left_out, *left_out), key=lambda one: one.path)
    return replace(source, items=kept, left_out=tuple(both), notes=notes)


def require_classes(source: Source, listed: Collection[str], file: Path) -> None:
    """Check that a list leaves images of each class, in each split that is given.

    Args:
        source: the images.
        listed: their paths that are, or would be, in the list.
        file: the list.

    Raises:
        InputError: if it does not.
    """
    kept = {(item.official, item.label) for item in source.items if item.path not in listed}
    lost = Counter((item.official, item.label) for item in source.items if item.path in listed)
    if gone := sorted(lost.keys() - kept):
        (split, label), count = gone[0], lost[gone[0]]
        where = f" in {split}" if split else ""
        every = "as its one image is listed" if count == 1 else f"as all {count:,} are listed"
        raise InputError(file, "images of every class that are not listed",
                         f"none of {label}{where}, {every}", "taking rows out of the list, or "
                         "looking at these images: is their class right?")  # fmt: skip


def _table(file: Path) -> tables.Table:
    """Return a list with the rows that name a path.

    Raises:
        InputError: if it is no such table.
    """
    table = tables.read(file, COLUMNS[:1], HINT, optional=COLUMNS[1:])
    return replace(table, rows=[row for row in table.rows if row["path"].strip()])


def _paths(table: tables.Table) -> list[str]:
    """Return the paths in a list, each once."""
    return list(dict.fromkeys(row["path"] for row in table.rows))


def add(file: Path, reasons: Mapping[str, str]) -> int:
    """Add paths to a list, sorted behind those that it has, and return how many are new.

    A list that has them all is not written again. One behind a link stays there. What killed
    processes left of it over an hour ago is removed.

    Args:
        file: made if it is missing.
        reasons: the reason of each path.

    Raises:
        InputError: if the file is no list.
    """
    rows = [] if files.what(file) == files.NOTHING else _table(file).rows
    listed = {row["path"] for row in rows}
    file = file.resolve()
    atomic.remove_old_parts(file)
    new = [{"path": one, "reason": reasons[one]} for one in sorted(reasons) if one not in listed]
    if new:
        # a person may have added columns
        header = list(dict.fromkeys([*COLUMNS, *(name for row in rows for name in row)]))
        cells = [[row.get(name, "") for name in header] for row in (*rows, *new)]
        atomic.write_text(file, atomic.csv_text(header, cells))
    return len(new)


def _other_case(path: str, paths: Collection[str]) -> str:
    """Return the image whose path differs in the case of its letters only, in brackets, or ""."""
    near = min((one for one in paths if one.casefold() == path.casefold()), default="")
    return f" (did you mean {near}?)" if near else ""
