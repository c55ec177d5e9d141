"""`tfcnn lab --lesson`: a lesson in marimo, in the browser, as a copy that is the learner's own."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

from tfcnn.base import atomic
from tfcnn.base.errors import InputError
from tfcnn.lab import browsing, lesson_cells

FOLDER = Path("lessons")  # in the working folder
INSTALL = "pip install 'tfcnn[lab]'"


def copy(name: str, folder: Path = FOLDER) -> tuple[Path, bool]:
    """Give the learner a copy of a lesson; one from before, with its changes, stays.

    Args:
        name: of the lesson.
        folder: where the copy lies.

    Returns:
        Its path, and whether it was there before.

    Raises:
        InputError: if there is no such lesson, marimo is not installed, or the folder cannot be
            written.
    """
    lesson = lesson_cells.find(name)
    if importlib.util.find_spec("marimo") is None:
        received = "it is not installed"
        raise InputError("marimo", "the package that shows lessons", received, INSTALL)
    path = folder / lesson.path.name
    if path.is_file():
        return path, True
    try:
        folder.mkdir(parents=True, exist_ok=True)
        atomic.write_text(path, lesson.path.read_text(encoding="utf-8"))
    except OSError as error:
        reason = error.strerror or str(error)
        raise InputError(path, "a place to write to", reason, "another folder") from error
    return path, False


def command(path: Path) -> list[str]:
    """Return the command that opens a lesson to edit."""
    quiet = ["--skip-update-check", "--no-sandbox"]
    headless = [] if browsing.has_display() else ["--headless"]
    return [sys.executable, "-m", "marimo", "edit", *quiet, *headless, str(path)]


def show(words: list[str]) -> int:
    """Run marimo until the learner ends it (Ctrl-C), and return its exit status.

    Data and models stay where the command line has them, whatever folder marimo runs a lesson in.
    """
    home = Path(os.environ.get("TFCNN_HOME", ".")).resolve()
    with subprocess.Popen(words, env={**os.environ, "TFCNN_HOME": str(home)}) as program:
        while True:
            try:
                return program.wait()
            except KeyboardInterrupt:  # marimo got it too, and asks or ends
                continue
