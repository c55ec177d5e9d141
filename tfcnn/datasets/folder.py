"""Any folder of class folders, or one already split into train/val/test."""

import hashlib
import os
import re
import statistics
from pathlib import Path

from tfcnn import atomic, datasets
from tfcnn.datasets import Item, Official, Source, data_home
from tfcnn.disk import disk_errors
from tfcnn.errors import InputError
from tfcnn.progress import Reporter

__all__ = [
    "IMAGE_SUFFIXES",
    "image_files",
    "is_image_name",
    "open_any",
    "open_folder",
    "open_source",
    "typical_size",
]

# the formats of photographs and microscopes that Pillow reads
IMAGE_SUFFIXES = frozenset(
    {".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".bmp", ".gif", ".tif", ".tiff"}
    | {".ppm", ".pgm", ".pbm", ".jp2", ".avif"}
)
SPLITS: tuple[Official, ...] = ("train", "val", "test")
SPLIT_NAME = re.compile(
    r"((?P<train>train(ing)?)|(?P<val>val(id|idation)?|dev)|(?P<test>test(ing)?))"
    r"([ _-]?(set|data|images))?",
    re.IGNORECASE,
)
SIZE_SAMPLE = 500  # headers read to guess the image size; the median settles long before


def open_any(name: str, reporter: Reporter) -> Source:
    """Open what a user names: a data set, or else a folder.

    Raises:
        InputError: if the data set has not been downloaded, or the folder cannot be used.
    """
    if os.sep not in name and name in datasets.names():
        return datasets.open_named(name, progress=reporter.stage(f"making {name}"))
    return open_folder(Path(name))


def open_folder(folder: Path) -> Source:
    """List a user's folder; its manifest is kept in `data/folders`, never in the folder itself.

    Raises:
        InputError: if the folder is missing or holds no two class folders with images.
    """
    if not folder.is_dir():
        received = "a file" if folder.exists() else "no such folder"
        raise InputError(folder, "a folder of class folders", received, "another path")
    root = folder.resolve()
    key = hashlib.sha256(os.fsencode(root)).hexdigest()[:8]
    name = atomic.printable(root.name)
    return open_source(root, name=name, store=data_home() / "folders" / f"{name}-{key}")


def open_source(
    folder: Path,
    *,
    name: str | None = None,
    group_regex: str | None = None,
    positive: str | None = None,
    notes: tuple[str, ...] = (),
    store: Path | None = None,
    nouns: tuple[str, str] = ("images", "groups"),
) -> Source:
    """List a folder of class folders.

    A root that only wraps another folder (`cell_images/cell_images`) is looked through; a nested
    copy of its own class folders beside them is passed over; children named train, val (or valid,
    validation) and test are taken as the official split.

    Raises:
        InputError: if fewer than two class folders are found, if one holds no image, if splits
            do not have the same classes, or if a folder cannot be read.
    """
    with disk_errors(folder):
        root, duplicate = _class_root(folder)
        parents = _split_folders(root, duplicate) or [("", root)]
        items, ignored = _list_classes(parents, root, duplicate)
        loose = [path for parent in {root, *dict(parents).values()} for path in _files(parent)]
    _check_classes(root, items)
    if duplicate:
        notes = (*notes, f"{duplicate.name}: a nested copy of the class folders, passed over")
    if num_images := sum(is_image_name(path.name) for path in loose):
        notes = (*notes, f"{num_images:,} images that are in no class folder, passed over")
    return Source(
        name=name or atomic.printable(folder.name),
        root=root,
        items=tuple(sorted(items, key=lambda item: item.path)),
        group_regex=group_regex,
        positive=positive,
        ignored=ignored + len(loose),
        notes=notes,
        store=store or folder,
        nouns=nouns,
    )


def image_files(folder: Path) -> tuple[list[Path], int]:
    """Return the image files below a folder, sorted by path, and the number of files ignored.

    Ignored is what is hidden, `Thumbs.db`, whatever has no image suffix or is no file (a link
    that leads nowhere), and names that are not UTF-8, since no CSV could hold them. Links to
    folders are followed, each folder once.

    Raises:
        OSError: if a folder cannot be read.
    """
    found: list[Path] = []
    ignored = 0
    visited = {os.path.realpath(folder)}
    for parent, folders, files in os.walk(folder, followlinks=True, onerror=_raise):
        folders[:] = [
            name
            for name in sorted(folders)
            if not _is_hidden(name) and _is_new(Path(parent, name), visited)
        ]
        is_named = _is_utf8(parent.removeprefix(str(folder)))
        for name in files:
            path = Path(parent, name)
            if is_named and is_image_name(name) and _is_utf8(name) and path.is_file():
                found.append(path)
            else:
                ignored += 1
    return sorted(found, key=str), ignored


def typical_size(source: Source) -> tuple[int, int]:
    """Return a square size in px for a source: the median short side to the next 16, in 32..160."""
    step = max(1, len(source.items) // SIZE_SAMPLE)
    sizes = [source.size(item.path) for item in source.items[::step]]
    short_sides = [min(size) for size in sizes if size]
    side = round(statistics.median(short_sides or [64]) / 16) * 16
    side = min(max(side, 32), 160)
    return side, side


def is_image_name(name: str) -> bool:
    """Say whether a file's name is that of an image: an image suffix, and not hidden."""
    _, dot, suffix = name.rpartition(".")  # of many thousands, for which a Path takes long
    return not name.startswith(".") and f"{dot}{suffix.lower()}" in IMAGE_SUFFIXES


def _raise(error: OSError) -> None:
    raise error


def _is_hidden(name: str) -> bool:
    return name.startswith((".", "__MACOSX"))


def _is_new(folder: Path, visited: set[str]) -> bool:
    """Say whether a folder has not been visited under another name, and remember it."""
    real = os.path.realpath(folder)
    if real in visited:
        return False
    visited.add(real)
    return True


def _is_utf8(text: str) -> bool:
    return text == atomic.printable(text)


def _subfolders(folder: Path) -> list[Path]:
    return sorted(
        child for child in folder.iterdir() if child.is_dir() and not _is_hidden(child.name)
    )


def _files(folder: Path) -> list[Path]:
    return [child for child in folder.iterdir() if child.is_file()]


def _has_images(folder: Path) -> bool:
    return any(is_image_name(child.name) for child in _files(folder))


def _list_classes(
    parents: list[tuple[Official, Path]], root: Path, duplicate: Path | None
) -> tuple[list[Item], int]:
    """List the images of all class folders, and count the files ignored in them."""
    items: list[Item] = []
    ignored, below = 0, f"{root.as_posix()}/"
    for official, parent in parents:
        for class_folder in _subfolders(parent):
            if class_folder == duplicate:
                continue
            label = class_folder.name
            if not _is_utf8(label):
                shown, hint = root / atomic.printable(label), "renaming the folder"
                raise InputError(shown, "a class name in UTF-8", "other bytes", hint)
            paths, passed_over = image_files(class_folder)
            if not paths and official in ("", "train"):
                hint = "removing the folder or filling it"
                raise InputError(class_folder, "images of a class", "no image file", hint)
            items += [Item(path.as_posix().removeprefix(below), label, official) for path in paths]
            ignored += passed_over
    return items, ignored


def _class_root(folder: Path) -> tuple[Path, Path | None]:
    """Look through folders that only wrap another; find a nested copy of the class folders."""
    children = _subfolders(folder)
    while len(children) == 1 and not _has_images(folder) and _subfolders(children[0]):
        folder = children[0]
        children = _subfolders(folder)
    names = {child.name for child in children}
    for child in children:
        inner = {grandchild.name for grandchild in _subfolders(child)}
        if len(inner) > 1 and inner <= names - {child.name} and not _has_images(child):
            return folder, child
    return folder, None


def _split_folders(root: Path, duplicate: Path | None) -> list[tuple[Official, Path]]:
    """Return the folder of each split, or nothing where the children of the root are classes."""
    splits: dict[Official, Path] = {}
    others = []
    for child in _subfolders(root):
        if child == duplicate:
            continue
        match = SPLIT_NAME.fullmatch(child.name)
        split = next((name for name in SPLITS if match and match[name]), None)
        if split is None:
            others.append(child.name)
        elif split in splits:
            received = f"{splits[split].name} and {child.name}"
            raise InputError(root, f"one folder of the {split} split", received, "merging them")
        else:
            splits[split] = child
    if others:
        _refuse_mixture(root, splits, others)
        return []
    if splits and "train" not in splits:
        received = f"only {' and '.join(child.name for child in splits.values())}"
        raise InputError(root, "a train folder beside the others", received, "adding it")
    return [(split, _class_root(child)[0]) for split, child in splits.items()]


def _refuse_mixture(root: Path, splits: dict[Official, Path], others: list[str]) -> None:
    """Refuse folders beside splits, lest the splits be taken for classes.

    A folder of images that is called train may well be a class of vehicles.
    """
    train = splits.get("train")
    if len(splits) > 1 and train and _subfolders(train) and not _has_images(train):
        expected = f"only {', '.join(child.name for child in splits.values())}"
        raise InputError(root, expected, f"also {', '.join(others)}", "moving it elsewhere")


def _check_classes(root: Path, items: list[Item]) -> None:
    trained = {item.label for item in items if item.official in ("", "train")}
    if len(trained) < 2:
        received = f"{len(trained)} ({', '.join(sorted(trained))})" if trained else "none"
        raise InputError(
            root,
            "at least 2 class folders",
            received,
            "the folder whose sub-folders are the classes (is the path one level off?)",
        )
    unknown = {item.label for item in items} - trained
    if unknown:
        raise InputError(
            root,
            f"the classes of train ({', '.join(sorted(trained))}) in every split",
            f"also {', '.join(sorted(unknown))}",
            "the same class folders in train, val and test",
        )
