"""From a folder that was read to a listing: splits, classes, images, and all that is left out."""

import os
import shlex
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tfcnn.base import atomic
from tfcnn.base.errors import InputError
from tfcnn.datasets import Item, LayoutError, LeftOut, Official, in_words
from tfcnn.datasets._classes import (
    ANNOTATIONS,
    PLAIN,
    WRAPPER,
    Part,
    Place,
    few,
    inner_folders,
    official_folders,
    parts_of,
    split_of,
    splits_of,
)
from tfcnn.datasets._files import AUGMENTED, MASK_FOLDER, Folder, is_aside, is_utf8, set_masks_aside


@dataclass
class Layout:
    """How a folder is read.

    Attributes:
        root: the folder that holds the classes or splits.
        items: all images.
        left_out: all other files, with kind and class.
        notes: what a reader of any result must know.
    """

    root: Path
    items: list[Item] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def arrange(tree: Folder, group_from: str = "name", *, is_ruled: bool = False) -> Layout:
    """Find splits and classes in a folder that was read, and list its images.

    Args:
        tree: from `_files.read`; changed.
        group_from: as `data.group_from`.
        is_ruled: whether a regex or a table says who belongs together, or that nobody does.

    Raises:
        LayoutError: if the folders can be read in two ways.
        InputError: if there are fewer than two classes, one of them is empty, or splits do not have
            the same classes.
    """
    aside: dict[int, str] = {}
    root, duplicate = _look_through(tree, aside)
    notes = []
    if duplicate:
        aside[id(duplicate)] = f"in {duplicate.name}, a nested copy"
        notes.append(f"{duplicate.name}: a nested copy of the class folders, passed over")
    children = [
        child for child in root.folders if child is not duplicate and not _is_text_only(child)
    ]
    splits = _splits(root, children, aside, notes)
    tops = [
        Place(official, child)
        for official, parent in splits or [("", root)]
        for child in (children if parent is root else _look_through(parent, aside)[0].folders)
        if not _is_text_only(child)
    ]
    for top in tops:
        set_masks_aside(top.folder)
        if not is_ruled:
            _refuse_augmented(root, top.folder)
    parts = parts_of(root, tops, group_from, is_ruled, notes)
    layout = Layout(root.path, notes=notes)
    _fill(layout, tree, parts, aside, group_from)
    _check_classes(layout, root, bool(splits))
    return layout


def _look_through(folder: Folder, aside: dict[int, str]) -> tuple[Folder, Folder | None]:
    """Look through folders that only wrap another; find a nested copy of the class folders."""
    while inner := _only_inner(folder):
        for child in folder.folders:
            if child is not inner and child.count:
                aside[id(child)] = f"in a folder {child.name}"
        folder = inner
    names = {child.name for child in folder.folders}
    for child in folder.folders:
        below = {grandchild.name for grandchild in child.folders}
        if len(below) > 1 and below <= names - {child.name} and not child.images:
            return folder, child
    return folder, None


def _only_inner(folder: Folder) -> Folder | None:
    """Return the only folder in a folder that counts: `cells/images/{a,b}` beside `masks`."""
    children = folder.folders
    if len(children) == 1:
        inner = [child for child in children[0].folders if child.count]
        # pictures beside it are an overview; then it must surely hold classes
        return children[0] if children[0].folders and (not folder.images or inner[1:]) else None
    full = [child for child in children if child.count]
    wraps = [child for child in full if WRAPPER.fullmatch(child.name) or split_of(child.name)]
    others = [child for child in full if not is_aside(child, folder)]
    return wraps[0] if others == wraps and len(wraps) == 1 and wraps[0].folders else None


def _is_text_only(folder: Folder) -> bool:
    """Say whether a folder holds annotations of images, but no image: it is no empty class."""
    is_named = ANNOTATIONS.fullmatch(folder.name) is not None
    return is_named and not folder.count and any(folder.all_left_out())


def _refuse_augmented(root: Folder, folder: Folder) -> None:
    """Refuse a folder of augmented images whose names do not say whether they are copies."""
    for child in folder.folders:
        if AUGMENTED.fullmatch(child.name) and 0 < child.count < folder.count:
            others = folder.count - child.count
            raise LayoutError(
                root.path,
                "images that are surely no copies of others",
                f"{child.count:,} in {folder.name}/{child.name} beside {others:,} others",
                f"--set data.ignore={child.name} where these are copies, or another name for "
                "that folder",
            )
        _refuse_augmented(root, child)


