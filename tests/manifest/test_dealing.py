"""Groups are dealt into folds as scikit-learn deals them: a seed keeps its split."""

import numpy as np
import pytest
from sklearn.model_selection import StratifiedGroupKFold

from tfcnn.manifest import dealing, splits


def drawn(case):
    """Return classes and groups of some images; sizes of groups, and rare classes, differ."""
    rng = np.random.default_rng(case)
    num_groups, num_classes = int(rng.integers(3, 50)), int(rng.integers(2, 12))
    size = num_groups * int(rng.integers(2, 12))
    skew = 1 if case % 2 else 3
    groups = (rng.random(size) ** skew * num_groups).astype(np.int64)
    groups = np.concatenate([np.arange(num_groups), groups])
    # in every third case a group has one class
    classes = groups if case % 3 == 0 else rng.integers(0, num_classes, len(groups))
    return np.unique(classes % num_classes, return_inverse=True)[1], groups


@pytest.mark.parametrize("case", range(60))
@pytest.mark.filterwarnings("ignore:The least populated class:UserWarning")
def test_the_folds_are_those_of_scikit_learn(case):
    classes, groups = drawn(case)
    most = min(groups.max() + 1, np.bincount(classes).max(), 20)
    num_folds = int(np.random.default_rng(case).integers(2, most + 1))
    theirs = StratifiedGroupKFold(num_folds, shuffle=True, random_state=case)
    ours = dealing.folds(classes, groups, num_folds, case)
    for fold, (_, rows) in enumerate(theirs.split(groups, classes, groups)):
        np.testing.assert_array_equal(np.flatnonzero(ours == fold), rows)


def test_more_folds_than_images_of_any_class_are_refused():
    labels, members = np.array(["a", "a", "b", "b"]), [[0], [1], [2], [3]]
    with pytest.raises(ValueError, match="3 folds of at most 2 images"):
        splits.folds_of_groups(labels, members, 3, seed=0)
