"""Any folder of class folders, or one already split into train/val/test."""

import hashlib
import os
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from tfcnn import datasets
from tfcnn.base import atomic, files, naming, own_files
from tfcnn.base.disk import disk_errors
from tfcnn.base.errors import InputError
from tfcnn.base.progress import Reporter
from tfcnn.datasets import LeftOut, Source, _files, _ignore_list, _labels, _layout, data_home
from tfcnn.datasets._classes import owners as owners  # for groups of predicted images
from tfcnn.datasets._labels import LabelTable as LabelTable

if TYPE_CHECKING:
    from tfcnn.recipes import DataSettings

SIZE_SAMPLE = 500  # headers read to guess the image size; the median settles long before


def open_any(data: "DataSettings", reporter: Reporter) -> Source:
    """Open what a recipe's `[data]` names: a data set, a user's own file, or else a folder.

    Args:
        data: the settings.
        reporter: hears of what is made first.

    Raises:
        InputError: if the data set has not been downloaded, or the folder cannot be used.
    """
    name = data.source
    if own_files.is_own(name) or (os.sep not in name and name in datasets.names()):
        if data.group_from != "name":
            hint = "--set data.group_regex=REGEX, or data.group_csv=FILE"
            raise InputError("data.group_from", f'"name" for {name}', data.group_from, hint)
        if data.labels_csv:
            expected = f"a folder as data.source beside it, as {name} has its own labels"
            raise InputError("data.labels_csv", expected, name, "no data.labels_csv")
        source = datasets.open_named(name, progress=reporter.stage(f"making {name}"))
        source = _with_idle_patterns(_without(source, data.ignore), data.ignore)
        return _ignore_list.apply(source, data.ignore_csv)
    is_ruled = data.group_regex is not None or data.group_csv is not None
    return open_folder(
        Path(name),
        ignore=data.ignore,
        group_from=data.group_from,
        is_ruled=is_ruled,
        labels=labels_of(data),
        ignore_csv=data.ignore_csv,
    )


def open_images(data: "DataSettings") -> Source:
    """Open what a recipe's `[data]` names to read images whose paths are known.

    It has no items where a table named the labels: that may be gone, or another, since. The list of
    images to leave out may be too: it is not read.
    """
    if not data.labels_csv:
        return open_any(data.model_copy(update={"ignore_csv": ""}), Reporter())
    return Source(atomic.printable(Path(data.source).name), Path(data.source), ())


def labels_of(data: "DataSettings") -> LabelTable | None:
    """Return which table names the labels of a recipe's images; None where folders do."""
    if not data.labels_csv:
        return None
    # where there are two tables, the column of groups is that of the other
    group_column = None if data.group_csv else data.group_column
    return LabelTable(data.labels_csv, data.path_column, data.label_column, group_column)


def open_folder(
    folder: Path,
    *,
    ignore: Sequence[str] = (),
    group_from: str = "name",
    is_ruled: bool = False,
    labels: LabelTable | None = None,
    ignore_csv: str | None = None,
) -> Source:
    """List a user's folder; its manifest is kept in `data/folders`, never in the folder itself.

    Args:
        folder: a folder of class folders.
        ignore: as `data.ignore`.
        group_from: as `data.group_from`.
        is_ruled: whether a regex or a table says who belongs together, or that nobody does.
        labels: the table that names the labels, where class folders do not.
        ignore_csv: as `data.ignore_csv`.

    Raises:
        InputError: if the folder is missing or holds no two class folders with images, or the
            table cannot be used.
        LayoutError: if the folders in it can be read in two ways.
    """
    if (kind := files.what(folder)) != files.FOLDER:
        is_missing = kind in (files.NOTHING, files.BROKEN)
        received = "no such folder" if is_missing else kind or "a file"
        what = "a folder of images" if labels else "a folder of class folders"
        raise InputError(folder, what, received, "another path")
    root = folder.resolve()
    key = hashlib.sha256(os.fsencode(root)).hexdigest()[:8]
    name = atomic.printable(root.name)
    source = open_source(
        root,
        name=name,
        store=data_home() / "folders" / f"{naming.as_folder_name(name)}-{key}",
        ignore=ignore,
        group_from=group_from,
        is_ruled=is_ruled,
        labels=labels,
    )
    return _ignore_list.apply(_with_idle_patterns(source, ignore), ignore_csv)


def ignore_list(source: Source, ignore_csv: str | None) -> Path:
    """Return the file that lists which images of a source are left out; it may be missing."""
    return _ignore_list.place(source, ignore_csv)


