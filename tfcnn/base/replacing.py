"""A file or a folder of results takes the place of an earlier one, whole or not at all."""

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from tfcnn.base import atomic, disk


@contextlib.contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """Give a temporary path; on success it takes the place of what is there.

    What a killed command left beside it over an hour ago is removed. A link to a folder stays.

    Raises:
        InputError: if another process writes it, too.
    """
    if target.is_dir():
        target = target.resolve()
    with disk.locked(target):
        yield from _replacing(target)


def _replacing(target: Path) -> Iterator[Path]:
    atomic.remove_old_parts(target)
    old = atomic.part_path(target)
    try:
        with atomic.writing(target) as part:
            yield part
            if target.is_dir():  # a folder cannot be renamed over another
                os.sync()  # now, so that next to no time passes between the two names
                target.rename(old)
    except BaseException:
        if old.is_dir():
            old.rename(target)
        raise
    if old.is_dir():
        shutil.rmtree(old)
