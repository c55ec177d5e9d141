"""Splits, classes and groups by the names of folders: what is certain, and what is asked."""

from pathlib import Path

import pytest
from dataset_fakes import write_files

from tfcnn.base.errors import InputError
from tfcnn.datasets import LayoutError, Source
from tfcnn.datasets._classes import split_of
from tfcnn.datasets.folder import open_folder


def names(*folders: str, each: int = 2) -> list[str]:
    return [f"{folder}/{i}.png" for folder in folders for i in range(each)]


def read(folder: Path, files: list[str], **options: object) -> Source:
    return open_folder(write_files(folder, files), **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "split"),
    [
        *((name, "train") for name in ("train", "Training", "TRAIN_SET", "seg_train", "1_train",
                                       "trainset", "TrainingData", "train images", "01-trn",
                                       "train_val", "trainval")),
        *((name, "val") for name in ("val", "valid", "Validation", "dev", "2_val", "valset")),
        *((name, "test") for name in ("test", "testing", "Test-Data", "seg_test", "holdout",
                                      "hold-out", "hold_out", "TestSet", "tst")),
        *((name, "eval") for name in ("eval", "Evaluation", "eval_set")),
        *((name, "pred") for name in ("pred", "seg_pred", "unlabelled", "prediction")),
        *((name, "") for name in ("trained", "trains", "detest", "vale", "cat", "0", "train_cat",
                                  "contest", "model", "latest", "images", "set", "training mask")),
    ],
)  # fmt: skip
def test_what_a_name_says_of_a_split(name: str, split: str) -> None:
    assert split_of(name) == split


def test_eval_is_what_is_missing(tmp_path: Path) -> None:
    both = ("a", "b")
    for number, (folders, expected) in enumerate(
        [
            (("train", "eval"), {"train", "test"}),
            (("train", "val", "eval"), {"train", "val", "test"}),
            (("train", "test", "eval"), {"train", "val", "test"}),
        ]
    ):
        files = names(*(f"{folder}/{label}" for folder in folders for label in both))
        source = read(tmp_path / str(number), files)
        assert source.class_names == ["a", "b"]
        assert {item.official for item in source.items} == expected


@pytest.mark.parametrize("options", [{}, {"is_ruled": True}, {"group_from": "folder"}])
@pytest.mark.parametrize("extra", ["test", "validation", "pred", "unlabelled"])
def test_a_split_beside_classes_is_no_class(
    tmp_path: Path, extra: str, options: dict[str, object]
) -> None:
    with pytest.raises(LayoutError, match=f"also {extra}; try --set data.ignore={extra}"):
        read(tmp_path, names("cat", "dog", extra), **options)


@pytest.mark.parametrize(
    "files",
    [
        names(*(f"P{i}/{label}" for i in range(9) for label in "01")),
        names(*(f"P{i}/{'benign' if i % 2 else 'malignant'}" for i in range(9))),  # one class each
        names(*(f"P{i}/images/{label}" for i in range(9) for label in "01")),
        names(*(f"cells/P{i}/{label}" for i in range(9) for label in "01")),
        [*names(*(f"P{i}/{label}" for i in range(9) for label in "01")), "P0/overview.png"],
        names(*(f"train/P{i}/{label}" for i in range(9) for label in "01"),
              *(f"test/P{i}/{label}" for i in range(9, 12) for label in "01")),
        names("day/cat", "day/dog", "night/cat", "night/dog"),
        names("train/cat", "train/dog", "extra/cat", "extra/dog"),
    ],
)  # fmt: skip
def test_folders_that_share_their_folders_are_asked_about(tmp_path: Path, files: list[str]) -> None:
    with pytest.raises(LayoutError, match=r"share the folders in them \(.*folder-above") as info:
        read(tmp_path, files)
    assert info.value.exit_code == 2
    source = open_folder(tmp_path, group_from="folder-above")
    assert len(source.class_names) == 2
    assert len({item.folder for item in source.items}) >= 2
    kept = len(source.items) + sum(one.kind == "loose images" for one in source.left_out)
    assert kept == len(files)


@pytest.mark.parametrize(
    "files",
    [
        names(
            "cat/monday", "cat", "dog/monday", "dog/tuesday", "dog"
        ),  # mostly images of their own
        names("cat/x", "dog/x"),
        names("cat/P1", "cat/P2", "dog/P3", "dog/P4"),
        names("cat/images", "dog/images"),
        names("benign/SOB/adenosis/P1", "benign/SOB/tubular/P2", "malignant/SOB/lobular/P3"),
        names("cat/jpg", "dog/png"),
    ],
)
def test_folders_in_class_folders_are_not_always_a_question(
    tmp_path: Path, files: list[str]
) -> None:
    source = read(tmp_path, files)
    assert source.class_names == sorted({file.split("/")[0] for file in files})
    assert len(source.items) == len(files)


def test_each_answer_settles_the_question(tmp_path: Path) -> None:
    files = names(*(f"{label}/P{i}" for label in ("ill", "well") for i in range(5)))
    write_files(tmp_path, files)
    with pytest.raises(LayoutError):
        open_folder(tmp_path)
    for options in ({"is_ruled": True}, {"group_from": "folder"}):
        assert open_folder(tmp_path, **options).class_names == ["ill", "well"]  # type: ignore[arg-type]
    above = open_folder(tmp_path, group_from="folder-above")
    assert above.class_names == [f"P{i}" for i in range(5)]


def test_patients_are_no_classes_though_their_folders_are_called_groups(tmp_path: Path) -> None:
    files = names(*(f"P{i}/{label}" for i in range(9) for label in "01"))
    with pytest.raises(
        LayoutError, match=r"try --set data\.group_from=folder-above where 0, 1 are"
    ):
        read(tmp_path, files, group_from="folder")


