"""Which folders are splits, which are classes, and which hold what belongs together."""

import re
import shlex
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tfcnn import atomic
from tfcnn.datasets import Item, LeftOut, Official
from tfcnn.datasets._files import IMAGE_FOLDER, MASK_FOLDER, Folder, is_utf8, set_masks_aside
from tfcnn.errors import InputError

__all__ = ["Layout", "LayoutError", "arrange"]

SPLITS: tuple[Official, ...] = ("train", "val", "test")
# `eval` is the test set beside train and val, and val beside train and test; `pred` has no labels
SPLIT_WORDS = {
    **dict.fromkeys(("train", "training", "trn", "tr", "trainval"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "validate", "dev", "development"), "val"),
    **dict.fromkeys(("test", "testing", "tst", "holdout"), "test"),
    **dict.fromkeys(("eval", "evaluation", "evaluate"), "eval"),
    **dict.fromkeys(("pred", "predict", "prediction", "unlabelled", "unlabeled"), "pred"),
}
NOISE = frozenset(
    {"set", "sets", "data", "dataset", "image", "images", "img", "imgs", "pictures", "photos"}
    | {"split", "folder", "dir", "seg", "cls", "files", "samples", "subset"}
)
GLUED = re.compile(r"(set|data|dataset|images|imgs)$")
FOLD = re.compile(r"(k[ _-]?)?(fold|cv)s?[ _.-]*\d+", re.IGNORECASE)
WRAPPER = re.compile(rf"data(sets?)?|{IMAGE_FOLDER.pattern}", re.IGNORECASE)
FEW = 0.1  # images that lie beside sub-folders, of those in a folder whose sub-folders are classes
SHOWN = 4


class LayoutError(InputError):
    """Folders that can be read in two ways; the hint names the setting for each."""


@dataclass(frozen=True)
class Part:
    """A class folder, of one split, or below one of the folders that belong together."""

    label: str
    official: Official
    folder: Folder
    above: str = ""


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


@dataclass(frozen=True)
class _Tops:
    """Folders beside each other, and the names of the folders in them that hold images."""

    names: dict[str, set[str]]
    direct: int
    total: int

    @property
    def inner(self) -> "Counter[str]":
        return Counter(name for names in self.names.values() for name in names)

    @property
    def is_shared(self) -> bool:
        """Whether most of the folders below occur in several upper ones, with few images beside."""
        inner = self.inner
        shared = [count for count in inner.values() if count > 1]
        is_bare = self.direct <= FEW * self.total
        return is_bare and len(inner) > 1 and bool(shared) and 2 * sum(shared) >= inner.total()

    @property
    def are_groups(self) -> bool:
        """Whether there are more upper folders than different names below: patients, say."""
        return len(self.names) > len(self.inner)


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
    children = [child for child in root.folders if child is not duplicate]
    splits = _splits(root, children, aside, notes)
    tops = [
        (official, child)
        for official, parent in splits or [("", root)]
        for child in (children if parent is root else _look_through(parent, aside)[0].folders)
    ]
    for _, top in tops:
        set_masks_aside(top)
    parts = _parts(root, tops, group_from, is_ruled, notes)
    layout = Layout(root.path, notes=notes)
    _fill(layout, tree, parts, aside, group_from)
    _check_classes(layout, root, bool(splits))
    return layout


def _look_through(folder: Folder, aside: dict[int, str]) -> tuple[Folder, Folder | None]:
    """Look through folders that only wrap another; find a nested copy of the class folders."""
    while inner := _wrapped(folder):
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


def _wrapped(folder: Folder) -> Folder | None:
    """Return the only folder in a folder that counts: `cells/images/{a,b}` beside `masks`."""
    children = folder.folders
    if len(children) == 1:
        inner = [child for child in children[0].folders if child.count]
        # pictures beside it are an overview; then it must surely hold classes
        return children[0] if children[0].folders and (not folder.images or inner[1:]) else None
    full = [child for child in children if child.count]
    wraps = [child for child in full if WRAPPER.fullmatch(child.name) or split_of(child.name)]
    others = [child for child in full if not MASK_FOLDER.fullmatch(child.name)]
    return wraps[0] if others == wraps and len(wraps) == 1 and wraps[0].folders else None


