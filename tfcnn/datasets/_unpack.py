"""Archives made into folders and arrays, safely: all of what they hold, or nothing."""

import hashlib
import lzma
import re
import shutil
import stat
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import numpy as np

from tfcnn import atomic
from tfcnn.datasets import Progress
from tfcnn.disk import disk_errors, locked, require_disk_space
from tfcnn.errors import InputError

__all__ = ["IGNORED_NAMES", "Unpacked", "content_sha256", "read_npz", "unpack_zip"]

IGNORED_NAMES = ("Thumbs.db", "desktop.ini", ".DS_Store", "__MACOSX")
MAX_MEMBERS = 2_000_000
MAX_BYTES = 256 << 30  # unpacked; ImageNet has 150 GB
# Deflate can shrink 1,032-fold, images that are worth storing hardly at all, masks some 50-fold.
MAX_RATIO = 200
SMALL_BYTES = 1 << 30  # below this no ratio is dangerous
CHUNK_BYTES = 1 << 20
BLOCK_BYTES = 4096  # a file takes whole blocks of the disk

# What zipfile raises for a member that is damaged, encrypted or packed in an unknown way.
_MEMBER_ERRORS = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    NotImplementedError,
    OSError,
    RuntimeError,
    ValueError,
)


Members = list[tuple[zipfile.ZipInfo, PurePosixPath]]


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
        with _opened(archive) as zip_file:
            infos = zip_file.infolist()
            _check_size(archive, infos)
            members = _members(archive, infos, ignore)
            with atomic.writing(target) as part:
                _write_members(archive, zip_file, members, part, progress)
    num_files = sum(not info.is_dir() for info, _ in members)
    return Unpacked(num_files, sum(not info.is_dir() for info in infos) - num_files)


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
            file_digest = hashlib.sha256((folder / name).read_bytes()).hexdigest()
            digest.update(f"{file_digest}  {name}\n".encode(errors="surrogateescape"))
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
            or if one holds Python objects.
    """
    with _opened(path) as zip_file:
        _check_size(path, zip_file.infolist())
        return {name: _read_array(path, zip_file, name) for name in names}


@contextmanager
def _opened(archive: Path) -> Iterator[zipfile.ZipFile]:
    """Open a zip archive, whose list of members is at its end, and so lost in a truncated one."""
    with disk_errors(archive):
        with archive.open("rb") as file:
            start = file.read(4)
        try:
            zip_file = zipfile.ZipFile(archive)
        except (zipfile.BadZipFile, NotImplementedError, ValueError) as error:
            received = "a truncated or damaged one" if start[:2] == b"PK" else "something else"
            received = received if start else "an empty file"
            hint = "removing it and downloading again"
            raise InputError(archive, "a zip archive", f"{received} ({error})", hint) from error
    with zip_file:
        yield zip_file


def _check_size(archive: Path, infos: list[zipfile.ZipInfo]) -> None:
    """Refuse bombs by the sizes the archive declares; zipfile never yields more than those."""
    total = sum(info.file_size for info in infos)
    limit = min(max(SMALL_BYTES, MAX_RATIO * archive.stat().st_size), MAX_BYTES)
    hint = "another archive; this one looks made to fill the disk"
    if len(infos) > MAX_MEMBERS:
        raise InputError(archive, f"at most {MAX_MEMBERS:,} members", f"{len(infos):,}", hint)
    if total > limit:
        expected = f"at most {limit / 1e6:,.0f} MB when unpacked"
        raise InputError(archive, expected, f"{total / 1e6:,.0f} MB", hint)


def _members(archive: Path, infos: list[zipfile.ZipInfo], ignore: tuple[str, ...]) -> Members:
    """Return the members to unpack, each with its path, once every name has been judged."""
    ignored = {name.casefold() for name in ignore}
    named = [(info, _safe_path(archive, info)) for info in infos]
    kept = [(info, path) for info, path in named if not _is_ignored(path, ignored)]
    if all(info.is_dir() for info, _ in kept):
        raise InputError(archive, "an archive with files", "none", "another archive")
    return kept


def _safe_path(archive: Path, info: zipfile.ZipInfo) -> PurePosixPath:
    """Return where a member belongs below the target; refuse it if that is not certain."""
    name = info.orig_filename  # `filename` has been cut at a NUL
    path = PurePosixPath(name)
    kind = stat.S_IFMT(info.external_attr >> 16)  # Unix mode; 0 where the archive has none
    if path.is_absolute() or re.match("[A-Za-z]:", name):
        received = "an absolute path"
    elif ".." in path.parts or "\\" in name:
        received = "a path with '..' or a backslash"
    elif re.search(r"[\x00-\x1f\x7f]", name):
        received = "control characters"
    elif kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        received = "a link or device"
    elif info.flag_bits & 0x1:
        received = "an encrypted file"
    else:
        return path
    hint = "another archive: nothing of this one is used"
    raise InputError(archive, "plain files inside the folder", f"{name!r}, {received}", hint)


def _is_ignored(path: PurePosixPath, ignored: set[str]) -> bool:
    return any(part.startswith(".") or part.casefold() in ignored for part in path.parts)


def _write_members(
    archive: Path,
    zip_file: zipfile.ZipFile,
    members: Members,
    folder: Path,
    progress: Progress | None,
) -> None:
    total = sum(info.file_size for info, _ in members)
    require_disk_space(folder.parent, total + BLOCK_BYTES * len(members))
    folder.mkdir()
    done = 0
    for info, path in members:
        try:
            _write_member(archive, zip_file, info, folder / path)
        except (FileExistsError, NotADirectoryError) as error:
            hint = "another archive: nothing of this one is used"
            raise InputError(archive, "each name once", f"'{path}' again", hint) from error
        done += info.file_size
        if progress is not None:
            progress(done, total)


def _write_member(
    archive: Path, zip_file: zipfile.ZipFile, info: zipfile.ZipInfo, place: Path
) -> None:
    if info.is_dir():
        place.mkdir(parents=True, exist_ok=True)
        return
    place.parent.mkdir(parents=True, exist_ok=True)
    with place.open("xb") as file:  # x: never over an earlier member
        for chunk in _chunks(archive, zip_file, info):
            file.write(chunk)


def _chunks(archive: Path, zip_file: zipfile.ZipFile, info: zipfile.ZipInfo) -> Iterator[bytes]:
    """Yield the content of a member; its errors are the archive's, not those of writing."""
    try:
        with zip_file.open(info) as file:
            while chunk := file.read(CHUNK_BYTES):
                yield chunk
    except _MEMBER_ERRORS as error:
        raise _damaged(archive, info.filename, error) from error


