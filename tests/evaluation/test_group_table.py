import numpy as np
import pytest

from tfcnn.evaluation.groups import FEW_GROUPS, group_table, warning


def test_rows_are_sorted_by_errors_and_add_up():
    labels = np.array([0, 0, 1, 1, 1, 0, 1])
    predicted = np.array([0, 1, 1, 0, 0, 0, 0])
    groups = np.array(["b", "b", "b", "a", "a", "c", "d"])
    rows = group_table(labels, np.eye(2)[predicted], groups, ["healthy", "infected"])
    assert [row["group"] for row in rows] == ["a", "d", "b", "c"]
    assert rows[0] == {
        "group": "a",
        "images": 2,
        "per_class": {"healthy": 0, "infected": 2},
        "errors": 2,
        "accuracy": 0.0,
    }
    assert rows[2]["accuracy"] == pytest.approx(2 / 3)
    assert sum(row["images"] for row in rows) == 7
    assert sum(row["errors"] for row in rows) == (labels != predicted).sum()


@pytest.mark.parametrize(
    ("groups", "expected"),
    [
        (None, "No patients are known"),
        (["a", "a"], "All images come from one of the patients"),
        (["a", "b", "b"], "2 patients only: below 40"),
        ([str(i) for i in range(FEW_GROUPS - 1)], "39 patients only"),
    ],
)
def test_few_groups_are_warned_of(groups, expected):
    assert warning(groups, noun="patients").startswith(expected)


def test_enough_groups_need_no_word():
    assert warning([str(i) for i in range(FEW_GROUPS)]) == ""
