"""Splits in any language, classes below patients of several hospitals, and what is no class."""

from pathlib import Path

import pytest
from dataset_fakes import write_files

from tfcnn.base.errors import InputError
from tfcnn.datasets import LayoutError, Source
from tfcnn.datasets._classes import split_of, splits_of
from tfcnn.datasets.folder import image_files, open_folder

BOTH = ("cat", "dog")


def names(*folders: str, each: int = 2) -> list[str]:
    return [f"{folder}/{i}.png" for folder in folders for i in range(each)]


def below(*tops: str, inner: tuple[str, ...] = BOTH) -> list[str]:
    return names(*(f"{top}/{name}" for top in tops for name in inner))


def read(folder: Path, files: list[str], **options: object) -> Source:
    return open_folder(write_files(folder, files), **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "tops",
    [
        ("Training", "Validierung", "Test"),
        ("Trainingsdaten", "Validierungsdaten", "Testdaten"),
        ("entraînement", "validation", "test"),
        ("entrenamiento", "validación", "prueba"),
        ("addestramento", "validazione", "prova"),
        ("treino", "validação", "teste"),
        ("训练集", "验证集", "测试集"),
        ("訓練データ", "検証データ", "テストデータ"),
        ("обучение", "валидация", "тест"),
        ("flowers_train", "flowers_val", "flowers_test"),
        ("asl alphabet train", "asl alphabet valid", "asl alphabet test"),
        ("dataset_train_v2", "dataset_val_v2", "dataset_test_v2"),
        ("train_80", "val_10", "test_10"),
    ],
)
def test_splits_in_other_words(tmp_path: Path, tops: tuple[str, ...]) -> None:
    source = read(tmp_path, below(*tops))
    assert source.class_names == ["cat", "dog"]
    assert {item.official for item in source.items} == {"train", "val", "test"}


def test_accents_are_composed_in_either_way() -> None:
    assert split_of("entrai\u0302nement") == split_of("entra\u00eenement") == "train"


def test_a_word_that_all_share_says_nothing_and_classes_are_no_splits() -> None:
    assert splits_of(["cats_train", "cats_test"]) == ["train", "test"]
    assert splits_of(["train_cat", "train_dog"]) == ["", ""]
    assert splits_of(["covid test", "flu test"]) == ["", ""]
    assert splits_of(["train"]) == ["train"]


@pytest.mark.parametrize(
    "files",
    [
        names("cat_train", "cat_test"),  # without folders in them they may be anything
        names("pregnancy test", "pregnancy control", "pregnancy none"),
        names("learning", "playing"),
    ],
)
def test_class_folders_whose_names_hold_such_words_stay_classes(
    tmp_path: Path, files: list[str]
) -> None:
    source = read(tmp_path, files)
    assert source.class_names == sorted({file.split("/")[0] for file in files})
    assert len(source.items) == len(files)


def test_a_split_that_lacks_a_class_is_said(tmp_path: Path) -> None:
    source = read(tmp_path, [*below("train"), *names("test/cat")])
    assert source.notes == ("test: no images of dog, of which it says nothing",)


HOSPITALS = [f"{h}/{h}{p}/{name}" for h in "AB" for p in range(4) for name in BOTH]
DATES = [f"P{p}/2020-0{d}-11/{name}" for p in range(4) for d in (1, 2) for name in BOTH]
SPLIT_BELOW = [f"P{p}/{s}/{name}" for p in range(4) for s in ("train", "test") for name in BOTH]


@pytest.mark.parametrize(
    ("folders", "groups"),
    [
        (HOSPITALS, {f"{h}{p}" for h in "AB" for p in range(4)}),
        ([f"all/{path}" for path in HOSPITALS], {f"{h}{p}" for h in "AB" for p in range(4)}),
        ([f"{h}/P{p}/{name}" for h in "AB" for p in range(4) for name in BOTH],
         {f"{h}/P{p}" for h in "AB" for p in range(4)}),  # counted anew in each hospital
        (DATES, {f"P{p}" for p in range(4)}),
        (SPLIT_BELOW, {f"P{p}" for p in range(4)}),
    ],
)  # fmt: skip
def test_classes_below_patients_are_asked_about_and_read_when_said_so(
    tmp_path: Path, folders: list[str], groups: set[str]
) -> None:
    with pytest.raises(LayoutError, match=r"data\.group_from=folder-above where cat, dog are the"):
        read(tmp_path, names(*folders))
    source = open_folder(tmp_path, group_from="folder-above")
    assert source.class_names == ["cat", "dog"]
    assert {item.folder for item in source.items} == groups
    assert len(source.items) == 2 * len(folders)


