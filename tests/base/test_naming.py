"""Names that act on a terminal, a table or a folder: shown with escapes, stored to come back."""

import csv
import io
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nasty_names import NASTY

from tfcnn.base import atomic, naming, records, tables
from tfcnn.base.errors import InputError

signs = st.text(st.sampled_from("\\xu01bf'=+-@\r\n\t\"\x1b\x85\u202e\udcff;, a") | st.characters())


@pytest.mark.parametrize("text", NASTY)
def test_every_name_comes_back_from_a_cell(text):
    cell = naming.cell(text)
    assert naming.from_cell(cell) == text
    assert not cell or cell[0] not in "=+-@＝＋－＠\t\r\n"
    assert not naming.IS_HIDDEN.search(cell)
    cell.encode()


@given(signs)
def test_any_text_comes_back_from_a_cell(text):
    assert naming.from_cell(naming.cell(text)) == text


@given(st.lists(st.lists(signs, min_size=2, max_size=2), max_size=5))
def test_any_table_comes_back_by_any_reader(rows):
    text = atomic.csv_text(["path", "group"], rows)
    read = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    assert [[*map(naming.from_cell, line)] for line in read[1:]] == rows
    assert all(len(line) == 2 for line in read)


@pytest.mark.parametrize("name", ["plain.png", "a b (1).png", "Größe", "'apos", "C:\\cells", "#1"])
def test_what_is_harmless_is_written_as_it_is(name):
    expected = f"'{name}" if name.startswith("'") else name
    assert naming.cell(name) == expected and naming.visible(name) == name


def test_tables_of_earlier_versions_are_read_as_they_were_meant(tmp_path):
    """They had names as they are; an apostrophe in front was one of the name."""
    path = tmp_path / "old.csv"
    path.write_text("path,group\n'a.png,=P1\n=b.png,'P2\n\"c\x1b,d\",-3\n")
    assert [tuple(row.values()) for row in records.read_rows(path, "a table", "another")] == [
        ("'a.png", "=P1"), ("=b.png", "'P2"), ("c\x1b,d", "-3"),
    ]  # fmt: skip


def test_a_table_by_hand_may_hold_names_that_look_like_our_cells(tmp_path):
    paths = ["'=a.png", "=b.png", r"c\x1b.png", "d\x1b.png"]
    path = tmp_path / "groups.csv"
    path.write_text("path,group\n" + "".join(f"{one},{i}\n" for i, one in enumerate(paths)))
    table = tables.read(path, ("path", "group"), "a header")
    rows, strangers = tables.by_path(table, ("group",), paths, tmp_path)
    assert not strangers
    assert [rows[one]["group"] for one in paths] == ["0", "1", "2", "3"]
    ours = atomic.csv_text(["path", "group"], [[one, str(i)] for i, one in enumerate(paths)])
    path.write_text(ours)
    table = tables.read(path, ("path", "group"), "a header")
    assert tables.by_path(table, ("group",), paths, tmp_path)[0].keys() == {*paths}
    path.write_text(ours.replace("'=b", "=b"))  # a row by hand
    table = tables.read(path, ("path", "group"), "a header")
    assert "=b.png" in tables.by_path(table, ("group",), paths, tmp_path)[0]


def test_an_escape_in_a_table_of_an_earlier_version_is_a_name(tmp_path):
    path = tmp_path / "old.csv"
    path.write_text("path,group\n\\x1b.png,''a\n=b.png,P2\n")
    assert [tuple(row.values()) for row in records.read_rows(path, "a table", "another")] == [
        (r"\x1b.png", "''a"), ("=b.png", "P2"),
    ]  # fmt: skip


def test_a_separator_of_other_languages_begins_no_cell():
    assert atomic.csv_text(["path"], [["a;=1+1"]]) == 'path\n"a;=1+1"\n'


@pytest.mark.parametrize("text", NASTY)
def test_what_is_shown_is_one_line_and_does_nothing(text):
    shown = naming.visible(text)
    assert shown.isascii() or not naming.IS_HIDDEN_OR_BREAK.search(shown)
    assert len(shown.splitlines()) <= 1
    error = str(InputError(text, f"no {text}", f"one {text}", f"not {text}"))
    assert not naming.IS_HIDDEN_OR_BREAK.search(error)


@pytest.mark.parametrize(
    "name",
    [
        "cells",
        "Größe (2)",
        "a.b",
        "O'Brien & co",
        "細胞",
        "=x",
        180 * "x",
    ],
)
def test_a_folder_may_be_called_so(name):
    assert naming.is_folder_name(name) and naming.as_folder_name(name) == name


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "../x", "/tmp/x", "a/b", "a\\b", "~", "~root", "-rf", ".hidden", " x", "x ",
     "a\nb", "a\x1b[0m", "a\u202eb", "a\0b", "x" * 181, "ä" * 91, "\udcff"],
)  # fmt: skip
def test_a_folder_may_not_be_called_so(name):
    other = naming.as_folder_name(name)
    assert not naming.is_folder_name(name)
    assert naming.is_folder_name(other) and set(other) & set(string.ascii_letters + "_äé")


def test_a_number_below_zero_in_a_table_leaves_its_names_to_be_read_back():
    written = [[naming.cell(name), "-0.5"] for name in ("=a.png", "'b")]
    written.append([naming.cell("-1"), "-1e-05"])
    text = "\n".join(map(",".join, written))
    assert naming.read_csv(text) == [["=a.png", "-0.5"], ["'b", "-0.5"], ["-1", "-1e-05"]]


CELLS = st.one_of(
    st.text(st.sampled_from("ab,.\"';=-+\t\n\r\\ \x1b/_\u00e9"), max_size=4),
    st.integers(-9, 9), st.floats(allow_nan=False), st.none(),
)  # fmt: skip


@given(st.lists(CELLS, min_size=1, max_size=5))
def test_a_usual_row_is_written_as_its_cells_are(cells):
    whole = atomic.csv_text([], [cells]).removeprefix("\n")
    # a cell with a letter that is not usual sends all cells of its row the long way
    long_way = atomic.csv_text([], [[*cells, "\u00e9"]]).removeprefix("\n")
    assert whole.removesuffix("\n") == long_way.removesuffix(",\u00e9\n")


@given(st.text(st.sampled_from('ab\n\r", \u2028\x0b'), max_size=20))
def test_lines_end_where_those_of_a_file_do(text):
    assert [*naming._lines(text)] == [*io.StringIO(text, newline="")]
