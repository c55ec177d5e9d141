"""Draw who goes where: whole groups, or single images, dealt by class and by a seed."""

import warnings
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np

from tfcnn.base.errors import InputError
from tfcnn.manifest.rows import Row

__all__ = ["SHARE", "draw", "folds_of_groups"]

FOLDS = 20  # 3 test + 3 val + 14 train: shares of 15, 15 and 70 %
SHARE = 0.15


def draw(
    rows: Sequence[Row],
    units: list[int],
    fractions: dict[str, float],
    seed: int,
    pool: Sequence[int],
) -> list[str]:
    """Split some rows by unit, stratified by class.

    Args:
        rows: of a manifest.
        units: for each row the number of the set that stays together, see `components`.
        fractions: the shares of `val` and `test`, in [0, 1]; what is left is `train`.
        seed: of the draw.
        pool: the row numbers to split; the splits returned are theirs.

    Raises:
        InputError: if there are too few groups or images to split.
    """
    fractions = {split: fraction for split, fraction in fractions.items() if fraction}
    if not fractions:
        return ["train"] * len(pool)
    members: dict[int, list[int]] = defaultdict(list)
    for position, i in enumerate(pool):
        members[units[i]].append(position)
    grouped = any(rows[i].group for i in pool)
    labels = np.array([rows[i].label for i in pool])
    splits = np.full(len(pool), "train", dtype=object)
    least = 1 + len(fractions)  # one for each split that is drawn, and one to train on
    if grouped and len(members) < least:
        received = str(len(members))
        raise InputError("data.split", f"at least {least} groups", received, "more patients")
    drawn = _by_groups if grouped else _by_images
    for split, positions in drawn(labels, list(members.values()), fractions, seed).items():
        splits[positions] = split
    return list(splits)


def _by_groups(
    labels: np.ndarray[Any, Any],
    members: list[list[int]],
    fractions: dict[str, float],
    seed: int,
) -> dict[str, list[int]]:
    counts = Counter(labels.tolist())
    if min(counts.values()) < 2:
        raise InputError("data", "at least 2 images of every class", "1", "more images of it")
    # scikit-learn refuses more folds than the commonest class has images, and only warns of a rare
    commonest = max(counts.values())
    num_folds = min(FOLDS, len(members), commonest)
    if num_folds <= len(fractions):  # a fold for each split that is drawn, and one to train on
        least = f"at least {1 + len(fractions)} images of some class"
        raise InputError("data", least, str(commonest), "more images")
    parts = folds_of_groups(labels, members, num_folds, seed)
    chosen: dict[str, list[int]] = {}
    waiting = len(fractions)  # splits, train among them, that want a fold after this one
    for split, fraction in fractions.items():
        taken, parts = _up_to(fraction * len(labels), parts, waiting)
        chosen[split] = np.concatenate(taken).tolist()
        waiting -= 1
    return chosen


def _up_to(wanted: float, parts: list[Any], spared: int) -> tuple[list[Any], list[Any]]:
    """Take folds while each brings the number of images nearer to what is wanted.

    A patient of many images fills a fold with more than its share; one that would take too much
    is passed over, and goes to another split.

    Args:
        wanted: so many images.
        parts: folds, positions of images each.
        spared: how many of them are left at least.

    Returns:
        The folds taken, at least one, and the others, in order.
    """
    taken: list[Any] = []
    left: list[Any] = []
    count = 0
    for number, part in enumerate(parts):
        is_nearer = abs(count + len(part) - wanted) < abs(count - wanted)
        must = not taken and number + 1 == len(parts) - spared
        if (is_nearer or must) and len(taken) < len(parts) - spared:
            taken.append(part)
            count += len(part)
        else:
            left.append(part)
    return taken, left


def folds_of_groups(
    labels: np.ndarray[Any, Any], members: list[list[int]], num_folds: int, seed: int
) -> list[np.ndarray[Any, np.dtype[np.int64]]]:
    """Deal groups, given as the positions of their images, into folds; returns positions."""
    from sklearn.model_selection import StratifiedGroupKFold

    groups = np.empty(len(labels), dtype=np.int64)
    for number, positions in enumerate(members):
        groups[positions] = number
    folds = StratifiedGroupKFold(num_folds, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return [test for _, test in folds.split(labels, labels, groups)]


def _by_images(
    labels: np.ndarray[Any, Any],
    members: list[list[int]],
    fractions: dict[str, float],
    seed: int,
) -> dict[str, list[int]]:
    """`StratifiedShuffleSplit` of the pictures; copies of one picture go where it goes."""
    from sklearn.model_selection import train_test_split

    left = np.arange(len(members))
    heads = np.array([labels[positions[0]] for positions in members])
    chosen: dict[str, list[int]] = {}
    for split, fraction in fractions.items():
        count = max(round(fraction * len(members)), len(set(heads)))
        try:
            left, taken = train_test_split(
                left, test_size=count, stratify=heads[left], random_state=seed
            )
        except ValueError as error:
            raise InputError(
                "data", "at least 3 different images of every class", str(error), "more images"
            ) from error
        chosen[split] = [position for unit in taken for position in members[unit]]
    return chosen
