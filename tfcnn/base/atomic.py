"""Files that are either whole or absent, after a power cut too.

They are written under a temporary name, brought to the disk, then renamed.
"""

import contextlib
import errno
import glob
import io
import os
import re
import shutil
import time
import uuid
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TextIO

from tfcnn.base import files, naming
from tfcnn.base.errors import InputError

PART_SUFFIX = ".part"
OLD_SECONDS = 3600  # whoever still writes a file has done so within the hour
PART = re.compile(rf"\..*-[0-9a-f]{{8}}{re.escape(PART_SUFFIX)}(\.[^.]*)?")
USUAL = re.compile(r"[\w./][\w./ -]*", re.ASCII)
USUAL_ROW = re.compile(rf"(?:{USUAL.pattern})?(?:,(?:{USUAL.pattern})?)*", re.ASCII)
NEEDS_QUOTES = re.compile(r'[",;\t\r\n]')


def part_path(path: Path) -> Path:
    """Return a fresh temporary name beside `path`, on the same file system so a rename is atomic.

    The suffix of `path` is kept last, because Keras and NumPy choose a format by it.
    """
    return path.with_name(f".{_stem(path)}-{uuid.uuid4().hex[:8]}{PART_SUFFIX}{path.suffix}")


@contextlib.contextmanager
def writing(path: Path, *, is_durable: bool = True) -> Iterator[Path]:
    """Give a temporary path to write a file or a folder to; rename it to `path` on success.

    Args:
        path: the final name. An existing file is replaced; an existing folder must be moved away
            by the caller first. Missing parent folders are made.
        is_durable: wait until it is on the disk; else a power cut can lose what it holds.

    Yields:
        The temporary path, which does not exist yet. On any error it is removed and `path` is
        left as it was.

    Raises:
        InputError: if a device, a pipe or a socket has that name.
    """
    _require_plain(path)
    make_folder(path.parent)
    part = part_path(path)
    try:
        yield part
        if is_durable:
            replace(part, path)
        else:
            part.replace(path)
    except BaseException:
        if part.is_dir():
            shutil.rmtree(part, ignore_errors=True)
        else:
            part.unlink(missing_ok=True)
        raise


def _require_plain(path: Path) -> None:
    """Refuse to put a file in the place of a device, a pipe or a socket, such as `/dev/null`."""
    kind = files.what(path)
    if kind in files.SPECIAL_NAMES:
        raise InputError(path, "a name for a file", kind, "another name")


def make_folder(folder: Path) -> None:
    """Make a folder and those above it, where they are missing."""
    if not folder.is_dir():
        make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        to_disk(folder.parent)


def replace(source: Path, target: Path) -> None:
    """Give a file or a folder another name; after a power cut that name has all its content.

    Without this a file system may keep the new name and forget the content, which is written later.
    """
    if source.is_dir():
        os.sync()  # thousands of files: one by one takes twenty times as long
    else:
        to_disk(source)
    source.replace(target)
    to_disk(target.parent)
    if source.parent != target.parent:
        to_disk(source.parent)


def to_disk(path: Path) -> None:
    """Wait until a file's content, or a folder's list of names, is on the disk."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except PermissionError:  # a folder that may be written to, not read
        return
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # file systems that know no fsync
            raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        os.close(descriptor)


def remove_parts(path: Path) -> None:
    """Remove what killed processes left of `path`; the caller sees to it that none writes it."""
    for part in half_written(path):
        part.unlink(missing_ok=True)


def remove_old_parts(path: Path) -> None:
    """Remove what killed processes left of `path` over an hour ago; another may be writing it."""
    _remove_old(half_written(path))


def remove_old_parts_in(folder: Path) -> None:
    """Remove what killed processes left in a folder over an hour ago, of whatever path there."""
    _remove_old(path for path in folder.glob(f".*{PART_SUFFIX}*") if is_part(path))


def _remove_old(parts: Iterable[Path]) -> None:
    for part in parts:
        with contextlib.suppress(OSError):  # it is gone, or another user's: no end of the work
            is_folder = part.is_dir() and not part.is_symlink()
            written = [one.lstat().st_mtime for one in (part, *part.rglob("*"))]
            if time.time() - max(written) > OLD_SECONDS:
                shutil.rmtree(part) if is_folder else part.unlink()


def is_part(path: Path) -> bool:
    """Say whether a name is that of a temporary file or folder, of whatever path."""
    return PART.fullmatch(path.name) is not None


def half_written(path: Path) -> list[Path]:
    """Return the temporary files and folders of `path`, not those of `NAME-groups` beside it."""
    number = "[0-9a-f]" * 8
    return [*path.parent.glob(f".{glob.escape(_stem(path))}-{number}{PART_SUFFIX}{path.suffix}")]


def _stem(path: Path) -> str:
    """Return a path's stem, cut where the name of a temporary file would be too long with it."""
    room = naming.LONGEST_NAME - len(f".-01234567{PART_SUFFIX}{path.suffix}".encode())
    return naming.shortened(path.stem, room)


def write_bytes(path: Path, content: bytes) -> None:
    """Write a whole file, or leave what was there."""
    with writing(path) as part:
        part.write_bytes(content)


def write_text(path: Path, text: str) -> None:
    """Write a whole UTF-8 text file, or leave what was there."""
    write_bytes(path, text.encode())


def csv_text(header: Iterable[object], rows: Iterable[Iterable[object]]) -> str:
    """Return a header and rows as the text of a CSV file, lines ended by a line feed."""
    text = io.StringIO()
    write_rows(text, [header])
    write_rows(text, rows)
    return text.getvalue()


def write_rows(file: TextIO, rows: Iterable[Iterable[object]]) -> None:
    """Write rows as CSV as they come, lines ended by a line feed; texts as `naming.cell` has them.

    Python's own writer leaves a carriage return in a cell without quotes before 3.13.
    """
    for row in rows:
        values = [*row]
        line = ",".join([value if type(value) is str else _plain(value) for value in values])
        # one look at a row in place of one at each value takes half the time
        if line.count(",") >= len(values) or not USUAL_ROW.fullmatch(line):
            line = ",".join(map(_quoted, values))
        file.write(line + "\n")


def _plain(value: object) -> str:
    return "" if value is None else str(value)


def _quoted(value: object) -> str:
    if isinstance(value, str) and USUAL.fullmatch(value):
        return value
    text = naming.cell(value) if isinstance(value, str) else _plain(value)
    # some spreadsheets take a semicolon or a tab for the separator
    return '"' + text.replace('"', '""') + '"' if NEEDS_QUOTES.search(text) else text


def printable(text: str) -> str:
    """Return a text with an escape for each byte that is not UTF-8: no text file could hold it."""
    return text.encode(errors="backslashreplace").decode()
