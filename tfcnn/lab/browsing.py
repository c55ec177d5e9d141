"""Write the lab's site, and open it in the browser."""

import os
import sys
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tfcnn.base.progress import Reporter
from tfcnn.datasets import data_home
from tfcnn.lab import lesson_files, site
from tfcnn.lab.site import site_pages

if TYPE_CHECKING:
    from tfcnn.runs import Run


class Opened(NamedTuple):
    """A site of the lab.

    Attributes:
        address: of the page, as a browser takes it.
        first_page: its path, `index.html`.
        is_shown: whether a browser was asked to show it.
    """

    address: str
    first_page: Path
    is_shown: bool


def open_site(
    page: str | None,
    run: "Run | None",
    folder: Path | None,
    *,
    lessons: bool = False,
    reporter: Reporter | None = None,
) -> Opened:
    """Write the site; open it unless a folder is named.

    Args:
        page: the name of a page; None for the first.
        run: whose network it shows too.
        folder: where to write it; None for a place among the data, and for a browser.
        lessons: whether lessons are run, and written beside the site; only with a folder.
        reporter: hears of the progress of the lessons.

    Raises:
        InputError: if there is no such page, or the site cannot be written.
    """
    wanted = None if page is None else site_pages.find(page)
    has_lessons = lessons and folder is not None
    index = site.build(folder or data_home() / "cache" / "lab", run, has_lessons=has_lessons)
    if has_lessons:
        lesson_files.write_all(index.parent, reporter=reporter)
    address = site.address_of(index, wanted)
    return Opened(address, index, folder is None and _show(address))


def has_display() -> bool:
    """Say whether this person has a display: else a browser may start in the terminal."""
    return sys.platform in ("darwin", "win32") or any(
        os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY")
    )


def _show(address: str) -> bool:
    """Ask this person's browser, where there is a display."""
    try:
        return has_display() and webbrowser.open(address)
    except webbrowser.Error:
        return False
