"""Any folder of class folders, or one already split into train/val/test."""

import hashlib
import os
import statistics
from collections.abc import Iterator
from pathlib import Path

from tfcnn.datasets import Item, Official, Source, data_home
from tfcnn.errors import InputError

__all__ = ["IMAGE_SUFFIXES", "image_files", "is_image_name", "open_folder", "open_source", "typical_size"]

IMAGE_SUFFIXES = frozenset(
    ".png .jpg .jpeg .jpe .jfif .webp .bmp .gif .tif .tiff .ppm .pgm .pbm .jp2 .avif".split()
)
SPLIT_NAMES: dict[str, Official] = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
    "testing": "test",
}
SIZE_SAMPLE = 500  # headers read to guess the image size; the median settles long before


def open_folder(folder: Path) -> Source:
    """List a user's folder; its manifest is kept in `data/folders`, never in the folder itself.

    Raises:
        InputError: if the folder is missing or holds no two class folders with images.
    """
    if not folder.is_dir():
        received = "a file" if folder.exists() else "no such folder"
        raise InputError(folder, "a folder of class folders", received, "another path")
    root = folder.resolve()
    key = hashlib.sha256(str(root).encode(errors="surrogateescape")).hexdigest()[:8]
    return open_source(root, name=root.name, store=data_home() / "folders" / f"{root.name}-{key}")


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
        InputError: if fewer than two class folders are found, or one holds no image.
    """
    root, duplicate = _class_root(folder)
    splits = _split_folders(root)
    items: list[Item] = []
    ignored = 0
    for official, parent in splits or [("", root)]:
        for class_folder in _subfolders(parent):
            if class_folder == duplicate:
                continue
            found, passed_over = image_files(class_folder)
            ignored += passed_over
            if not found and official in ("", "train"):
                raise InputError(
                    class_folder,
                    "images of one class",
                    "an empty class (no image file)",
                    "removing the folder or filling it",
                )
            items += [
                Item(path.relative_to(root).as_posix(), class_folder.name, official)
                for path in found
            ]
    _check_classes(root, items)
    if duplicate:
        notes = (*notes, f"{duplicate.name}: a nested copy of the class folders, passed over")
    return Source(
        name=name or folder.name,
        root=root,
        items=tuple(sorted(items, key=lambda item: item.path)),
        group_regex=group_regex,
        positive=positive,
        ignored=ignored,
        notes=notes,
        store=store or folder,
        nouns=nouns,
    )


def image_files(folder: Path) -> tuple[list[Path], int]:
    """Return the image files below a folder, sorted by path, and the number of files ignored.

    Hidden files and folders, `Thumbs.db` and whatever has no image suffix are ignored.
    """
    found: list[Path] = []
    ignored = 0
    for parent, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith((".", "__MACOSX"))]
        for name in files:
            if is_image_name(name):
                found.append(Path(parent, name))
            else:
                ignored += 1
    return sorted(found, key=lambda path: path.as_posix()), ignored


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
    return not name.startswith(".") and Path(name).suffix.lower() in IMAGE_SUFFIXES


def _subfolders(folder: Path) -> list[Path]:
    return sorted(
        child
        for child in folder.iterdir()
        if child.is_dir() and not child.name.startswith((".", "__MACOSX"))
    )


def _class_root(folder: Path) -> tuple[Path, Path | None]:
    """Look through folders that only wrap another; find a nested copy of the class folders."""
    while True:
        children = _subfolders(folder)
        if len(children) == 1 and not _has_images(folder) and _subfolders(children[0]):
            folder = children[0]
            continue
        names = {child.name for child in children}
        for child in children:
            inner = {grandchild.name for grandchild in _subfolders(child)}
            if len(inner) > 1 and inner <= names - {child.name} and not _has_images(child):
                return folder, child
        return folder, None


def _has_images(folder: Path) -> bool:
    return any(is_image_name(child.name) for child in folder.iterdir() if child.is_file())


def _split_folders(root: Path) -> list[tuple[Official, Path]]:
    children = _subfolders(root)
    splits = [(SPLIT_NAMES.get(child.name.lower(), ""), child) for child in children]
    if not children or any(not split for split, _ in splits):
        return []
    if "train" not in {split for split, _ in splits}:
        return []
    return list(_unique(splits, root))


def _unique(
    splits: list[tuple[Official, Path]], root: Path
) -> Iterator[tuple[Official, Path]]:
    seen: dict[str, Path] = {}
    for split, child in splits:
        if split in seen:
            raise InputError(
                root,
                f"one folder of the {split} split",
                f"{seen[split].name} and {child.name}",
                "merging them",
            )
        seen[split] = child
        yield split, child


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
