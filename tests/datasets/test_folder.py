"""Folders as people have them: nested, doubled, split, with junk in them, or wrong."""

import os
from pathlib import Path

import numpy as np
import pytest
from dataset_fakes import png, write_files
from hypothesis import given, settings
from hypothesis import strategies as st

from tfcnn import manifest
from tfcnn.base.errors import InputError
from tfcnn.datasets import ArraySource, Item, Source, data_home
from tfcnn.datasets.folder import image_files, open_folder, open_source, typical_size

NAMES = [f"{label}/{number}.png" for label in ("cat", "dog") for number in range(3)]


def under(prefix: str) -> list[str]:
    return [f"{prefix}/{name}" for name in NAMES]


def labels(source: Source) -> dict[str, str]:
    return {item.path: item.label for item in source.items}


def refusal(folder: Path) -> str:
    with pytest.raises(InputError) as info:
        open_folder(folder)
    assert "\n" not in str(info.value)
    return str(info.value)


def test_class_folders_are_listed_sorted(tmp_path: Path) -> None:
    source = open_folder(write_files(tmp_path / "pets", NAMES[::-1]))
    assert [item.path for item in source.items] == sorted(NAMES)
    assert labels(source) == {name: name[:3] for name in NAMES}
    assert {item.official for item in source.items} == {""}
    assert (source.name, source.ignored, source.notes) == ("pets", 0, ())


def test_nothing_is_written_into_the_folder(tmp_path: Path) -> None:
    folder = write_files(tmp_path / "pets", NAMES)
    source = open_folder(folder)
    manifest.build(source)
    assert sorted(path.name for path in folder.iterdir()) == ["cat", "dog"]
    assert source.store.is_relative_to(data_home() / "folders")
    assert (source.store / "manifest.csv").is_file()


def test_two_folders_of_one_name_have_two_stores(tmp_path: Path) -> None:
    stores = {open_folder(write_files(tmp_path / a / "pets", NAMES)).store for a in "xy"}
    assert len(stores) == 2


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_folders_that_only_wrap_are_looked_through(tmp_path: Path, depth: int) -> None:
    inner = "/".join(["cell_images"] * depth)
    write_files(tmp_path / "root", under(inner))
    (tmp_path / "root" / "__MACOSX").mkdir()
    (tmp_path / "root" / "README.txt").write_text("hello")
    source = open_folder(tmp_path / "root")
    assert source.root == tmp_path / "root" / inner
    assert sorted(labels(source)) == sorted(NAMES)


def test_a_nested_copy_of_the_classes_is_passed_over_and_said(tmp_path: Path) -> None:
    folder = write_files(tmp_path / "cell_images", NAMES + under("cell_images"))
    source = open_folder(folder)
    assert sorted(labels(source)) == sorted(NAMES)
    assert source.notes == ("cell_images: a nested copy of the class folders, passed over",)


def test_a_nested_copy_of_the_splits_is_passed_over(tmp_path: Path) -> None:
    names = under("train") + under("test")
    names += [f"copy/{name}" for name in names]
    source = open_folder(write_files(tmp_path / "root", names))
    assert {item.official for item in source.items} == {"train", "test"}
    assert len(source.items) == 2 * len(NAMES)


@pytest.mark.parametrize(
    ("spellings", "official"),
    [
        (("train", "val", "test"), ("train", "val", "test")),
        (("Train", "VALID", "Test"), ("train", "val", "test")),
        (("training", "validation", "testing"), ("train", "val", "test")),
        (("training_set", "test_set"), ("train", "test")),
        (("TRAIN-data", "dev"), ("train", "val")),
    ],
)
def test_splits_in_any_spelling(
    tmp_path: Path, spellings: tuple[str, ...], official: tuple[str, ...]
) -> None:
    names = [name for spelling in spellings for name in under(spelling)]
    source = open_folder(write_files(tmp_path / "root", names))
    found = {item.path.split("/")[0]: item.official for item in source.items}
    assert found == dict(zip(spellings, official, strict=True))
    assert {item.label for item in source.items} == {"cat", "dog"}
    assert len(source.items) == len(names)


def test_splits_that_wrap_themselves(tmp_path: Path) -> None:
    source = open_folder(write_files(tmp_path, under("train/train") + under("test/test")))
    assert {item.label for item in source.items} == {"cat", "dog"}
    assert {item.path.split("/")[1] for item in source.items} == {"train", "test"}


def test_splits_beside_other_folders_are_never_taken_for_classes(tmp_path: Path) -> None:
    names = [*under("train"), *under("test"), "models/a.png"]
    assert "only test, train; received also models" in refusal(write_files(tmp_path, names))


def test_splits_without_train_are_refused(tmp_path: Path) -> None:
    assert "a train folder" in refusal(write_files(tmp_path, under("val") + under("test")))


