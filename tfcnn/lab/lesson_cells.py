"""The lessons: which there are, the cells of each, and what the cells show when they are run."""

import ast
import base64
import contextlib
import difflib
import io
import sys
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tfcnn.base.errors import InputError
from tfcnn.base.progress import hushed

FOLDER = Path(__file__).parent / "lessons"
# the slides' order; a file that is not named here comes last
ORDER = (
    "mnist-ann-1", "mnist-ann-2", "mnist-ann-3", "mnist-ann-4", "mnist-cnn-1", "mnist-cnn-2",
    "mnist-cnn-3", "cifar10-1", "cifar10-2", "download-images", "custom-images-1",
    "custom-images-2", "custom-images-3", "custom-images-4", "fashion-exercise",
    "fashion-solution",
)  # fmt: skip


@dataclass(frozen=True)
class Output:
    """What a cell shows.

    Attributes:
        kind: "text" for what it printed, "value" for its last line, "html", or "png" in base64.
        content: the text.
        plain: the same as plain text, for a value that is also HTML.
    """

    kind: str
    content: str
    plain: str = ""


@dataclass(frozen=True)
class Cell:
    """A cell of a lesson: words in Markdown, or code."""

    kind: str
    source: str
    outputs: list[Output] = field(default_factory=list)


@dataclass(frozen=True)
class Lesson:
    """A part of the course's code, as a program in cells.

    Attributes:
        name: `tfcnn lab --lesson NAME` opens it.
        title: its first heading.
        path: of its file.
    """

    name: str
    title: str
    path: Path

    def cells(self) -> list[Cell]:
        """Return its cells in order, without the one that imports marimo."""
        tree = ast.parse(self.path.read_text(encoding="utf-8"))
        functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
        lines = self.path.read_text(encoding="utf-8").splitlines()
        cells = (_cell(function, lines) for function in functions)
        return [cell for cell in cells if cell.source != "import marimo as mo"]


def names() -> list[str]:
    """Return the names of the lessons, in the slides' order."""
    found = {path.stem.replace("_", "-") for path in FOLDER.glob("[!_]*.py")}
    return [*(name for name in ORDER if name in found), *sorted(found - set(ORDER))]


def find(name: str) -> Lesson:
    """Return the lesson of this name; `mnist_ann_1` is `mnist-ann-1`.

    Raises:
        InputError: if there is none.
    """
    plain = name.strip().lower().replace("_", "-").removesuffix(".py")
    if plain not in names():
        near = difflib.get_close_matches(plain, names(), n=1) or names()[:1]
        choices = f"a lesson ({', '.join(names())})"
        raise InputError(name, choices, "no such lesson", f"--lesson {near[0]}")
    path = FOLDER / f"{plain.replace('-', '_')}.py"
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or plain
    return Lesson(plain, text.partition("\n")[0].removesuffix("."), path)


def run(lesson: Lesson, settings: Mapping[str, Any] | None = None) -> list[Cell]:
    """Run a lesson in this process, and return its cells with what they show.

    Args:
        lesson: which one.
        settings: values of names that a cell sets, such as `{"epochs": 1}`, to be used instead.

    Raises:
        InputError: if a cell fails; it is named.
    """
    names: dict[str, Any] = {"__name__": "lesson"}
    shown = []
    if "keras" in sys.modules:  # else layers would be numbered on from the lesson before
        sys.modules["keras"].utils.clear_session()
    for number, cell in enumerate(lesson.cells(), start=1):
        if cell.kind == "code":
            try:
                outputs = _run(cell.source, names)
            except Exception as error:
                received = f"{type(error).__name__}: {error}"
                place = f"{lesson.path.name}, cell {number}"
                raise InputError(place, "code that runs", received, "mending it") from error
            cell = Cell(cell.kind, cell.source, outputs)
        names |= {key: value for key, value in (settings or {}).items() if key in names}
        shown.append(cell)
    return shown


def _cell(function: ast.FunctionDef, lines: list[str]) -> Cell:
    body = function.body
    words = _markdown(body[0])
    if words is not None:
        return Cell("words", words)
    last = body[-1]
    end = last.lineno - 1 if isinstance(last, ast.Return) else last.end_lineno
    start = function.lineno
    while not lines[start - 1].endswith("):"):  # a long list of names has lines of its own
        start += 1
    source = textwrap.dedent("\n".join(lines[start:end]))
    return Cell("code", source.strip("\n"))


def _markdown(node: ast.stmt) -> str | None:
    """Return the text of `mo.md(...)`, or None for another statement."""
    match node:
        case ast.Expr(
            value=ast.Call(
                func=ast.Attribute(value=ast.Name(id="mo"), attr="md"),
                args=[ast.Constant(value=str(text))],
            )
        ):
            return textwrap.dedent(text).strip()
    return None


def _run(source: str, names: dict[str, Any]) -> list[Output]:
    tree = ast.parse(source)
    last = tree.body[-1] if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    before = ast.Module(tree.body[:-1] if last else tree.body, [])
    value = None
    with _printed() as printed:
        exec(compile(before, "<lesson>", "exec"), names)
        if last is not None:
            value = eval(compile(ast.Expression(last.value), "<lesson>", "eval"), names)
    text = printed.getvalue()
    return [*([Output("text", text)] if text.strip() else []), *_shown(value)]


@contextlib.contextmanager
def _printed() -> Iterator[io.StringIO]:
    """Catch what is printed; rich, which Keras' summary uses, sees a page of 88 characters."""
    text = io.StringIO()
    with contextlib.redirect_stdout(text), hushed():
        yield text


def _shown(value: Any) -> Iterator[Output]:
    """Yield what a notebook shows for the value of a cell's last line."""
    if value is None:
        return
    if hasattr(value, "savefig"):
        content = io.BytesIO()
        value.savefig(content, format="png")
        yield Output("png", base64.b64encode(content.getvalue()).decode("ascii"), "a figure")
        return
    html = getattr(value, "_repr_html_", None)
    text = html() if html is not None else None
    yield Output("html", text, repr(value)) if text else Output("value", repr(value))
