"""Folds: every image tested once, nobody on two sides, official tests left alone."""

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from paper_manifests import on_paper, patients

from tfcnn.base.errors import InputError
from tfcnn.manifest import Manifest, folds, splits
from tfcnn.recipes import SplitSettings

SIZES = st.lists(st.integers(1, 40), min_size=6, max_size=40)


def in_groups(sizes: list[int], twins: set[int] = frozenset()) -> Manifest:
    """Return groups of two classes each; in `twins` a picture is the one of the group before."""
    groups, labels, pixels = [], [], []
    for group, size in enumerate(sizes):
        for number in range(size + 2):
            is_copy = group in twins and number == 0
            groups.append(f"P{group}")
            labels.append("ab"[number % 2])
            pixels.append(f"{group - is_copy}-{number}")
    return on_paper(groups, labels, pixels)


@settings(deadline=None, max_examples=40)
@given(
    sizes=SIZES,
    num_folds=st.integers(3, 6),
    seed=st.integers(0, 99),
    twins=st.sets(st.integers(1, 3), max_size=2),
)
def test_every_image_is_tested_once_and_no_group_crosses(sizes, num_folds, seed, twins):
    data = in_groups(sizes, twins)
    units = splits.components(data.rows)
    if num_folds > len(set(units)):
        num_folds = 3
    assigned = folds.assign(data, SplitSettings(seed=seed), num_folds)
    assert len(assigned) == num_folds
    tested = [[i for i, name in enumerate(fold) if name == "test"] for fold in assigned]
    assert sorted(i for fold in tested for i in fold) == list(range(len(data.rows)))
    for fold in assigned:
        sides: dict[int, set[str]] = {}
        for unit, name in zip(units, fold, strict=True):
            sides.setdefault(unit, set()).add(name)
        assert all(len(names) == 1 for names in sides.values())
        assert set(fold) == set(splits.NAMES)
        for name in ("train", "test"):
            assert {row.label for row, n in zip(data.rows, fold, strict=True) if n == name} == {
                "a", "b",
            }  # fmt: skip


def test_shares_and_classes_are_alike_in_all_folds():
    data = patients(100)
    share = sum(row.label == "sick" for row in data.rows) / len(data.rows)
    for fold in folds.assign(data, SplitSettings(), 5):
        counts = Counter(fold)
        rest = counts["train"] + counts["val"]
        assert counts["test"] / len(fold) == pytest.approx(0.2, abs=0.03)
        assert counts["val"] / rest == pytest.approx(0.15, abs=0.04)
        for name, allowed in (("train", 0.05), ("test", 0.05), ("val", 0.15)):  # few groups in val
            labels = [row.label for row, n in zip(data.rows, fold, strict=True) if n == name]
            assert labels.count("sick") / len(labels) == pytest.approx(share, abs=allowed)


def test_the_seed_decides_and_nothing_else():
    data = patients(40)
    first = folds.assign(data, SplitSettings(seed=1), 3)
    assert folds.assign(data, SplitSettings(seed=1), 3) == first
    assert folds.assign(data, SplitSettings(seed=2), 3) != first


def test_images_without_groups_are_stratified_and_copies_stay_together():
    pixels = [f"p{i // 2}" for i in range(400)]
    labels = [("a", "b", "b", "b")[i // 2 % 4] for i in range(400)]
    data = on_paper([""] * 400, labels, pixels)
    for fold in folds.assign(data, SplitSettings(), 4):
        assert Counter(fold)["test"] == 100
        tested = [row.label for row, n in zip(data.rows, fold, strict=True) if n == "test"]
        assert tested.count("a") == pytest.approx(25, abs=2)
        assert fold[::2] == fold[1::2]


def test_val_is_as_large_as_asked_for():
    data = on_paper([""] * 400, ["a", "b"] * 200)
    for fold in folds.assign(data, SplitSettings(val_fraction=0.05), 4):
        assert Counter(fold) == {"train": 285, "val": 15, "test": 100}


def test_a_demonstration_lets_groups_cross():
    data = patients(20)
    demonstration = SplitSettings(unit="image", demonstration=True)
    for fold in folds.assign(data, demonstration, 3):
        tested = {row.group for row, n in zip(data.rows, fold, strict=True) if n == "test"}
        trained = {row.group for row, n in zip(data.rows, fold, strict=True) if n == "train"}
        assert tested & trained


def test_the_official_test_set_is_left_untouched():
    rows = on_paper([""] * 150, ["a", "b"] * 75).rows
    official = ["train"] * 100 + ["val"] * 20 + ["test"] * 30
    rows = tuple(replace(row, official=name) for row, name in zip(rows, official, strict=True))
    data = replace(on_paper([""], ["a"]), rows=rows)
    for fold in folds.assign(data, SplitSettings(), 4):
        assert set(fold[120:]) == {""} and "" not in fold[:120]
        assert fold.count("test") == 30
    assert folds.tested_rows(data, SplitSettings()) == list(range(120))
    shipped = SplitSettings(test="none")
    assert folds.tested_rows(data, shipped) == list(range(150))
    assert all("" not in fold for fold in folds.assign(data, shipped, 4))


@pytest.mark.parametrize(
    ("data", "num_folds", "message"),
    [
        (patients(6), 1, "2 or more"),
        (patients(6), 7, "at most 6"),
        (on_paper(["A", "A", "B", "B"], ["a", "b"] * 2), 2, "at least 2 groups; received 1"),
        (on_paper([""] * 4, ["a", "b"] * 2), 5, "at most 2, as no class has more images"),
        (on_paper(["A", "B", "C", "D"], ["a", "a", "b", "b"]), 3, "at most 2, as no class"),
        (
            on_paper([f"P{i // 2}" for i in range(20)], ["a"] * 18 + ["b"] * 2),
            5,
            "every class",
        ),
    ],
)
def test_too_little_for_so_many_folds_is_refused(data, num_folds, message):
    with pytest.raises(InputError, match=message):
        folds.assign(data, SplitSettings(), num_folds)
