"""Archives made into folders and arrays, safely: all of what they hold, or nothing."""

import hashlib
import shutil
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import numpy as np

from tfcnn.base import atomic, files
from tfcnn.base.disk import disk_errors, locked, require_disk_space
from tfcnn.base.errors import InputError
from tfcnn.base.records import sha256_of
from tfcnn.datasets import Progress
from tfcnn.decode import archives
from tfcnn.decode.archives import Member

__all__ = ["IGNORED_NAMES", "Unpacked", "content_sha256", "read_npz", "unpack_zip"]

IGNORED_NAMES = ("Thumbs.db", "desktop.ini", ".DS_Store", "__MACOSX")
MAX_ARRAY_BYTES = 1 << 29  # of one array; CIFAR-10's largest has 154 MB
BLOCK_BYTES = 4096  # a file takes whole blocks of the disk

Members = list[tuple[Member, PurePosixPath]]


class Unpacked(NamedTuple):
    """How many files of an archive were written, and how many were ignored."""

    num_files: int
    num_ignored: int


def unpack_zip(
    archive: Path,
    target: Path,
    *,
    progress: Progress | None = None,
    ignore: tuple[str, ...] = IGNORED_NAMES,
) -> Unpacked:
    """Unpack a zip archive into a new folder, which appears only when it is complete.

    Written by one thread: two and four were no faster for 9,065 small images on 2 busy cores,
    since each file costs more in Python and in the file system than in decompression. Times and
    permissions in the archive are not kept.

    Args:
        archive: the zip file. Its size, member names and types are judged before any is written.
        target: the folder to make; missing ones above it are made, an empty one is replaced.
        progress: called with (bytes written, bytes in all).
        ignore: names of files and folders that are left out, in any case of letters; hidden ones
            are left out too.

    Returns:
        The number of files written and of files ignored.

    Raises:
        InputError: if the archive is missing, truncated, damaged, encrypted, empty or a bomb; if
            a member would leave `target` or is no plain file; if `target` holds something or
            another process is making it; if the disk is too small or full. Then `target` is as
            it was and nothing is left beside it.
    """
    with disk_errors(target), locked(target):
        _remove_leftovers(target)
        if target.exists() and (not target.is_dir() or any(target.iterdir())):
            hint = "moving it away or removing it"
            raise InputError(target, "a folder that does not exist yet", "one with files", hint)
        listed = archives.listed(archive)
        members = _members(archive, listed, ignore)
        with atomic.writing(target) as part:
            _write_members(archive, members, part, progress)
    num_files = sum(not member.is_folder for member, _ in members)
    return Unpacked(num_files, sum(not member.is_folder for member in listed) - num_files)


def content_sha256(folder: Path) -> tuple[str, int]:
    """Return one sha256 for all images of a folder of class folders, and their number.

    It is taken over the lines `<sha256 of file>  <Class>/<name>.png`, each ended by a newline,
    sorted by `<Class>/<name>.png` as bytes: the container and the order in it do not matter.

    Raises:
        InputError: if a file cannot be read.
    """
    digest = hashlib.sha256()
    with disk_errors(folder):
        names = sorted(path.relative_to(folder).as_posix() for path in folder.glob("*/*.png"))
        for name in names:
            line = f"{sha256_of(folder / name)}  {name}\n"
            digest.update(line.encode(errors="surrogateescape"))
    return digest.hexdigest(), len(names)


def read_npz(path: Path, names: tuple[str, ...]) -> dict[str, np.ndarray[Any, np.dtype[Any]]]:
    """Read arrays from an `.npz` file without pickle, so that no code in it can run.

    Args:
        path: the file.
        names: the arrays to read; others in the file are passed over.

    Returns:
        The arrays by name, in the order of `names`, with the dtypes and shapes they have there.

    Raises:
        InputError: if the file is missing, truncated, damaged or a bomb, if an array is missing,
            there twice or too large, or if one holds Python objects.
    """
    listed = archives.listed(path)
    return {name: _read_array(path, listed, name) for name in names}


