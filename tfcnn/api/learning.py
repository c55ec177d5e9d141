"""The verb of the lab: `open_lab`."""

from pathlib import Path
from typing import TYPE_CHECKING

from tfcnn.api.arguments import as_run, hearing
from tfcnn.base.progress import Reporter

if TYPE_CHECKING:
    from tfcnn.lab.browsing import Opened
    from tfcnn.runs import Run


def open_lab(
    page: str | None = None,
    *,
    run: "Run | str | Path | None" = None,
    export: str | Path | None = None,
    lessons: bool = False,
    progress: bool = True,
    reporter: Reporter | None = None,
) -> "Opened":
    """Write the lab, a site of pages to touch, and open it in the browser.

    Args:
        page: the name of a page, such as "kernels"; None for the list of pages.
        run: a run, or its name or path: the pages with networks show its network too.
        export: a folder to write the site to, instead of opening it.
        lessons: whether the code lessons are run too, and written beside the exported site.
        progress: show it: in a notebook below the cell, else on standard error.
        reporter: hears of it instead, and shows it as it likes.

    Returns:
        Where it is, and whether a browser was asked to show it.

    Raises:
        InputError: if there is no such page or run, or the site cannot be written.
    """
    from tfcnn.lab import browsing

    opened = None if run is None else as_run(run)
    folder = None if export is None else Path(export)
    with hearing(progress, reporter) as hears:
        return browsing.open_site(page, opened, folder, lessons=lessons, reporter=hears)
