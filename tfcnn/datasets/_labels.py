"""Labels from a table, `path,label[,group][,split]`: folders that images lie in mean nothing."""

import os
import posixpath
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tfcnn.base import atomic, naming, tables
from tfcnn.base.errors import InputError
from tfcnn.base.tables import Row, Table
from tfcnn.datasets import Item, LeftOut, Official, allowed_losses
from tfcnn.datasets._classes import SPLITS, split_of
from tfcnn.datasets._files import IGNORED, MASK, Folder, set_masks_aside
from tfcnn.datasets._layout import Layout, check_splits

NAMED = 3  # rows that an error names
SHOWN = 40  # letters of a label that it shows


@dataclass(frozen=True)
class LabelTable:
    """Where the labels are, and what the table calls its columns; None for our own names.

    `has_splits` says whether a column `split` is heeded.
    """

    file: str
    path_column: str | None = None
    label_column: str | None = None
    group_column: str | None = None
    has_splits: bool = True

    @property
    def path(self) -> Path:
        """Where the table is."""
        return Path(self.file)

    def read(self) -> Table:
        """Read the table; `group` and `split` are columns that it need not have.

        Raises:
            InputError: if it is no such table, or has no rows.
        """
        called = {"path": self.path_column, "label": self.label_column, "group": self.group_column}
        needed = ("path", "label", *(["group"] if self.group_column else []))
        taken = {(called[name] or name).strip().casefold() for name in needed}
        may_have = {"group", "split"} if self.has_splits else {"group"}
        optional = tuple(sorted(may_have - taken))
        hint = "adding a header line, or --path-column and --label-column to name its columns"
        table = tables.read(self.path, needed, hint, called, optional)
        if not table.rows:
            received = "a header without rows"
            raise InputError(self.path, "a row for each image", received, "another table")
        own = (*needed, *optional)
        absent = {name: "" for name in ("group", "split") if name not in own}
        rows = [{"group": "", "split": "", **row, **absent} for row in table.rows]
        return replace(table, rows=rows)


def arrange(tree: Folder, labels: LabelTable) -> Layout:
    """List the images of a folder that a table gives a label.

    They are sorted by split, label and path, as if they were in such folders: so the same images
    are in the same order, and in the same split, as in class folders.

    Args:
        tree: from `_files.read`; changed.
        labels: which table.

    Raises:
        InputError: if the table is none, names images that are not there, a label cannot be that of
            a class, or there are fewer than two.
    """
    table = labels.read()
    _check_labels(table)
    rows, left_out, notes = _rows_of_images(table, tree)
    items = []
    for path, row in rows.items():
        if row["label"].strip():
            official = _official(table, row)
            group = row["group"].strip()
            items.append(Item(path, row["label"].strip(), official, group=group))
        else:
            left_out.append(LeftOut(path, f"without a label in {labels.path.name}"))
    items.sort(key=lambda item: "/".join(filter(None, (item.official, item.label, item.path))))
    _check_items(table, items)
    notes += check_splits(table.path, items)
    return Layout(tree.path, items, left_out, notes)


def _rows_of_images(table: Table, tree: Folder) -> tuple[dict[str, Row], list[LeftOut], list[str]]:
    """Return a row per image, the files that have none, and notes for the user.

    What looks like a mask beside its image is an image where a row names its path, or its name if
    no other image has it.
    """

    def relative(path: str) -> str:
        return path.removeprefix(f"{tree.path}/")

    table = replace(table, rows=[_within(table, row, tree.path) for row in table.rows])
    pictures = [*map(relative, tree.all_images())]
    set_masks_aside(tree)
    images = [*map(relative, tree.all_images())]
    others = {relative(path): kind for path, kind in tree.all_left_out()}
    masks = {*pictures, *(path for path, kind in others.items() if kind == MASK)} - {*images}
    ignored = [path for path, kind in others.items() if kind == IGNORED]
    images += (named := masks & _ends(table))
    masks -= named
    rows: dict[str, Row] = {}
    rest = table
    for paths in (images, sorted(masks), ignored):
        found, strangers = tables.by_path(rest, ("label", "group", "split"), paths, tree.path)
        if paths is not ignored:
            rows |= found
        names = set(strangers)
        rest = replace(rest, rows=[row for row in rest.rows if row["path"] in names])
    notes = _check_missing(table, rest.rows, rows.values(), tree.path)
    kinds = {**dict.fromkeys(images, f"without a row in {table.path.name}"), **others}
    own = os.path.relpath(table.path.resolve(), tree.path)
    left_out = [
        LeftOut(atomic.printable(path), kind)
        for path, kind in kinds.items()
        if path not in rows and path != own
    ]
    return rows, left_out, [*table.notes, *notes]