@pytest.mark.parametrize(
    "folders",
    [
        [f"{c}/SOB/{c}type/{c}{p}/{m}X" for c in "bm" for p in range(3) for m in (40, 100)],
        [f"{c}/{c}{p}/{eye}" for c in "bm" for p in range(3) for eye in ("left", "right")],
        [f"{c}/{c}{p}/2020-0{d}" for c in "bm" for p in range(3) for d in (1, 2)],
        [f"{c}/{c}{p}/visit {d}" for c in "bm" for p in range(3) for d in (1, 2)],
        ["b/kind/house", "b/kind/tree", "m/type"],
    ],
)
def test_views_of_a_patient_are_no_classes(tmp_path: Path, folders: list[str]) -> None:
    assert read(tmp_path, names(*folders)).class_names == ["b", "m"]


@pytest.mark.parametrize("rule", [{"is_ruled": True}, {"group_from": "folder"}])
def test_a_rule_of_groups_settles_that_the_upper_folders_are_classes(
    tmp_path: Path, rule: dict[str, object]
) -> None:
    assert read(tmp_path, names(*HOSPITALS), **rule).class_names == ["A", "B"]


def test_annotations_without_images_are_no_empty_class(tmp_path: Path) -> None:
    root = write_files(tmp_path, names("images/cat", "images/dog"))
    for name in ("annotations/cat/0.xml", "docs/about.txt"):
        (root / name).parent.mkdir(parents=True)
        (root / name).write_bytes(b"<a/>")
    source = open_folder(root)
    assert source.class_names == ["cat", "dog"]
    assert {one.path for one in source.left_out} == {"../annotations/cat/0.xml",
                                                     "../docs/about.txt"}  # fmt: skip
    (root / "images" / "labels").mkdir()
    with pytest.raises(InputError, match="labels: expected images of a class"):
        open_folder(root)


@pytest.mark.parametrize(
    ("pictures", "notes"),
    [
        (("JPEGImages", "SegmentationClass", "SegmentationObject"), "Annotations/0.xml"),
        (("VOC2007/JPEGImages", "VOC2007/SegmentationClass"), "VOC2007/Annotations/0.xml"),
        (("train2017", "val2017"), "annotations/instances.json"),
        (("images/train", "images/val"), "labels/train/0.txt"),
        (("train/images", "valid/images"), "train/labels/0.txt"),
        (("images",), "labels/0.txt"),
    ],
)
def test_trees_of_object_detection_are_named(
    tmp_path: Path, pictures: tuple[str, ...], notes: str
) -> None:
    root = write_files(tmp_path, names(*pictures))
    (root / notes).parent.mkdir(parents=True)
    (root / notes).write_bytes(b"{}")
    with pytest.raises(InputError, match=r"no annotations as for object detection; .*such as.*; "
                                         "try a folder for each class"):  # fmt: skip
        open_folder(root)


def test_what_holds_no_image_is_said_by_kind(tmp_path: Path) -> None:
    (tmp_path / "cells.zip").write_bytes(b"PK\x03\x04")
    with pytest.raises(InputError, match=r"received none, but 1 \.zip"):
        open_folder(tmp_path)


def copies(folder: str, form: str, number: int = 4) -> list[str]:
    return [f"{folder}/{form.format(i)}.png" for i in range(number)]


@pytest.mark.parametrize("form", ["p{}", "p{}_aug", "aug_p{}", "p{} (2)", "P{}-flip-3"])
def test_augmented_copies_are_known_by_their_names(tmp_path: Path, form: str) -> None:
    files = [*copies("cat", "p{}"), *copies("dog", "p{}"), *copies("cat/augmented", form)]
    source = read(tmp_path, files)
    assert len(source.items) == 8
    assert {one.kind for one in source.left_out} == {"in a folder augmented"}
    assert len(image_files(tmp_path / "cat")[0]) == 4