@pytest.mark.parametrize("fold", ["fold_{}", "Fold {}", "fold{}", "kfold-{}", "cv{}"])
def test_folds_are_no_classes(tmp_path: Path, fold: str) -> None:
    files = names(*(f"{fold.format(i)}/{label}" for i in range(3) for label in "ab"))
    with pytest.raises(LayoutError, match="3 folds"):
        read(tmp_path, files)
    source = open_folder(tmp_path, is_ruled=True)
    assert source.class_names == ["a", "b"] and "folds, looked through" in source.notes[0]
    source = open_folder(tmp_path, group_from="folder-above")
    assert {item.folder for item in source.items} == {fold.format(i) for i in range(3)}


def test_folds_that_are_whole_data_sets_are_refused_with_one_to_take(tmp_path: Path) -> None:
    files = [f"fold_{i}/{split}/{label}/0.png" for i in range(3) for split in ("train", "val")
             for label in "ab"]  # fmt: skip
    with pytest.raises(LayoutError, match=r"try one of them, such as .*fold_0"):
        read(tmp_path, files)
    assert open_folder(tmp_path / "fold_0").class_names == ["a", "b"]


def test_folds_without_classes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="folds"):
        read(tmp_path, names("fold_0", "fold_1", "fold_2"))


@pytest.mark.parametrize(
    ("files", "classes"),
    [
        (names("mask", "no_mask"), ["mask", "no_mask"]),
        (names("mask", "no_mask", "thumbs"), ["mask", "no_mask", "thumbs"]),
        (names("a/images", "a/masks", "b/images", "b/masks"), ["a", "b"]),
        (names("a", "a/thumbnails", "b", "b/Segmentation"), ["a", "b"]),
        (names("images/a", "images/b", "masks/a", "masks/b"), ["a", "b"]),
        (names("original/a", "original/b", "annotated/a", "annotated/b"), ["a", "b"]),
        (names("original/a", "original/b", "augmented/a", "augmented/b"), ["a", "b"]),
    ],
)
def test_masks_are_left_out_beside_images_only(
    tmp_path: Path, files: list[str], classes: list[str]
) -> None:
    source = read(tmp_path, files)
    assert source.class_names == classes
    assert len(source.items) + source.ignored == len(files)
    assert len(source.items) == 2 * len(classes)


@pytest.mark.parametrize(
    ("files", "left"),
    [
        (["a/x.png", "a/x_mask.png", "a/y_mask.png"], {"a/x_mask.png"}),
        (["a/x.jpg", "a/x_mask.png", "a/x_Mask_2.tif", "a/mask_x.png"],
         {"a/x_mask.png", "a/x_Mask_2.tif", "a/mask_x.png"}),
        (["a/x (1).png", "a/x (1)_segmentation.png", "a/x (2).png"], {"a/x (1)_segmentation.png"}),
        (["a/x.png", "a/x-seg.png", "a/x_gt.png", "a/x.gt.png", "a/xmask.png"],
         {"a/x-seg.png", "a/x_gt.png", "a/x.gt.png"}),
        (["a/x.png", "a/inner/x_mask.png"], set()),
        (["a/1.png", "a/1_2.png", "a/seg.png"], set()),
    ],
)  # fmt: skip
def test_a_mask_is_one_beside_its_image(tmp_path: Path, files: list[str], left: set[str]) -> None:
    source = read(tmp_path, [*files, "b/0.png"])
    assert {one.path for one in source.left_out} == left


@pytest.mark.parametrize(
    ("patterns", "left"),
    [
        (["*_old.png"], {"a/1_old.png", "b/deep/2_OLD.png"}),
        (["deep"], {"b/deep/2_OLD.png", "b/deep/3.png"}),
        (["b/deep/*"], {"b/deep/2_OLD.png", "b/deep/3.png"}),
        (["./b/deep/"], {"b/deep/2_OLD.png", "b/deep/3.png"}),
        (["[13].png"], {"b/deep/3.png"}),
        (["a/1_*", "3.*"], {"a/1_old.png", "b/deep/3.png"}),
    ],
)
def test_patterns_leave_out_files_and_folders(
    tmp_path: Path, patterns: list[str], left: set[str]
) -> None:
    files = ["a/0.png", "a/1_old.png", "b/0.png", "b/deep/2_OLD.png", "b/deep/3.png"]
    source = read(tmp_path, files, ignore=patterns)
    assert {one.path for one in source.left_out if one.kind == "by data.ignore"} == left
    assert source.notes == ()


def test_a_pattern_that_matches_nothing_is_said(tmp_path: Path) -> None:
    source = read(tmp_path, names("a", "b"), ignore=["*.heic", "0.*"])
    assert source.notes == ("data.ignore: '*.heic' matches no file",)


def test_pictures_that_cannot_be_read_are_images_all_the_same(tmp_path: Path) -> None:
    """What is done about them is decided where they are opened, and never in silence."""
    root = write_files(tmp_path, names("a", "b"))
    for name in ("x.HEIC", "y.dcm", "z.svg", "u.nef", "v.nii.gz", "w.psd", "t.czi", "s.jxl"):
        (root / "a" / name).write_bytes(b"?" * 300)
    (root / "b" / "scan").write_bytes(bytes(128) + b"DICM" + bytes(200))
    (root / "b" / "film.mp4").write_bytes(b"?" * 300)
    source = open_folder(root)
    assert len(source.items) == 4 + 9
    assert source.left_out_lines() == ["left out: 1 of 4 files in b: 1 .mp4"]
