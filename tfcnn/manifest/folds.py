"""Who is in which fold of a cross-validation: every image is tested once, by one fold."""

import warnings
from collections import defaultdict
from typing import Any

import numpy as np

from tfcnn.base.errors import InputError
from tfcnn.manifest import drawing, splits
from tfcnn.manifest.rows import Manifest
from tfcnn.recipes import SplitSettings

__all__ = ["assign", "tested"]


def tested(manifest: Manifest, settings: SplitSettings) -> list[int]:
    """Return the numbers of the rows that are tested in one of the folds.

    All of them, but for an official test set: that stays what it is, unless the recipe trains on
    it (`data.split.test = "none"`).
    """
    keep = settings.test == "none"
    return [i for i, row in enumerate(manifest.rows) if keep or row.official != "test"]


def assign(manifest: Manifest, settings: SplitSettings, num_folds: int) -> list[list[str]]:
    """Give every row of a manifest a split in each fold; the same seed gives the same ones.

    Test is the fold itself, val a share of what is left (15 %, or `val_fraction`), train the rest.
    All are drawn by whole groups and stratified by class; images with the same pixels count as one
    group.

    Args:
        manifest: whom to split.
        settings: unit and seed.
        num_folds: at least 2, at most the number of groups.

    Returns:
        Per fold one of `train`, `val`, `test` per row, or "" for an image of an official test set.

    Raises:
        InputError: if there are too few groups or images for so many folds.
        CheckError: if a fold leaks.
    """
    if num_folds < 2:
        raise InputError("--folds", "2 or more", str(num_folds), "--folds 5")
    manifest = splits.by_unit(manifest, settings.unit)
    splits.refuse_classes_as_groups(manifest)
    rows = manifest.rows
    units, pool = splits.components(rows), tested(manifest, settings)
    folds = []
    for part in _parts(manifest, units, pool, num_folds, settings.seed):
        fold = [""] * len(rows)
        for i in part:
            fold[i] = "test"
        rest = [i for i in pool if not fold[i]]
        val = {"val": settings.val_fraction or drawing.SHARE}
        drawn = drawing.draw(rows, units, val, settings.seed, rest)
        for i, split in zip(rest, drawn, strict=True):
            fold[i] = split
        splits.gate(manifest, fold, unit=settings.unit)
        folds.append(fold)
    return folds


def _parts(
    manifest: Manifest,
    units: list[int],
    pool: list[int],
    num_folds: int,
    seed: int,
) -> list[list[int]]:
    """Deal the rows in `pool` into folds; returns row numbers per fold."""
    rows = manifest.rows
    members: dict[int, list[int]] = defaultdict(list)
    for position, i in enumerate(pool):
        members[units[i]].append(position)
    is_grouped = any(rows[i].group for i in pool)
    noun = manifest.source.nouns[1] if is_grouped else f"different {manifest.source.nouns[0]}"
    if num_folds > len(members):
        expected = f"at most {len(members)}, as there are {noun}"
        hint = f"--folds {len(members)}" if len(members) > 2 else f"more {noun}"
        raise InputError("--folds", expected, str(num_folds), hint)
    labels = np.array([rows[i].label for i in pool])
    dealt = drawing.folds_of_groups if is_grouped else _of_images
    try:
        parts = dealt(labels, list(members.values()), num_folds, seed)
    except ValueError as error:  # fewer images of the commonest class than folds
        raise InputError("--folds", "images of a class in each", str(error), "fewer") from error
    if not all(len(part) for part in parts):
        received = f"{len(members)} {noun} that do not fill {num_folds}"
        raise InputError("--folds", "images in each", received, "fewer")
    return [[pool[position] for position in part] for part in parts]


def _of_images(
    labels: np.ndarray[Any, Any], members: list[list[int]], num_folds: int, seed: int
) -> list[np.ndarray[Any, np.dtype[np.int64]]]:
    """Deal pictures, stratified; copies of one picture go where it goes."""
    from sklearn.model_selection import StratifiedKFold

    heads = np.array([labels[positions[0]] for positions in members])
    folds = StratifiedKFold(num_folds, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of classes rarer than folds: gate decides
        dealt = [units for _, units in folds.split(heads, heads)]
    return [np.concatenate([members[unit] for unit in units]) for units in dealt]
