"""Names that others chose (files, classes, groups, runs), made safe to print and to store.

A name may hold signs that control a terminal or turn the order of letters, and a spreadsheet may
take it for a formula. It is printed with escapes, and stored so that it can be read back unchanged.
"""

import csv
import io
import re
from collections.abc import Iterator
from itertools import chain

# controls but tab and line ends; Unicode's line separators and Bidi_Control; what no UTF-8 or XML
# file can hold
HIDDEN = (
    r"\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069"
    r"\ud800-\udfff\ufffe\uffff"
)
IS_HIDDEN = re.compile(f"[{HIDDEN}]")
IS_HIDDEN_OR_BREAK = re.compile(rf"[{HIDDEN}\t\n\r]")
# a backslash that would be read as an escape is itself one
IN_CELL = re.compile(rf"[{HIDDEN}]|\\(?=x[0-9a-f]{{2}}|u[0-9a-f]{{4}})")
ESCAPE = re.compile(r"\\(?:x([0-9a-f]{2})|u([0-9a-f]{4}))")
NUMBER = re.compile(r"[-+]?[0-9.]+(e[-+]?[0-9]+)?")  # which is no text, and stored as it is
BREAKS = {"\t": r"\t", "\n": r"\n", "\r": r"\r"}
APOSTROPHE_BEFORE = frozenset("=+-@＝＋－＠\t\r\n'")
LONGEST_NAME = 255  # bytes that a file system takes
# what is set behind needs room: the time at which a run was retired; -by-image-crossval
LONGEST_FOLDER, LONGEST_RECIPE = 200, 180


def visible(text: str, *, is_one_line: bool = True) -> str:
    r"""Return a text for a person to read, with an escape for each control character: `\x1b`.

    Args:
        text: any.
        is_one_line: whether tabs and line ends are escaped too.
    """
    pattern = IS_HIDDEN_OR_BREAK if is_one_line else IS_HIDDEN
    return pattern.sub(lambda match: BREAKS.get(match[0]) or _escaped(match[0]), text)


def cell(text: str) -> str:
    r"""Return a text as a table holds it, from which `from_cell` gives it back.

    Control characters become escapes, `\x1b`. A text that a spreadsheet would take for a formula
    gets an apostrophe in front, and so does a text that begins with one. Removing the apostrophe
    at the start of each cell gives every text back.

    Reference:
        OWASP, "CSV injection": = + - @, their full-width forms, tab and line ends at the begin of
        a cell.
    """
    plain = IN_CELL.sub(lambda match: _escaped(match[0]), text)
    return f"'{plain}" if plain[:1] in APOSTROPHE_BEFORE else plain


def from_cell(text: str) -> str:
    """Return the text that `cell` made a cell of."""
    is_set = text[:1] == "'" and text[1:2] in APOSTROPHE_BEFORE
    plain = text[1:] if is_set else text
    return ESCAPE.sub(lambda match: chr(int(match[1] or match[2], 16)), plain)


def read_csv(text: str, separator: str = ",", *, strict: bool = False) -> list[list[str]]:
    """Return the texts in the cells of a CSV file; see `iterate_csv`."""
    return list(iterate_csv(text, separator, strict=strict))


def iterate_csv(text: str, separator: str = ",", *, strict: bool = False) -> Iterator[list[str]]:
    """Yield the texts in the cells of each line of a CSV file.

    Where `cell` would not have made all of them, they are taken as they are written, as earlier
    versions and other programs write names.

    Raises:
        csv.Error: if it is broken; of wrong quotes only where `strict`.
    """
    lines = csv.reader(_lines(text), delimiter=separator, strict=strict)
    if "\\" not in text and "'" not in text:  # nothing that `cell` would have changed
        yield from lines
        return
    written = list(lines)
    if not any(value[:1] == "'" or "\\" in value for line in written for value in line):
        yield from written
        return
    read = [[*map(from_cell, line)] for line in written]
    pairs = zip(chain.from_iterable(written), chain.from_iterable(read), strict=True)
    is_ours = all(_is_ours(*pair) for pair in pairs)
    yield from read if is_ours else written


def _lines(text: str) -> Iterator[str]:
    """Yield lines with their ends as `io.StringIO` does, in a fifth of its memory."""
    if "\r" in text:  # which may end a line too
        yield from io.StringIO(text, newline="")
        return
    start = 0
    while end := text.find("\n", start) + 1:
        yield text[start:end]
        start = end
    if start < len(text):
        yield text[start:]


def _is_ours(written: str, read: str) -> bool:
    return written == cell(read) or (written == read and NUMBER.fullmatch(read) is not None)


def is_folder_name(name: str, most: int = LONGEST_RECIPE) -> bool:
    """Return whether a name is allowed for a new folder, and means that one folder only."""
    return name != "" and name == as_folder_name(name, most)


def as_folder_name(name: str, most: int = LONGEST_RECIPE) -> str:
    r"""Return a name that a new folder may have: the same name if it is allowed.

    It has no control characters, no `/` and no `\`. It does not begin with `.`, `-`, `~` or a
    space, as hidden files, options and homes do. It has at most `most` bytes.
    """
    plain = re.sub(r"[/\\]", "_", IS_HIDDEN_OR_BREAK.sub("_", name)).lstrip(".-~ ")
    return shortened(plain, most).rstrip() or "images"


def shortened(name: str, most: int) -> str:
    """Return a name cut to so many bytes of UTF-8, between two letters."""
    data = name.encode(errors="replace")
    return name if len(data) <= most else data[:most].decode(errors="ignore")


def _escaped(sign: str) -> str:
    number = ord(sign)
    return f"\\x{number:02x}" if number < 256 else f"\\u{number:04x}"
