"""Python files of a user's own: a network, or a source of images, outside of tfcnn.

What a file offers is read from its text, so that `check` and a mistyped option need not run it. A
training runs it. A prediction, an evaluation and a report do not: a run may be a stranger's.
"""

import ast
import contextlib
import hashlib
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from tfcnn.base import files
from tfcnn.base.errors import InputError, TfcnnError, UnfitValueError

SUFFIX = ".py"
MAX_BYTES = 1 << 20
NETWORK, SOURCE = "build", "open_source"  # the function that makes a file the one or the other
KINDS = {NETWORK: "a network", SOURCE: "a source of images"}


def is_own(name: str) -> bool:
    """Say whether a name is the path of a Python file, as no network and no data set is called."""
    return name.endswith(SUFFIX) and not Path(name).is_dir()


def resolved(value: Any, folder: Path) -> Any:
    """Return the whole path of a Python file that is named in a folder; any other value as it is.

    Args:
        value: of a setting.
        folder: that a relative path counts from.
    """
    if not isinstance(value, str) or not value.endswith(SUFFIX):
        return value
    path = str((folder / Path(value).expanduser()).resolve())
    return path if is_own(path) else value


def tree(path: Path, function: str) -> ast.Module:
    """Return the syntax of a file, which is not run.

    Args:
        path: of the file.
        function: that it must define, `NETWORK` or `SOURCE`.

    Raises:
        InputError: if there is no such file, it is no Python, does not define the function, or
            needs another file beside it.
    """
    what = KINDS[function]
    parsed = _parse(path, what)
    if function not in functions(parsed):
        others = [kind for name, kind in KINDS.items() if name in functions(parsed)]
        received = others[0] if others else "no such function"
        hint = f"`def {function}(...)` in it, as docs/extend.md shows"
        if others:
            key = {NETWORK: "model.network", SOURCE: "data.source"}
            hint = f"tfcnn train ... --set {key[NETWORK if function == SOURCE else SOURCE]}={path}"
        raise InputError(path, f"{what}, a file with a function {function}", received, hint)
    for line, name in _imports(parsed):
        if not name or _is_beside(path, name):
            received = f"an import of {name or 'its own folder'} in line {line}"
            hint = "copying what it needs into it: a run keeps a copy of this one file"
            raise InputError(path, f"{what} in one file", received, hint)
    return parsed


def kinds(path: Path) -> list[str]:
    """Return what a file is, `NETWORK`, `SOURCE` or both, without running it.

    Raises:
        InputError: if there is no such file, it is no Python, or it is neither.
    """
    defined = functions(_parse(path, " or ".join(KINDS.values())))
    found = [name for name in KINDS if name in defined]
    if not found:
        expected = f"a file with a function {' or '.join(KINDS)}"
        raise InputError(path, expected, "neither", "what docs/extend.md shows")
    return found


def functions(parsed: ast.Module) -> dict[str, ast.FunctionDef]:
    """Return the functions that a file defines, by name."""
    return {node.name: node for node in parsed.body if isinstance(node, ast.FunctionDef)}


def load(path: Path, function: str) -> ModuleType:
    """Run a file, once for each content of it, and return its module.

    Raises:
        InputError: as `tree`, and if it raises.
    """
    tree(path, function)
    content = _read(path, KINDS[function])
    name = f"tfcnn_own_{hashlib.sha256(content).hexdigest()[:16]}"
    if name in sys.modules:
        return sys.modules[name]
    module = ModuleType(name)
    module.__file__ = str(path)
    sys.modules[name] = module  # a dataclass looks its module up
    try:
        with running(path, "a file that runs"):
            exec(compile(content, str(path), "exec"), vars(module))
    except BaseException:
        del sys.modules[name]
        raise
    return module


@contextlib.contextmanager
def running(path: Path, expected: str) -> Iterator[None]:
    """Turn what a user's file raises into an error of one line that names the file and its line.

    What it prints goes to stderr: on stdout it would be taken for a result.

    Args:
        path: of the file.
        expected: what it should have done, in words.

    Raises:
        InputError: if it raises anything but an error of tfcnn's.
    """
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    except (TfcnnError, UnfitValueError):
        raise
    except (Exception, SystemExit) as error:
        frames = traceback.extract_tb(error.__traceback__)
        # its copy in a run has the same name, and the same lines
        lines = [frame.lineno for frame in frames if Path(frame.filename).name == path.name]
        place = f" in line {lines[-1]}" if lines else ""
        text = " ".join(str(error).split())[:300]
        received = f"{type(error).__name__}{place}: {text}"
        raise InputError(path, expected, received, "mending it") from error


def _read(path: Path, what: str) -> bytes:
    try:
        return files.read(path, MAX_BYTES)
    except OSError as error:
        received = files.what(path) or error.strerror or str(error)
        raise InputError(path, what, received, "another path") from error


def _parse(path: Path, what: str) -> ast.Module:
    try:
        return ast.parse(_read(path, what), str(path))
    except SyntaxError as error:
        received = f"{error.msg} in line {error.lineno}"
        raise InputError(path, "a Python file", received, "mending that line") from error
    except (ValueError, RecursionError, MemoryError) as error:  # a byte 0, or too deep
        raise InputError(path, "a Python file", str(error), "another file") from error


def _imports(parsed: ast.Module) -> Iterator[tuple[int, str]]:
    """Yield the line and the first name of each import; no name for one relative to the file."""
    for node in ast.walk(parsed):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name.partition(".")[0]) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.lineno, "" if node.level else (node.module or "").partition(".")[0]


def _is_beside(path: Path, name: str) -> bool:
    beside = path.parent / name
    return beside.with_suffix(SUFFIX).is_file() or (beside / "__init__.py").is_file()