def test_two_folders_of_one_split_are_refused(tmp_path: Path) -> None:
    message = refusal(write_files(tmp_path, under("train") + under("val") + under("valid")))
    assert "val and valid" in message


def test_a_class_may_be_called_train(tmp_path: Path) -> None:
    source = open_folder(write_files(tmp_path, ["train/1.png", "plane/1.png", "car/1.png"]))
    assert labels(source)["train/1.png"] == "train"


def test_a_class_that_train_lacks_is_refused(tmp_path: Path) -> None:
    message = refusal(write_files(tmp_path, [*under("train"), *under("test"), "test/cow/1.png"]))
    assert "also cow" in message


def test_a_class_may_be_missing_in_test(tmp_path: Path) -> None:
    write_files(tmp_path, [*under("train"), "test/cat/1.png"])
    (tmp_path / "test" / "dog").mkdir()
    assert len(open_folder(tmp_path).items) == len(NAMES) + 1


def test_junk_is_counted_and_not_listed(tmp_path: Path) -> None:
    folder = write_files(tmp_path, NAMES)
    junk = ["cat/Thumbs.db", "cat/.DS_Store", "dog/._1.png", "dog/notes.txt", "README.md"]
    junk += ["dog/.cache/1.png", "__MACOSX/cat/1.png", ".git/1.png"]
    source = open_folder(write_files(folder, junk))
    assert sorted(labels(source)) == sorted(NAMES)
    assert source.ignored == len(junk)
    assert source.left_out_lines() == [
        "left out: 2 of 5 files in cat: 2 hidden or system files",
        "left out: 3 of 6 files in dog: 1 .txt, 1 hidden or system files, 1 in .cache",
        "left out: 3 of all 14 files, outside the class folders: 1 .md, 1 in .git, 1 in __MACOSX",
    ]


def test_suffixes_in_any_case(tmp_path: Path) -> None:
    names = ["a/1.PNG", "a/2.Jpg", "b/3.JPEG", "b/4.tIf", "b/5.webp", "b/6.bmp"]
    assert sorted(labels(open_folder(write_files(tmp_path, names)))) == names


def test_images_below_a_class_folder_belong_to_it(tmp_path: Path) -> None:
    names = ["cat/monday/1.png", "cat/2.png", "dog/deep/er/3.png"]
    assert labels(open_folder(write_files(tmp_path, names))) == {n: n[:3] for n in names}


def test_images_beside_the_classes_are_passed_over_and_said(tmp_path: Path) -> None:
    source = open_folder(write_files(tmp_path, [*NAMES, "1.png", "2.png"]))
    assert sorted(labels(source)) == sorted(NAMES)
    assert source.notes == ("2 images that are in no class folder, passed over",)
    assert source.ignored == 2


@pytest.mark.parametrize("names", [["1.png", "2.png"], ["cat/1.png"], ["cat/1.png", "2.png"], []])
def test_fewer_than_two_classes_are_refused(tmp_path: Path, names: list[str]) -> None:
    message = refusal(write_files(tmp_path, names))
    assert str(tmp_path) in message
    assert "at least 2 class folders" in message


@pytest.mark.parametrize("junk", [[], ["Thumbs.db"], ["notes.txt"]])
def test_an_empty_class_is_refused_by_name(tmp_path: Path, junk: list[str]) -> None:
    folder = write_files(tmp_path, NAMES)
    (folder / "cow").mkdir()
    write_files(folder / "cow", junk)
    assert str(folder / "cow") in refusal(folder)


def test_what_is_no_folder_is_refused(tmp_path: Path) -> None:
    assert "no such folder" in refusal(tmp_path / "nowhere")
    (tmp_path / "file.png").write_bytes(png(1))
    assert "a file" in refusal(tmp_path / "file.png")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    assert "no such folder" in refusal(tmp_path / "link")


def test_linked_class_folders_are_followed(tmp_path: Path) -> None:
    write_files(tmp_path / "elsewhere", NAMES)
    (tmp_path / "root").mkdir()
    for label in ("cat", "dog"):
        (tmp_path / "root" / label).symlink_to(tmp_path / "elsewhere" / label)
    source = open_folder(tmp_path / "root")
    assert sorted(labels(source)) == sorted(NAMES)
    assert source.read("cat/0.png") == png(0)


def test_links_to_folders_are_followed_once(tmp_path: Path) -> None:
    write_files(tmp_path, [*NAMES, "cat/monday/9.png"])
    (tmp_path / "cat" / "again").symlink_to(tmp_path / "cat")
    (tmp_path / "cat" / "up").symlink_to(tmp_path / "cat" / "monday")
    (tmp_path / "dog" / "loop").symlink_to(".")
    paths = labels(open_folder(tmp_path))
    assert len(paths) == len(NAMES) + 1


