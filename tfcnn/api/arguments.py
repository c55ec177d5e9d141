"""What the verbs take in more than one form: a run or its name, one path or several."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tfcnn.runs import Run


def as_run(run: "Run | str | Path") -> "Run":
    """Return the run itself, or open the one of a name or path."""
    from tfcnn import runs

    return runs.open_run(run) if isinstance(run, str | Path) else run


def as_list(values: str | Path | Iterable[Any]) -> list[Any]:
    """Return several values as a list, and one text or path as a list of it."""
    return [values] if isinstance(values, str | Path) else list(values)