def _members(archive: Path, listed: list[Member], ignore: tuple[str, ...]) -> Members:
    """Return the members to unpack, each with its path, once every one has been judged."""
    ignored = {name.casefold() for name in ignore}
    named = [(member, _safe_path(archive, member)) for member in listed]
    kept = [(member, path) for member, path in named if not _is_ignored(path, ignored)]
    if all(member.is_folder for member, _ in kept):
        raise InputError(archive, "an archive with files", "none", "another archive")
    return kept


def _safe_path(archive: Path, member: Member) -> PurePosixPath:
    """Return where a member belongs below the target; refuse it if that is not certain."""
    fault = member.fault or ("a path with a backslash" if "\\" in member.name else "")
    if fault:
        hint = "another archive: nothing of this one is used"
        received = f"{member.name!r}, {fault}"
        raise InputError(archive, "plain files inside the folder", received, hint)
    return PurePosixPath(member.name)


def _is_ignored(path: PurePosixPath, ignored: set[str]) -> bool:
    return any(part.startswith(".") or part.casefold() in ignored for part in path.parts)


def _write_members(
    archive: Path, members: Members, folder: Path, progress: Progress | None
) -> None:
    total = sum(member.size_bytes for member, _ in members)
    require_disk_space(folder.parent, total + BLOCK_BYTES * len(members))
    folder.mkdir()
    done = 0
    for member, path in members:
        try:
            _write_member(archive, member, folder / path)
        except (FileExistsError, NotADirectoryError) as error:
            hint = "another archive: nothing of this one is used"
            raise InputError(archive, "each name once", f"'{path}' again", hint) from error
        done += member.size_bytes
        if progress is not None:
            progress(done, total)


def _write_member(archive: Path, member: Member, place: Path) -> None:
    if member.is_folder:
        place.mkdir(parents=True, exist_ok=True)
        return
    place.parent.mkdir(parents=True, exist_ok=True)
    with place.open("xb") as file:  # x: never over an earlier member
        for piece in _pieces(archive, member):
            file.write(piece)


def _pieces(archive: Path, member: Member) -> Iterator[bytes]:
    """Yield the content of a member; its errors are the archive's, not those of writing."""
    try:
        yield from archives.chunks(archive, member)
    except archives.MemberError as error:
        raise _damaged(archive, member.name, error) from error


class _Stream:
    """The content of a member for NumPy, which asks for so many bytes at a time."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces, self._piece, self._place = pieces, b"", 0

    def read(self, size: int) -> bytes:
        if self._place == len(self._piece):
            self._piece, self._place = next(self._pieces, b""), 0
        found = self._piece[self._place : self._place + size]
        self._place += len(found)
        return found


def _read_array(path: Path, listed: list[Member], name: str) -> np.ndarray[Any, np.dtype[Any]]:
    found = [member for member in listed if member.name == f"{name}.npy"]
    if len(found) != 1:
        names = ", ".join(member.name.removesuffix(".npy") for member in listed[:8]) or "none"
        received = f"{len(found)} of them" if found else names
        raise InputError(path, f"an array '{name}'", received, "another file")
    if found[0].size_bytes > MAX_ARRAY_BYTES:
        received = files.too_large(found[0].size_bytes, MAX_ARRAY_BYTES)
        raise InputError(path, f"an array '{name}' of images or labels", received, "another file")
    stream: Any = _Stream(_pieces(path, found[0]))
    try:
        array = np.lib.format.read_array(stream, allow_pickle=False)
        if stream.read(1):  # the CRC is compared only where the end is reached
            raise ValueError("longer than its header says")
    except InputError:
        raise
    except Exception as error:  # of a broken header NumPy raises nearly every type
        raise _damaged(path, name, error) from error
    return np.asarray(array)


def _damaged(archive: Path, member: str, error: BaseException) -> InputError:
    reason = f"'{member}' damaged ({type(error).__name__}: {error})"
    return InputError(archive, "a sound archive", reason, "removing it and downloading again")


def _remove_leftovers(target: Path) -> None:
    """Remove what killed attempts at the same target have left."""
    for path in atomic.half_written(target):
        if path.is_dir():
            shutil.rmtree(path)
