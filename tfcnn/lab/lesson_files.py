"""Lessons as files: `.ipynb` for Jupyter, and HTML that shows everything without a program."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup

import tfcnn
from tfcnn.base import atomic, records
from tfcnn.base.errors import InputError
from tfcnn.base.progress import Progress, Reporter
from tfcnn.display import html_pages
from tfcnn.lab import lesson_cells
from tfcnn.lab.lesson_cells import Cell, Lesson, Output
from tfcnn.report.colours import DAY, NIGHT

HERE = Path(__file__).parent
SHELL = HERE / "site" / "shell"
FOLDER = "lessons"  # inside the exported lab
# on a phone the lesson comes first, and the list of lessons is closed
FOLD = (
    'if (matchMedia("(max-width: 60rem)").matches) document.getElementById("contents").open = false'
)


def write_all(
    folder: Path,
    names: Sequence[str] | None = None,
    *,
    settings: Mapping[str, Any] | None = None,
    reporter: Reporter | None = None,
) -> Path:
    """Run lessons, and write each as `NAME.ipynb` and `NAME.html`, with a list of them.

    Args:
        folder: the exported lab; the files go into its folder `lessons`.
        names: of the lessons; all if None.
        settings: values of names that a cell sets, such as `{"epochs": 1}`, to be used instead.
        reporter: hears of the progress.

    Returns:
        The path of the list, `lessons/index.html`.

    Raises:
        InputError: if a lesson fails, or the folder cannot be written.
    """
    lessons = [lesson_cells.find(name) for name in names or lesson_cells.names()]
    progress: Progress = (reporter or Reporter()).stage(f"run {len(lessons)} lessons")
    place = folder / FOLDER
    try:
        place.mkdir(parents=True, exist_ok=True)
        for number, lesson in enumerate(lessons):
            progress(number, len(lessons))
            cells = lesson_cells.run(lesson, settings)
            atomic.write_text(place / f"{lesson.name}.ipynb", records.to_json(notebook(cells)))
            atomic.write_text(place / f"{lesson.name}.html", page(lesson, cells, lessons))
        progress(len(lessons), len(lessons))
        atomic.write_text(place / "index.html", page(None, [], lessons))
    except OSError as error:
        reason = error.strerror or str(error)
        raise InputError(folder, "a place to write to", reason, "another folder") from error
    return place / "index.html"


def notebook(cells: Sequence[Cell]) -> dict[str, Any]:
    """Return cells as a notebook of Jupyter, version 4.5 of its format.

    Reference:
        The Jupyter Notebook Format, nbformat 5.10, section "Top-level structure".
    """
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {"kernelspec": kernel, "language_info": {"name": "python"}},
        "cells": [_notebook_cell(number, cell) for number, cell in enumerate(cells)],
    }


def _notebook_cell(number: int, cell: Cell) -> dict[str, Any]:
    name = hashlib.sha256(f"{number} {cell.source}".encode()).hexdigest()[:8]
    common = {"id": name, "metadata": {}, "source": cell.source.splitlines(keepends=True)}
    if cell.kind == "words":
        return {"cell_type": "markdown", **common}
    outputs = [_notebook_output(output) for output in cell.outputs]
    return {"cell_type": "code", **common, "execution_count": None, "outputs": outputs}


def _notebook_output(output: Output) -> dict[str, Any]:
    if output.kind == "text":
        return {"output_type": "stream", "name": "stdout", "text": output.content}
    data = {
        "value": {"text/plain": output.content},
        "html": {"text/html": output.content, "text/plain": output.plain},
        "png": {"image/png": output.content, "text/plain": output.plain},
    }[output.kind]
    return {"output_type": "display_data", "metadata": {}, "data": data}


def page(lesson: Lesson | None, cells: Sequence[Cell], lessons: Sequence[Lesson]) -> str:
    """Return the HTML of a lesson, which loads nothing; or the list of lessons if it is None."""
    environment = html_pages.environment(HERE / "templates", SHELL)
    at = lessons.index(lesson) if lesson else -1
    early = (SHELL / "early.js").read_text(encoding="utf-8")
    return environment.get_template("lesson.html").render(
        lesson=lesson,
        lessons=lessons,
        cells=[(cell, _rendered(cell)) for cell in cells],
        previous=lessons[at - 1] if at > 0 else None,
        next=lessons[at + 1] if at + 1 < len(lessons) else None,
        early=Markup(early),
        early_hash=html_pages.script_hash(early),
        fold=Markup(FOLD),
        fold_hash=html_pages.script_hash(FOLD),
        style=Markup((SHELL / "style.css").read_text(encoding="utf-8")),
        colours=DAY,
        dark=NIGHT,
        version=tfcnn.__version__,
    )


def _rendered(cell: Cell) -> Markup:
    if cell.kind == "words":
        return _words(cell.source)
    from pygments import highlight
    from pygments.formatters import HtmlFormatter
    from pygments.lexers import PythonLexer

    return Markup(highlight(cell.source, PythonLexer(), HtmlFormatter(nowrap=True)))


def _words(text: str) -> Markup:
    from markdown_it import MarkdownIt

    # "js-default" shows HTML in the text as text
    return Markup(MarkdownIt("js-default").render(text))
