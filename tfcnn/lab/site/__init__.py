"""The lab: a static site of pages to touch, one per idea, which opens from its files.

A page is a folder of `pages/`: to add one, add a folder. `site_pages.Page` says what it holds.
"""

import gzip
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from tfcnn.base import atomic, disk, files
from tfcnn.base.errors import InputError
from tfcnn.lab.site import rendering, site_pages
from tfcnn.lab.site.site_pages import Page

if TYPE_CHECKING:
    from tfcnn.runs import Run

INDEX = "index.html"
PARTS = "parts"  # the folder of what a page loads when it needs it


def build(folder: Path, run: "Run | None" = None, *, has_lessons: bool = False) -> Path:
    """Write the site: whole, or not at all.

    Args:
        folder: where; it is made. A folder that holds a site of the lab is replaced.
        run: what `pages/` with networks show besides the shipped ones; None for these alone.
        has_lessons: whether the first page leads to `lessons/index.html`, which is written later.

    Returns:
        The path of the first page, `index.html`.

    Raises:
        InputError: if something else has this name, the folder cannot be written, or another
            process writes it.
    """
    _require_own(folder)
    try:
        atomic.remove_old_parts(folder)
        with disk.locked(folder), atomic.writing(folder, is_durable=False) as part:
            _write(part, run, has_lessons)
            if folder.exists():
                _move_away(folder)
    except OSError as error:
        reason = error.strerror or str(error)
        raise InputError(folder, "a place to write to", reason, "another folder") from error
    return folder / INDEX


def address_of(index: Path, page: Page | None) -> str:
    """Return what a browser opens: a page, or the first one."""
    path = index if page is None else index.with_name(page.file)
    return path.resolve().as_uri()


def _write(folder: Path, run: "Run | None", has_lessons: bool) -> None:
    folder.mkdir()
    (folder / PARTS).mkdir()
    pages = site_pages.every_page()
    (folder / INDEX).write_text(rendering.index(pages, has_lessons), encoding="utf-8")
    parts = rendering.engine_parts() if any(page.needs_engine for page in pages) else {}
    for page in pages:
        (folder / page.file).write_text(rendering.page(page, pages, run), encoding="utf-8")
        parts |= page.parts(run)
    for name, content in parts.items():
        path = folder / PARTS / f"{name}.js"
        path.write_text(rendering.part(name, gzip.compress(content, 9, mtime=0)), encoding="ascii")


def _require_own(folder: Path) -> None:
    """Refuse to replace anything but a site of the lab, or an empty folder."""
    if not folder.exists() and not folder.is_symlink():
        return
    if folder.is_dir() and (not any(folder.iterdir()) or _is_site(folder)):
        return
    received = "a folder that holds something else" if folder.is_dir() else "a file"
    raise InputError(folder, "a new folder, or a site of the lab", received, "another name")


def _is_site(folder: Path) -> bool:
    index = folder / INDEX
    return index.is_file() and rendering.MARK in files.read_text(index, 1 << 20)


def _move_away(folder: Path) -> None:
    """Make room for the new site; what was there is removed only once it has another name."""
    old = atomic.part_path(folder)
    folder.rename(old)
    shutil.rmtree(old, ignore_errors=True)
