"""Splits: whole groups, all classes, the same anywhere, and refused where they leak."""

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from paper_manifests import on_paper, patients

from tfcnn import manifest
from tfcnn.base.errors import CheckError, InputError
from tfcnn.datasets.folder import open_folder
from tfcnn.manifest import Manifest, splits
from tfcnn.recipes import SplitSettings


@pytest.mark.parametrize("num_classes", [2, 100])
def test_two_images_of_every_class_in_groups_are_too_few_to_split(num_classes):
    labels = [f"class {i // 2}" for i in range(2 * num_classes)]
    groups = [f"P{i}" for i in range(2 * num_classes)]
    with pytest.raises(InputError, match="at least 3 images of some class; received 2"):
        splits.assign(on_paper(groups, labels), SplitSettings())


@settings(deadline=None, max_examples=8)
@given(count=st.integers(6, 150), seed=st.integers(0, 100))
@example(count=62, seed=10)  # one patient has a seventh of all images
def test_no_group_is_on_two_sides_and_shares_are_near(count, seed):
    data = patients(count, seed)
    assigned = splits.assign(data, SplitSettings(seed=seed))
    splits.gate(data, assigned)
    sides: dict[str, set[str]] = {}
    for row, split in zip(data.rows, assigned, strict=True):
        sides.setdefault(row.group, set()).add(split)
    assert all(len(names) == 1 for names in sides.values())
    assert {next(iter(names)) for names in sides.values()} == set(splits.NAMES)
    if count >= 60:
        shares = {name: n / len(assigned) for name, n in Counter(assigned).items()}
        assert all(0.08 < shares[name] < 0.25 for name in ("val", "test"))


def test_the_seed_decides_and_nothing_else():
    data = patients(40)
    first = splits.assign(data, SplitSettings(seed=1))
    assert splits.assign(data, SplitSettings(seed=1)) == first
    assert splits.assign(data, SplitSettings(seed=2)) != first


def test_images_without_groups_are_split_in_15_15_70():
    labels = ["a"] * 100 + ["b"] * 300
    data = on_paper([""] * 400, labels)
    assigned = splits.assign(data, SplitSettings())
    assert Counter(assigned) == {"train": 280, "val": 60, "test": 60}
    tested = Counter(label for label, s in zip(labels, assigned, strict=True) if s == "test")
    assert tested == {"a": 15, "b": 45}


def test_copies_of_a_picture_stay_together():
    pixels = [f"p{i // 4}" for i in range(400)]
    data = on_paper([""] * 400, ["a", "b"] * 200, pixels)
    splits.gate(data, splits.assign(data, SplitSettings()))


def test_copies_join_groups():
    rows = on_paper(["A", "A", "B", "C"], ["a", "b", "a", "b"], ["1", "2", "2", "3"]).rows
    assert splits.components(rows) == [0, 0, 0, 1]
    apart = [replace(row, group="") for row in rows]
    assert splits.components(apart) == [0, 1, 1, 2]


def test_test_none_keeps_all_but_val():
    assigned = splits.assign(patients(40), SplitSettings(test="none"))
    assert set(assigned) == {"train", "val"}


def test_a_split_by_image_must_be_called_a_demonstration():
    with pytest.raises(ValueError, match="demonstration"):
        SplitSettings(unit="image")
    data = patients(40)
    assigned = splits.assign(data, SplitSettings(unit="image", demonstration=True))
    sides: dict[str, set[str]] = {}
    for row, split in zip(data.rows, assigned, strict=True):
        sides.setdefault(row.group, set()).add(split)
    assert any(len(names) > 1 for names in sides.values())
    splits.gate(data, assigned, unit="image")
    with pytest.raises(CheckError):
        splits.gate(data, assigned)


def test_under_three_groups_is_refused():
    with pytest.raises(InputError, match="at least 3 groups; received 2"):
        splits.assign(on_paper(["A", "A", "B", "B"], ["a", "b", "a", "b"]), SplitSettings())


def test_three_groups_give_one_to_each_split():
    data = on_paper(["A", "B", "C"] * 8, ["a", "a", "a", "b", "b", "b"] * 4)
    assigned = splits.assign(data, SplitSettings())
    assert {frozenset(splits.select(assigned, name) % 3) for name in splits.NAMES} == {
        frozenset({0}),
        frozenset({1}),
        frozenset({2}),
    }


def test_a_crossing_group_and_crossing_pixels_are_named():
    data = on_paper(["A", "A", "B"], ["a", "b", "a"])
    with pytest.raises(CheckError, match=r"group A in train .* and in test"):
        splits.gate(data, ["train", "test", "val"])
    twins = on_paper(["", "", ""], ["a", "b", "a"], ["1", "1", "2"])
    with pytest.raises(CheckError, match="the same pixels"):
        splits.gate(twins, ["train", "val", "train"])


