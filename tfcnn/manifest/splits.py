"""Who is in which split: drawn by group, class and seed, and refused where it leaks."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from tfcnn.base import atomic, memory, tables
from tfcnn.base.errors import CheckError, InputError
from tfcnn.manifest import dealing
from tfcnn.manifest.rows import Manifest, Row
from tfcnn.recipes import SplitSettings

NAMES = ("train", "val", "test")
COLUMNS = ("path", "label", "group", "sha256", "pixels_sha256", "split")
FOLDS = 20  # 3 test + 3 val + 14 train: shares of 15, 15 and 70 %
SHARE = 0.15  # of val and of test
OFFICIAL_VAL_SHARE = 0.1  # of what an official test set leaves

Labels = np.ndarray[Any, Any]
Positions = np.ndarray[Any, np.dtype[np.int64]]


def assign(manifest: Manifest, settings: SplitSettings) -> list[str]:
    """Give every row of a manifest a split; the same seed gives the same one anywhere.

    An official test set of the source is kept, and val is drawn from the rest. Without one, whole
    groups are drawn (`StratifiedGroupKFold`). Images with the same pixels count as one group.

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
    """Refuse groups that are the classes under another name.

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
    """Return a manifest as it is split: without groups where `unit` is "image"."""
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

    def join(i: int, other: int) -> None:
        if i != other:
            one, other = root(i), root(other)
            parent[max(one, other)] = min(one, other)

    first_of_pixels: dict[str, int] = {}
    first_of_group: dict[str, int] = {}
    for i, row in enumerate(rows):
        join(i, first_of_pixels.setdefault(row.pixels_sha256, i))
        if row.group:
            join(i, first_of_group.setdefault(row.group, i))
    number: dict[int, int] = {}
    return [number.setdefault(root(i), len(number)) for i in range(len(rows))]


def _around_official(manifest: Manifest, units: list[int], settings: SplitSettings) -> list[str]:
    """Keep the official splits, and draw from their train what they lack."""
    rows = manifest.rows
    splits: list[str] = [row.official for row in rows]
    if settings.test == "none":
        splits = ["train" if split == "test" else split for split in splits]
    if manifest.source.is_benchmark:  # its official sets share a few pictures
        test_pixels = {
            row.pixels_sha256 for row, split in zip(rows, splits, strict=True) if split == "test"
        }
        splits = [
            "" if split == "train" and row.pixels_sha256 in test_pixels else split
            for row, split in zip(rows, splits, strict=True)
        ]
    val = settings.val_fraction or OFFICIAL_VAL_SHARE
    if "val" in splits and settings.val_fraction:
        raise InputError(
            "data.split.val_fraction",
            "none, as the images have a val split",
            str(val),
            "leaving it out",
        )
    fractions = {} if "val" in splits else {"val": val}
    if "test" not in splits and settings.test != "none":
        fractions["test"] = SHARE
    pool = [i for i, split in enumerate(splits) if split == "train"]
    for i, split in zip(pool, draw(rows, units, fractions, settings.seed, pool), strict=True):
        splits[i] = split
    return splits


def draw(
    rows: Sequence[Row],
    units: list[int],
    fractions: dict[str, float],
    seed: int,
    pool: Sequence[int],
) -> list[str]:
    """Draw the splits of some rows, stratified by class.

    Args:
        rows: of a manifest.
        units: for each row the number of the set that stays together, see `components`.
        fractions: the shares of `val` and `test`, in [0, 1]; the rest is `train`.
        seed: of the draw.
        pool: the numbers of the rows to split.

    Returns:
        One of `train`, `val`, `test` per row number in `pool`.

    Raises:
        InputError: if there are too few groups or images to split.
    """
    fractions = {split: fraction for split, fraction in fractions.items() if fraction}
    if not fractions:
        return ["train"] * len(pool)
    members = members_of(units, pool)
    has_groups = any(rows[i].group for i in pool)
    labels = np.array([rows[i].label for i in pool])
    splits = np.full(len(pool), "train", dtype=object)
    least = 1 + len(fractions)  # one for each split that is drawn, and one to train on
    if has_groups and len(members) < least:
        received = str(len(members))
        raise InputError("data.split", f"at least {least} groups", received, "more groups")
    choose = _by_groups if has_groups else _by_images
    for split, positions in choose(labels, members, fractions, seed).items():
        splits[positions] = split
    return list(splits)


def members_of(units: list[int], pool: Sequence[int]) -> list[list[int]]:
    """Return for each set that stays together the positions of its rows in `pool`."""
    members: dict[int, list[int]] = defaultdict(list)
    for position, i in enumerate(pool):
        members[units[i]].append(position)
    return list(members.values())


def _by_groups(
    labels: Labels, members: list[list[int]], fractions: dict[str, float], seed: int
) -> dict[str, list[int]]:
    counts = Counter(labels.tolist())
    if min(counts.values()) < 2:
        raise InputError("data", "at least 2 images of every class", "1", "more images of it")
    # scikit-learn refuses more folds than the commonest class has images; a rare class only warns
    commonest = max(counts.values())
    num_folds = min(FOLDS, len(members), commonest)
    if num_folds <= len(fractions):  # a fold for each split that is drawn, and one to train on
        least = f"at least {1 + len(fractions)} images of some class"
        raise InputError("data", least, str(commonest), "more images")
    parts = folds_of_groups(labels, members, num_folds, seed)
    positions: dict[str, list[int]] = {}
    num_later = len(fractions)  # splits, train among them, that need a fold after this one
    for split, fraction in fractions.items():
        chosen, parts = _up_to(fraction * len(labels), parts, num_later)
        positions[split] = np.concatenate(chosen).tolist()
        num_later -= 1
    return positions


def _up_to(
    target: float, parts: list[Positions], num_spared: int
) -> tuple[list[Positions], list[Positions]]:
    """Choose folds while each brings the number of images nearer to the target.

    A group of many images makes its fold larger than the others. A fold that is too large for this
    split is left to another.

    Args:
        target: number of images.
        parts: folds, positions of images each.
        num_spared: at least this many of them are left.

    Returns:
        The folds that were chosen, at least one, and the others, in order.
    """
    chosen: list[Positions] = []
    others: list[Positions] = []
    count = 0
    for number, part in enumerate(parts):
        is_nearer = abs(count + len(part) - target) < abs(count - target)
        is_last_chance = not chosen and number + 1 == len(parts) - num_spared
        if (is_nearer or is_last_chance) and len(chosen) < len(parts) - num_spared:
            chosen.append(part)
            count += len(part)
        else:
            others.append(part)
    return chosen, others


def folds_of_groups(
    labels: Labels, members: list[list[int]], num_folds: int, seed: int
) -> list[Positions]:
    """Deal groups into folds, stratified by class.

    Args:
        labels: class of each image, shape `(images,)`.
        members: for each group the positions of its images in `labels`.
        num_folds: at most the number of groups.
        seed: of the draw.

    Returns:
        The positions of each fold's images.

    Raises:
        ValueError: if no class has as many images as there are folds.
    """
    groups = np.empty(len(labels), dtype=np.int64)
    for number, positions in enumerate(members):
        groups[positions] = number
    classes, counts = np.unique(labels, return_inverse=True, return_counts=True)[1:]
    if counts.max() < num_folds:  # of classes rarer than that `gate` decides
        raise ValueError(f"{num_folds} folds of at most {counts.max()} images of a class")
    fold_of = dealing.folds(classes, groups, num_folds, seed)
    return [np.flatnonzero(fold_of == fold) for fold in range(num_folds)]


def _by_images(
    labels: Labels, members: list[list[int]], fractions: dict[str, float], seed: int
) -> dict[str, list[int]]:
    """Split pictures (`StratifiedShuffleSplit`); all copies of a picture go into one split."""
    from sklearn.model_selection import train_test_split

    rest = np.arange(len(members))
    unit_labels = np.array([labels[copies[0]] for copies in members])
    positions: dict[str, list[int]] = {}
    for split, fraction in fractions.items():
        count = max(round(fraction * len(members)), len(set(unit_labels)))
        try:
            rest, chosen = train_test_split(
                rest, test_size=count, stratify=unit_labels[rest], random_state=seed
            )
        except ValueError as error:  # scikit-learn's words are of its own arguments
            fewest = min(Counter(unit_labels.tolist()).values())
            received = f"{fewest} of one of them"
            raise InputError(
                "data", "at least 3 different images of every class", received, "more images"
            ) from error
        positions[split] = [position for unit in chosen for position in members[unit]]
    return positions


def gate(manifest: Manifest, splits: Sequence[str], *, unit: str = "group") -> None:
    """Refuse a split that leaks: a group, or the same pixels, on two sides.

    Raises:
        CheckError: naming the first group or pair of files that crosses.
        InputError: if train or val is empty, or train lacks a class.
    """
    first_of_group: dict[str, tuple[Row, str]] = {}
    first_of_pixels: dict[str, tuple[Row, str]] = {}
    for row, split in zip(manifest.rows, splits, strict=True):
        if not split:
            continue
        here = row, split
        if unit == "group" and row.group:
            other, other_split = first_of_group.setdefault(row.group, here)
            if other_split != split:
                raise _leak(manifest, f"group {row.group}", (other, other_split), here)
        other, other_split = first_of_pixels.setdefault(row.pixels_sha256, here)
        if other_split != split:
            raise _leak(manifest, "the same pixels", (other, other_split), here)
    _check_filled(manifest, splits)


def _leak(
    manifest: Manifest, what: str, one: tuple[Row, str], other: tuple[Row, str]
) -> CheckError:
    return CheckError(
        manifest.source.name,
        "every group and every picture in one split only",
        f"{what} in {one[1]} ({one[0].path}) and in {other[1]} ({other[0].path})",
        "`--resplit` to ignore the given split, or moving one of them",
    )


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
    """Read a split that a run or a person wrote; `tables.by_path` says how paths are compared.

    Returns:
        A split per manifest row; "" for a row that the file does not name.

    Raises:
        InputError: if the file is no split, or names an image that is not in the data.
        CheckError: if an image changed since the split was made.
    """
    rows = {row.path: row for row in manifest.rows}
    with memory.adding():
        table = tables.read(path, ("path", "split"), "the split.csv of a run")
        records, strangers = tables.by_path(table, ("split",), [*rows], manifest.source.root)
    if strangers:
        hint = "the data it was made from"
        raise InputError(path, "images that are in the data", strangers[0], hint)
    for name, record in records.items():
        _check_record(path, record, rows[name])
    if not manifest.has_groups and any(record.get("group") for record in records.values()):
        raise InputError(
            path, "the groups that it names", "none known of the data",
            "the --set data.group_regex=... or data.group_csv=... it was made with",
        )  # fmt: skip
    splits = {name: _split_of(record) for name, record in records.items()}
    return [splits.get(row.path, "") for row in manifest.rows]


def _split_of(record: dict[str, str]) -> str:
    split = record["split"]
    return split if split in NAMES else split.strip().lower()


def _check_record(path: Path, record: dict[str, str], row: Row) -> None:
    """Check a line of a split file against the image's row of the manifest."""
    if _split_of(record) not in ("", *NAMES):
        subject = f"{path}: {record['path']}"
        raise InputError(subject, "train, val or test", record["split"], "one of them")
    if record.get("sha256") and record["sha256"] != row.sha256:
        raise CheckError(
            f"{path}: {record['path']}",
            "the image that was split",
            "one with another sha256",
            "the data of that run, or a new split",
        )
