"""Where images come from: one file or package per data set, found by name without import.

A data set's file offers `download(folder, *, mirror, progress)`, which makes `folder` complete,
and `open_source(folder) -> Source`, which lists what is in it. A user's own file is named by its
path, which ends in `.py`, wherever a data set's name may stand; it need not offer `download`.
"""

import ast
import importlib
import os
import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, get_args

import numpy as np

from tfcnn.base import atomic, files, own_files
from tfcnn.base.errors import InputError
from tfcnn.base.progress import Progress
from tfcnn.decode import Content, Pixels, read_file, read_size

__all__ = [
    "ArraySource",
    "Item",
    "LayoutError",
    "LeftOut",
    "Official",
    "Progress",
    "Source",
    "allowed_losses",
    "data_home",
    "describe",
    "download",
    "find",
    "folder_of",
    "in_words",
    "listing_fault",
    "names",
    "open_named",
    "part",
]

Official = Literal["", "train", "val", "test"]
TAKEN = ("cache", "folder", "folders")  # in `data/`, beside the data sets


class LayoutError(InputError):
    """Folders that can be read in two ways; the hint names the setting for each."""


@dataclass(frozen=True)
class Item:
    """One image of a source: where it is, what it shows, and its official split, if any."""

    path: str  # relative to the source's root, with forward slashes
    label: str
    official: Official = ""
    folder: str = ""  # the folder between class and image, or above the class: perhaps a group
    group: str = ""  # as the table of the labels names it


@dataclass(frozen=True)
class LeftOut:
    """A file that is not among the images: what kind it is, and of which class."""

    path: str
    kind: str
    label: str = ""


@dataclass(frozen=True)
class Source:
    """A listing of labelled images in files.

    Attributes:
        name: what the data set or folder is called.
        root: the folder that `Item.path` is relative to.
        items: all images, sorted by path; by split, label and path where a table names the labels.
        group_regex: how a group (patient, slide) is read from a file name, if it can be.
        positive: the class that a test looks for, if there is one.
        left_out: the files that are not among the images, and why.
        notes: what a reader of any result must know about this copy of the data.
        store: where the manifest is kept.
        is_benchmark: whether the official test set is kept whatever it holds; training images
            with the pixels of a test image are then left out, where a user's own split that
            does this is refused.
        nouns: what one calls the images and the groups: cells and patients, say.
        group_from: what tells the group: `name` (a regex or a table), or `Item.folder`, below
            (`folder`) or above the class folder (`folder-above`).
        labels_csv: the table that names the labels, as it was given; "" where folders do.
    """

    name: str
    root: Path
    items: tuple[Item, ...]
    group_regex: str | None = None
    positive: str | None = None
    left_out: tuple[LeftOut, ...] = ()
    notes: tuple[str, ...] = ()
    store: Path = field(default=Path())
    is_benchmark: bool = False
    nouns: tuple[str, str] = ("images", "groups")
    group_from: str = "name"
    labels_csv: str = ""

    @property
    def ignored(self) -> int:
        """The number of files left out."""
        return len(self.left_out)

    @property
    def class_names(self) -> list[str]:
        """The classes, sorted by name."""
        return sorted({item.label for item in self.items})

    def left_out_lines(self) -> list[str]:
        """Say how many files were left out, by class and kind: "3 of 40 files in round: 2 .txt"."""
        lost: dict[str, list[LeftOut]] = defaultdict(list)
        for one in self.left_out:
            lost[one.label].append(one)
        kept = Counter(item.label for item in self.items)
        lines = []
        for label in sorted(lost, key=lambda name: (not name, name)):
            where = f"{len(lost[label]) + kept[label]:,} files in {label}"
            if not label:
                outside = "" if self.labels_csv else ", outside the class folders"
                where = f"all {len(self.items) + self.ignored:,} files{outside}"
            words = in_words(lost[label], has_examples=bool(self.labels_csv))
            lines.append(f"left out: {len(lost[label]):,} of {where}: {words}")
        return lines

    def positive_class(self, wanted: str | None) -> str | None:
        """Return the class that is looked for, or None where there is none.

        Args:
            wanted: a class; "" for none; None for the data set's own.

        Raises:
            InputError: if it is none of two classes.
        """
        names = self.class_names
        choices, is_binary = ", ".join(names), len(names) == 2
        if not wanted:
            # a part of a data set may lack the class that the whole is searched for
            has_own = wanted is None and is_binary and self.positive in names
            return self.positive if has_own else None
        if wanted not in names:
            raise InputError("data.positive", f"one of {choices}", wanted, "one of these")
        if not is_binary:
            expected, received = "two classes, one of them positive", f"{len(names)} ({choices})"
            raise InputError("data.positive", expected, received, "data.positive=''")
        return wanted

    def read(self, path: str) -> Content:
        """Return the bytes of one image file.

        Raises:
            UnreadableImageError: if it is too large.
            OSError: if it cannot be read.
        """
        return read_file(self.root / path, path)

    def stat(self, path: str) -> tuple[int, int]:
        """Return `(size in bytes, modification time in ns)`, by which a hash is remembered."""
        status = (self.root / path).stat()
        return status.st_size, status.st_mtime_ns

    def size(self, path: str) -> tuple[int, int] | None:
        """Return `(height, width)` in px, or None for a file without an image header."""
        return read_size(self.root / path)


