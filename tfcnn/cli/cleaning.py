"""What `tfcnn clean` removes: files that can be made again, and old retired runs on demand."""

import os
import re
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from time import time
from typing import Any

from tfcnn.base import atomic, disk
from tfcnn.datasets import data_home
from tfcnn.inputs import arrays
from tfcnn.runs import home as folders
from tfcnn.runs.cross_validation import is_crossval
from tfcnn.runs.run import CHECKPOINT

DAY_SECONDS = 24 * 3600
HOUR_SECONDS = 3600  # a half-written file that has not changed for an hour has no writer
STAMP = re.compile(r"-(\d{8}T\d{6}Z)(-\d+)?$")  # of a retired run's name


@dataclass(frozen=True)
class Removable:
    """A file or folder that may go, its size, and why; a lock goes only if no process takes it."""

    path: Path
    size_bytes: int
    why: str
    is_lock: bool = False


@dataclass(frozen=True)
class Leftovers:
    """What may go, and what is kept of the same kinds."""

    removable: tuple[Removable, ...]
    kept: tuple[str, ...]

    @property
    def size_bytes(self) -> int:
        """How much space all of it takes."""
        return sum(one.size_bytes for one in self.removable)

    def remove(self) -> None:
        """Remove all of it.

        Raises:
            InputError: if something cannot be removed.
        """
        for one in self.removable:
            with disk.disk_errors(one.path):
                if one.is_lock:
                    disk.remove_lock(one.path)
                elif one.path.is_dir() and not one.path.is_symlink():
                    shutil.rmtree(one.path)
                else:
                    one.path.unlink(missing_ok=True)

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        removable = [
            {"path": str(one.path), "bytes": one.size_bytes, "why": one.why}
            for one in self.removable
        ]
        return {"removed": removable, "bytes": self.size_bytes, "kept": list(self.kept)}

    def lines(self, dry_run: bool) -> list[str]:
        """Return what a person reads."""
        verb = "would be removed" if dry_run else "removed"
        lines = [f"{_size(one.size_bytes):>10}  {one.path}  ({one.why})" for one in self.removable]
        lines += [f"kept: {text}" for text in self.kept]
        return [*lines, f"{verb}: {len(self.removable)}, {_size(self.size_bytes)}"]


def find(*, older_than_days: float | None = None, keep_gb: float | None = None) -> Leftovers:
    """Find what may go.

    Args:
        older_than_days: also find decoded images that were not used, and runs that were retired,
            more than so many days ago; neither if None.
        keep_gb: how many GB of decoded images to keep; if None, as many as a training keeps.

    Raises:
        InputError: if a bound is no number of gigabytes.
    """
    keep_bytes = arrays.bound_bytes() if keep_gb is None else arrays.bytes_of(keep_gb, "--keep-gb")
    since = None if older_than_days is None else time() - older_than_days * DAY_SECONDS
    removable, kept = _arrays(keep_bytes, since)
    retired = [path for folder in _homes() for path in sorted((folder / ".old").glob("*"))]
    old = [path for path in retired if since is not None and _retired(path) <= since]
    removable += [_removable(path, "a run that a newer one replaced") for path in old]
    removable += [_removable(path, "left by a killed process") for path in _leftovers()]
    removable += [Removable(path, 0, "a lock of a killed process", True) for path in _locks()]
    removable += [_removable(path, "of a run that is finished") for path in _checkpoints()]
    if kept_count := len(retired) - len(old):
        size = _size(sum(_bytes(path) for path in retired if path not in old))
        kept.append(
            f"{kept_count} retired runs in .old, {size} (--older-than DAYS removes older ones)"
        )
    return Leftovers(tuple(removable), tuple(kept))


def _arrays(keep_bytes: int, since: float | None) -> tuple[list[Removable], list[str]]:
    """Return the arrays of decoded images that may go, and what a reader is told of the others."""
    files = arrays.array_files()
    surplus = arrays.surplus(files, keep_bytes)
    removable, stay_bytes = [], []
    for one in files:
        if one in surplus:
            why = f"decoded images over {_size(keep_bytes)}"
            removable.append(Removable(one.path, one.size_bytes, why))
        elif since is not None and one.last_use <= since:
            removable.append(Removable(one.path, one.size_bytes, "decoded images not used since"))
        else:
            stay_bytes.append(one.size_bytes)
    if not stay_bytes:
        return removable, []
    text = f"{len(stay_bytes)} arrays of decoded images, {_size(sum(stay_bytes))}"
    return removable, [f"{text}, under {_size(keep_bytes)} (--keep-gb 0 removes all)"]


def _homes() -> list[Path]:
    """Return the folders that hold runs: `models`, and each cross-validation in it."""
    home = folders.models_home()
    return [home, *(path for path in sorted(home.glob("[!.]*")) if is_crossval(path))]


def _leftovers() -> list[Path]:
    """Return what killed processes left half-written: arrays, manifests, images, parts of runs."""
    home = data_home()
    pattern, latest = f".*{atomic.PART_SUFFIX}*", time() - HOUR_SECONDS
    parts = [*home.glob("[!.]*/.new"), *home.glob("folders/[!.]*/" + pattern)]
    for folder in [*_homes(), home]:
        parts += [*folder.glob(pattern), *folder.glob(f"[!.]*/{pattern}")]
    cache = home / "cache"  # the cache itself knows which are being made
    old = (path for path in parts if path.parent != cache and _changed(path) < latest)
    return sorted({*arrays.leftovers(), *old})


def _locks() -> list[Path]:
    """Return the lock files that no process holds, of runs, data sets and decoded images."""
    home = data_home()
    folders = [*_homes(), home, *home.glob("[!.]*/"), *home.glob("[!.]*/*/")]
    return [path for folder in folders for path in disk.left_locks(folder)]


def _changed(path: Path) -> float:
    """Return when a file, or the newest of all below a folder, changed, in seconds since 1970."""
    try:
        inside = [] if path.is_symlink() else path.rglob("*")
        return max(one.lstat().st_mtime for one in (path, *inside))
    except FileNotFoundError:  # its process has finished it meanwhile
        return time()


def _checkpoints() -> list[Path]:
    """Return the checkpoints of finished runs, left where the process was killed at its end."""
    paths = (path for home in _homes() for path in home.glob(f"[!.]*/{CHECKPOINT}"))
    return sorted(path for path in paths if folders.is_done(path.parent))


def _retired(path: Path) -> float:
    """Return when a run was moved aside, in seconds since 1970."""
    match = STAMP.search(path.name)
    if match is None:
        return path.lstat().st_mtime
    return datetime.strptime(match[1], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()


def _removable(path: Path, why: str) -> Removable:
    return Removable(path, _bytes(path), why)


def _bytes(path: Path) -> int:
    """Return the size of a file, or of all files below a folder; links are not followed."""
    if path.is_symlink() or not path.is_dir():
        return path.lstat().st_size
    inside = (Path(parent, name) for parent, _, names in os.walk(path) for name in names)
    return sum(file.lstat().st_size for file in inside)


def _size(size_bytes: int) -> str:
    for unit, factor in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size_bytes >= factor:
            return f"{size_bytes / factor:,.1f} {unit}"
    return f"{size_bytes} bytes"
