"""What fetching and unpacking share: space, locks and one-line errors of the file system."""

import contextlib
import errno
import fcntl
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from tfcnn.base.errors import InputError


def require_disk_space(folder: Path, needed_bytes: int) -> None:
    """Raise InputError if the disk that holds an existing folder has less space than needed."""
    free_bytes = shutil.disk_usage(folder).free
    if free_bytes < needed_bytes:
        hint = "freeing space, or another place for the data (TFCNN_HOME)"
        expected = f"{needed_bytes / 1e6:,.1f} MB of free disk space"
        raise InputError(folder, expected, f"{free_bytes / 1e6:,.1f} MB", hint)


@contextlib.contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turn the operating system's errors of reading and writing into an InputError on `path`."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            hint = "again after freeing space: nothing half-done is used"
            raise InputError(path, "enough disk space", "a full disk", hint) from error
        place = f" ({error.filename})" if error.filename else ""
        hint = "a place that can be read and written"
        raise InputError(path, "to read and write", f"{error.strerror}{place}", hint) from error


@contextlib.contextmanager
def locked(target: Path, *, wait: bool = False) -> Iterator[None]:
    """Keep other processes from making the same file or folder; missing parents are made.

    The system drops the lock when its process ends, however it ends, so none is ever stale. Of the
    parents that it made, those in which nothing was made are removed again.

    Args:
        target: what is to be made.
        wait: until no other process holds the lock.

    Raises:
        InputError: if another process holds it, and `wait` is false.
        OSError: if the file system cannot lock or write.
    """
    made = [folder for folder in target.parents if not folder.exists()]
    path = lock_of(target)
    while True:
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            # never through a link: in a shared folder anyone may have laid one under this name
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
        except FileNotFoundError:
            if made:  # another process has just removed the folder
                continue
            raise
        with os.fdopen(descriptor, "w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            except BlockingIOError as error:
                received = "another process that makes the same"
                raise InputError(target, "no other", received, "again when it has ended") from error
            if not _is_same_file(file.fileno(), path):
                continue  # its last owner removed the name between our open and our flock
            try:
                yield
            finally:
                path.unlink(missing_ok=True)
                with contextlib.suppress(OSError):  # the first that is not empty
                    for folder in made:
                        folder.rmdir()
            return


def lock_of(target: Path) -> Path:
    """Return the file by which a process says that it makes a file or folder."""
    return target.with_name(f".{target.name}.lock")


def is_locked(target: Path) -> bool:
    """Say whether a process makes a file or folder just now."""
    path = lock_of(target)
    return path.exists() and not _is_free(path)


def left_locks(folder: Path) -> list[Path]:
    """Return the lock files directly in a folder that no process holds: a killed one left them."""
    return sorted(path for path in folder.glob(".*.lock") if _is_free(path))


def remove_lock(path: Path) -> None:
    """Remove a lock file that a killed process left; one that is held by now stays."""
    target = path.with_name(path.name.removeprefix(".").removesuffix(".lock"))
    with contextlib.suppress(InputError), locked(target):
        pass  # `locked` removes it, as nobody else can hold it meanwhile


def _is_free(path: Path) -> bool:
    try:
        with os.fdopen(os.open(path, os.O_RDWR | os.O_NOFOLLOW), "w") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
    except OSError:  # it is held, is gone, is a link, or is another user's
        return False


def _is_same_file(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False
