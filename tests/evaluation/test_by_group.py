import numpy as np
import pytest
from scipy import stats

from tfcnn.evaluation.by_group import (
    FEW_GROUPS,
    Rule,
    choose,
    group_table,
    measure,
    pooled,
    sentences,
    warning,
)
from tfcnn.evaluation.sample import Sample


def clinic(shares, infected, cells=20):
    """Labels, probabilities and patients; a share of each patient's cells scores positive."""
    labels, scores, groups = [], [], []
    for number, (share, is_infected) in enumerate(zip(shares, infected, strict=True)):
        called = np.arange(cells) < round(share * cells)
        scores += list(np.where(called, 0.9, 0.1))
        labels += [int(is_infected and i < 3) for i in range(cells)]
        groups += [f"C{number:02}"] * cells
    return np.array(labels), np.stack([1 - np.array(scores), scores], axis=1), np.array(groups)


def sample(labels, probs, groups, positive=1, class_names=None):
    return Sample(labels, probs, groups, positive=positive, class_names=class_names)


VAL = clinic([0.0, 0.05, 0.1, 0.3, 0.5, 0.8], [False, False, False, True, True, True])


def test_the_limit_lies_midway_between_healthy_and_infected():
    rule = choose(sample(*VAL))
    assert rule.least_share == pytest.approx(0.2)
    assert "3 positive and 3 negative groups" in rule.reason


def test_of_equal_limits_the_more_specific_is_taken():
    val = clinic([0.0, 0.4, 0.2, 0.6], [False, False, True, True])
    assert choose(sample(*val)).least_share == pytest.approx(0.5)


def test_calls_and_exact_intervals():
    rule = Rule(0.2, "chosen")
    shares, infected = [0.0, 0.3, 0.1, 0.5, 0.9], [False, False, True, True, True]
    found = measure(sample(*clinic(shares, infected)), rule)
    assert [row["group"] for row in found["groups"]] == ["C04", "C03", "C01", "C02", "C00"]
    assert found["groups"][0] == {
        "group": "C04", "images": 20, "called_share": 0.9, "is_positive": True, "is_called": True,
    }  # fmt: skip
    for name, hits, total in (("sensitivity", 2, 3), ("specificity", 1, 2)):
        exact = stats.binomtest(hits, total).proportion_ci(0.95, method="exact")
        row = found[name]
        assert (row["value"], row["groups"]) == (pytest.approx(hits / total), total)
        assert (row["low"], row["high"]) == pytest.approx((exact.low, exact.high))
    whole = measure(sample(*clinic([0, 0, 1], [False, False, True])), rule)["specificity"]
    assert (whole["value"], whole["high"]) == (1.0, 1.0)
    assert whole["low"] == pytest.approx(0.025 ** (1 / 2))


@pytest.mark.parametrize(
    ("val", "positive", "why"),
    [
        (clinic([0.5, 0.4], [True, True]), 1, "val has no negative group among its 2"),
        (clinic([0.5, 0.4], [False, False]), 1, "val has no positive group among its 2"),
        (clinic([0.5], [True]), 1, "no negative group"),
        (VAL, None, "no positive class"),
        ((*VAL[:2], None), 1, "no groups are known"),
    ],
)
def test_without_both_kinds_of_group_there_is_no_rule(val, positive, why):
    rule = choose(sample(*val, positive=positive))
    assert rule.least_share is None and why in rule.reason
    found = measure(sample(*VAL), rule)
    assert found["sensitivity"]["value"] is None and found["sensitivity"]["reason"] == rule.reason
    assert found["groups"][0]["is_called"] is None
    assert sentences({"rule": rule.to_dict(), "splits": {"test": found}}, "test") == [
        f"Per group: {rule.reason}."
    ]


def test_a_split_of_one_kind_has_one_figure():
    found = measure(sample(*clinic([0.1, 0.3], [False, False])), Rule(0.2, "chosen"))
    assert found["sensitivity"]["reason"] == "no positive group"
    assert found["specificity"]["value"] == 0.5


def test_rows_are_sorted_by_errors_and_add_up():
    labels = np.array([0, 0, 1, 1, 1, 0, 1])
    predicted = np.array([0, 1, 1, 0, 0, 0, 0])
    groups = np.array(["b", "b", "b", "a", "a", "c", "d"])
    rows = group_table(
        sample(labels, np.eye(2)[predicted], groups, class_names=["healthy", "infected"])
    )
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


def test_calls_of_parts_by_rules_of_their_own_are_pooled():
    rows = [
        {"group": "a", "images": 4, "called_share": 0.2, "is_positive": True, "is_called": True},
        {"group": "b", "images": 4, "called_share": 0.3, "is_positive": True, "is_called": False},
        {"group": "c", "images": 4, "called_share": 0.1, "is_positive": False, "is_called": False},
    ]
    parts = [{"groups": rows[:1], "sensitivity": {}}, {"groups": rows[1:], "sensitivity": {}}]
    found = pooled(parts)
    assert [row["group"] for row in found["groups"]] == ["b", "a", "c"]
    assert (found["sensitivity"]["value"], found["sensitivity"]["groups"]) == (0.5, 2)
    assert (found["specificity"]["value"], found["specificity"]["groups"]) == (1.0, 1)
    without = [{**rows[0], "is_called": None}]
    parts.append({"groups": without, "sensitivity": {"reason": "no rule: few"}})
    assert pooled(parts)["sensitivity"]["reason"] == "no rule: few"