def add_to_ignore_list(source: Source, file: Path, reasons: Mapping[str, str]) -> int:
    """List images to leave out with the reason of each; return how many are new in the list.

    Raises:
        InputError: if the file is there and is no list, or if no image of a class would be left, in
            a given split or in all.
        OSError: if it cannot be written.
    """
    _ignore_list.require_classes(source, reasons, file)
    return _ignore_list.add(file, reasons)


def open_source(
    folder: Path,
    *,
    name: str | None = None,
    group_regex: str | None = None,
    positive: str | None = None,
    notes: tuple[str, ...] = (),
    store: Path | None = None,
    nouns: tuple[str, str] = ("images", "groups"),
    ignore: Sequence[str] = (),
    group_from: str = "name",
    is_ruled: bool = False,
    labels: LabelTable | None = None,
) -> Source:
    """List a folder of class folders, or of images that a table labels.

    A root that only wraps another folder (`cell_images/cell_images`) is looked through; a nested
    copy of its own class folders beside them is passed over; children named train, val (or valid,
    validation) and test (or eval, holdout) are taken as the official split.

    Raises:
        InputError: if fewer than two class folders are found, if one holds no image, if splits
            do not have the same classes, or if a folder cannot be read.
        LayoutError: if the folders in it can be read in two ways.
    """
    with disk_errors(folder):
        tree = _files.read(folder, ignore)
    is_ruled = is_ruled or group_regex is not None
    if labels:
        layout = _labels.arrange(tree, labels)
    else:
        layout = _layout.arrange(tree, group_from, is_ruled=is_ruled)
        layout.items.sort(key=lambda item: item.path)
    return Source(
        name=name or atomic.printable(folder.name),
        root=layout.root,
        items=tuple(layout.items),
        group_regex=group_regex,
        positive=positive,
        left_out=tuple(sorted(layout.left_out, key=lambda one: one.path)),
        notes=(*notes, *layout.notes),
        store=store or folder,
        nouns=nouns,
        group_from=group_from,
        labels_csv=labels.file if labels else "",
    )


def image_files(folder: Path, ignore: Sequence[str] = ()) -> tuple[list[Path], list[LeftOut]]:
    """Return the image files below a folder, sorted by path, and the files left out.

    Left out are files of systems and network drives, files that are no picture by name or first
    bytes, masks beside their images, broken links, and names that are not UTF-8, which no CSV
    could hold. Links to folders are followed, each folder once.

    Raises:
        OSError: if a folder cannot be read.
    """
    tree = _files.read(folder, ignore)
    _files.set_masks_aside(tree)
    paths = sorted(map(Path, tree.all_images()), key=str)
    return paths, [LeftOut(path, kind) for path, kind in tree.all_left_out()]


def member_images(
    names: Iterable[str], head: Callable[[str], bytes], ignore: Sequence[str] = ()
) -> tuple[list[str], list[LeftOut]]:
    """Return the images among the files of an archive, sorted, and those left out.

    Args:
        names: paths in it, with forward slashes.
        head: returns the first `HEAD_BYTES` of one.
        ignore: as `data.ignore`.
    """
    tree = _files.from_names(names, head, ignore)
    _files.set_masks_aside(tree)
    return sorted(tree.all_images()), [LeftOut(*one) for one in tree.all_left_out()]


def typical_size(source: Source) -> tuple[int, int]:
    """Return a square size in px for a source: the median short side to the next 16, in 32..160."""
    step = max(1, len(source.items) // SIZE_SAMPLE)
    sizes = [source.size(item.path) for item in source.items[::step]]
    short_sides = [min(size) for size in sizes if size]
    side = round(statistics.median(short_sides or [64]) / 16) * 16
    side = min(max(side, 32), 160)
    return side, side


def _without(source: Source, ignore: Sequence[str]) -> Source:
    """Leave out of a data set what a recipe ignores."""
    lost = [item for item in source.items if _files.is_ignored(item.path, ignore)]
    left_out = tuple(LeftOut(item.path, _files.IGNORED, item.label) for item in lost)
    return replace(
        source,
        items=tuple(item for item in source.items if item not in set(lost)),
        left_out=(*source.left_out, *left_out),
    )


def _with_idle_patterns(source: Source, ignore: Sequence[str]) -> Source:
    """Note the patterns that ignore nothing: they are misspelt, or the folder is another."""
    paths = [one.path for one in source.left_out if one.kind == _files.IGNORED]
    idle = [
        pattern
        for pattern in ignore
        if not any(_files.is_ignored(path, (pattern,)) for path in paths)
    ]
    notes = tuple(f"data.ignore: {pattern!r} matches no file" for pattern in idle)
    return replace(source, notes=(*source.notes, *notes))
