"""What a folder holds: the pictures, and every other file with the reason why it is left out."""

import os
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cached_property
from itertools import combinations
from pathlib import Path, PurePath

from tfcnn.base import atomic, naming
from tfcnn.decode import HEAD_BYTES, kind_of

# the formats of photographs and microscopes that Pillow reads
IMAGE_SUFFIXES = frozenset(
    {".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".bmp", ".gif", ".tif", ".tiff"}
    | {".ppm", ".pgm", ".pbm", ".pnm", ".jp2", ".j2k", ".jpx", ".avif"}
)
# also pictures, which we cannot read: a user who has them must be told
FOREIGN_SUFFIXES = frozenset(
    {".heic", ".heif", ".hif", ".dcm", ".dicom", ".ima", ".nii", ".nii.gz", ".mha", ".mhd", ".nrrd"}
    | {".svg", ".psd", ".cr2", ".cr3", ".nef", ".arw", ".dng", ".orf", ".rw2", ".raf", ".raw"}
    | {".czi", ".nd2", ".lif", ".lsm", ".oib", ".oif", ".vsi", ".svs", ".ndpi", ".mrxs", ".scn"}
    | {".bif", ".jxl", ".jxr", ".jls", ".exr", ".hdr", ".tga", ".ico", ".xcf", ".eps", ".fits"}
)
# never opened to see whether they are pictures
OTHER_SUFFIXES = frozenset(
    {".txt", ".csv", ".tsv", ".json", ".xml", ".yaml", ".yml", ".md", ".html", ".htm", ".pdf"}
    | {".doc", ".docx", ".xls", ".xlsx", ".ods", ".py", ".ipynb", ".m", ".mat", ".npy", ".npz"}
    | {".h5", ".hdf5", ".pkl", ".zip", ".gz", ".tar", ".7z", ".rar", ".db", ".ini", ".log"}
    | {".mp4", ".avi", ".mov", ".mkv", ".part", ".crdownload", ".tmp", ".bak", ".lnk", ".url"}
)
SYSTEM_FILES = frozenset({"thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r"})
LITTER = frozenset(
    {"@eadir", "#recycle", "@recycle", "@recently-snapshot", "#snapshot", "@tmp", "$recycle.bin"}
    | {"@synoeastream", "@__thumb", "@sharebin", "lost+found", "__macosx", "recycler"}
    | {"system volume information", "network trash folder", "temporary items"}
)
MASK_WORDS = (
    r"masks?|seg|segm|segmentations?|gt|ground[ _-]?truth|annotations?|annotated|labelmap"
    r"|superpixels|labels?|overlays?|contours?"
)
MOST_MASKS = 3  # of an image; where there are more of that name, these are the images
MASK_STEM = re.compile(rf"(.+?)[ _.-]+(?:{MASK_WORDS})(?:[ _.-]*\d+)?", re.IGNORECASE)
MASK_FIRST = re.compile(rf"(?:{MASK_WORDS})[ _.-]+(.+)", re.IGNORECASE)
# beside the images themselves, folders of what was drawn over or made from them
MASK_FOLDER = re.compile(rf"(?:{MASK_WORDS}|thumbs?|thumbnails?|previews?)", re.IGNORECASE)
AUGMENTED = re.compile(r"aug|augmented|augmentations?", re.IGNORECASE)
IMAGE_FOLDER = re.compile(
    r"images?|imgs?|pictures?|pics?|photos?|originals?|raw|jpe?gs?|pngs?|tiffs?|tifs?|bmps?",
    re.IGNORECASE,
)
HIDDEN, MASK = "hidden or system files", "masks beside their images"
IGNORED, NOT_UTF8 = "by data.ignore", "whose names are not UTF-8"


@dataclass
class Folder:
    """A folder that was read, with all below it.

    Attributes:
        path: where it is.
        images: paths of the pictures that lie directly in it.
        left_out: path and kind of every other file in it, and in folders that are none of its own.
        folders: those in it, sorted by name.
    """

    path: Path
    images: list[str] = field(default_factory=list)
    left_out: list[tuple[str, str]] = field(default_factory=list)
    folders: list["Folder"] = field(default_factory=list)

    @property
    def name(self) -> str:
        """Its last name."""
        return self.path.name

    @cached_property
    def count(self) -> int:
        """How many pictures are in it and below."""
        return len(self.images) + sum(folder.count for folder in self.folders)

    def all_images(self) -> Iterator[str]:
        """Yield the paths of all pictures in it and below."""
        yield from self.images
        for folder in self.folders:
            yield from folder.all_images()

    def all_left_out(self) -> Iterator[tuple[str, str]]:
        """Yield path and kind of all that was left out in it and below."""
        yield from self.left_out
        for folder in self.folders:
            yield from folder.all_left_out()

    def leave_out(self, kind: str) -> list[tuple[str, str]]:
        """Return all files in it as left out, its pictures for this reason."""
        return [*((path, kind) for path in self.all_images()), *self.all_left_out()]


def read(root: Path, ignore: Sequence[str] = ()) -> Folder:
    """Read a folder and all below it.

    Links to folders elsewhere are followed, each once; one that leads to a folder below `root` is
    not, for that is read anyway.

    Args:
        root: a resolved path.
        ignore: glob patterns; see `is_ignored`.

    Raises:
        OSError: if a folder cannot be read.
    """
    return _Reader(root, ignore).read(root)


class _Reader:
    def __init__(self, root: Path, ignore: Sequence[str]) -> None:
        self.root, self.ignore = root, ignore
        self.real = os.path.realpath(root)
        self.visited = {self.real}

    def read(self, path: Path, why: str = "") -> Folder:
        """Read a folder; with a reason `why`, every file in it is left out."""
        folder = Folder(path)
        paths = {}
        with os.scandir(path) as entries:
            ordered = sorted(entries, key=lambda entry: entry.name)
        for entry in ordered:
            if _is(entry.is_dir):
                self._enter(entry, folder, why)
            elif reason := why or self._reason(entry):
                folder.left_out.append((entry.path, reason))
            else:
                paths[entry.name] = entry.path
        _sort(folder, paths, _head)
        return folder

    def _enter(self, entry: "os.DirEntry[str]", parent: Folder, why: str) -> None:
        if entry.is_symlink() and not self._is_new(entry.path):
            parent.left_out.append((entry.path, "links to a folder that is read anyway"))
            return
        below = entry.path.removeprefix(f"{self.root}{os.sep}")
        is_foreign = is_litter(entry.name)
        if is_foreign:
            why = f"in {entry.name}"
        elif is_ignored(below, self.ignore):
            is_foreign, why = True, IGNORED
        elif not is_utf8(entry.name):
            why = NOT_UTF8
        try:
            folder = self.read(Path(entry.path), why)
        except OSError:
            if not is_foreign:  # lost+found is not ours to read
                raise
            parent.left_out.append((entry.path, why))
            return
        if is_foreign:
            parent.left_out += folder.all_left_out()
        else:
            parent.folders.append(folder)

    def _is_new(self, link: str) -> bool:
        """Say whether a link leads to a folder that is read only through it, and remember it."""
        real = os.path.realpath(link)
        if real in self.visited or f"{real}{os.sep}".startswith(f"{self.real}{os.sep}"):
            return False
        self.visited.add(real)
        return True

    def _reason(self, entry: "os.DirEntry[str]") -> str:
        if not is_utf8(entry.name):
            return NOT_UTF8
        if not _is(entry.is_file):
            is_broken = entry.is_symlink() and not Path(entry.path).exists()
            return "broken links" if is_broken else "that are no regular files"
        below = entry.path.removeprefix(f"{self.root}{os.sep}")
        return IGNORED if is_ignored(below, self.ignore) else ""


def _is(kind: Callable[[], bool]) -> bool:
    """Ask for the kind of an entry; a link that leads to itself has none."""
    try:
        return kind()
    except OSError:
        return False


def kinds(names: Iterable[str], head: Callable[[str], bytes]) -> dict[str, str]:
    """Return for each file of one folder why it is left out, "" for a picture.

    Args:
        names: the files' names.
        head: returns the first `HEAD_BYTES` of one, read only where the name tells nothing.
    """
    kind_of_name = {name: _kind(name, head) for name in names}
    stems = {name: _stem(name) for name, kind in kind_of_name.items() if not kind}
    images = set(stems.values())
    masks = []
    for name, stem in stems.items():
        if len(stem) > naming.LONGEST_NAME:  # in an archive only: it takes the square of that
            continue
        matches = (pattern.fullmatch(stem) for pattern in (MASK_STEM, MASK_FIRST))
        if any(match and match[1] in images for match in matches):
            masks.append(name)
    is_few = len(masks) <= MOST_MASKS * (len(stems) - len(masks))
    return {**kind_of_name, **dict.fromkeys(masks if is_few else (), MASK)}


def from_names(
    names: Iterable[str], head: Callable[[str], bytes], ignore: Sequence[str] = ()
) -> Folder:
    """Do for the members of an archive what `read` does for a folder.

    Args:
        names: paths in it, with forward slashes.
        head: returns the first `HEAD_BYTES` of one.
        ignore: glob patterns; see `is_ignored`.
    """
    root = Folder(Path())
    folders: dict[tuple[str, ...], Folder] = {(): root}
    members: dict[tuple[str, ...], dict[str, str]] = defaultdict(dict)

    def folder_of(parents: tuple[str, ...]) -> Folder:
        if parents not in folders:
            folders[parents] = Folder(Path(*parents))
            folder_of(parents[:-1]).folders.append(folders[parents])
        return folders[parents]

    for name in names:
        parts = tuple(part for part in name.split("/") if part not in ("", ".", ".."))
        litter = next((part for part in parts[:-1] if is_litter(part)), None)
        if litter or not is_utf8(name):
            root.left_out.append((name, f"in {litter}" if litter else NOT_UTF8))
        elif is_ignored("/".join(parts), ignore):
            root.left_out.append((name, IGNORED))
        elif parts:
            members[parts[:-1]][parts[-1]] = name
        else:
            root.left_out.append((name, "without a name"))
    for parents, inside in members.items():
        folder = folder_of(parents)
        _sort(folder, inside, head)
    return root


def _sort(folder: Folder, paths: Mapping[str, str], head: Callable[[str], bytes]) -> None:
    """Put files into a folder: pictures, and others with their kind.

    Args:
        folder: changed.
        paths: a path for each name.
        head: returns the first bytes of a path.
    """
    for name, kind in kinds(paths, lambda name: head(paths[name])).items():
        if kind:
            folder.left_out.append((paths[name], kind))
        else:
            folder.images.append(paths[name])


def set_masks_aside(folder: Folder) -> None:
    """Leave out folders of masks, overlays or copies that lie beside the images themselves.

    Args:
        folder: a folder and all below it; changed.
    """
    has_images = bool(folder.images) or any(
        IMAGE_FOLDER.fullmatch(child.name) and child.count for child in folder.folders
    )
    own = []
    for child in folder.folders:
        if has_images and is_aside(child, folder):
            folder.left_out += child.leave_out(f"in a folder {child.name}")
        else:
            set_masks_aside(child)
            own.append(child)
    folder.folders = own


def is_aside(child: Folder, parent: Folder) -> bool:
    """Say whether a folder holds masks, overlays or copies of the images beside it.

    Copies are known by their names, which are those of the others or hold them: the images of a
    folder `augmented` may as well be the only ones of their kind.
    """
    if not AUGMENTED.fullmatch(child.name):
        return MASK_FOLDER.fullmatch(child.name) is not None
    within = set(child.all_images())
    others = {_stem(path) for path in parent.all_images() if path not in within}
    copies = sum(_holds(_stem(path), others) for path in within)
    return bool(within) and 2 * copies > len(within)


def _holds(stem: str, others: set[str]) -> bool:
    """Say whether a name begins or ends with another: `aug_x_2`, `x (1)`."""
    words = [0, *(at for cut in re.finditer(r"[^0-9a-zA-Z]+", stem) for at in cut.span())]
    words.append(len(stem))
    return any(stem[:at] in others or stem[at:] in others for at in words)


def _stem(path: str) -> str:
    return PurePath(path).stem.casefold()


def is_litter(name: str) -> bool:
    """Say whether a folder is one that systems and network drives make for themselves."""
    return name.startswith(".") or name.casefold() in LITTER


def is_system_name(name: str) -> bool:
    """Say whether a file or folder is hidden, or one that systems make for themselves."""
    return is_litter(name) or name.casefold() in SYSTEM_FILES


def is_ignored(path: str, patterns: Sequence[str]) -> bool:
    """Say whether a relative path matches a pattern: the whole, a name in it, or names that follow.

    Whether letters are large or small does not matter; `*` stands for any signs, `/` too.
    """
    if not patterns:
        return False
    parts = PurePath(path.casefold()).parts
    stretches = ["/".join(parts[a:b]) for a, b in combinations(range(len(parts) + 1), 2)]
    wanted = [pattern.casefold().removeprefix("./").rstrip("/") for pattern in patterns]
    return any(fnmatchcase(part, pattern) for pattern in wanted for part in stretches)


def is_utf8(text: str) -> bool:
    """Say whether a name can be written into a text file."""
    return text == atomic.printable(text)


def suffix_of(name: str) -> str:
    """Return a name's suffix in small letters, with its point."""
    low = name.lower()  # many thousands of names: a Path takes too long
    if low.endswith(".nii.gz"):
        return ".nii.gz"
    _, dot, suffix = low.rpartition(".")
    return f"{dot}{suffix}" if dot else ""


def _kind(name: str, head: Callable[[str], bytes]) -> str:
    if is_system_name(name) or name.startswith("~$"):
        return HIDDEN
    suffix = suffix_of(name)
    if suffix in IMAGE_SUFFIXES or suffix in FOREIGN_SUFFIXES:
        return ""
    if suffix not in OTHER_SUFFIXES and (kind := kind_of(head(name))) and kind.is_picture:
        return ""
    return suffix or "without a suffix"


def _head(path: str) -> bytes:
    try:
        with Path(path).open("rb") as file:
            return file.read(HEAD_BYTES)
    except OSError:
        return b""