def test_a_split_without_a_class_in_train_is_refused():
    data = on_paper(["", "", ""], ["a", "b", "a"])
    with pytest.raises(InputError, match="none of b"):
        splits.gate(data, ["train", "val", "train"])


def _official(data: Manifest, official: list[str], *, is_benchmark: bool = False) -> Manifest:
    rows = tuple(replace(row, official=name) for row, name in zip(data.rows, official, strict=True))
    return replace(data, rows=rows, source=replace(data.source, is_benchmark=is_benchmark))


def test_the_official_test_set_is_kept_and_val_is_a_tenth():
    data = on_paper([""] * 120, ["a", "b"] * 60)
    data = _official(data, ["train"] * 100 + ["test"] * 20)
    assigned = splits.assign(data, SplitSettings())
    assert assigned[100:] == ["test"] * 20
    assert Counter(assigned[:100]) == {"train": 90, "val": 10}


def test_val_is_as_large_as_asked_for():
    data = on_paper([""] * 400, ["a", "b"] * 200)
    fraction = SplitSettings(val_fraction=0.05)
    assert Counter(splits.assign(data, fraction)) == {"train": 320, "val": 20, "test": 60}
    official = _official(data, ["train"] * 200 + ["test"] * 200)
    assert Counter(splits.assign(official, fraction)) == {"train": 190, "val": 10, "test": 200}
    grouped = splits.assign(patients(100), SplitSettings(val_fraction=0.3))
    assert 0.2 < Counter(grouped)["val"] / len(grouped) < 0.4


def test_a_val_that_is_given_has_the_size_it_has():
    data = _official(on_paper([""] * 6, ["a", "b"] * 3), ["train", "val", "test"] * 2)
    with pytest.raises(InputError, match=r"val_fraction.*expected none"):
        splits.assign(data, SplitSettings(val_fraction=0.1))


def test_doubles_of_a_benchmark_are_left_out_and_those_of_a_user_refused():
    pixels = [f"p{i}" for i in range(119)] + ["p0"]
    data = on_paper([""] * 120, ["a", "b"] * 60, pixels)
    official = ["train"] * 100 + ["test"] * 20
    theirs = _official(data, official, is_benchmark=True)
    assigned = splits.assign(theirs, SplitSettings())
    assert assigned[0] == ""
    splits.gate(theirs, assigned)
    ours = _official(data, official)
    with pytest.raises(CheckError, match="--resplit"):
        splits.gate(ours, splits.assign(ours, SplitSettings()))


def test_a_split_file_is_read_back_and_a_changed_image_is_noticed(make_tree, tmp_path):
    root = make_tree()
    data = manifest.build(open_folder(root), group_regex=r"^(P\d+)_")
    assigned = splits.assign(data, SplitSettings())
    path = tmp_path / "split.csv"
    splits.write(data, assigned, path)
    assert splits.read(path, data) == assigned
    text = path.read_text()
    path.write_text(text.replace(data.rows[3].sha256, "0" * 64))
    with pytest.raises(CheckError, match="another sha256"):
        splits.read(path, data)
    path.write_text("path,split\nround/unknown.png,train\n")
    with pytest.raises(InputError, match=r"unknown\.png"):
        splits.read(path, data)
    path.write_text("nothing,here\n")
    with pytest.raises(InputError, match="columns path,split"):
        splits.read(path, data)


def test_the_groups_of_a_given_split_are_not_forgotten(make_tree, tmp_path):
    root = make_tree()
    grouped = manifest.build(open_folder(root), group_regex=r"^(P\d+)_")
    path = tmp_path / "split.csv"
    splits.write(grouped, splits.assign(grouped, SplitSettings()), path)
    with pytest.raises(InputError, match="group_regex"):
        splits.read(path, manifest.build(open_folder(root)))


def test_a_rare_class_does_not_shrink_train():
    labels = ["a"] * 600 + ["b"] * 600
    labels[5] = labels[305] = labels[505] = "rare"
    data = on_paper([f"g{i % 60}" for i in range(1200)], labels)
    assigned = splits.assign(data, SplitSettings())
    assert 0.6 < Counter(assigned)["train"] / 1200 < 0.8


def test_a_complete_official_split_needs_no_third_group():
    data = on_paper(["A", "B", "C", "D"] * 2, ["a"] * 4 + ["b"] * 4)
    official = _official(data, ["train", "train", "val", "test"] * 2)
    assert splits.assign(official, SplitSettings()) == ["train", "train", "val", "test"] * 2
    without = splits.assign(official, SplitSettings(test="none"))
    assert without == ["train", "train", "val", "train"] * 2
