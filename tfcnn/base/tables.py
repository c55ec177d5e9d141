"""Tables that a person wrote or saved: any separator, encoding and way to name an image."""

import codecs
import csv
import io
import unicodedata
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path, PurePosixPath

from tfcnn.base import files, naming
from tfcnn.base.errors import InputError

Row = dict[str, str]
SEPARATORS = ",;\t|"
# what spreadsheets and statistics programs write where a value is missing
MISSING = frozenset({"nan", "na", "n/a", "#n/a", "#nv", "null", "none", "<na>", "nat", "#value!"})
TITLES = 20  # lines before a header that are looked through: a title, comments
HEAD = 2**20  # letters that hold them
SHOWN = 200  # letters of a header that an error names


@dataclass(frozen=True)
class Table:
    """A table: its rows, keyed by column names in small letters, and notes for the user."""

    path: Path
    rows: list[Row]
    notes: tuple[str, ...] = ()


def read(
    path: Path,
    columns: tuple[str, ...],
    hint: str,
    called: Mapping[str, str | None] | None = None,
    optional: tuple[str, ...] = (),
) -> Table:
    """Read a CSV of any separator, encoding and case of its header.

    Args:
        path: the file.
        columns: those it must have.
        hint: what to try where it lacks one.
        called: what the file calls a column, where it is another name.
        optional: columns that it may have, once each.

    Raises:
        InputError: if it is no such file.
    """
    titles = {name: (called or {}).get(name) or name for name in columns}
    wanted = {name: _plain_name(own) for name, own in titles.items()}
    expected = f"a CSV with columns {','.join(titles.values())}"
    files.require(path, expected)
    text, notes = _text(path)
    try:
        lines = [line for line in _lines(text, set(wanted.values())) if "".join(line).strip()]
    except csv.Error as error:
        raise InputError(path, expected, f"{error}", "saving it as CSV anew") from error
    lines = lines[_header_place(lines, set(wanted.values())) :]
    header = [_plain_name(name) for name in lines[0]] if lines else []
    if not set(wanted.values()) <= set(header):
        received = ", ".join(name.strip() for name in lines[0]) if lines else "an empty file"
        if len(received) > SHOWN:
            received = f"{received[:SHOWN]} and so on"
        raise InputError(path, expected, received, hint)
    for own in {*wanted.values(), *optional}:
        if header.count(own) > 1:
            received = f"{header.count(own)} columns {own}"
            raise InputError(path, expected, received, "another name for all but one of them")
    # R writes row names, 1, 2 and so on, and no name above them
    width = len(header) + 1
    numbered = enumerate(lines[1:], start=1)
    if lines[1:] and all(len(line) == width and line[0] == str(row) for row, line in numbered):
        header = ["", *header]
    return Table(path, _rows(path, header, lines, wanted), notes)


def _rows(
    path: Path, header: list[str], lines: list[list[str]], wanted: dict[str, str]
) -> list[Row]:
    """Return the lines below the header by its names, and by those that are wanted."""
    renamed = {name: own for name, own in wanted.items() if name != own}
    rows = []
    for number, line in enumerate(lines[1:], start=2):
        if len(line) != len(header):
            if "".join(line[len(header) :]).strip():
                received = f"{len(line)} in row {number}"
                hint = "quotes around a value that holds the separator"
                raise InputError(path, f"{len(header)} values in each row", received, hint)
            line += [""] * (len(header) - len(line))
        row = dict(zip(header, line, strict=False))
        rows.append(row | {name: row[own] for name, own in renamed.items()} if renamed else row)
    return rows


def by_path(
    table: Table, columns: Sequence[str], paths: Sequence[str], root: Path
) -> tuple[dict[str, Row], list[str]]:
    """Find the image that each row's `path` names.

    A row may name an image by its path below the data folder, with or without the class folder,
    from a folder further up, with backslashes, and by its file name alone, with or without the
    suffix, if no other image has it.

    Args:
        table: from `read`.
        columns: what two rows of one image must agree in.
        paths: of the images, relative to `root`, with forward slashes.
        root: the data folder.

    Returns:
        A row for each image that is named, by the image's path, and the names that fit none.

    Raises:
        InputError: if a name fits several images, or two rows of one image disagree.
    """
    index = _Index(paths, root)
    certain: dict[str, Row] = {}
    loose: dict[str, Row] = {}
    strangers = []
    for row in table.rows:
        hits, is_certain = index.find(row["path"])
        if len(hits) > 1:
            raise InputError(
                f"{table.path}: {row['path']}", "the name of one image",
                f"that of {len(hits)}, such as {hits[0]} and {hits[1]}",
                "paths with the class folder, relative to the data folder",
            )  # fmt: skip
        if not hits:
            strangers.append(row["path"])
            continue
        rows = certain if is_certain else loose
        other = rows.setdefault(hits[0], row)
        for column in columns if other is not row else ():
            one, another = other[column].strip(), row[column].strip()
            if one != another:
                raise InputError(
                    f"{table.path}: {row['path']}", f"one {column}",
                    f"{one or 'none'} and {another or 'none'}", "one row for each image",
                )  # fmt: skip
    return {**loose, **certain}, strangers