def split_of(name: str) -> str:
    """Return the split that a folder's name means (`eval` and `pred` are words too), or ""."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).casefold().replace("hold-out", "holdout")
    words = re.findall(r"[^\W\d_]+", spaced.replace("hold_out", "holdout"))
    words = [word for word in words if word not in NOISE]
    if words == ["train", "val"]:
        return "train"
    if len(words) != 1:
        return ""
    return SPLIT_WORDS.get(words[0]) or SPLIT_WORDS.get(GLUED.sub("", words[0]), "")


def _splits(
    root: Folder, children: list[Folder], aside: dict[int, str], notes: list[str]
) -> list[tuple[Official, Folder]]:
    """Return the folder of each split, or nothing where the children of the root are classes."""
    named = [(split_of(child.name), child) for child in children]
    splits = _official(root, [(split, child) for split, child in named if split])
    others = [child for split, child in named if not split]
    full = [child for child in others if child.count and not MASK_FOLDER.fullmatch(child.name)]
    train = splits.get("train")
    # a folder of images that is called train may well be a class of vehicles
    is_certain = train is not None and bool(train.folders) and not train.images
    if others and not (is_certain and (len(splits) > 1 or not full)):
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


def _refuse_unlabelled(root: Folder, named: list[tuple[str, Folder]], full: list[Folder]) -> None:
    """Refuse a folder `test` beside class folders: it hardly is one of them."""
    odd = [child for split, child in named if split not in ("", "train") and child.images]
    if len(full) > 1 and odd:
        received = f"also {', '.join(child.name for child in odd)}"
        classes = _few(child.name for child in full)
        hint = f"--set data.ignore={shlex.quote(odd[0].name)}, or another name if it is a class"
        raise LayoutError(root.path, f"only class folders, such as {classes}", received, hint)


def _official(root: Folder, named: list[tuple[str, Folder]]) -> dict[Official, Folder]:
    """Return one folder for each official split, in the order of their names."""
    words = {split for split, _ in named}
    stands_for = "val" if "test" in words else "test"
    splits: dict[Official, Folder] = {}
    for word, child in named:
        if word == "pred":
            continue
        split: Official = next(s for s in SPLITS if s == (stands_for if word == "eval" else word))
        if split in splits:
            received = f"{splits[split].name} and {child.name}"
            raise InputError(
                root.path, f"one folder of the {split} split", received, "merging them"
            )
        splits[split] = child
    return splits


def _parts(
    root: Folder,
    tops: list[tuple[Official, Folder]],
    group_from: str,
    is_ruled: bool,
    notes: list[str],
) -> list[Part]:
    """Decide whether the upper folders are the classes, or the folders in them."""
    found = _look_at([top for _, top in tops])
    below = [(official, top, inner) for official, top in tops for inner in _inner(top)]
    if group_from == "folder-above":
        return [Part(inner.name, official, inner, top.name) for official, top, inner in below]
    names = [name for name in found.names if FOLD.fullmatch(name)]
    if len(names) > 1 and len(names) == len(found.names):
        _check_folds(root, found, is_ruled and group_from == "name")
        notes.append(f"{_few(found.names)}: folds, looked through; images of one fold may part")
        return [Part(inner.name, official, inner) for official, _, inner in below]
    words = {split_of(name) for name in found.inner}
    if found.is_shared and "train" in words and words <= {"train", "val", "test", "eval"}:
        notes.append(f"{_few(found.inner)}: the splits, each inside of a class folder")
        return [_inverted(root, top, inner) for _, top, inner in below]
    if found.is_shared and not (is_ruled and group_from == "name"):
        _ask(root, found, group_from)
    return [Part(top.name, official, top) for official, top in tops]


def _inverted(root: Folder, top: Folder, inner: Folder) -> Part:
    named = [(split_of(child.name), child) for child in _inner(top)]
    splits = _official(root, named)
    return Part(top.name, next(key for key, child in splits.items() if child is inner), inner)


def _check_folds(root: Folder, found: _Tops, is_ruled: bool) -> None:
    """Refuse folds that nothing says how to take."""
    received = f"{len(found.names)} folds ({_few(found.names)})"
    if any(split_of(name) == "train" for name in found.inner):
        hint = f"one of them, such as {root.path / min(found.names)}"
        raise LayoutError(root.path, "one split into train and test", received, hint)
    if len(found.inner) < 2:
        hint = "class folders in each fold"
        raise LayoutError(root.path, "class folders", f"{received} without any", hint)
    if not is_ruled:
        raise LayoutError(
            root.path, "class folders",
            f"{received}, each with folders {_few(found.inner)}",
            "--set data.group_from=folder-above, which keeps each fold on one side, or "
            "--set data.group_regex='' to pay no heed to folds",
        )  # fmt: skip


def _ask(root: Folder, found: _Tops, group_from: str) -> None:
    """Refuse folders that share the folders in them, where no setting says which are classes."""
    upper, lower = _few(found.names), _few(found.inner)
    if group_from == "folder" and not (found.are_groups and len(found.inner) < 3):
        return
    above = f"--set data.group_from=folder-above where {lower} are the classes"
    below = f"--set data.group_from=folder where {upper} are"
    none = f"--set data.group_regex='' where {upper} are, and there are no groups"
    tries = {"folder": [above], "name": [above, below, none]}[group_from]
    raise LayoutError(
        root.path,
        "folders that are surely classes, or surely groups such as patients",
        f"{len(found.names)} folders ({upper}) that share the folders in them ({lower})",
        "; or ".join(tries),
    )


def _look_at(tops: Iterable[Folder]) -> _Tops:
    names: dict[str, set[str]] = defaultdict(set)
    direct = total = 0
    for top in tops:
        inner = _inner(top)
        names[top.name] |= {folder.name for folder in inner}
        total += top.count
        direct += top.count - sum(folder.count for folder in inner)
    return _Tops({name: inner for name, inner in names.items() if inner or direct}, direct, total)


def _inner(top: Folder) -> list[Folder]:
    """Return the folders with images in a folder; `images` and the like are looked through."""
    found = []
    for child in top.folders:
        if IMAGE_FOLDER.fullmatch(child.name):
            found += _inner(child)
        elif child.count:
            found.append(child)
    return found


def _few(names: Iterable[str]) -> str:
    listed = sorted(names)
    if len(listed) <= SHOWN + 1:
        return ", ".join(listed)
    return f"{', '.join(listed[:SHOWN])} and {len(listed) - SHOWN} more"


def _fill(
    layout: Layout, tree: Folder, parts: Sequence[Part], aside: dict[int, str], group_from: str
) -> None:
    """List the images of each part, and all that is in none."""
    below = f"{layout.root}/"

    def leave(found: Iterable[tuple[str, str]], label: str = "") -> None:
        layout.left_out += [
            LeftOut(atomic.printable(path.removeprefix(below)), kind, label) for path, kind in found
        ]

    taken = set()
    for part in parts:
        if not is_utf8(part.label):
            shown, hint = layout.root / atomic.printable(part.label), "renaming the folder"
            raise InputError(shown, "a class name in UTF-8", "other bytes", hint)
        folders = {path: one.name for one in _inner(part.folder) for path in one.all_images()}
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
    hint = "removing the folder or filling it"
    raise InputError(folder.path, "images of a class", received, hint)


def _outside(folder: Folder, taken: set[int], aside: dict[int, str]) -> list[tuple[str, str]]:
    """Return all that is in no part, with the reason."""
    if id(folder) in taken:
        return []
    if id(folder) in aside:
        return folder.leave_out(aside[id(folder)])
    found = [*((path, "loose images") for path in folder.images), *folder.left_out]
    for child in folder.folders:
        found += _outside(child, taken, aside)
    return found


def _check_classes(layout: Layout, root: Folder, has_splits: bool) -> None:
    trained = {item.label for item in layout.items if item.official in ("", "train")}
    if len(trained) < 2:
        received = f"{len(trained)} ({', '.join(sorted(trained))})" if trained else "none"
        hint = "the folder whose sub-folders are the classes (is the path one level off?)"
        loose = [one.path for one in layout.left_out if one.kind == "loose images"]
        if loose:
            received += f", but {len(loose):,} loose images, such as {min(loose)}"
            within = [child.path for child in root.folders if split_of(child.name) == "train"]
            where = within[0] if has_splits and within else root.path
            hint = f"a folder for each class, such as {where / 'CLASS'}, with its images in it"
        raise InputError(root.path, "at least 2 class folders", received, hint)
    unknown = {item.label for item in layout.items} - trained
    if unknown:
        raise InputError(
            root.path,
            f"the classes of train ({', '.join(sorted(trained))}) in every split",
            f"also {', '.join(sorted(unknown))}",
            "the same class folders in train, val and test",
        )