def _ends(table: Table) -> set[str]:
    """Return all paths that the rows may mean: of `a/b/c.png` also `b/c.png` and `c.png`."""
    parts = [row["path"].strip().replace("\\", "/").split("/") for row in table.rows]
    return {"/".join(one[start:]) for one in parts for start in range(len(one))}


def _within(table: Table, row: Row, root: Path) -> Row:
    """Return a row whose path has no `..`: it counts from the data folder, else from the table."""
    name = row["path"].strip().replace("\\", "/")
    if ".." not in name.split("/"):
        return row
    for start in (root, table.path.resolve().parent):
        path = posixpath.normpath(posixpath.join(start.as_posix(), name))
        if path.startswith(f"{root.as_posix()}/"):
            return {**row, "path": path}
    raise InputError(
        f"{table.path}: {row['path']}", f"a path inside of {root}", "one outside of it",
        "paths relative to that folder",
    )  # fmt: skip


def _check_missing(
    table: Table, missing: Sequence[Row], found: Iterable[Row], root: Path
) -> list[str]:
    """Refuse a table if many of its rows, or all of a class, name no image; else note some."""
    there = {row["label"].strip() for row in found}
    lost = sorted({row["label"].strip() for row in missing} - there - {""})
    if not lost and len(missing) <= allowed_losses(len(table.rows)):
        count = f"{len(missing):,} of {len(table.rows):,} rows of {table.path.name}"
        return [f"{count} name no image, such as {missing[0]['path']}"] if missing else []
    names = ", ".join(row["path"].strip() or "an empty path" for row in missing[:NAMED])
    more = f" and {len(missing) - NAMED:,} more" if len(missing) > NAMED else ""
    received = f"none for {len(missing):,} of {len(table.rows):,} rows ({names}{more})"
    if lost and there:
        received += f", and none of class {lost[0]}"
    hint = "the folder that holds them, or a table without these rows"
    raise InputError(table.path, f"images in {root} that its rows name", received, hint)


def _check_labels(table: Table) -> None:
    """Refuse labels that stand for none, or that no class folder could be called.

    Class names are columns of tables and names in paths.
    """
    spellings: dict[str, str] = {}
    for row in table.rows:
        label = row["label"].strip()
        subject = f"{table.path}: {row['path'].strip()}"
        if label and tables.is_missing(label):
            raise InputError(
                subject, "a label", f"{label}, which programs write for a missing value",
                "an empty cell where there is no label, or another name of the class",
            )  # fmt: skip
        is_long = len(label.encode(errors="replace")) > naming.LONGEST_NAME
        if is_long or "/" in label or "\\" in label or naming.IS_HIDDEN_OR_BREAK.search(label):
            rule = f"a label on one line, without / and \\, of at most {naming.LONGEST_NAME} bytes"
            more = f" and {len(label) - SHOWN:,} more letters" if label[SHOWN:] else ""
            hint = "another name of the class"
            raise InputError(subject, rule, f"{label[:SHOWN]!r}{more}", hint)
        plain = " ".join(unicodedata.normalize("NFC", label).casefold().split())
        other = spellings.setdefault(plain, label)
        if other != label:
            received = f"{other!r} and {label!r}"
            raise InputError(table.path, "one spelling of each label", received, "one of them")


def _official(table: Table, row: Row) -> Official:
    """Return the split that a row gives: train, val or test, or a word that means one of them."""
    value = row["split"].strip()
    if tables.is_missing(value):
        return ""
    word = split_of(value)
    for split in SPLITS:
        if word == split:
            return split
    hint = "one of these, or another name for that column"
    subject = f"{table.path}: {row['path'].strip()}"
    raise InputError(subject, "train, val or test as its split", value, hint)


def _check_items(table: Table, items: Sequence[Item]) -> None:
    """Refuse images that are not of two classes at least, or of which some are in no split."""
    names = sorted({item.label for item in items})
    if len(names) < 2:
        received = f"{len(names)} ({names[0]})" if names else "none"
        raise InputError(table.path, "labels of at least 2 classes", received, "another column")
    splits = {item.official for item in items}
    unsplit = [item.path for item in items if not item.official]
    if unsplit and len(splits) > 1:
        received = f"none for {len(unsplit):,} images, first {unsplit[0]}"
        raise InputError(table.path, "a split for every image, or none", received, "train for them")
    if not unsplit and "train" not in splits:
        received = f"only {' and '.join(sorted(splits))}"
        raise InputError(table.path, "images in train beside the others", received, "adding them")
