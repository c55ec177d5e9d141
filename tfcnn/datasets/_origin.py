"""The word that a download is whole: `origin.json`, written last, without which nothing is used."""

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from tfcnn import atomic
from tfcnn.disk import disk_errors, locked
from tfcnn.errors import InputError

__all__ = ["Origin", "archive_folder", "describe", "install", "read", "replacing", "require"]

FILE = "origin.json"


@dataclass(frozen=True)
class Origin:
    """Where a finished download came from, and whether it is what its authors published.

    Attributes:
        official: whether the content equals the official one.
        notes: what a reader of any result must know about this copy.
        archive: `describe` of the files it was made from.
        content_sha256: of the images, whatever container they came in.
        num_images: how many there are.
    """

    official: bool
    notes: tuple[str, ...]
    archive: str
    content_sha256: str
    num_images: int


def read(folder: Path) -> Origin | None:
    """Return the origin of a finished download, or None where there is none."""
    try:
        fields = json.loads((folder / FILE).read_text(encoding="utf-8"))
        return Origin(**{**fields, "notes": tuple(fields["notes"])})
    except (OSError, ValueError, TypeError, KeyError):
        return None


def require(folder: Path, name: str) -> Origin:
    """Return the origin of a finished download.

    Raises:
        InputError: if the download has not been finished.
    """
    origin = read(folder)
    if origin is None:
        received = "an unfinished download" if folder.is_dir() else "no such folder"
        raise InputError(folder, f"the data set {name}", received, f"`tfcnn download {name}`")
    return origin


def describe(*places: Path | str) -> str:
    """Name addresses, files and folders so that what has changed is named differently.

    A path is followed by a short hash of the names, sizes and times of what it holds.
    """
    return ", ".join(place if isinstance(place, str) else _stamped(place) for place in places)


def archive_folder(folder: Path) -> Path:
    """Return where archives are fetched to; kept until the download is whole, to resume from."""
    return folder / "download"


@contextlib.contextmanager
def replacing(folder: Path) -> Iterator[Path]:
    """Give an empty folder to make the new content of a data set's folder in, for `install`.

    Raises:
        InputError: if another process is making the same, or the disk is full or read-only.
    """
    new = folder / ".new"
    try:
        with disk_errors(folder), locked(folder / FILE):
            shutil.rmtree(new, ignore_errors=True)  # left by a killed attempt
            new.mkdir()
            try:
                yield new
            finally:
                shutil.rmtree(new, ignore_errors=True)
    finally:
        for place in (archive_folder(folder), folder):
            with contextlib.suppress(OSError):  # it holds something
                place.rmdir()


def install(new: Path, names: tuple[str, ...], folder: Path, origin: Origin) -> None:
    """Move finished files and folders from `new` to `folder`, in place of older ones.

    Killed at any point, by a power cut too, it leaves the old content with its origin, the new
    content with its own, or no origin at all: never one with the other.
    """
    (folder / FILE).unlink(missing_ok=True)  # which reaches the disk before the first new name does
    for name in names:
        if (folder / name).exists():
            (folder / name).rename(new / f"{name}.old")
        atomic.replace(new / name, folder / name)
    atomic.write_text(folder / FILE, json.dumps(asdict(origin), indent=1) + "\n")
    shutil.rmtree(archive_folder(folder), ignore_errors=True)


def _stamped(place: Path) -> str:
    digest = hashlib.sha256()
    for path in [place] if place.is_file() else sorted(place.rglob("*")):
        status = path.lstat()  # a link that leads nowhere counts too
        line = f"{path.relative_to(place)} {status.st_size} {status.st_mtime_ns}\n"
        digest.update(os.fsencode(line))
    return f"{place.resolve()} [{digest.hexdigest()[:16]}]"
