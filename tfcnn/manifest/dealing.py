"""Deal groups into folds as scikit-learn's `StratifiedGroupKFold` does, for millions of images too.

scikit-learn 1.9 goes through all images once per fold, and through all folds once per group and
fold. Here both are done in arrays. The folds are the same ones, so that a seed keeps its split.
"""

import numpy as np
import numpy.typing as npt

Counts = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.int64]


def folds(classes: Numbers, groups: Numbers, num_folds: int, seed: int) -> Numbers:
    """Return the fold of each image.

    Args:
        classes: int64 `(images,)`, the class of each image, counted from 0, none left out.
        groups: int64 `(images,)`, the group of each, likewise.
        num_folds: at most the number of groups.
        seed: of the draw.

    Returns:
        int64 `(images,)`, in [0, num_folds).

    Reference:
        `StratifiedGroupKFold._iter_test_indices` in sklearn/model_selection/_split.py, 1.9.
    """
    num_groups, num_classes = int(groups.max()) + 1, int(classes.max()) + 1
    cells = np.bincount(groups * num_classes + classes, minlength=num_groups * num_classes)
    counts = cells.reshape(num_groups, num_classes).astype(np.float64)
    order = np.arange(num_groups)
    # what scikit-learn makes of a seed; to import it would take a second
    np.random.RandomState(seed).shuffle(order)
    # groups of uneven classes first, for they are hardest to place
    order = order[np.argsort(-np.std(counts[order], axis=1), kind="stable")]
    in_fold, totals = np.zeros((num_folds, num_classes)), counts.sum(axis=0)
    fold_of = np.empty(num_groups, dtype=np.int64)
    for group in order:
        fold_of[group] = fold = _best_fold(in_fold, totals, counts[group])
        in_fold[fold] += counts[group]
    return np.asarray(fold_of[groups])


def _best_fold(in_fold: Counts, totals: Counts, group: Counts) -> int:
    """Return the fold with which the classes are spread most evenly over the folds.

    Args:
        in_fold: float64 `(folds, classes)`, images that are dealt already.
        totals: float64 `(classes,)`, images of all groups.
        group: float64 `(classes,)`, images of the group to deal.
    """
    num_folds = len(in_fold)
    tried = np.repeat(in_fold[np.newaxis], num_folds, axis=0)  # (tried fold, fold, class)
    places = np.arange(num_folds)
    tried[places, places] += group
    spreads = np.std(tried / totals, axis=1).mean(axis=1).tolist()
    sizes = in_fold.sum(axis=1).tolist()
    best, least, size = 0, spreads[0], sizes[0]
    for fold in range(1, num_folds):
        is_as_even = abs(spreads[fold] - least) <= 1e-8 + 1e-5 * abs(least)  # NumPy's `isclose`
        if spreads[fold] < least or (is_as_even and sizes[fold] < size):
            best, least, size = fold, spreads[fold], sizes[fold]
    return best
