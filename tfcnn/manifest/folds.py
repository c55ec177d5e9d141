"""Who is in which fold of a cross-validation: every image is tested once, by one fold."""

import warnings
from collections import Counter

import numpy as np

from tfcnn.base.errors import InputError
from tfcnn.manifest import splits
from tfcnn.manifest.rows import Manifest
from tfcnn.recipes import SplitSettings


def tested_rows(manifest: Manifest, settings: SplitSettings) -> list[int]:
    """Return the numbers of the rows that are tested in one of the folds.

    These are all rows but those of an official test set, and even these where the recipe trains on
    it (`data.split.test = "none"`).
    """
    is_whole = settings.test == "none"
    return [i for i, row in enumerate(manifest.rows) if is_whole or row.official != "test"]


def assign(manifest: Manifest, settings: SplitSettings, num_folds: int) -> list[list[str]]:
    """Give every row of a manifest a split in each fold; the same seed gives the same ones.

    Test is the fold itself, val a share of what is left (15 %, or `val_fraction`), train the rest.
    All are drawn by whole groups and stratified by class. Images with the same pixels count as one
    group.

    Args:
        manifest: the images.
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
    units, pool = splits.components(rows), tested_rows(manifest, settings)
    folds = []
    for part in _parts(manifest, units, pool, num_folds, settings.seed):
        fold = [""] * len(rows)
        for i in part:
            fold[i] = "test"
        rest = [i for i in pool if not fold[i]]
        val = {"val": settings.val_fraction or splits.SHARE}
        for i, split in zip(rest, splits.draw(rows, units, val, settings.seed, rest), strict=True):
            fold[i] = split
        splits.gate(manifest, fold, unit=settings.unit)
        folds.append(fold)
    return folds


def _parts(
    manifest: Manifest, units: list[int], pool: list[int], num_folds: int, seed: int
) -> list[list[int]]:
    """Deal the rows in `pool` into folds; return the row numbers of each fold."""
    rows = manifest.rows
    members = splits.members_of(units, pool)
    has_groups = any(rows[i].group for i in pool)
    noun = manifest.source.nouns[1] if has_groups else f"different {manifest.source.nouns[0]}"
    labels = np.array([rows[i].label for i in pool])
    of_class = labels if has_groups else labels[[copies[0] for copies in members]]
    commonest = max(Counter(of_class.tolist()).values())  # each fold needs one of a class
    most = min(len(members), commonest)
    if num_folds > most:
        images = manifest.source.nouns[0]
        reason = f"there are {noun}" if most == len(members) else f"no class has more {images}"
        hint = f"--folds {most}" if most > 1 else f"more {noun}"
        raise InputError("--folds", f"at most {most}, as {reason}", str(num_folds), hint)
    deal = splits.folds_of_groups if has_groups else _of_images
    parts = deal(labels, members, num_folds, seed)
    if not all(len(part) for part in parts):
        received = f"{len(members)} {noun} that do not fill {num_folds}"
        raise InputError("--folds", "images in each", received, "fewer")
    return [[pool[position] for position in part] for part in parts]


def _of_images(
    labels: splits.Labels, members: list[list[int]], num_folds: int, seed: int
) -> list[splits.Positions]:
    """Deal pictures into folds, stratified by class; all copies of a picture go into one fold."""
    from sklearn.model_selection import StratifiedKFold

    unit_labels = np.array([labels[copies[0]] for copies in members])
    folds = StratifiedKFold(num_folds, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of classes rarer than folds: `gate` decides
        units_of_folds = [units for _, units in folds.split(unit_labels, unit_labels)]
    return [np.concatenate([members[unit] for unit in units]) for units in units_of_folds]
