"""A data set's folder made whole: its files, then `origin.json`, without which nothing is used."""

import contextlib
import hashlib
import os
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath

from tfcnn.base import atomic, records
from tfcnn.base.disk import disk_errors, locked, require_disk_space
from tfcnn.base.errors import InputError, TfcnnError
from tfcnn.datasets import Progress
from tfcnn.datasets._files import is_system_name
from tfcnn.decode import Member, archives

FILE = "origin.json"
AGAIN = "fetching it again"
BLOCK_BYTES = 4096  # a file takes whole blocks of the disk


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
    """Return the origin of a finished download whose files are unchanged, or None."""
    try:
        origin = _read(folder, AGAIN)
        check(folder, origin, origin.sha256, AGAIN)
    except TfcnnError:
        return None
    return origin


def require(folder: Path, name: str) -> Origin:
    """Return the origin of a finished download.

    Raises:
        InputError: if the download has not been finished.
        TfcnnError: if `origin.json` is damaged.
    """
    if not (folder / FILE).exists():
        received = "an unfinished download" if folder.is_dir() else "no such folder"
        raise InputError(folder, f"the data set {name}", received, f"`tfcnn download {name}`")
    return _read(folder, f"`tfcnn download {name}`, which fetches it again")


def _read(folder: Path, hint: str) -> Origin:
    path, expected = folder / FILE, "the origin of a download"
    content = records.read_json(path, expected, hint)
    records.check_seal(content, path, expected, hint)  # an earlier tfcnn wrote no seal
    try:
        fields = {**records.unsealed(content, FILE), "notes": tuple(content["notes"])}
        return Origin(**fields)
    except (TypeError, KeyError) as error:
        raise InputError(path, expected, str(error), hint) from error


def check(folder: Path, origin: Origin, names: Iterable[str], hint: str) -> None:
    """Refuse files of a download that have changed since they were installed.

    Args:
        folder: of the data set.
        origin: of the download; that of an earlier tfcnn records no files.
        names: of the files, which are read whole.
        hint: what to try where a file has changed.

    Raises:
        InputError: naming the first of them.
    """
    for name in names:
        path, recorded = folder / name, origin.sha256.get(name)
        if recorded is not None and (received := records.instead_of(path, recorded)):
            raise InputError(path, "the file that was downloaded", received, hint)


def describe(*places: Path | str) -> str:
    """Name addresses, files and folders so that what has changed is named differently.

    A path is followed by a short hash of the names, sizes and times of what it holds.
    """
    return ", ".join(place if isinstance(place, str) else _stamped(place) for place in places)


def _stamped(place: Path) -> str:
    digest = hashlib.sha256()
    for path in [place] if place.is_file() else sorted(place.rglob("*")):
        status = path.lstat()  # a link that leads nowhere counts too
        line = f"{path.relative_to(place)} {status.st_size} {status.st_mtime_ns}\n"
        digest.update(os.fsencode(line))
    return f"{place.resolve()} [{digest.hexdigest()[:16]}]"


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
    plain = [name for name in names if (folder / name).is_file()]
    hashes = {"sha256": {name: records.sha256_of(folder / name) for name in plain}}
    content = records.sealed({**asdict(origin), **hashes}, FILE)
    atomic.write_text(folder / FILE, records.to_json(content, indent=1) + "\n")
    shutil.rmtree(archive_folder(folder), ignore_errors=True)


def unpack(archive: Path, folder: Path, progress: Progress | None = None) -> None:
    """Unpack a zip archive into a new folder; the caller removes it on any error (`replacing`).

    One thread writes: two and four were no faster for 9,065 small images on 2 busy cores, since
    each file costs more in Python and in the file system than in decompression. Times and
    permissions in the archive are not kept. Hidden files and those of systems are left out.

    Args:
        archive: the zip file. Its size, member names and types are judged before any is written.
        folder: below an existing folder.
        progress: called with (bytes written, bytes in all).

    Raises:
        InputError: if the archive is missing, truncated, damaged, encrypted, empty or a bomb; if
            a member would leave `folder` or is no plain file; if the disk is too small.
        OSError: if the disk is full or cannot be written to.
    """
    places = [(member, _safe_path(archive, member)) for member in archives.members(archive)]
    places = [(member, path) for member, path in places if not any(map(is_system_name, path.parts))]
    if all(member.is_folder for member, _ in places):
        raise InputError(archive, "an archive with files", "none", "another archive")
    done, total = 0, sum(member.size_bytes for member, _ in places)
    require_disk_space(folder.parent, total + BLOCK_BYTES * len(places))
    for member, path in places:
        try:
            _write_member(archive, member, folder / path)
        except (FileExistsError, NotADirectoryError) as error:
            hint = "another archive: nothing of this one is used"
            raise InputError(archive, "each name once", f"'{path}' again", hint) from error
        done += member.size_bytes
        if progress is not None:
            progress(done, total)


def _safe_path(archive: Path, member: Member) -> PurePosixPath:
    """Return where a member belongs below the target; refuse it if that is not certain."""
    fault = member.fault or ("a path with a backslash" if "\\" in member.name else "")
    if fault:
        hint = "another archive: nothing of this one is used"
        received = f"{member.name!r}, {fault}"
        raise InputError(archive, "plain files inside the folder", received, hint)
    return PurePosixPath(member.name)


def _write_member(archive: Path, member: Member, place: Path) -> None:
    (place if member.is_folder else place.parent).mkdir(parents=True, exist_ok=True)
    if member.is_folder:
        return
    with place.open("xb") as file:  # x: never over an earlier member
        try:
            for piece in archives.chunks(archive, member):
                file.write(piece)
        except archives.MemberError as error:
            raise damaged(archive, member.name, error) from error


def damaged(archive: Path, name: str, error: Exception) -> InputError:
    """Return the error of a damaged member of an archive."""
    received = f"'{name}' damaged ({type(error).__name__}: {error})"
    return InputError(archive, "a sound archive", received, "removing it and downloading again")