@dataclass(frozen=True)
class ArraySource(Source):
    """A listing of labelled images in arrays; a path is `<part>/<index>`, such as `train/00042`."""

    arrays: dict[str, Pixels] = field(default_factory=dict)

    def _pixels(self, path: str) -> Pixels:
        part, index = path.split("/")
        pixels: Pixels = self.arrays[part][int(index)]
        return pixels

    def read(self, path: str) -> Content:
        """Return the pixels of one image."""
        return np.ascontiguousarray(self._pixels(path))

    def stat(self, path: str) -> tuple[int, int]:
        """Return size and modification time of the arrays' file: an image in it has none."""
        status = self.root.stat()
        return status.st_size, status.st_mtime_ns

    def size(self, path: str) -> tuple[int, int] | None:
        """Return `(height, width)` in px."""
        height, width = self._pixels(path).shape[:2]
        return height, width


def in_words(left_out: Iterable[LeftOut], *, has_examples: bool = False) -> str:
    """Say how many there are of each kind, the commonest first: "2 .txt, 1 mask".

    Args:
        left_out: the files.
        has_examples: name the first of each kind too.
    """
    kinds: dict[str, list[str]] = defaultdict(list)
    for one in left_out:
        kinds[one.kind].append(one.path)
    ordered = sorted(kinds.items(), key=lambda kind: (-len(kind[1]), kind[0]))
    if has_examples:
        return "; ".join(f"{len(of):,} {kind}, such as {min(of)}" for kind, of in ordered)
    return ", ".join(f"{len(of):,} {kind}" for kind, of in ordered)