def _read_array(path: Path, zip_file: zipfile.ZipFile, name: str) -> np.ndarray[Any, np.dtype[Any]]:
    members = zip_file.namelist()
    if f"{name}.npy" not in members:
        received = ", ".join(member.removesuffix(".npy") for member in members[:8]) or "none"
        raise InputError(path, f"an array '{name}'", received, "another file")
    try:
        with zip_file.open(f"{name}.npy") as file:
            array = np.lib.format.read_array(file, allow_pickle=False)
            if file.read(1):  # zipfile compares the CRC only when the end is reached
                raise ValueError("longer than its header says")
    except (*_MEMBER_ERRORS, MemoryError) as error:
        raise _damaged(path, name, error) from error
    return np.asarray(array)


def _damaged(archive: Path, member: str, error: BaseException) -> InputError:
    reason = f"'{member}' damaged ({type(error).__name__}: {error})"
    return InputError(archive, "a sound archive", reason, "removing it and downloading again")


def _remove_leftovers(target: Path) -> None:
    """Remove what killed attempts at the same target have left: see `atomic.part_path`."""
    name = (
        rf"\.{re.escape(target.stem)}-[0-9a-f]{{8}}{atomic.PART_SUFFIX}{re.escape(target.suffix)}"
    )
    for path in target.parent.iterdir():
        if re.fullmatch(name, path.name) and path.is_dir():
            shutil.rmtree(path)
