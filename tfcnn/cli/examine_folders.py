"""What `tfcnn doctor` looks at of folders: may they be written, and is there room in them."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tfcnn import datasets, runs
from tfcnn.cli.diagnosis import Finding

FOLDERS, DATA = "Folders", "Data sets"
IN_PLACE = "a file is in its place"
LEAST_FREE_GB = 1.0  # a run takes 5 to 50 MB, decoded images of a large data set a gigabyte
# to fetch and to unpack, in MB; a malaria archive takes its size twice, and its decoded images
ROOM_MB = {"malaria": 1500, "mnist": 130, "fashion-mnist": 150, "cifar10": 750,
           "digits": 5, "smears": 60}  # fmt: skip


def look() -> Iterator[Finding]:
    """Yield what is found."""
    home = Path(os.environ.get("TFCNN_HOME", "."))
    yield Finding(FOLDERS, "home", f"{home.resolve()} ({_why(home)})")
    for name, folder in (
        ("data", datasets.data_home()),
        ("models", runs.models_home()),
        ("cache", datasets.data_home() / "cache"),
        ("temporary", Path(tempfile.gettempdir())),
    ):
        yield _folder(name, folder)
    yield from _data_sets()


def _why(home: Path) -> str:
    return "TFCNN_HOME" if os.environ.get("TFCNN_HOME") else "the working folder"


def _folder(name: str, folder: Path) -> Finding:
    """Try to write in a folder, or in the nearest one above it that is there."""
    place = existing(folder)
    if why := _fault(place):
        fix = f"chmod u+rwx {place}, or TFCNN_HOME=FOLDER for another place"
        if why == IN_PLACE:
            fix = f"moving {place} elsewhere"
        elif name == "temporary":
            fix = "TMPDIR=FOLDER for another place"
        return Finding(FOLDERS, name, f"{folder}: cannot be written ({why})", "fails", fix)
    free_gb = shutil.disk_usage(place).free / 1e9
    found = f"{folder}: {free_gb:,.1f} GB free"
    if free_gb < LEAST_FREE_GB:
        fix = "`tfcnn clean`, removing files, or TFCNN_HOME=FOLDER on another disk"
        return Finding(FOLDERS, name, found, "note", fix)
    return Finding(FOLDERS, name, found)


def existing(folder: Path) -> Path:
    """Return a folder, or the nearest above it, that is there."""
    whole = folder.absolute()
    return next(path for path in (whole, *whole.parents) if path.exists())


def _fault(place: Path) -> str:
    """Return why no file can be written to a folder, "" where one can."""
    if not place.is_dir():
        return IN_PLACE
    try:
        with tempfile.NamedTemporaryFile(dir=place, prefix=".tfcnn-doctor-") as file:
            file.write(b"x")
            file.flush()
    except OSError as error:
        return error.strerror or str(error)
    return ""


def _data_sets() -> Iterator[Finding]:
    """Say which are there, and whether the others have room."""
    place = existing(datasets.data_home())
    free_mb = shutil.disk_usage(place).free / 1e6
    for name in datasets.names():
        if _is_present(name):
            yield Finding(DATA, name, "there")
            continue
        needed, get = ROOM_MB.get(name), f"tfcnn download {name}"
        size = f"needs {needed:,} MB" if needed else "of unknown size"
        if needed and needed > free_mb:
            found = f"not there; {size}, and {free_mb:,.0f} MB are free"
            fix = "freeing space, or TFCNN_HOME=FOLDER on another disk"
            yield Finding(DATA, name, found, "note", fix)
        elif datasets.is_local(name):
            yield Finding(DATA, name, f"made on the spot when it is asked for; {size}")
        else:
            yield Finding(DATA, name, f"not there; {size}; {get}")


def _is_present(name: str) -> bool:
    folder = datasets.data_home() / name
    if datasets.is_local(name):
        return any(folder.glob("[!.]*"))
    return (folder / "origin.json").exists()
