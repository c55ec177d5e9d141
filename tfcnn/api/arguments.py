"""What several verbs take: a run or its name, one path or several, and who hears of progress."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfcnn.base.progress import Reporter, is_hushed

if TYPE_CHECKING:
    from tfcnn.runs import Run


def as_run(run: "Run | str | Path") -> "Run":
    """Return the run itself, or open the one of a name or path."""
    from tfcnn import runs

    return runs.open_run(run) if isinstance(run, str | Path) else run


def as_list(values: str | Path | Iterable[Any]) -> list[Any]:
    """Return several values as a list, and one text or path as a list of it."""
    return [values] if isinstance(values, str | Path) else list(values)


@contextmanager
def hearing(progress: bool, reporter: Reporter | None) -> Iterator[Reporter]:
    """Yield what hears of a verb's progress.

    A notebook shows it in the output of the cell. Elsewhere it goes to standard error: a terminal
    gets a bar, a file or pipe only the notes and a line per epoch.

    Args:
        progress: False for nothing, as within `hushed`.
        reporter: hears of it instead, if given; whoever made it begins and ends it.
    """
    if reporter is not None or not progress or is_hushed():
        yield reporter or Reporter()
        return
    from tfcnn.display import notebook

    if notebook.is_notebook():
        with notebook.NotebookReporter() as shown:
            yield shown
        return
    from tfcnn.display.console import TerminalReporter

    with TerminalReporter() as bars:
        yield bars