def _splits(
    root: Folder, children: list[Folder], aside: dict[int, str], notes: list[str]
) -> list[tuple[Official, Folder]]:
    """Return the folder of each split, or nothing where the children of the root are classes."""
    named = _splits_by_name(root, children)
    splits = official_folders(root, [(split, child) for split, child in named if split])
    others = [child for split, child in named if not split]
    full = [child for child in others if child.count and not is_aside(child, root)]
    train = splits.get("train")
    # a folder of images that is called train may well be a class of vehicles
    is_certain = train is not None and bool(train.folders) and not train.images
    signs = (is_certain, len(splits) > 1, not full)
    if others and sum(signs) < 2:
        _refuse_unlabelled(root, named, full)
        return []
    if not splits:
        return []
    if full:
        expected = f"only {', '.join(child.name for child in splits.values())}"
        received = f"also {', '.join(child.name for child in full)}"
        ignored = f"--set data.ignore={shlex.quote(full[0].name)}"
        raise LayoutError(root.path, expected, received, f"moving it elsewhere, or {ignored}")
    if train is None:
        received = f"only {' and '.join(child.name for child in splits.values())}"
        raise InputError(root.path, "a train folder beside the others", received, "adding it")
    for split, child in named:
        if split == "pred":
            aside[id(child)] = f"in {child.name}, without labels"
            notes.append(f"{child.name}: {child.count:,} images without labels, passed over")
        elif not split and child.count:
            aside[id(child)] = f"in a folder {child.name}"
    return list(splits.items())


def _splits_by_name(root: Folder, children: list[Folder]) -> list[tuple[str, Folder]]:
    """Return the split that each folder's name means, alone or beside the others."""
    named = [(split_of(child.name), child) for child in children]
    full = [child for child in children if child.count and not is_aside(child, root)]
    if len(full) > 1 and all(child.folders and not child.images for child in full):
        words = dict(zip(map(id, full), splits_of([child.name for child in full]), strict=True))
        if all(words.values()) and "train" in words.values():
            return [(words.get(id(child), split), child) for split, child in named]
    return named


def _refuse_unlabelled(root: Folder, named: list[tuple[str, Folder]], full: list[Folder]) -> None:
    """Refuse a folder `test` beside class folders: it hardly is one of them."""
    odd = [child for split, child in named if split not in ("", "train") and child.images]
    if len(full) > 1 and odd:
        received = f"also {', '.join(child.name for child in odd)}"
        classes = few(child.name for child in full)
        hint = f"--set data.ignore={shlex.quote(odd[0].name)}, or another name if it is a class"
        raise LayoutError(root.path, f"only class folders, such as {classes}", received, hint)


def _fill(
    layout: Layout, tree: Folder, parts: Sequence[Part], aside: dict[int, str], group_from: str
) -> None:
    """List the images of each part, and all that is in none."""
    below = f"{layout.root}/"

    def leave(paths: Iterable[tuple[str, str]], label: str = "") -> None:
        for path, kind in paths:
            is_below = path.startswith(below)
            relative = path.removeprefix(below) if is_below else os.path.relpath(path, layout.root)
            layout.left_out.append(LeftOut(atomic.printable(relative), kind, label))

    taken = set()
    for part in parts:
        if not is_utf8(part.label):
            shown, hint = layout.root / atomic.printable(part.label), "renaming the folder"
            raise InputError(shown, "a class name in UTF-8", "other bytes", hint)
        folders = {
            path: one.name for one in inner_folders(part.folder) for path in one.all_images()
        }
        taken.add(id(part.folder))
        layout.items += [
            Item(
                path.removeprefix(below), part.label, part.official,
                part.above or folders.get(path, ""),
            )
            for path in part.folder.all_images()
        ]  # fmt: skip
        leave(part.folder.all_left_out(), part.label)
        if not part.folder.count and part.official in ("", "train"):
            _refuse_empty(part.folder)
    leave(_outside(tree, taken, aside))
    is_loose = [one for one in layout.left_out if one.kind == "loose images"]
    if is_loose and layout.items:
        layout.notes.append(f"{len(is_loose):,} images that are in no class folder, passed over")


