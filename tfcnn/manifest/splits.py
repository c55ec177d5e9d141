"""Who is in which split: grouped, stratified, seeded, and refused where it leaks."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from tfcnn.base import atomic, tables
from tfcnn.base.errors import CheckError, InputError
from tfcnn.manifest.drawing import SHARE, draw
from tfcnn.manifest.rows import Manifest, Row
from tfcnn.recipes import SplitSettings

__all__ = [
    "NAMES",
    "assign",
    "by_unit",
    "components",
    "gate",
    "read",
    "refuse_classes_as_groups",
    "select",
    "write",
]

NAMES = ("train", "val", "test")
COLUMNS = ("path", "label", "group", "sha256", "pixels_sha256", "split")
OFFICIAL_VAL_SHARE = 0.1


def assign(manifest: Manifest, settings: SplitSettings) -> list[str]:
    """Give every row of a manifest a split; the same seed gives the same one anywhere.

    Where the source has an official test set it is kept, and val is carved from the rest. Else
    whole groups are drawn (`StratifiedGroupKFold`); images with the same pixels count as one group.

    Returns:
        One of `train`, `val`, `test` per row, or "" for a training image whose pixels are also in
        the official test set.

    Raises:
        InputError: if there are too few groups or images to split.
    """
    manifest = by_unit(manifest, settings.unit)
    refuse_classes_as_groups(manifest)
    rows = manifest.rows
    units = components(rows)
    if any(row.official for row in rows):
        return _around_official(manifest, units, settings)
    test = 0.0 if settings.test == "none" else SHARE
    fractions = {"test": test, "val": settings.val_fraction or SHARE}
    return draw(rows, units, fractions, settings.seed, range(len(rows)))


def refuse_classes_as_groups(manifest: Manifest) -> None:
    """Refuse groups that are the classes under another name: patients taken for classes, say.

    Raises:
        InputError: if every class is one group and every group one class.
    """
    pairs = {(row.label, row.group) for row in manifest.rows}
    num_groups = len({group for _, group in pairs})
    if manifest.has_groups and len(pairs) == num_groups == len(manifest.class_names):
        label, group = min(pairs)
        raise InputError(
            manifest.source.name,
            "classes of several groups each",
            f"{len(pairs)} classes that are one group each, such as class {label} = group {group}",
            "--set data.group_from=folder-above where the classes lie in them, or other groups",
        )


def by_unit(manifest: Manifest, unit: str) -> Manifest:
    """Return a manifest as it is split: where `unit` is "image", as if no groups were known."""
    if unit == "group":
        return manifest
    return replace(manifest, rows=tuple(replace(row, group="") for row in manifest.rows))


def components(rows: Sequence[Row]) -> list[int]:
    """Number the sets of images that must stay together: same group, or same pixels.

    Returns:
        For each row the number of its set, counted from 0 in the order of first appearance.
    """
    parent = list(range(len(rows)))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    first: dict[tuple[str, str], int] = {}
    for i, row in enumerate(rows):
        keys = [("pixels", row.pixels_sha256)]
        if row.group:
            keys.append(("group", row.group))
        for key in keys:
            other = root(first.setdefault(key, i))
            mine = root(i)
            parent[max(other, mine)] = min(other, mine)
    number: dict[int, int] = {}
    return [number.setdefault(root(i), len(number)) for i in range(len(rows))]


def gate(manifest: Manifest, splits: Sequence[str], *, unit: str = "group") -> None:
    """Refuse a split that leaks: a group, or the same pixels, on two sides.

    Raises:
        CheckError: naming the first group or pair of files that crosses.
        InputError: if train or val is empty, or train lacks a class.
    """
    seen: dict[tuple[str, str], tuple[str, str]] = {}
    for row, split in zip(manifest.rows, splits, strict=True):
        if not split:
            continue
        keys = [("the same pixels", row.pixels_sha256)]
        if unit == "group" and row.group:
            keys.insert(0, (f"group {row.group}", row.group))
        for what, key in keys:
            other_path, other_split = seen.setdefault((what, key), (row.path, split))
            if other_split != split:
                raise CheckError(
                    manifest.source.name,
                    "every group and every picture in one split only",
                    f"{what} in {other_split} ({other_path}) and in {split} ({row.path})",
                    "`--resplit` to ignore the given split, or moving one of them",
                )
    _check_filled(manifest, splits)


def _check_filled(manifest: Manifest, splits: Sequence[str]) -> None:
    counts = Counter(
        (split, row.label) for row, split in zip(manifest.rows, splits, strict=True) if split
    )
    for split in ("train", "val"):
        present = {label for (name, label) in counts if name == split}
        if not present or (split == "train" and len(present) < len(manifest.class_names)):
            missing = sorted(set(manifest.class_names) - present)
            raise InputError(
                manifest.source.name,
                f"images of every class in {split}",
                f"none of {', '.join(missing)}",
                "more images or groups of it, or another data.split.seed",
            )


def select(splits: Sequence[str], split: str) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Return the row numbers of one split, int64 of shape `(count,)`, in manifest order."""
    return np.flatnonzero(np.asarray(splits) == split)