def test_links_to_nothing_and_pipes_are_ignored(tmp_path: Path) -> None:
    folder = write_files(tmp_path, NAMES)
    (folder / "cat" / "gone.png").symlink_to(folder / "nowhere.png")
    os.mkfifo(folder / "dog" / "pipe.png")  # reading it would wait for ever
    source = open_folder(folder)
    assert sorted(labels(source)) == sorted(NAMES)
    assert source.ignored == 2


def test_names_that_no_csv_can_hold_are_ignored_and_counted(tmp_path: Path) -> None:
    folder = write_files(tmp_path / "root", [*NAMES, 'cat/ä, "ö"\n😀.png'])
    odd = folder / "cat" / os.fsdecode(b"caf\xe9.png")
    odd.write_bytes(png(50))
    nested = folder / "dog" / os.fsdecode(b"\xff") / "1.png"
    nested.parent.mkdir()
    nested.write_bytes(png(51))
    source = open_folder(folder)
    assert source.ignored == 2
    rows = manifest.build(source).rows
    assert [row.path for row in rows] == sorted([*NAMES, 'cat/ä, "ö"\n😀.png'])
    assert manifest.build(open_folder(folder)).rows == rows  # read back from the CSV


def test_a_class_name_that_no_csv_can_hold_is_refused(tmp_path: Path) -> None:
    folder = write_files(tmp_path, NAMES)
    odd = folder / os.fsdecode(b"caf\xe9")
    odd.mkdir()
    (odd / "1.png").write_bytes(png(50))
    refusal(folder).encode()  # can be printed


def test_a_root_whose_name_is_not_text(tmp_path: Path) -> None:
    folder = write_files(tmp_path / os.fsdecode(b"caf\xe9"), NAMES)
    source = open_folder(folder)
    source.name.encode()
    assert len(manifest.build(source).rows) == len(NAMES)


@pytest.fixture
def locked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Folders of these names may not be read; root may read everything."""
    scandir = os.scandir

    def refuse(path: str) -> object:
        if Path(path).name in ("secret", "lost+found"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)


@pytest.mark.usefixtures("locked")
def test_a_folder_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    assert "Permission denied" in refusal(write_files(tmp_path, [*NAMES, "cat/secret/1.png"]))


@pytest.mark.usefixtures("locked")
def test_what_is_not_ours_to_read_is_no_fault(tmp_path: Path) -> None:
    source = open_folder(write_files(tmp_path, [*NAMES, "lost+found/1.png"]))
    assert [one.kind for one in source.left_out] == ["in lost+found"]


def test_options_reach_the_source(tmp_path: Path) -> None:
    folder = write_files(tmp_path / "root", NAMES)
    source = open_source(
        folder, name="pets", positive="dog", notes=("old",), nouns=("pets", "owners")
    )
    assert (source.name, source.positive, source.notes) == ("pets", "dog", ("old",))
    assert source.nouns == ("pets", "owners")


def test_image_files_of_a_flat_folder(tmp_path: Path) -> None:
    write_files(tmp_path, ["b.png", "a.jpg", "sub/c.png", "notes.txt"])
    found, left_out = image_files(tmp_path)
    assert [path.relative_to(tmp_path).as_posix() for path in found] == [
        "a.jpg",
        "b.png",
        "sub/c.png",
    ]
    assert [(Path(one.path).name, one.kind) for one in left_out] == [("notes.txt", ".txt")]


@settings(deadline=None, max_examples=20)
@given(sides=st.lists(st.tuples(st.integers(1, 400), st.integers(1, 400)), min_size=1, max_size=9))
def test_typical_size_is_the_median_short_side(sides: list[tuple[int, int]]) -> None:
    arrays = {str(i): np.zeros((1, *side), np.uint8) for i, side in enumerate(sides)}
    items = tuple(Item(f"{i}/0", "cat") for i in range(len(sides)))
    height, width = typical_size(ArraySource("pets", Path(), items, arrays=arrays))
    assert height == width
    assert height % 16 == 0
    assert 32 <= height <= 160
    short = float(np.median([min(side) for side in sides]))
    assert abs(height - min(max(short, 32), 160)) <= 8


def test_typical_size_passes_over_what_has_no_header(tmp_path: Path) -> None:
    folder = write_files(tmp_path, NAMES)
    for name in ("cat/0.png", "cat/1.png", "cat/2.png", "dog/0.png"):
        (folder / name).write_bytes(b"no image")
    for name in ("dog/1.png", "dog/2.png"):
        (folder / name).write_bytes(png(1, side=96))
    assert typical_size(open_folder(folder)) == (96, 96)
