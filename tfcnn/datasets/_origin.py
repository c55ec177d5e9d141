"""The word that a download is whole: `origin.json`, written last, without which nothing is used."""

import contextlib
import hashlib
import os
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tfcnn.base import atomic, records
from tfcnn.base.disk import disk_errors, locked
from tfcnn.base.errors import InputError, TfcnnError

__all__ = [
    "Origin",
    "archive_folder",
    "check",
    "describe",
    "install",
    "read",
    "replacing",
    "require",
]

FILE = "origin.json"
AGAIN = "fetching it again"


@dataclass(frozen=True)
class Origin:
    """Where a finished download came from, and whether it is what its authors published.

    Attributes:
        official: whether the content equals the official one.
        notes: what a reader of any result must know about this copy.
        archive: `describe` of the files it was made from.
        content_sha256: of the images, whatever container they came in.
        num_images: how many there are.
        sha256: of the plain files that were installed, by name; empty from an earlier tfcnn.
    """

    official: bool
    notes: tuple[str, ...]
    archive: str
    content_sha256: str
    num_images: int
    sha256: dict[str, str] = field(default_factory=dict)


def read(folder: Path) -> Origin | None:
    """Return the origin of a finished download that is as it was installed, or None."""
    try:
        origin = _read(folder)
        check(folder, origin, origin.sha256)
    except TfcnnError:
        return None
    return origin


def require(folder: Path, name: str) -> Origin:
    """Return the origin of a finished download.

    Raises:
        InputError: if the download has not been finished.
        TfcnnError: if what says so is damaged.
    """
    if not (folder / FILE).exists():
        received = "an unfinished download" if folder.is_dir() else "no such folder"
        raise InputError(folder, f"the data set {name}", received, f"`tfcnn download {name}`")
    return _read(folder, f"`tfcnn download {name}`, which fetches it again")


def _read(folder: Path, hint: str = AGAIN) -> Origin:
    path, expected = folder / FILE, "the origin of a download"
    content = records.read_json(path, expected, hint)
    records.is_sealed(content, path, expected, hint)  # one of an earlier tfcnn is not
    try:
        fields = {**records.unsealed(content, FILE), "notes": tuple(content["notes"])}
        return Origin(**fields)
    except (TypeError, KeyError) as error:
        raise InputError(path, expected, str(error), hint) from error


def check(folder: Path, origin: Origin, names: Iterable[str], hint: str = AGAIN) -> None:
    """Refuse files of a download that are not as they were installed.

    Args:
        folder: of the data set.
        origin: of the download; one of an earlier tfcnn cannot tell.
        names: of the files, which are read whole.
        hint: what to try where one is another.

    Raises:
        InputError: naming the first of them.
    """
    for name in names:
        path, recorded = folder / name, origin.sha256.get(name)
        if recorded is not None and (not path.is_file() or records.sha256_of(path) != recorded):
            received = "another one" if path.exists() else "none"
            raise InputError(path, "the file that was downloaded", received, hint)


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
    (folder / FILE).unlink(missing_ok=True)
    atomic.to_disk(folder)
    for name in names:
        if (folder / name).exists():
            (folder / name).rename(new / f"{name}.old")
        atomic.replace(new / name, folder / name)
    files = [name for name in names if (folder / name).is_file()]
    hashes = {"sha256": {name: records.sha256_of(folder / name) for name in files}}
    content = records.sealed({**asdict(origin), **hashes}, FILE)
    atomic.write_text(folder / FILE, records.to_json(content, indent=1) + "\n")
    shutil.rmtree(archive_folder(folder), ignore_errors=True)


def _stamped(place: Path) -> str:
    digest = hashlib.sha256()
    for path in [place] if place.is_file() else sorted(place.rglob("*")):
        status = path.lstat()  # a link that leads nowhere counts too
        line = f"{path.relative_to(place)} {status.st_size} {status.st_mtime_ns}\n"
        digest.update(os.fsencode(line))
    return f"{place.resolve()} [{digest.hexdigest()[:16]}]"
