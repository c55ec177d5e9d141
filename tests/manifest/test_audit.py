"""What `check` finds: all that training would refuse, and which files are to blame."""

import pytest
from conftest import recipe_of
from dataset_fakes import write_files

from tfcnn.base.errors import InputError
from tfcnn.base.progress import Reporter
from tfcnn.manifest.audit import Audit, audit
from tfcnn.manifest.findings import named


def audited(root: object, **data: object) -> Audit:
    return audit(recipe_of(str(root), **data).data, Reporter())


def test_files_too_many_of_which_are_unreadable_are_listed(make_tree):
    root = make_tree()
    for i in range(7):
        (root / "round" / f"bad{i}.png").write_bytes(b"")
    report = audited(root)
    assert report.is_blocking and "at most 5 unreadable images" in report.lines()[1]
    finding = report.findings[0]
    assert [line.split(":")[0] for line in finding.examples] == [
        f"round/bad{i}.png" for i in range(7)
    ]
    assert "0 bytes" in report.lines()[2] and "and 2 more (--json lists all)" in report.lines()[7]
    assert report.counts == {"round": 24, "square": 24}, "the others are looked at"
    assert list(report.counts) == ["round", "square"]
    for i in range(2):
        (root / "round" / f"bad{i}.png").unlink()
    lines = audited(root).lines()
    assert "    round/bad6.png" in " ".join(lines) and not any(" 0 more" in line for line in lines)


def test_files_that_are_no_images_are_named_by_class(make_tree):
    root = make_tree()
    for name in ("square/notes.txt", "round/table.csv"):
        (root / name).write_text("a,b\n")
    report = audited(root)
    left_out = [one for one in report.findings if one.kind == "left-out"]
    begins = [line.split(":")[0] for one in left_out for line in one.examples]
    assert begins == ["round/table.csv", "square/notes.txt"]
    grid = report.panel().grids[-1]
    assert {len(row) for row in grid.rows} == {3}, "a column for the examples"


def test_of_a_large_set_of_copies_six_are_named():
    assert named("abcdefgh", ", ") == "a, b, c, d, e, f and 2 more"
    assert named("abcdef", ", ") == "a, b, c, d, e, f"


def test_a_split_that_training_would_refuse_is_a_finding(make_tree):
    root = make_tree(groups=2)
    assert not audited(root).is_blocking
    report = audited(root, group_regex=r"^(P\d)")
    assert "at least 3 groups; received 2" in report.lines()[1] and report.is_blocking
    (root / "third").mkdir()
    (root / "round" / "P0_0.png").rename(root / "third" / "P0_0.png")
    report = audited(root)
    assert "at least 3 different images of every class" in report.lines()[1] and report.is_blocking


def test_groups_come_from_one_place(make_tree):
    with pytest.raises(InputError, match="expected group_regex or group_csv; received both"):
        audited(make_tree(), group_regex="^(P)", group_csv="groups.csv")


def test_many_classes_are_told_in_a_few_lines(tmp_path):
    write_files(tmp_path, [f"n{i:03}/{j}.png" for i in range(60) for j in range(4)])
    report = audited(tmp_path)
    lines = report.lines()
    assert lines[0].endswith("n019 4, 40 more classes") and len(report.counts) == 60
    assert "note: 60 of 60 classes have fewer than 20 images" in lines
    assert len(lines) < 20 and max(map(len, lines)) < 400


def test_a_split_that_the_folder_is_in_is_said(make_tree, tmp_path):
    for part, groups in (("train", 8), ("eval", 2)):
        make_tree(name=f"given/{part}", groups=groups, seed=groups)
    lines = audited(tmp_path / "given").lines()
    assert "note: split already: train 64, test 16; val is drawn from train" in lines
    assert not any("a split is by image" in line for line in lines)
