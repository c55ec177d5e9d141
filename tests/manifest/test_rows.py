"""The manifest: hashes, groups, memory, and what is set aside."""

import hashlib
import os
import shutil

import numpy as np
import pytest
from conftest import run_tfcnn
from PIL import Image

from tfcnn import manifest
from tfcnn.base.errors import InputError
from tfcnn.datasets.folder import open_folder
from tfcnn.manifest.rows import DIM_NOTE


def test_rows_are_sorted_hashed_and_grouped(make_tree):
    root = make_tree()
    data = manifest.build(open_folder(root), group_regex=r"^(P\d+)_")
    assert [row.path for row in data.rows] == sorted(row.path for row in data.rows)
    assert data.class_names == ("round", "square")
    assert {row.group for row in data.rows} == {f"P{i}" for i in range(6)}
    first = data.rows[0]
    assert first.sha256 == hashlib.sha256((root / first.path).read_bytes()).hexdigest()
    assert data.summary() == "48 images of 6 groups"


def test_pixels_are_hashed_whatever_the_format(make_tree):
    root = make_tree()
    original = root / "round" / "P0_0.png"
    Image.open(original).save(root / "round" / "copy.bmp")
    rows = {row.path: row for row in manifest.build(open_folder(root)).rows}
    assert rows["round/copy.bmp"].pixels_sha256 == rows["round/P0_0.png"].pixels_sha256
    assert rows["round/copy.bmp"].sha256 != rows["round/P0_0.png"].sha256


def test_known_files_are_not_opened_again(make_tree, monkeypatch):
    source = open_folder(make_tree())
    first = manifest.build(source)
    monkeypatch.setattr(
        manifest.rows, "open_image", lambda *_: pytest.fail("opened an image again")
    )
    assert manifest.build(source).rows == first.rows


def test_a_changed_file_is_hashed_again(make_tree):
    root = make_tree()
    before = {row.path: row for row in manifest.build(open_folder(root)).rows}
    Image.fromarray(np.zeros((9, 9, 3), np.uint8)).save(root / "round" / "P0_0.png")
    after = {row.path: row for row in manifest.build(open_folder(root)).rows}
    changed = [path for path in before if before[path].sha256 != after[path].sha256]
    assert changed == ["round/P0_0.png"]


def test_verify_hashes_everything_again(make_tree):
    root = make_tree()
    source = open_folder(root)
    path = root / "round" / "P0_0.png"
    path.write_bytes(path.read_bytes().ljust(5000, b"\0"))
    before = {row.path: row.sha256 for row in manifest.build(source).rows}
    status = path.stat()
    Image.fromarray(np.full((32, 32, 3), 7, np.uint8)).save(path)
    path.write_bytes(path.read_bytes().ljust(status.st_size, b"\0"))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    remembered = {row.path: row.sha256 for row in manifest.build(source).rows}
    verified = {row.path: row.sha256 for row in manifest.build(source, verify=True).rows}
    assert before == remembered
    assert [name for name in before if before[name] != verified[name]] == ["round/P0_0.png"]


def test_unreadable_images_are_set_aside_with_a_reason(make_tree):
    root = make_tree()
    (root / "round" / "P0_9.png").write_bytes(b"")
    (root / "round" / "P0_8.png").write_text("no image")
    data = manifest.build(open_folder(root))
    reasons = {row.path: row.unreadable for row in data.quarantined}
    assert "0 bytes" in reasons["round/P0_9.png"] and reasons["round/P0_8.png"]
    assert len(data.rows) == 48


def test_many_unreadable_images_are_refused(make_tree):
    root = make_tree()
    for i in range(6):
        (root / "round" / f"bad{i}.png").write_bytes(b"")
    with pytest.raises(InputError, match=r"at most 5 unreadable images; received 6"):
        manifest.build(open_folder(root))


def test_a_class_without_a_readable_image_is_refused(make_tree):
    root = make_tree()
    (root / "third").mkdir()
    (root / "third" / "bad.png").write_bytes(b"")
    with pytest.raises(InputError, match="class third"):
        manifest.build(open_folder(root))