def allowed_losses(count: int) -> int:
    """Return how many of so many images may be lost before a training is refused."""
    return max(count // 100, 5)


def data_home() -> Path:
    """Return the `data` folder of `TFCNN_HOME`, or of the working folder."""
    return Path(os.environ.get("TFCNN_HOME", ".")) / "data"


def folder_of(name: str) -> Path:
    """Return the folder of a data set: `data/<name>`, or `data/<file>` of a file `<file>.py`.

    Raises:
        InputError: if a user's file has the name of something else that is in `data/`.
    """
    if not own_files.is_own(name):
        return data_home() / name.replace("_", "-")
    stem = Path(name).stem
    if stem.replace("_", "-") in (*names(), *TAKEN) or stem.startswith("."):
        received = f"{stem}, which tfcnn has already"
        raise InputError(name, "a name that no data set has", received, "renaming the file")
    return data_home() / stem


def names() -> list[str]:
    """Return the named data sets, as they are written on the command line."""
    places = Path(__file__).parent.iterdir()
    modules = {path.stem for path in places if path.suffix == ".py" or path.is_dir()}
    return sorted(
        name.replace("_", "-")
        for name in modules - {"folder"}
        if not name.startswith("_") and _file(name).is_file()
    )


def describe(name: str) -> str:
    """Return the first line of a data set's file, without importing it."""
    text = _text(name)
    return (ast.get_docstring(ast.parse(text)) or "").partition("\n")[0]


def is_local(name: str) -> bool:
    """Say whether a data set is made here and not fetched, by its file, which is not imported."""
    return re.search(r"^IS_LOCAL = True\b", _text(name), re.MULTILINE) is not None


def _text(name: str) -> str:
    if own_files.is_own(name):
        own_files.tree(Path(name), own_files.SOURCE)
        return files.read_text(Path(name))
    return _file(name).read_text(encoding="utf-8")


def _file(name: str) -> Path:
    """Return the file of a data set: a module, or a package."""
    place = Path(__file__).parent / name.replace("-", "_")
    return place / "__init__.py" if place.is_dir() else place.with_suffix(".py")


def find(name: str) -> ModuleType:
    """Import the file of a named data set, or of a user's own.

    Raises:
        InputError: if there is none of that name, or it cannot be run.
    """
    if own_files.is_own(name):
        return own_files.load(Path(name), own_files.SOURCE)
    if name.replace("_", "-") not in names():
        choices = ", ".join(names())
        raise InputError(name, "a data set's name", "an unknown one", f"one of {choices}")
    return importlib.import_module(f"tfcnn.datasets.{name.replace('-', '_')}")


def part(name: str, attribute: str, positive: str | None = None) -> Any:
    """Return what a data set's file says beside `download` and `open_source`, or None.

    Args:
        name: of the data set, or of a user's folder. A user's own file, named by its path, is run.
        attribute: "intended_use", a function of the summary of the images that says what a model
            of them is for; "LIMITS", sentences on what such a model cannot do; "positive_limit", a
            function of the specificity with such a sentence on the class that is looked for;
            "group_caveat", a function of the specificity, its lower bound and the number of images
            of a group that says what a call of a whole group is worth.
        positive: the class that is looked for; with it, a user's folder gets what is said by the
            data set whose positive class has that name, whatever the case.
    """
    if own_files.is_own(name):
        return getattr(find(name), attribute, None)
    choices = names()
    if name not in choices and positive is not None:
        name = next((one for one in choices if _looks_for(one, positive)), name)
    return getattr(find(name), attribute, None) if name in choices else None


def _looks_for(name: str, positive: str) -> bool:
    """Say whether a class is a data set's positive class, or has the data set's name."""
    own = getattr(find(name), "POSITIVE", name)
    return positive.casefold() in (name, own.casefold())


def download(name: str, *, mirror: str | None = None, progress: Progress | None = None) -> Path:
    """Make a named data set complete in `data/<name>` and return that folder.

    Raises:
        InputError: if it cannot be had, or a user's file does not say how.
    """
    folder, module = folder_of(name), find(name)
    if not hasattr(module, "download"):
        hint = f"tfcnn check {name}: its images are there without a download"
        raise InputError(name, "a file with a function download", "none", hint)
    with _guard(name, "download"):
        module.download(folder, mirror=mirror, progress=progress)
    return folder


def open_named(name: str, *, progress: Progress | None = None) -> Source:
    """Open a named data set that has been downloaded; one that needs no network is made.

    Raises:
        InputError: if it has not, or a user's file lists nothing that can be used.
    """
    folder = folder_of(name)
    module = find(name)
    is_there = _is_begun(folder) or not hasattr(module, "download")
    if not is_there and is_local(name):
        download(name, progress=progress)
    elif not is_there:
        raise InputError(
            folder, f"the data set {name}", "no such folder", f"`tfcnn download {name}` first"
        )
    with _guard(name, "open_source"):
        source: Source = module.open_source(folder)
    if not own_files.is_own(name):
        return replace(source, store=folder)
    with own_files.running(Path(name), "a Source that can be looked into"):
        fault = listing_fault(source)
    if fault:
        hint = f"`tfcnn check {name}`, and docs/extend.md"
        raise InputError(name, "an open_source that lists labelled images", fault, hint)
    return replace(source, name=folder.name, store=folder)


def _is_begun(folder: Path) -> bool:
    """Say whether a folder holds more than what a killed process left half-written."""
    if not folder.is_dir():
        return False
    try:
        return not all(map(atomic.is_part, folder.iterdir()))
    except OSError:  # whoever reads it says why it cannot
        return True


def _guard(name: str, function: str) -> AbstractContextManager[None]:
    """Return what turns an exception of a user's file into an error of one line."""
    if not own_files.is_own(name):
        return nullcontext()
    return own_files.running(Path(name), f"a file whose {function} returns")


def listing_fault(source: Any) -> str:
    """Say why something is no listing of labelled images; "" for one that is."""
    if not isinstance(source, Source):
        return f"{type(source).__name__}, no Source"
    items = source.items
    if not isinstance(items, tuple) or not all(isinstance(item, Item) for item in items):
        return "items that are no tuple of Item"
    return _path_fault(source) or _label_fault(source)


def _path_fault(source: Source) -> str:
    paths = [item.path for item in source.items]
    wrong = [path for path in paths if "\\" in path or path.startswith(("/", ".")) or not path]
    if wrong:
        return f"the path {wrong[0]!r}, which is none below `root` with forward slashes"
    if paths != sorted(set(paths)):
        return "paths that are not sorted, or one that is there twice"
    return ""


def _label_fault(source: Source) -> str:
    labels, official = set(source.class_names), {item.official for item in source.items}
    if bad := sorted(label for label in labels if label != label.strip() or not label):
        return f"the label {bad[0]!r}, empty or with spaces around it"
    if len(labels) < 2:
        return f"{len(labels)} classes, not at least 2"
    if other := official - {*get_args(Official)}:
        return f"the split {other.pop()!r}, not one of train, val, test"
    if source.positive not in {None, *labels}:
        return f"{source.positive!r} as positive, which is no class"
    if source.is_benchmark and "test" not in official:
        return "a benchmark without an official test set"
    return ""
