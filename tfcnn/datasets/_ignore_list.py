"""The list of images that are left out: a table of path and reason, beside the images."""

from collections.abc import Mapping
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
        return Path(ignore_csv).expanduser()
    # a data set in one file has no folder of images
    return (source.root if source.root.is_dir() else source.store) / FILE


def apply(source: Source, ignore_csv: str | None) -> Source:
    """Leave out of a source the images that its list names, by their whole paths.

    Args:
        source: all images.
        ignore_csv: as `data.ignore_csv`: a file, which must be there; None for that beside the
            images, if there is one; "" for none.

    Raises:
        InputError: if the file is no list, or names all images of a class.
    """
    file = place(source, ignore_csv)
    own = tuple(one for one in source.left_out if one.path != FILE)  # the list is no lost image
    source = replace(source, left_out=own)
    if ignore_csv == "" or (ignore_csv is None and files.what(file) == files.NOTHING):
        return source
    paths = {item.path for item in source.items}
    listed = {path if path in paths else _plain(path) for path in read(file)}
    kept = tuple(item for item in source.items if item.path not in listed)
    lost = [item for item in source.items if item.path in listed]
    if gone := {item.label for item in lost} - {item.label for item in kept}:
        received = f"none of {min(gone)}, as all {len(lost):,} are listed"
        raise InputError(file, "images of every class that are not listed", received,
                         "taking rows out of it")  # fmt: skip
    strangers = sorted(listed - paths)
    notes = source.notes
    if strangers:
        count = "a path that is" if len(strangers) == 1 else f"{len(strangers):,} paths that are"
        notes = (*notes, f"{file.name} names {count} no image here, such as {strangers[0]}")
    left_out = [LeftOut(item.path, f"by {file.name}", item.label) for item in lost]
    both = sorted((*source.left_out, *left_out), key=lambda one: one.path)
    return replace(source, items=kept, left_out=tuple(both), notes=notes)


def read(file: Path) -> dict[str, str]:
    """Return the reason of each path in a list.

    Raises:
        InputError: if it is no such table.
    """
    rows = tables.read(file, ("path",), HINT, optional=("reason",)).rows
    return {row["path"]: row.get("reason", "") for row in rows if row["path"].strip()}


def add(file: Path, reasons: Mapping[str, str]) -> int:
    """Add paths to a list, sorted behind those that it has, and return how many are new.

    A list that has them all is not written again.

    Args:
        file: made if it is missing.
        reasons: the reason of each path.

    Raises:
        InputError: if the file is no list.
    """
    listed = {} if files.what(file) == files.NOTHING else read(file)
    new = {path: reasons[path] for path in sorted(reasons) if path not in listed}
    if new:
        atomic.write_text(file, atomic.csv_text(COLUMNS, [*listed.items(), *new.items()]))
    return len(new)


def _plain(path: str) -> str:
    return path.strip().replace("\\", "/").removeprefix("./")