def whole_path(path: str, paths: Collection[str]) -> str:
    """Return the image that a row means by its whole path; of none, the row's own path.

    Args:
        path: as it stands in the row.
        paths: of the images, relative to their folder, with forward slashes.
    """
    plain = path.strip().replace("\\", "/").removeprefix("./")
    # where a person has added a row, the others may still be as `naming.cell` writes them
    meant = (one for one in (path, plain, naming.from_cell(path)) if one in paths)
    return next(meant, plain)


class _Index:
    """The images by their whole paths, by the ends of these, and without suffix."""

    def __init__(self, paths: Iterable[str], root: Path) -> None:
        self.exact = set(paths)
        self.root = f"{root.as_posix()}/"
        self.whole: dict[str, list[str]] = defaultdict(list)
        self.ends: dict[str, list[str]] = defaultdict(list)
        self.stems: dict[str, list[str]] = defaultdict(list)

    def _fill(self) -> None:
        """Take all images in; a table of tfcnn's own, of a million, never needs it."""
        for path in self.exact:
            parts = _key(path).split("/")
            self.whole["/".join(parts)].append(path)
            stem = PurePosixPath(parts[-1]).stem
            for start in range(1, len(parts)):
                self.ends["/".join(parts[start:])].append(path)
            for start in range(len(parts)):
                self.stems["/".join([*parts[start:-1], stem])].append(path)

    def find(self, name: str) -> tuple[list[str], bool]:
        """Return the images that a name may mean, and whether the whole name fits them."""
        if name in self.exact:
            return [name], True
        plain = name.strip().replace("\\", "/").removeprefix(self.root).removeprefix("./")
        # a person may write a name that looks like a cell of ours, or add a row to a table of ours
        for given in (name, plain, *(as_in(name) for as_in in (naming.cell, naming.from_cell))):
            if given in self.exact:
                return [given], True
        if not self.whole:
            self._fill()
        key = _key(plain)
        parts = key.split("/")
        for start in range(len(parts)):
            if hits := self.whole.get("/".join(parts[start:])):
                return sorted(hits), True
        if hits := self.ends.get(key) or self.stems.get(key):
            return sorted(hits), True
        hits = self.ends.get(parts[-1]) or self.stems.get(parts[-1], [])
        return (hits if len(hits) == 1 else []), False


def _key(path: str) -> str:
    """Return a path for comparison: macOS and Windows compose letters differently from Linux."""
    return unicodedata.normalize("NFC", path).casefold()


def is_missing(value: str) -> bool:
    """Say whether a value stands for none: "", or what a program writes for it, such as NaN."""
    return not value.strip() or value.strip().casefold() in MISSING


def _header_place(lines: Sequence[Sequence[str]], wanted: set[str]) -> int:
    """Return which of the first lines is the header: titles and comments may stand before it."""
    for place, line in enumerate(lines[:TITLES]):
        if wanted <= {_plain_name(name) for name in line}:
            return place
    return 0


def _plain_name(name: str) -> str:
    return name.strip().strip("\ufeff").casefold()


def _text(path: Path) -> tuple[str, tuple[str, ...]]:
    try:
        data = files.read(path)
    except OSError as error:
        received = error.strerror or str(error)
        raise InputError(path, "a CSV that can be read", received, "another path") from error
    if data.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        raise InputError(path, "a CSV", "a workbook of Excel", "saving it as CSV UTF-8")
    encoding = "utf-8-sig"
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encoding = "utf-16"
    elif [sign == 0 for sign in data[:2]] in ([True, False], [False, True]):
        # saved as "Unicode" without its mark
        encoding = "utf-16-le" if data[1:2] == b"\0" else "utf-16-be"
    elif b"\0" in data:
        raise InputError(path, "a CSV", "a file with NUL bytes", "saving it as CSV UTF-8")
    try:
        return data.decode(encoding), ()
    except UnicodeDecodeError as error:
        try:
            note = f"{path}: read as Windows-1252, for it is not UTF-8; are its letters right?"
            return data.decode("cp1252"), (note,)
        except UnicodeDecodeError:
            hint = "saving it as CSV UTF-8"
            raise InputError(path, "a CSV in UTF-8", f"{error}", hint) from error


def _lines(text: str, wanted: set[str]) -> list[list[str]]:
    """Return the rows by the separator that finds the wanted columns, or else the most."""
    first, _, rest = text.lstrip("\r\n").partition("\n")
    if first.strip().lower() in {f"sep={separator}" for separator in SEPARATORS}:
        text = rest  # Excel's own mark

    head = text[:HEAD].lstrip()

    def score(separator: str) -> tuple[int, int]:
        reader = csv.reader(io.StringIO(head, newline=""), delimiter=separator)
        headers = [{_plain_name(name) for name in line} for line in islice(reader, TITLES)]
        return max(((len(wanted & names), len(names)) for names in headers), default=(0, 0))

    best = max(SEPARATORS, key=score)
    # a line set behind is not found by itself where a quote is still open
    lines = naming.read_csv(f"{text}\n.", best)
    if lines.pop() != ["."]:
        raise csv.Error("a quote that is never closed")
    return lines
