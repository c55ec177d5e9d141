import numpy as np
import pytest
import sklearn.metrics
from evaluation.test_metrics import predictions

from tfcnn.evaluation.by_class import class_table
from tfcnn.evaluation.sample import Sample

NAMES = ["cat", "dog", "fish", "newt"]


def test_each_class_against_the_rest_equals_scikit_learn():
    labels, probs = predictions(3, 300, 4)
    rows = class_table(Sample(labels, probs, class_names=NAMES))
    expected = sklearn.metrics.precision_recall_fscore_support(labels, probs.argmax(axis=1))
    for k, row in enumerate(rows):
        assert (row["class"], row["images"]) == (NAMES[k], expected[3][k])
        for name, values in zip(("precision", "recall", "f1"), expected, strict=False):
            assert row[name]["value"] == pytest.approx(values[k])
            assert row[name]["low"] < row[name]["value"] < row[name]["high"]


def test_images_of_one_group_count_together():
    labels, probs = predictions(4, 400, 4)
    groups = np.repeat(np.arange(20), 20).astype(str)
    twice = np.repeat(groups, 2)
    once = class_table(Sample(labels, probs, groups))
    doubled = class_table(Sample(labels.repeat(2), probs.repeat(2, axis=0), twice))
    for one, other in zip(once, doubled, strict=True):
        assert one["recall"] == pytest.approx(other["recall"])


def test_what_no_image_shows_has_its_reason():
    labels = np.array([0, 0, 1, 1, 3, 3])
    rows = class_table(Sample(labels, np.eye(4)[[0, 0, 0, 1, 2, 2]], class_names=NAMES))
    reasons = {(row["class"], key): row[key].get("reason") for row in rows for key in row if key in
               ("precision", "recall", "f1")}  # fmt: skip
    assert reasons["newt", "precision"] == "no image is called newt"
    assert all(reasons["fish", key] == "no image of class fish" for key in ("precision", "f1"))
    # a share of exactly 1 has an exact bound: two images, each alone
    assert rows[0]["recall"]["low"] == pytest.approx(0.025**0.5)
    assert rows[3]["recall"]["high"] == pytest.approx(1 - 0.025**0.5)


def test_with_a_positive_class_the_metrics_of_the_split_say_it():
    labels, probs = predictions(5, 50, 2)
    assert class_table(Sample(labels, probs, positive=1)) == []
    assert len(class_table(Sample(labels, probs))) == 2