def write(manifest: Manifest, splits: Sequence[str], path: Path) -> None:
    """Write `split.csv`: the manifest plus `split`."""
    rows = (
        [*(getattr(row, column) for column in COLUMNS[:-1]), split]
        for row, split in zip(manifest.rows, splits, strict=True)
    )
    atomic.write_text(path, atomic.csv_text(COLUMNS, rows))


def read(path: Path, manifest: Manifest) -> list[str]:
    """Read a split made before, or by hand; rows are found by `path`, as in `tables.by_path`.

    Returns:
        A split per manifest row; "" for a row that the file does not name.

    Raises:
        InputError: if the file is no split, or names an image that is not in the data.
        CheckError: if an image changed since the split was made.
    """
    listed = tables.read(path, ("path", "split"), "the split.csv of a run")
    rows = {row.path: row for row in manifest.rows}
    given, strangers = tables.by_path(listed, "split", [*rows], manifest.source.root)
    if strangers:
        hint = "the data it was made from"
        raise InputError(path, "images that are in the data", strangers[0], hint)
    for name, row in given.items():
        _check_given(path, row, rows[name])
    if not manifest.has_groups and any(row.get("group") for row in given.values()):
        raise InputError(
            path, "the groups that it names", "none known of the data",
            "the --set data.group_regex=... or data.group_csv=... it was made with",
        )  # fmt: skip
    splits = {name: row["split"].strip().lower() for name, row in given.items()}
    return [splits.get(row.path, "") for row in manifest.rows]


def _check_given(path: Path, given: dict[str, str], row: Row) -> None:
    subject = f"{path}: {given['path']}"
    if given["split"].strip().lower() not in ("", *NAMES):
        raise InputError(subject, "train, val or test", given["split"], "one of them")
    if given.get("sha256") and given["sha256"] != row.sha256:
        raise CheckError(
            subject,
            "the image that was split",
            "one with another sha256",
            "the data of that run, or a new split",
        )


def _around_official(manifest: Manifest, units: list[int], settings: SplitSettings) -> list[str]:
    rows = manifest.rows
    splits: list[str] = [row.official for row in rows]
    if settings.test == "none":
        splits = ["train" if split == "test" else split for split in splits]
    if manifest.source.is_benchmark:  # the official sets themselves hold a few such doubles
        tested = {
            row.pixels_sha256 for row, split in zip(rows, splits, strict=True) if split == "test"
        }
        splits = [
            "" if split == "train" and row.pixels_sha256 in tested else split
            for row, split in zip(rows, splits, strict=True)
        ]
    val = settings.val_fraction or OFFICIAL_VAL_SHARE
    if "val" in splits and settings.val_fraction:
        raise InputError("data.split.val_fraction", "none, for val is given", str(val), "without")
    fractions = {} if "val" in splits else {"val": val}
    if "test" not in splits and settings.test != "none":
        fractions["test"] = SHARE
    pool = [i for i, split in enumerate(splits) if split == "train"]
    for i, split in zip(pool, draw(rows, units, fractions, settings.seed, pool), strict=True):
        splits[i] = split
    return splits
