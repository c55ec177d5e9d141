"""Small data sets in the layouts and formats that people have, and how each must be read.

Each is made of a few pictures of 24 px. It is either read rightly (classes with counts, splits,
groups, what was left out) or refused with a hint that says what to do.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import numpy as np
from PIL import Image

__all__ = ["SETS", "SmallSet"]

Maker = Callable[[Path], None]
CLASSES = ("round", "square")


@dataclass(frozen=True)
class SmallSet:
    """One folder as somebody has it, and what is to become of it.

    Attributes:
        name: what it is.
        make: fills an empty folder.
        classes: images per class; empty where it must be refused.
        splits: images per official split.
        groups: how many groups are found; 0 for none.
        left_out: words of what is said of other files.
        refusal: words of the refusal, in the message or its hint.
        is_blocking: whether `check` must refuse what training refuses later.
        settings: keys of `[data]`.
        hint: words that `check` says without refusing.
    """

    name: str
    make: Maker
    classes: dict[str, int] = field(default_factory=dict)
    splits: dict[str, int] = field(default_factory=dict)
    groups: int = 0
    left_out: tuple[str, ...] = ()
    refusal: tuple[str, ...] = ()
    settings: dict[str, object] = field(default_factory=dict)
    hint: str = ""


seeds = count(1)  # so that no two sets share a picture


def picture(path: Path, **options: object) -> None:
    """Write a picture that is like no other, in the format of its suffix."""
    pixels = np.random.default_rng(next(seeds)).integers(0, 256, (24, 24, 3), dtype=np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **options)


def pictures(root: Path, folder: str, number: int = 6, name: str = "{}.png") -> None:
    for i in range(number):
        picture(root / folder / name.format(i))


def classes(root: Path, below: str = "") -> None:
    for name in CLASSES:
        pictures(root, f"{below}{name}")


def write(root: Path, name: str, content: bytes = b"notes") -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def splits(*names: str, inside: str = "") -> Maker:
    def make(root: Path) -> None:
        for name in names:
            classes(root, f"{name}/{inside}")

    return make


def intel(root: Path) -> None:
    for name in ("seg_train/seg_train", "seg_test/seg_test"):
        classes(root, f"{name}/")
    pictures(root, "seg_pred/seg_pred", 4)


def patients(*below: str, tops: int = 8) -> Maker:
    def make(root: Path) -> None:
        for patient in range(8860, 8860 + tops):
            for name in below:
                pictures(root, f"{patient}/{name}", 2)

    return make


def patients_inside(root: Path, names: tuple[str, ...] = CLASSES, shared: bool = False) -> None:
    for number, name in enumerate(names):
        for patient in range(6):
            own = patient if shared else patient + 6 * number
            pictures(root, f"{name}/C{own}01", 2, "img{}.png")


def images_and_masks(root: Path) -> None:
    for name in CLASSES:
        pictures(root, f"{name}/images")
        pictures(root, f"{name}/masks")


def masks_beside(root: Path) -> None:
    for name in CLASSES:
        pictures(root, name, 6, f"{name} ({{}}).png")
        pictures(root, name, 6, f"{name} ({{}})_mask.png")
    picture(root / "round" / "round (1)_mask_1.png")


def network_drive(root: Path) -> None:
    classes(root)
    for name in CLASSES:
        picture(root / name / "@eaDir" / "0.png@SynoResource" / "SYNOFILE_THUMB_M.jpg")
    pictures(root, "#recycle", 3)
    pictures(root, "@Recycle/round", 2)
    write(root, "round/Thumbs.db")
    write(root, "round/.DS_Store")


def class_then_split(root: Path) -> None:
    for split in ("train", "test"):
        for name in CLASSES:
            pictures(root, f"{name}/{split}")


def hospitals(root: Path) -> None:
    for patient in [f"{hospital}/{hospital}{i}" for hospital in "AB" for i in range(8)]:
        for name in "01":
            pictures(root, f"{patient}/{name}", 2)


def detection(root: Path) -> None:
    for name in ("JPEGImages", "SegmentationClass"):
        pictures(root, f"VOC2012/{name}")
    write(root, "VOC2012/Annotations/0.xml", b"<annotation/>")


def augmented(root: Path, name: str) -> None:
    classes(root)
    pictures(root, "round/augmented", 6, name)


def unknown_patients(root: Path) -> None:
    classes(root)
    lines = [f"{name}/{i}.png;{'NaN' if i == 5 else f'P{i}'}" for name in CLASSES for i in range(6)]
    write(root, "patients.csv", "\n".join(["Patients, 2020", "path;group", *lines]).encode())


def loose_in_splits(root: Path) -> None:
    for split in ("train", "test"):
        pictures(root, split)


def empty_class(root: Path) -> None:
    classes(root)
    (root / "third").mkdir()


def unlabelled_beside(root: Path) -> None:
    classes(root)
    pictures(root, "test")


def half_converted(root: Path) -> None:
    """14 of 20 photographs of a telephone were never converted."""
    classes(root)
    for number in range(14):
        write(root, f"round/IMG_{number}.HEIC", b"\0\0\0\x18ftypheic" + bytes(200))


def pointers(root: Path) -> None:
    for name in CLASSES:
        for number in range(6):
            text = f"version https://git-lfs.github.com/spec/v1\noid sha256:{number:064}\nsize 9\n"
            write(root, f"{name}/{number}.jpg", text.encode())


def without_suffixes(root: Path) -> None:
    classes(root)
    for path in sorted(root.rglob("*.png")):
        path.rename(path.with_suffix("" if path.stem == "0" else ".dat"))
    write(root, "square/settings.dat", b"gain 7")


def with_tables(root: Path) -> None:
    classes(root)
    for name in CLASSES:
        write(root, f"{name}/labels.csv")
        write(root, f"{name}/notes.txt")
    write(root, "LICENSE")


def excel_table(root: Path) -> None:
    """Base names, semicolons, a header in capitals, UTF-16: as a spreadsheet may save it."""
    for name in CLASSES:
        pictures(root / "cells", name, 6, f"{name}_{{}}.png")
    lines = ["File Name;Patient"]
    lines += [f"{path.name};P{path.stem[-1]}" for path in sorted(root.rglob("*.png"))]
    write(root, "patients.csv", "\r\n".join(lines).encode("utf-16"))


def broken_without_group(root: Path) -> None:
    for name in CLASSES:
        for patient in range(4):
            picture(root / name / f"P{patient}_a.png")
            picture(root / name / f"P{patient}_b.png")
    write(root, "round/cut short.png", b"\x89PNG\r\n\x1a\n")


def formats(root: Path) -> None:
    suffixes = ("png", "jpg", "JPEG", "bmp", "tif", "TIFF", "gif", "webp", "ppm")
    for name in CLASSES:
        for number, suffix in enumerate(suffixes):
            picture(root / name / f"{number}.{suffix}")


def deep_copy(root: Path) -> None:
    classes(root, "cell_images/")
    classes(root, "cell_images/cell_images/")


def dicom(root: Path) -> None:
    classes(root)
    for number in range(7):
        write(root, f"square/scan{number}.dcm", bytes(128) + b"DICM" + bytes(100))


BOTH = dict.fromkeys(CLASSES, 6)
TWICE = dict.fromkeys(CLASSES, 12)
SETS = (
    SmallSet("class folders", classes, BOTH),
    SmallSet("one folder around them", splits("cells"), BOTH),
    SmallSet("train and eval", splits("train", "eval"), TWICE, {"train": 12, "test": 12}),
    SmallSet(
        "train, test and eval",
        splits("Train", "TEST", "eval"),
        dict.fromkeys(CLASSES, 18),
        {"train": 12, "val": 12, "test": 12},
    ),
    SmallSet(
        "numbered splits",
        splits("1_train", "2_validation", "3_holdout"),
        dict.fromkeys(CLASSES, 18),
        {"train": 12, "val": 12, "test": 12},
    ),
    SmallSet(
        "seg_train, seg_test, seg_pred",
        intel,
        TWICE,
        {"train": 12, "test": 12},
        left_out=("4 of all 28 files, outside the class folders: 4 in seg_pred, without labels",),
    ),
    SmallSet("splits with images folders", splits("train", "test", inside="images/"), TWICE,
             {"train": 12, "test": 12}),
    SmallSet("class, then split", class_then_split, TWICE, {"train": 12, "test": 12}),
    SmallSet("folds", splits(*(f"fold_{i}" for i in range(4))),
             refusal=("4 folds", "data.group_from=folder-above")),
    SmallSet("folds, kept whole", splits(*(f"fold_{i}" for i in range(4))),
             dict.fromkeys(CLASSES, 24), groups=4, settings={"group_from": "folder-above"}),
    SmallSet("patients on top", patients("0", "1"),
             refusal=("8 folders (8860", "share the folders in them (0, 1)",
                      "data.group_from=folder-above where 0, 1 are the classes")),
    SmallSet("patients on top, said so", patients("0", "1"), {"0": 16, "1": 16}, groups=8,
             settings={"group_from": "folder-above"}),
    SmallSet("patients of two hospitals", hospitals,
             refusal=("16 folders (A/A0", "data.group_from=folder-above where 0, 1 are")),
    SmallSet("patients of two hospitals, said so", hospitals, {"0": 32, "1": 32}, groups=16,
             settings={"group_from": "folder-above"}),
    SmallSet("patients, each with splits", splits(*(f"P{i}/{name}" for i in range(3)
                                                    for name in ("train", "test"))),
             refusal=("data.group_from=folder-above where round, square are",)),
    SmallSet("splits in German", splits("Trainingsdaten", "Validierung", "Testdaten"),
             dict.fromkeys(CLASSES, 18), {"train": 12, "val": 12, "test": 12}),
    SmallSet("splits whose names share words", splits("cells_train_v2", "cells_test_v2"), TWICE,
             {"train": 12, "test": 12}),
    SmallSet("object detection", detection,
             refusal=("no annotations as for object detection", "Annotations/0.xml",
                      "a folder for each class")),
    SmallSet("augmented copies", lambda root: augmented(root, "{}_aug.png"), BOTH,
             left_out=("6 of 12 files in round: 6 in a folder augmented",)),
    SmallSet("augmented, perhaps copies", lambda root: augmented(root, "new{}.png"),
             refusal=("6 in round/augmented beside 6 others", "data.ignore=augmented")),
    SmallSet("a table with a title and missing values", unknown_patients,
             refusal=("received none for 2 images", "NaN is no group"),
             settings={"group_csv": "patients.csv"}),
    SmallSet("hospitals on top", splits("hospital A", "hospital B", "hospital C"),
             refusal=("3 folders (hospital A", "data.group_from=folder-above")),
    SmallSet("patients in the class folders", patients_inside, TWICE,
             hint="12 folders below the class folders (C001 and others) look like groups: "
                  "--set data.group_from=folder"),
    SmallSet("patients in the class folders, said so", patients_inside, TWICE, groups=12,
             settings={"group_from": "folder"}),
    SmallSet("patients in the class folders, by a regex", patients_inside, TWICE, groups=12,
             settings={"group_regex": "(C[0-9]+)"}),
    SmallSet("the same patients in both classes",
             lambda root: patients_inside(root, shared=True),
             refusal=("data.group_from=folder where round, square are",)),
    SmallSet("the same patients in both classes, said so",
             lambda root: patients_inside(root, shared=True),
             TWICE, groups=6, settings={"group_from": "folder"}),
    SmallSet("images and masks in each class", images_and_masks, BOTH,
             left_out=("6 of 12 files in round: 6 in a folder masks",)),
    SmallSet("masks beside the images", masks_beside, BOTH,
             left_out=("7 of 13 files in round: 7 masks beside their images",)),
    SmallSet("masks, ignored by a pattern", masks_beside, BOTH, settings={"ignore": "*_mask*"},
             left_out=("7 of 13 files in round: 7 by data.ignore",)),
    SmallSet("a network drive", network_drive, BOTH,
             left_out=("3 of 9 files in round: 2 hidden or system files, 1 in @eaDir",
                       "1 of 7 files in square: 1 in @eaDir", "3 in #recycle, 2 in @Recycle")),
    SmallSet("tables beside the images", with_tables, BOTH,
             left_out=("2 of 8 files in round: 1 .csv, 1 .txt",
                       "1 of all 17 files, outside the class folders: 1 without a suffix")),
    SmallSet("loose images", lambda root: pictures(root, ""),
             refusal=("6 loose images, such as 0.png", "a folder for each class")),
    SmallSet("images loose in the splits",
             loose_in_splits,
             refusal=("12 loose images", "a folder for each class")),
    SmallSet("half of a class in HEIC", half_converted,
             refusal=("at most 5 unreadable images; received 14", "HEI")),
    SmallSet("Git LFS pointers", pointers, refusal=("no readable image of class round", "LFS")),
    SmallSet("DICOM among PNG", dicom, refusal=("received 7", "DICOM")),
    SmallSet("pictures without suffixes", without_suffixes, BOTH,
             left_out=("1 of 7 files in square: 1 .dat",)),
    SmallSet("many formats", formats, dict.fromkeys(CLASSES, 9)),
    SmallSet("a copy inside of itself", deep_copy, BOTH,
             left_out=("12 in cell_images, a nested copy",)),
    SmallSet("a table of a spreadsheet", excel_table, BOTH, groups=6,
             settings={"group_csv": "patients.csv", "path_column": "file name",
                       "group_column": "patient"}),
    SmallSet("a broken file without a group", broken_without_group,
             dict.fromkeys(CLASSES, 8), groups=4, settings={"group_regex": "^(P[0-9])"}),
    SmallSet("an empty class", empty_class,
             refusal=("third: expected images of a class; received no image file",)),
    SmallSet("unlabelled images beside the classes", unlabelled_beside,
             refusal=("only class folders, such as round, square; received also test",
                      "data.ignore=test")),
    SmallSet("unlabelled images beside the classes, ignored", unlabelled_beside, BOTH,
             settings={"ignore": ["test"]}, left_out=("6 by data.ignore",)),
    SmallSet("one class only", lambda root: pictures(root, "round"),
             refusal=("at least 2 class folders",)),
)  # fmt: skip
