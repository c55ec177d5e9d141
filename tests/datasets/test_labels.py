"""Labels from a table: what is read, what is left out, and what is refused in one line."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Heard, recipe_of, run_tfcnn, write_tree
from dataset_fakes import write_files
from hypothesis import given, settings
from hypothesis import strategies as st

from tfcnn import manifest
from tfcnn.base.errors import InputError
from tfcnn.datasets import Source, allowed_losses
from tfcnn.datasets.folder import open_any
from tfcnn.manifest import splits
from tfcnn.training import prepare

HEADER = "path,label,group,split"
IMAGES = [f"P{i % 6}_{i:02}.png" for i in range(24)]


def label_of(i: int) -> str:
    return "round" if i // 6 % 2 else "square"


ROWS = [f"{name},{label_of(i)},{name[:2]}," for i, name in enumerate(IMAGES)]


@pytest.fixture
def images(tmp_path: Path) -> Path:
    return write_files(tmp_path / "images", IMAGES)


def opened(images: Path, text: str | bytes, **data: object) -> Source:
    table = images.parent / "labels.csv"
    table.write_bytes(text if isinstance(text, bytes) else text.encode())
    return open_any(recipe_of(images, labels_csv=str(table), **data).data, Heard())


def lines(*rows: str, header: str = HEADER) -> str:
    return "\n".join([header, *rows])


def test_images_get_label_group_and_split_of_their_row(images):
    words = ["train", "Training", "VALID", "test"]
    rows = [f"{row}{words[i % 6 % 4]}" for i, row in enumerate(ROWS)]
    source = opened(images, lines(*rows))
    by_path = {item.path: item for item in source.items}
    assert [by_path[name].label for name in IMAGES] == [label_of(i) for i in range(24)]
    assert [by_path[name].group for name in IMAGES] == [name[:2] for name in IMAGES]
    assert [by_path[name].official for name in IMAGES[:4]] == ["train", "train", "val", "test"]
    assert source.left_out == () and source.notes == ()
    listed = manifest.build(source)
    assert listed.group_rule == f"from {source.labels_csv}"
    assert splits.assign(listed, recipe_of(images).data.split) == [r.official for r in listed.rows]


@pytest.mark.parametrize("splits", [("",), ("train/", "train/", "test/")])
def test_the_order_is_that_of_class_folders(splits, images, tmp_path):
    """So the same seed gives the same split, and the same network."""
    places = [f"{splits[i % len(splits)]}{label_of(i)}/{name}" for i, name in enumerate(IMAGES)]
    items = open_any(recipe_of(write_files(tmp_path / "cells", places)).data, Heard()).items
    rows = [f"{row}{splits[i % len(splits)].rstrip('/')}" for i, row in enumerate(ROWS)]
    found = opened(images, lines(*rows[::-1])).items
    assert [f"{one.official}/{one.label}/{one.path}".lstrip("/") for one in found] == [
        item.path for item in items
    ]
    assert [one.official for one in found] == [item.official for item in items]


def test_folders_mean_nothing(tmp_path):
    images = write_files(tmp_path / "images", [f"square/{n}" if i % 3 else f"x/y/{n}"
                                               for i, n in enumerate(IMAGES)])  # fmt: skip
    source = opened(images, lines(*ROWS))
    assert {item.path.rpartition("/")[2]: item.label for item in source.items} == {
        name: label_of(i) for i, name in enumerate(IMAGES)
    }
    assert not any(item.folder for item in source.items)


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace(",", ";").encode("utf-8-sig"),
        lambda text: text.replace(",", "\t").replace("\n", "\r\n").encode("utf-16"),
        lambda text: text.encode("utf-16-le"),
        lambda text: text.replace("path,label,group", "Path, LABEL ,Group").encode("cp1252"),
        lambda text: text.replace("\nP", "\nD:\\study\\images\\P").encode(),
        lambda text: text.replace("\nP", "\n../images/P").encode(),
        lambda text: text.replace("\nP", "\n./x/../P").encode(),
        lambda text: text.replace("\nP", "\n/data/images/P").replace(".png", ".PNG").encode(),
        lambda text: text.replace(".png", "").encode(),
        lambda text: text.replace("round", " round ").encode(),
    ],
    ids=["semicolons", "tabs", "no mark", "case", "windows", "from the table", "dots", "case of "
         "paths", "no suffix", "spaces"],
)  # fmt: skip
def test_a_table_may_be_written_in_many_ways(images, change):
    plain = opened(images, lines(*ROWS))
    assert opened(images, change(lines(*ROWS))).items == plain.items


def test_columns_may_have_other_names(images):
    text = lines(*ROWS, header="file,diagnosis,patient,split")
    columns = {"path_column": "File", "label_column": "Diagnosis"}
    assert {item.group for item in opened(images, text, **columns).items} == {""}
    source = opened(images, text, **columns, group_column="patient")
    assert {item.group for item in source.items} == {name[:2] for name in IMAGES}
    text = lines(*ROWS, header="path,group,patient,split")
    assert {item.group for item in opened(images, text, label_column="group").items} == {""}


def test_dots_count_from_the_tables_own_folder_too(images):
    table = write_files(images.parent / "tables", ["of 2020/x.png"]) / "of 2020" / "labels.csv"
    table.write_text(lines(*(f"../../images/{row}" for row in ROWS)))
    source = open_any(recipe_of(images, labels_csv=str(table)).data, Heard())
    assert {item.path for item in source.items} == set(IMAGES)


def test_what_programs_write_for_no_value_is_no_split(images):
    source = opened(images, lines(*(f"{row}NaN" for row in ROWS)))
    assert {item.official for item in source.items} == {""}


def test_of_two_tables_the_second_names_the_column_of_groups(images):
    groups = images.parent / "groups.csv"
    groups.write_text("\n".join(["path,who", *(f"{name},{name[:2]}" for name in IMAGES)]))
    text = lines(*ROWS, header="path,label,other,split")
    source = opened(images, text, group_csv=str(groups), group_column="who")
    listed = manifest.build(source, group_csv=str(groups), columns=(None, "who"))
    assert {row.group for row in listed.rows} == {f"P{i}" for i in range(6)}


def test_numbers_stay_names(images):
    rows = [row.replace("round", "1").replace("square", "0") for row in ROWS]
    assert opened(images, lines(*rows)).class_names == ["0", "1"]
    rows = [row.replace("round", "+1").replace("square", "-1") for row in ROWS]
    assert opened(images, lines(*rows)).class_names == ["+1", "-1"]


def test_images_without_row_or_label_are_left_out_and_said(images):
    rows = [*ROWS[2:-2], f"{IMAGES[-2]},,P1,", f"{IMAGES[-1]}"]
    source = opened(images, lines(*rows))
    assert len(source.items) == 20
    assert source.left_out_lines() == [
        f"left out: 4 of all 24 files: 2 without a label in labels.csv, such as {IMAGES[-2]}; "
        f"2 without a row in labels.csv, such as {IMAGES[0]}"
    ]
    assert source.notes == ()


def test_a_few_rows_may_name_no_image(images):
    gone = [f"gone{i}.png,round,P1," for i in range(5)]
    source = opened(images, lines(*ROWS, *gone))
    assert len(source.items) == 24
    assert source.notes == ("5 of 29 rows of labels.csv name no image, such as gone0.png",)
    with pytest.raises(InputError, match=r"none for 6 of 30 rows \(gone0.png, gone1.png, gone2"):
        opened(images, lines(*ROWS, *gone, "gone5.png,round,P1,"))
    ignored = opened(images, lines(*ROWS), ignore=["P0*", "P1*"])
    assert len(ignored.items) == 16 and not ignored.notes, "they are there, and not wanted"


def test_one_in_a_hundred_may_be_lost():
    assert [allowed_losses(count) for count in (0, 599, 600, 2000)] == [5, 5, 6, 20]


def test_a_table_in_the_folder_is_no_file_too_many(images):
    table = images / "labels.csv"
    table.write_text(lines(*ROWS))
    source = open_any(recipe_of(images, labels_csv=str(table)).data, Heard())
    assert source.left_out == () and len(source.items) == 24


def test_a_mask_is_an_image_where_a_row_names_it(tmp_path):
    names = [f"{folder}/{name}" for folder in ("images", "masks") for name in IMAGES]
    images = write_files(tmp_path / "images", [*names, "images/P0_00_mask.png"])
    source = opened(images, lines(*ROWS))
    assert {item.path for item in source.items} == {f"images/{name}" for name in IMAGES}
    source = opened(images, lines(*(f"masks/{row}" for row in ROWS)))
    assert {item.path for item in source.items} == {f"masks/{name}" for name in IMAGES}
    source = opened(images, lines(*ROWS[1:], "P0_00_mask.png,round,P0,"))
    assert "images/P0_00_mask.png" in {item.path for item in source.items}


def test_another_rule_for_groups_wins_and_is_said(images):
    source = opened(images, lines(*ROWS))
    for rule, groups in (("", 0), ("^P(.)", 6)):
        listed = manifest.build(source, group_regex=rule)
        assert len({row.group for row in listed.rows if row.group}) == groups
        assert any("column group is not used, as --group-regex" in note for note in listed.notes)
    other = images.parent / "groups.csv"
    other.write_text("\n".join(["path,group", *(f"{name},{name[1]}" for name in IMAGES)]))
    listed = manifest.build(source, group_csv=str(other))
    assert {row.group for row in listed.rows} == set("012345")
    assert any("not used, as --group-csv is given" in note for note in listed.notes)


def test_every_image_needs_a_group_where_there_are_some(images):
    rows = [ROWS[0].replace("P0,", "NaN,"), *ROWS[1:]]
    with pytest.raises(InputError, match=r"labels.csv: expected a group for every image.*1 images"):
        manifest.build(opened(images, lines(*rows)))


def no(text: str) -> Callable[[list[str]], bytes]:
    """Return what makes this table instead of the right one."""
    return lambda rows: text.encode()


def rows_of(change: Callable[[int, str], str]) -> Callable[[list[str]], bytes]:
    return lambda rows: lines(*(change(i, row) for i, row in enumerate(rows))).encode()


def labelled(label: str) -> Callable[[list[str]], bytes]:
    return rows_of(lambda i, row: row.replace("round", label))


MALFORMED = {
    "wrong columns": (
        lambda rows: lines(*rows, header="file,class,a,b").encode(),
        "expected a CSV with columns path,label; received file, class, a, b; try adding a header "
        "line, or --path-column and --label-column",
    ),
    "no header": (lambda rows: "\n".join(rows).encode(), f"received {IMAGES[0]}, square, P0"),
    "empty": (no(""), "received an empty file"),
    "only line ends": (no("\n\n \n"), "received an empty file"),
    "only a header": (no(HEADER), "a row for each image; received a header without rows"),
    "a picture": (lambda rows: b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0", "a file with NUL bytes"),
    "a JPEG": (lambda rows: b"\xff\xd8\xff\xe0" + bytes(range(1, 256)), "expected a CSV in UTF-8"),
    "a workbook": (lambda rows: b"PK\x03\x04" + bytes(99), "a workbook of Excel"),
    "an old workbook": (lambda rows: b"\xd0\xcf\x11\xe0" + bytes(99), "a workbook of Excel"),
    "NUL bytes": (rows_of(lambda i, row: f"{row}\0"), "a file with NUL bytes"),
    "an open quote": (rows_of(lambda i, row: f'"{row}' if i == 9 else row), "never closed"),
    "rows too long": (
        rows_of(lambda i, row: f"{row},,more" if i == 3 else row),
        "4 values in each row; received 6 in row 5",
    ),
    "two columns label": (
        lambda rows: lines(*rows, header="path,label,Label,split").encode(),
        "received 2 columns label; try another name",
    ),
    "two columns split": (
        lambda rows: lines(*rows, header="path,label,split,split").encode(),
        "received 2 columns split; try another name",
    ),
    "two labels of one image": (
        lambda rows: lines(*rows, f"{IMAGES[0]},round,P0,").encode(),
        f"{IMAGES[0]}: expected one label; received square and round",
    ),
    "two groups of one image": (
        lambda rows: lines(*rows, f"images/{IMAGES[0]},square,P1,").encode(),
        "expected one group; received P0 and P1",
    ),
    "two splits of one image": (
        lambda rows: lines(*rows, f"{IMAGES[0]},square,P0,train").encode(),
        "expected one split; received none and train",
    ),
    "outside of the folder": (
        rows_of(lambda i, row: f"../../other/{row}"), "received one outside of it"),
    "paths of another machine": (
        rows_of(lambda i, row: f"/data/cells/img{row}"),
        "expected images in {images} that its rows name; received none for 24 of 24 rows "
        "(/data/cells/img{first}, /data/cells/imgP1_01.png, /data/cells/imgP2_02.png and 21 more); "
        "try the folder that holds them",
    ),
    "images that are gone": (
        rows_of(lambda i, row: f"gone{row}" if i < 6 else row),
        "received none for 6 of 24 rows (gone{first}",
    ),
    "a class that is gone": (
        lambda rows: lines(*rows, "gone.png,oval,P1,").encode(),
        "none for 1 of 25 rows (gone.png), and none of class oval",
    ),
    "a name of two images": (
        rows_of(lambda i, row: f"twin.png{row[9:]}" if i == 1 else row),
        "expected the name of one image; received that of 2, such as a/twin.png and b/twin.png",
    ),
    "unknown split": (
        rows_of(lambda i, row: f"{row}fold 3"),
        "expected train, val or test as its split; received fold 3",
    ),
    "some without a split": (
        rows_of(lambda i, row: row if i == 2 else f"{row}train"),
        f"a split for every image, or none; received none for 1 images, first {IMAGES[2]}",
    ),
    "no train": (rows_of(lambda i, row: f"{row}test"), "images in train beside the others"),
    "a class in test only": (
        rows_of(lambda i, row: f"{row}{'train' if label_of(i) == 'round' else 'test'}"),
        "expected the classes of train (round) in every split; received also square",
    ),
    "one class": (labelled("square"), "labels of at least 2 classes; received 1 (square)"),
    "no labels": (
        rows_of(lambda i, row: f"{IMAGES[i]},,P0,"), "labels of at least 2 classes; received none"),
    "NaN": (labelled("NaN"), "expected a label; received NaN, which programs write for a missing"),
    "none": (labelled("none"), "or another name of the class"),
    "a path as a label": (labelled("../round"), "a label on one line, without / and \\"),
    "a Windows path as a label": (labelled("a\\b"), "a label on one line, without / and \\"),
    "a line end in a label": (labelled('"ro\nund"'), r"received 'ro\nund'"),
    "a control character in a label": (labelled("ro\x1bund"), r"received 'ro\x1bund'"),
    "300 characters": (labelled("r" * 300), f"received '{'r' * 40}' and 260 more letters"),
    "two spellings": (
        rows_of(lambda i, row: row.replace("round", "Round") if i == 6 else row),
        "expected one spelling of each label; received 'Round' and 'round'",
    ),
    "a group for some": (
        rows_of(lambda i, row: row if i % 6 else row.replace("P0,", ",")),
        "a group for every image; received none for 4 images",
    ),
    "groups that are the classes": (
        rows_of(lambda i, row: f"{IMAGES[i]},{label_of(i)},{label_of(i)},"),
        "expected classes of several groups each",
    ),
}  # fmt: skip


def test_there_are_at_least_twenty():
    assert len(MALFORMED) >= 20


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_table_is_refused_in_one_line(name, images):
    make, message = MALFORMED[name]
    write_files(images, ["a/twin.png", "b/twin.png"])
    table = images.parent / "labels.csv"
    table.write_bytes(make(ROWS))
    result = run_tfcnn("train", images, "--labels-csv", table)
    assert result.returncode == 2, result.stderr
    *notes, last = result.stderr.splitlines()
    assert last.startswith(f"error: {table}") or "groups that are" in name
    assert message.format(images=images, first=IMAGES[0]) in last
    assert "; try " in last and len(last) < 500
    assert not any("error" in note for note in notes) and result.stdout == ""


@pytest.mark.parametrize(
    ("make", "received"),
    [
        (lambda table: table.mkdir(), "a folder"),
        (lambda table: None, "no such file"),
        (lambda table: table.symlink_to("nowhere"), "a link to nothing"),
    ],
)
def test_what_is_no_file_is_refused(make, received, images):
    table = images.parent / "labels.csv"
    make(table)
    result = run_tfcnn("check", images, "--labels-csv", table)
    expected = f"error: {table}: expected a CSV with columns path,label; received {received}"
    assert result.returncode == 2 and result.stderr.startswith(expected)
    assert result.stderr.count("\n") == 1


def test_a_group_in_two_splits_is_refused_with_3(images):
    rows = [f"{row}{('train', 'val', 'test')[i % 3]}" for i, row in enumerate(ROWS)]
    rows[0] = rows[0].replace("train", "val")
    table = images.parent / "labels.csv"
    table.write_text(lines(*rows))
    result = run_tfcnn("train", images, "--labels-csv", table)
    assert result.returncode == 3
    last = result.stderr.splitlines()[-1]
    assert f"group P0 in train ({IMAGES[6]}) and in val ({IMAGES[0]}); try `--resplit`" in last
    result = run_tfcnn("check", images, "--labels-csv", table)
    assert result.returncode == 3 and "BLOCKING: images: expected every group" in result.stdout
    recipe = recipe_of(images, labels_csv=str(table), image_size=16)
    prepared = prepare.prepare(recipe, None, True, Heard())
    assert len(prepared.rows["test"]) > 0, "--resplit draws another"


def test_settings_that_exclude_each_other_are_refused(images):
    for words, message in (
        (["--label-column", "class"], "expected labels_csv beside label_column"),
        (["--labels-csv", "x.csv", "--group-from", "folder"], '"folder" or labels_csv; received'),
        (["--path-column", "file"], "data.group_csv=groups.csv, or data.labels_csv=labels.csv"),
    ):
        result = run_tfcnn("check", images, *words)
        assert result.returncode == 2 and message in result.stderr
    result = run_tfcnn("check", "smears", "--labels-csv", "x.csv")
    assert result.returncode == 2 and "data.labels_csv: expected a folder" in result.stderr


def test_loose_images_are_told_of_the_table(images):
    (images / "my labels.csv").write_text(lines(*ROWS))
    result = run_tfcnn("check", images)
    assert f"or --labels-csv '{images / 'my labels.csv'}' with columns path,label" in result.stderr


def test_check_and_training_say_where_labels_come_from(images):
    table = images.parent / "labels.csv"
    table.write_text(lines(*ROWS))
    result = run_tfcnn("check", images, "--labels-csv", table, "--json")
    report = json.loads(result.stdout)
    assert report["summary"] == f"24 images of 6 groups, labels from {table}"
    assert report["counts"] == {"round": 12, "square": 12}
    heard = Heard()
    prepare.survey(recipe_of(images, labels_csv=str(table), image_size=16), heard)
    assert f"labels: from {table}" in heard.notes
    assert any(note.startswith(f"groups: 6 groups, from {table}; each") for note in heard.notes)


def test_groups_are_asked_for_where_the_table_has_none(images):
    heard = Heard()
    table = images.parent / "labels.csv"
    table.write_text(lines(*(f"{name},{label_of(i)}" for i, name in enumerate(IMAGES)),
                           header="path,label"))  # fmt: skip
    prepare.survey(recipe_of(images, labels_csv=str(table), image_size=16), heard)
    assert any(f"a column group in {table} names them" in note for note in heard.notes)


names = st.text(st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1, max_size=20)


@given(st.dictionaries(names, st.booleans(), min_size=2, max_size=6))
@settings(max_examples=30, deadline=None)
def test_a_table_that_we_write_is_read_as_it_was(tmp_path_factory, labels):
    """Any names of files, as `atomic.csv_text` writes them."""
    from tfcnn.base import atomic, files

    stems = {f"x{i} {name}.png": is_round for i, (name, is_round) in enumerate(labels.items())}
    root = write_tree(tmp_path_factory.mktemp("images"), groups=0) / "all"
    root.mkdir()
    wanted = {}
    for name, is_round in {**stems, "a.png": True, "b.png": False}.items():
        if len(name.encode()) < 200 and files.what(root / name) == files.NOTHING:
            (root / name).write_bytes(b"GIF89a")
            wanted[name] = "round" if is_round else "square"
    table = root.parent / "labels.csv"
    atomic.write_text(table, atomic.csv_text(("path", "label"), wanted.items()))
    source = open_any(recipe_of(root, labels_csv=str(table)).data, Heard())
    assert {item.path: item.label for item in source.items} == wanted
