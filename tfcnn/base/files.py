"""Files that are opened: regular ones only, and never more of them than a limit.

A named pipe waits for a writer, `/dev/zero` never ends, and opening a device may change it. A path
may lead to any of these by a link, and by a name that ends in `.png`.
"""

import errno
import os
import stat
from io import BufferedReader
from pathlib import Path

from tfcnn.base.errors import InputError

MAX_TABLE_BYTES = 256 << 20  # of one table
PIECE_BYTES = 1 << 20
NOTHING, BROKEN, FOLDER = "no such file", "a link to nothing", "a folder"
SPECIAL = (
    (stat.S_ISFIFO, "a named pipe (FIFO)"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)
SPECIAL_NAMES = frozenset(name for _, name in SPECIAL)
REASONS = {errno.ELOOP: "a link that leads to itself", errno.ENAMETOOLONG: "too long a name"}


class NotReadableError(OSError):
    """A file that is not opened, or not read to its end; `strerror` says why."""

    def __init__(self, path: object, why: str) -> None:
        super().__init__(errno.EINVAL, why, str(path))

    def __str__(self) -> str:
        """Return why, without a number."""
        return str(self.strerror)


def what(path: Path) -> str:
    """Return what is at a path, links followed: "" for a regular file, `FOLDER`, or words."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return BROKEN if path.is_symlink() else NOTHING
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        return REASONS.get(getattr(error, "errno", None) or 0, reason)
    return _special(mode)


def own_path(text: str) -> Path:
    """Return a path that a user wrote; "~" begins the home folder, where there is such a one."""
    try:
        return Path(text).expanduser()
    except RuntimeError:  # of no user of this machine: a name like any other
        return Path(text)


def require(path: Path, expected: str, hint: str = "another path") -> None:
    """Raise InputError if there is no regular file at a path.

    Raises:
        InputError: if it is none; it says what is there.
    """
    if kind := what(path):
        raise InputError(path, expected, kind, hint)


def open_file(path: Path) -> BufferedReader:
    """Open a regular file to read its bytes; this never waits, and opens no device.

    Raises:
        NotReadableError: if something else is there.
        OSError: if there is nothing, or it cannot be opened.
    """
    _check(path, path.stat().st_mode)
    # another file may lie there since: O_NONBLOCK does not wait for a pipe, and it is checked again
    file = os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb")
    try:
        _check(path, os.fstat(file.fileno()).st_mode)
    except OSError:
        file.close()
        raise
    return file


def read(path: Path, most: int | None = None) -> bytes:
    """Return the bytes of a regular file.

    Args:
        path: the file.
        most: bytes that it may have; `MAX_TABLE_BYTES` if None.

    Raises:
        NotReadableError: if something else is there, or it is larger.
        OSError: if there is nothing, or it cannot be read.
    """
    most = MAX_TABLE_BYTES if most is None else most
    with open_file(path) as file:
        size = os.fstat(file.fileno()).st_size
        content = file.read(size + 1) if size <= most else b""
        # a system file states 0 bytes, and another process may write on
        while size < len(content) <= most and (piece := file.read(PIECE_BYTES)):
            content += piece
    if size > most or len(content) > most:
        raise NotReadableError(path, too_large(max(size, len(content)), most))
    return content


def read_text(path: Path, most: int | None = None, encoding: str = "utf-8") -> str:
    """Return what `read` does as text, its lines ended by a line feed.

    Raises:
        UnicodeDecodeError: if it is of another encoding.
        OSError: as `read`.
    """
    text = read(path, most).decode(encoding)
    return text.replace("\r\n", "\n").replace("\r", "\n")


def too_large(size_bytes: int, most: int) -> str:
    """Say how large a file is, and how large it may be."""
    return f"a file of {size_bytes / 1e6:,.0f} MB, where at most {most / 1e6:,.0f} MB are read"


def _check(path: Path, mode: int) -> None:
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    kind = _special(mode)
    if kind:
        raise NotReadableError(path, f"{kind}, not a file")


def _special(mode: int) -> str:
    if stat.S_ISREG(mode):
        return ""
    if stat.S_ISDIR(mode):
        return FOLDER
    return next((name for test, name in SPECIAL if test(mode)), "no regular file")