def test_groups_from_a_csv(make_tree, tmp_path):
    root = make_tree()
    source = open_folder(root)
    table = tmp_path / "groups.csv"
    lines = [f"{item.path},slide{i % 5}" for i, item in enumerate(source.items)]
    table.write_text("\n".join(["path,group", *lines]))
    data = manifest.build(source, group_csv=str(table))
    assert {row.group for row in data.rows} == {f"slide{i}" for i in range(5)}
    table.write_text("\n".join(["path,group", *lines[1:]]))
    with pytest.raises(InputError, match="none for 1 images"):
        manifest.build(source, group_csv=str(table))


def test_an_image_of_two_groups_is_named(make_tree, tmp_path):
    source = open_folder(make_tree())
    table = tmp_path / "groups.csv"
    lines = [f"{item.path},p{i % 4}" for i, item in enumerate(source.items)]
    table.write_text("\n".join(["path,group", *lines, lines[3]]))
    assert len(manifest.build(source, group_csv=str(table)).rows) == 48, "the same, said twice"
    table.write_text("\n".join(["path,group", *lines, f"{source.items[3].path},p9"]))
    with pytest.raises(InputError, match=r"P0_3\.png: expected one group; received p3 and p9"):
        manifest.build(source, group_csv=str(table))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", r"groups\.csv: expected a CSV .* received an empty file"),
        ("file,slide\na.png,p1\n", "received file, slide; try .*--path-column and --group-col"),
        ("path,group\na,b.png,p1\n", r"2 values in each row; received 3 in row 2; try quotes"),
        ("path,group\n0.png,p1\n", r"received none for 48 .* 1 of 1 rows name no image .* 0\.png"),
    ],
)
def test_a_csv_without_its_columns_is_told_apart(make_tree, tmp_path, content, message):
    table = tmp_path / "groups.csv"
    table.write_text(content)
    with pytest.raises(InputError, match=message):
        manifest.build(open_folder(make_tree()), group_csv=str(table))


def test_pictures_in_two_classes_are_a_note(make_tree):
    root = make_tree()
    assert manifest.build(open_folder(root)).notes == ()
    shutil.copy(root / "round/P0_0.png", root / "square/P9_0.png")
    (note,) = manifest.build(open_folder(root)).notes
    assert note.startswith("1 picture is in two classes at once, such as ")
    assert "round/P0_0.png = square/P9_0.png" in note


@pytest.mark.parametrize("peak", [4095, 65535])
def test_16_bit_images_that_would_be_black_are_a_note(tmp_path, peak):
    pixels = np.linspace(0, peak, 64).astype(np.uint16).reshape(8, 8)
    for class_name in ("round", "square"):
        (tmp_path / class_name).mkdir()
        Image.fromarray(pixels).save(tmp_path / class_name / "cell.tif")
        pixels = pixels[::-1]
    notes = manifest.build(open_folder(tmp_path)).notes
    assert [note == DIM_NOTE for note in notes] == ([True] if peak == 4095 else [])


def test_a_blank_makes_no_other_patient(make_tree, tmp_path):
    source = open_folder(make_tree())
    table = tmp_path / "groups.csv"
    lines = [f"{item.path},p{i % 4}{' ' * (i % 2)}" for i, item in enumerate(source.items)]
    table.write_text("\n".join(["path,group", *lines]))
    data = manifest.build(source, group_csv=str(table))
    assert {row.group for row in data.rows} == {"p0", "p1", "p2", "p3"}


@pytest.mark.parametrize(
    ("regex", "message"),
    [("^(X)", "matches; received none for 48 images, this one first"), ("(", "regular expression")],
)
def test_a_regex_that_does_not_fit_is_named(make_tree, regex, message):
    with pytest.raises(InputError, match=message) as info:
        manifest.build(open_folder(make_tree()), group_regex=regex)
    assert str(info.value).count(".png") <= 1, "the image is named once"


def test_a_training_that_is_refused_leaves_no_folder(make_tree, home):
    result = run_tfcnn("train", make_tree(), "--set", "data.group_regex='^(X)'")
    assert result.returncode == 2 and "this one first" in result.stderr
    assert not (home / "models").exists()


def test_an_image_that_could_not_be_read_is_tried_again(make_tree, monkeypatch):
    source = open_folder(make_tree())
    path = source.items[0].path
    read = type(source).read
    with monkeypatch.context() as patch:
        patch.setattr(
            type(source), "read", lambda s, p: (_ for _ in ()).throw(OSError(13, "denied"))
            if p == path else read(s, p),
        )  # fmt: skip
        assert [row.path for row in manifest.build(source).quarantined] == [path]
    assert not manifest.build(source).quarantined
