"""CSV files that a person may have written or saved anew."""

import csv
from pathlib import Path

from tfcnn.errors import InputError

__all__ = ["read"]


def read(path: Path, columns: tuple[str, ...], hint: str) -> list[dict[str, str]]:
    """Return the rows of a CSV in UTF-8.

    Args:
        path: the file.
        columns: those it must have.
        hint: what to try where it lacks one.

    Raises:
        InputError: if it is no such file.
    """
    expected = f"a CSV with columns {','.join(columns)}"
    if not path.is_file():
        raise InputError(path, expected, "no such file", "another path")
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            received = ", ".join(reader.fieldnames or ["an empty file"])
            rows = list(reader)
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(path, "a CSV in UTF-8", f"{error}", "saving it as UTF-8") from error
    if not set(columns) <= set(reader.fieldnames or ()):
        raise InputError(path, expected, received, hint)
    return rows