def _refuse_empty(folder: Folder) -> None:
    left_out = Counter(kind for _, kind in folder.all_left_out())
    kinds = ", ".join(f"{count} {kind}" for kind, count in left_out.most_common())
    received = f"no image file ({kinds})" if kinds else "no image file"
    ignored = f"--set data.ignore={shlex.quote(atomic.printable(folder.name))}"
    hint = f"filling it, or {ignored} where it is no class"
    raise InputError(folder.path, "images of a class", received, hint)


def _outside(folder: Folder, taken: set[int], aside: dict[int, str]) -> list[tuple[str, str]]:
    """Return all that is in no part, with the reason."""
    if id(folder) in taken:
        return []
    if id(folder) in aside:
        return folder.leave_out(aside[id(folder)])
    rows = [*((path, "loose images") for path in folder.images), *folder.left_out]
    for child in folder.folders:
        rows += _outside(child, taken, aside)
    return rows


def _check_classes(layout: Layout, root: Folder, has_splits: bool) -> None:
    trained = {item.label for item in layout.items if item.official in ("", "train")}
    if len(trained) < 2 or "jpegimages" in map(str.casefold, trained):
        _refuse_classes(layout, root, has_splits, trained)
    masks = sorted(name for name in trained if MASK_FOLDER.fullmatch(name))
    images = trained - {*masks}
    if masks and images and all(map(PLAIN.fullmatch, images)):
        received = f"{', '.join(sorted(trained))}, as for segmentation"
        hint = (
            f"a folder for each class, and --set data.ignore={masks[0]}, or other names for classes"
        )
        raise InputError(root.path, "class folders", received, hint)
    layout.notes += check_splits(root.path, layout.items)


def check_splits(subject: Path, items: Sequence[Item]) -> list[str]:
    """Return a note on each official split that lacks a class.

    Raises:
        InputError: if one has a class that train lacks.
    """
    trained = {item.label for item in items if item.official in ("", "train")}
    notes = []
    for split in ("val", "test"):
        labels = {item.label for item in items if item.official == split}
        if labels and trained - labels:
            notes.append(f"{split}: no images of {few(trained - labels)}, of which it says nothing")
    unknown = {item.label for item in items} - trained
    if unknown:
        raise InputError(
            subject,
            f"the classes of train ({', '.join(sorted(trained))}) in every split",
            f"also {', '.join(sorted(unknown))}",
            "the same classes in train, val and test",
        )
    return notes


def _refuse_classes(layout: Layout, root: Folder, has_splits: bool, trained: set[str]) -> None:
    """Refuse what holds no two classes, and say what it holds."""
    expected = "at least 2 class folders"
    received = f"{len(trained)} ({', '.join(sorted(trained))})" if trained else "none"
    hint = "the folder whose sub-folders are the classes (is the path one level off?)"
    loose = [one.path for one in layout.left_out if one.kind == "loose images"]
    annotated = [one.path for one in layout.left_out if _is_annotation(one)]
    if loose:
        received += f", but {len(loose):,} loose images, such as {min(loose)}"
        within = [child.path for child in root.folders if split_of(child.name) == "train"]
        where = within[0] if has_splits and within else root.path
        tables = sorted(one.path for one in layout.left_out if one.kind in (".csv", ".tsv"))
        table = shlex.quote(str(root.path / tables[0])) if tables else "FILE"
        hint = (
            f"a folder for each class, such as {where / 'CLASS'}, with its images in it, or "
            f"--labels-csv {table} with columns path,label"
        )
    elif layout.left_out and not layout.items:
        received += f", but {in_words(layout.left_out)}"
    if annotated:
        expected = "class folders, and no annotations as for object detection"
        received += f"; and {len(annotated):,} annotations, such as {min(annotated)}"
        hint = "a folder for each class, with the images that the annotations say are of it"
    raise InputError(root.path, expected, received, hint)


def _is_annotation(one: LeftOut) -> bool:
    parents = one.path.split("/")[:-1]
    is_text = one.kind in (".xml", ".json", ".txt", ".csv")
    return is_text and any(map(ANNOTATIONS.fullmatch, parents))
