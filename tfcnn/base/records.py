"""Readers of files that tfcnn wrote: a damaged file is refused, and the error names it.

A disk may flip a bit, a copy may be cut. JSON that others rely on therefore holds a sha256 of its
own content, under `sha256`, beside the hashes of other files.
"""

import csv
import hashlib
import io
import json
import zipfile
import zlib
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from tfcnn.base import files, naming
from tfcnn.base.errors import CheckError, InputError

if TYPE_CHECKING:
    import numpy as np

SEALS = "sha256"
# what a damaged `.npz` file makes NumPy and zipfile raise; a file of one array has no names
DAMAGED = (KeyError, ValueError, TypeError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error)
Json = dict[str, Any]


def to_json(content: Any, indent: int | None = None) -> str:
    """Return standard JSON; NaN and infinity, which JSON lacks, raise ValueError."""
    return json.dumps(content, indent=indent, allow_nan=False)


def read_json(path: Path, expected: str, hint: str) -> Json:
    """Read a JSON file that holds keys and values.

    Args:
        path: the file.
        expected: what it is, in words.
        hint: what to try where it is something else.

    Raises:
        InputError: if it cannot be read, or is something else.
    """
    try:
        content = json.loads(_content(path).decode("utf-8"), parse_constant=_no_number)
    except OSError as error:
        raise InputError(path, expected, error.strerror or str(error), hint) from error
    except (ValueError, RecursionError) as error:
        raise InputError(path, expected, f"no JSON ({error})", hint) from error
    if not isinstance(content, dict):
        raise InputError(path, expected, f"JSON of another kind ({_kind(content)})", hint)
    return content


def read_rows(
    path: Path, expected: str, hint: str, columns: Collection[str] = ()
) -> list[dict[str, str]]:
    """Read a table of ours: UTF-8, a header, as many cells in each row, a line break at the end.

    Args:
        path: the file.
        expected: what it is, in words.
        hint: what to try where it is something else.
        columns: those it must have.

    Raises:
        InputError: if it cannot be read, or is something else.
    """
    try:
        text = _content(path).decode("utf-8")
        lines = naming.read_csv(text, strict=True)
    except OSError as error:
        raise InputError(path, expected, error.strerror or str(error), hint) from error
    except (ValueError, csv.Error) as error:
        raise InputError(path, expected, f"no table ({error})", hint) from error
    header = lines[0] if lines else []
    if missing := [name for name in columns if name not in header]:
        raise InputError(path, expected, f"no column {missing[0]}", hint)
    cut = next((i for i, line in enumerate(lines, start=1) if len(line) != len(header)), None)
    if cut or not text.endswith("\n"):
        raise InputError(path, expected, f"a table cut in row {cut or len(lines)}", hint)
    return [dict(zip(header, line, strict=True)) for line in lines[1:]]


def read_arrays(
    path: Path, names: Iterable[str], expected: str, hint: str
) -> "dict[str, np.ndarray[Any, Any]]":
    """Read arrays of an `.npz` file of ours, without pickle.

    Args:
        path: the file.
        names: of the arrays.
        expected: what the file is, in words.
        hint: what to try where it is something else.

    Raises:
        InputError: if it cannot be read.
        CheckError: if it is something else.
    """
    import numpy as np  # late: a card needs none

    try:
        with np.load(io.BytesIO(_content(path)), allow_pickle=False) as arrays:
            return {name: arrays[name] for name in names}
    except OSError as error:
        raise InputError(path, expected, error.strerror or str(error), hint) from error
    except DAMAGED as error:
        raise CheckError(path, expected, f"no such arrays ({error})", hint) from error


def sealed(content: Json, name: str) -> Json:
    """Return a content with its own sha256, under the name of its file, in `sha256`."""
    bare = unsealed(content, name)
    return {**bare, SEALS: {**bare.get(SEALS, {}), name: _digest(bare)}}


def unsealed(content: Json, name: str) -> Json:
    """Return a content without its own sha256."""
    others = {key: value for key, value in content.get(SEALS, {}).items() if key != name}
    return {**content, SEALS: others}


def check_seal(content: Json, path: Path, expected: str, hint: str) -> bool:
    """Compare a content with its own sha256; return whether it holds one.

    Raises:
        InputError: if `sha256` is something else.
        CheckError: if the content is not the one that was written.
    """
    seals = content.get(SEALS, {})
    if not isinstance(seals, dict):
        raise InputError(path, expected, f"another {SEALS} ({_kind(seals)})", hint)
    if path.name not in seals:
        return False
    if seals[path.name] != _digest(unsealed(content, path.name)):
        raise CheckError(path, f"{expected}, as it was written", "a changed content", hint)
    return True


def sha256_of(path: Path) -> str:
    """Return the sha256 of a file, in hexadecimal."""
    with files.open_file(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def instead_of(path: Path, sha256: str) -> str:
    """Return what is at a path instead of the file of this sha256; "" where that file is there."""
    if path.is_file() and sha256_of(path) == sha256:
        return ""
    return "another one" if path.exists() else "none"


def _content(path: Path) -> bytes:
    with files.open_file(path) as file:  # which waits for no pipe
        return file.read()


def _digest(content: Json) -> str:
    """Return the sha256 of a content, independent of spaces and of the order of its keys."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.new("sha256", text.encode()).hexdigest()


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number")


def _kind(content: object) -> str:
    return "null" if content is None else type(content).__name__