def test_augmented_images_that_may_be_no_copies_are_asked_about(tmp_path: Path) -> None:
    files = [*copies("cat", "p{}"), *copies("dog", "p{}"), *copies("cat/augmented", "x{}")]
    with pytest.raises(LayoutError, match=r"received 4 in cat/augmented beside 4 others; try "
                                          r"--set data\.ignore=augmented"):  # fmt: skip
        read(tmp_path, files)
    assert len(open_folder(tmp_path, ignore=["augmented"]).items) == 8
    assert len(open_folder(tmp_path, is_ruled=True).items) == 12
    assert len(image_files(tmp_path / "cat")[0]) == 8, "a prediction leaves out none"


def test_upper_folders_of_originals_and_of_augmented_ones(tmp_path: Path) -> None:
    tops = [f"{top}/{name}" for top in ("original", "augmented") for name in BOTH]
    same = [file for top in tops for file in copies(top, "p{}")]
    assert len(read(tmp_path / "same", same).items) == 8
    other = [file for top in tops for file in copies(top, f"{top[0]}{{}}")]
    with pytest.raises(LayoutError, match=r"data\.ignore=augmented where it holds copies"):
        read(tmp_path / "other", other)
    assert read(tmp_path / "classes", names("augmented", "real")).class_names[0] == "augmented"


@pytest.mark.parametrize(
    ("files", "lost"),
    [
        (["cell.png", *(f"cell_gt_{i:02}.png" for i in range(10))], 0),
        ([f"cell_gt_{i:02}.png" for i in range(10)], 0),
        ([f"{name} mask.png" for name in "abc"], 0),
        (["1.png", "2.png", *(f"{i}_mask_{j}.png" for i in (1, 2) for j in (1, 2))], 4),
        ([*(f"{i}.png" for i in range(3)), *(f"{i}_label.png" for i in range(3))], 3),
        ([*(f"{i}.png" for i in range(3)), *(f"{i}_overlay.png" for i in range(3))], 3),
        ([*(f"x{i}.png" for i in range(3)), *(f"x{i}_1.png" for i in range(3))], 0),
    ],
)  # fmt: skip
def test_masks_are_not_more_than_their_images(tmp_path: Path, files: list[str], lost: int) -> None:
    source = read(tmp_path, [*(f"cat/{name}" for name in files), "dog/0.png"])
    assert source.ignored == lost
    assert len(source.items) == len(files) - lost + 1


def test_classes_of_masks_are_classes(tmp_path: Path) -> None:
    for number, classes in enumerate(
        [
            ("mask_weared_incorrect", "with_mask", "without_mask"),
            ("Mask", "Non Mask"),
            ("masks", "no_masks"),
            ("labels", "seg"),
            ("Annotated", "Raw"),
        ]
    ):
        assert read(tmp_path / str(number), names(*classes)).class_names == sorted(classes)
        source = read(tmp_path / f"split{number}", below("train", "test", inner=classes))
        assert source.class_names == sorted(classes) and len(source.items) == 4 * len(classes)


@pytest.mark.parametrize(
    "files",
    [
        names("images", "masks"),
        names("images", "annotations/trimaps"),
        names("train/image", "train/mask", "test/image", "test/mask"),
        names("images", "masks", "overlays"),
    ],
)
def test_images_beside_their_masks_are_no_classes(tmp_path: Path, files: list[str]) -> None:
    with pytest.raises(InputError, match=r"as for segmentation; try a folder for each class"):
        read(tmp_path, files)


def test_an_empty_folder_that_is_no_class_can_be_ignored(tmp_path: Path) -> None:
    root = write_files(tmp_path, names("cat", "dog"))
    (root / "code").mkdir()
    (root / "code" / "train.py").write_text("")
    with pytest.raises(InputError, match=r"\(1 \.py\); try filling it, or --set data\.ignore=code"):
        open_folder(root)
    assert open_folder(root, ignore=["code"]).class_names == ["cat", "dog"]
