"""CSV files that a person may have written or saved anew."""

import csv
from pathlib import Path

from tfcnn.errors import InputError

__all__ = ["by_path", "read"]


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
            names = list(reader.fieldnames or ())
            rows = list(reader)
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(path, "a CSV in UTF-8", f"{error}", "saving it as UTF-8") from error
    if not set(columns) <= set(names):
        if set(columns) <= {name.strip().lower() for name in names}:
            hint = "the names of its columns in small letters"
        elif ";" in "".join(names):
            hint = "saving it with commas between columns"
        raise InputError(path, expected, ", ".join(names) or "an empty file", hint)
    return rows


def by_path(path: Path, rows: list[dict[str, str]], column: str) -> dict[str, dict[str, str]]:
    """Return the rows by their `path`; one that is named twice must say the same in `column`.

    Raises:
        InputError: naming the first that does not.
    """
    found: dict[str, dict[str, str]] = {}
    for row in rows:
        other = found.setdefault(row["path"], row)[column]
        if other != row[column]:
            raise InputError(
                f"{path}: {row['path']}", f"one {column}",
                f"{other or 'none'} and {row[column] or 'none'}", "one row for each image",
            )  # fmt: skip
    return found
