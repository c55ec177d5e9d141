"""Tables as spreadsheets save them, and the names by which they call images."""

from pathlib import Path

import pytest

from tfcnn import manifest
from tfcnn.base import tables
from tfcnn.base.errors import InputError
from tfcnn.datasets.folder import open_folder
from tfcnn.manifest import splits

PATHS = ["round/a.png", "round/b.png", "square/a.png", "square/Größe.png"]


def table(folder: Path, text: str, encoding: str = "utf-8", **called: str) -> tables.Table:
    path = folder / "groups.csv"
    path.write_bytes(text.encode(encoding))
    return tables.read(path, ("path", "group"), "a header", called)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252"])
@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_any_separator_encoding_and_line_end(tmp_path, encoding, separator, end):
    lines = ["path|group|note", "round/Größe 1.png|P1|", "", 'b.png|"P2"|x']
    text = end.join(line.replace("|", separator) for line in lines)
    found = table(tmp_path, text, encoding)
    assert [(row["path"], row["group"]) for row in found.rows] == [
        ("round/Größe 1.png", "P1"),
        ("b.png", "P2"),
    ]
    assert bool(found.notes) == (encoding == "cp1252"), "a guess is said"


@pytest.mark.parametrize(
    ("header", "called"),
    [
        ("Path,GROUP", {}),
        (" path , group ", {}),
        ("sep=;\npath;group", {}),
        ("\n\npath,group", {}),
        ("File Name,Patient", {"path": "file name", "group": "patient"}),
        ("group,Path,path_2", {"path": "PATH"}),
    ],
)
def test_a_header_in_any_case_and_by_other_names(tmp_path, header, called):
    separator = ";" if "sep" in header else ","
    names = [name.strip().lower() for name in header.splitlines()[-1].split(separator)]
    values = ["a.png" if name == "path" or "file" in name else "P1" for name in names]
    found = table(tmp_path, f"{header}\n{separator.join(values)}\n", **called)
    assert [(row["path"], row["group"]) for row in found.rows] == [("a.png", "P1")]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"PK\x03\x04xl/workbook", "a workbook of Excel; try saving it as CSV"),
        (b"a.png,P1\n", "received a.png, P1; try a header"),
        (b"path,group\n\x81\x8d.png,P1\n", "expected a CSV in UTF-8"),
        (b"path,group\na,b.png,P1\n", "expected 2 values in each row; received 3 in row 2"),
    ],
)
def test_what_is_no_such_table_is_named(tmp_path, content, message):
    (tmp_path / "groups.csv").write_bytes(content)
    with pytest.raises(InputError, match=message):
        tables.read(tmp_path / "groups.csv", ("path", "group"), "a header")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("round/a.png", "round/a.png"),
        ("./round/a.png", "round/a.png"),
        ("round\\a.png", "round/a.png"),
        (" round/a.png ", "round/a.png"),
        ("/data/cells/round/a.png", "round/a.png"),
        ("cells/round/a.png", "round/a.png"),
        ("D:\\study\\cells\\square\\a.png", "square/a.png"),
        ("b.png", "round/b.png"),
        ("B.PNG", "round/b.png"),
        ("b", "round/b.png"),
        ("elsewhere/b.png", "round/b.png"),
        ("square/Größe.png", "square/Größe.png"),
        ("Gro\u0308ße.png", "square/Größe.png"),  # as macOS writes it
        ("c.png", None),
        ("triangle/a.png", None),  # two images have that name, in other folders
    ],
)
def test_an_image_is_found_by_what_a_table_calls_it(tmp_path, name, expected):
    found = table(tmp_path, f'path,group\n"{name}",P1\n')
    rows, strangers = tables.by_path(found, ("group",), PATHS, Path("/data/cells"))
    assert list(rows) == ([expected] if expected else [])
    assert strangers == ([] if expected else [name])


def test_a_name_of_two_images_is_refused(tmp_path):
    found = table(tmp_path, "path,group\na.png,P1\n")
    with pytest.raises(InputError, match=r"a\.png: expected the name of one image; received that"):
        tables.by_path(found, ("group",), PATHS, Path("/data/cells"))


def test_a_whole_path_goes_before_a_name(tmp_path):
    """A table of more images than there are may hold the same name in another folder."""
    found = table(tmp_path, "path,group\nold/b.png,P9\nround/b.png,P1\n")
    rows, _ = tables.by_path(found, ("group",), PATHS, Path("/data/cells"))
    assert rows["round/b.png"]["group"] == "P1"


def test_rows_that_name_no_image_are_counted_and_said(make_tree, tmp_path):
    source = open_folder(make_tree())
    path = tmp_path / "groups.csv"
    lines = [f"{Path(item.path).parent.name}/{Path(item.path).name},P{i % 4}"
             for i, item in enumerate(source.items)]  # fmt: skip
    path.write_text("\n".join(["path,group", *lines, "gone.png,P1", "lost.png,P2"]))
    listed = manifest.build(source, group_csv=str(path))
    assert any("2 of 50 rows name no image of the data" in note for note in listed.notes)
    assert listed.group_rule == f"from {path}"


def test_a_split_by_hand_goes_through_the_same_reader(make_tree, tmp_path):
    source = open_folder(make_tree())
    listed = manifest.build(source)
    wanted = ["Train" if i % 3 else "val" for i in range(len(listed.rows))]
    rows = zip((row.path for row in listed.rows), wanted, strict=True)
    path = tmp_path / "split.csv"
    text = "\r\n".join(["Path;Split", *(f"shapes\\{a};{b}".replace("/", "\\") for a, b in rows)])
    path.write_bytes(text.encode("utf-16"))
    assert splits.read(path, listed) == [split.lower() for split in wanted]


@pytest.mark.parametrize(
    "before",
    ["# exported by X\n", "Patients of 2020;;\n", "# a\n# b, c\n\n", "sep=;\n", "path\nof\nall\n"],
)
def test_titles_and_comments_may_stand_before_the_header(tmp_path, before):
    found = table(tmp_path, f"{before}path;group;\na.png;P1;\n")
    assert [(row["path"], row["group"]) for row in found.rows] == [("a.png", "P1")]


def test_row_names_without_a_name_are_passed_over(tmp_path):
    """As R writes a table; pandas puts an empty name there."""
    for header in ("path,group", ",path,group"):
        found = table(tmp_path, f"{header}\n1,a.png,P1\n2,b.png,P2\n")
        assert [(row["path"], row["group"]) for row in found.rows] == [
            ("a.png", "P1"),
            ("b.png", "P2"),
        ]


def test_a_column_that_is_there_twice_is_refused(tmp_path):
    with pytest.raises(InputError, match="received 2 columns group; try another name"):
        table(tmp_path, "path,group,Group\na.png,P1,P2\n")
    assert table(tmp_path, "path,group,note,note\na.png,P1,x,y\n").rows[0]["group"] == "P1"


@pytest.mark.parametrize("value", ["NaN", "nan", "#N/A", "NULL", "none", "<NA>", " ", ""])
def test_what_programs_write_for_no_value_is_no_group(make_tree, tmp_path, value):
    source = open_folder(make_tree())
    path = tmp_path / "groups.csv"
    lines = [f"{item.path},{value if i < 9 else item.path[-7:-4]}"
             for i, item in enumerate(source.items)]  # fmt: skip
    path.write_text("\n".join(["path,group", *lines]))
    with pytest.raises(InputError, match="a group for every image; received none for 9") as info:
        manifest.build(source, group_csv=str(path))
    assert (f"{value} is no group" in str(info.value)) == bool(value.strip())
    assert "--ignore PATTERN" in str(info.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"path,group\na.png,P\0\n", "expected a CSV; received a file with NUL bytes"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(200), "received a file with NUL bytes"),
        (b'path,group\na.png,P1\n"b.png,P2\nc.png,P3\n', "a quote that is never closed; try"),
        (b'path,group\na.png,"P1', "a quote that is never closed"),
        (",".join(f"c{i}" for i in range(999)).encode(), r"received c0, c1, .{190,200} and so on;"),
    ],
)
def test_what_is_broken_is_said_in_a_short_line(tmp_path, content, message):
    (tmp_path / "groups.csv").write_bytes(content)
    with pytest.raises(InputError, match=message):
        tables.read(tmp_path / "groups.csv", ("path", "group"), "a header")


def test_a_quote_within_a_value_is_a_letter(tmp_path):
    assert table(tmp_path, 'path,group\na.png,5" lens\nb.png,x').rows[0]["group"] == '5" lens'


def test_columns_that_a_table_may_have_are_there_once(tmp_path):
    path = tmp_path / "labels.csv"
    path.write_text("path,Split\na.png,val\n")
    found = tables.read(path, ("path",), "a header", optional=("split", "group"))
    assert found.rows[0]["split"] == "val" and "group" not in found.rows[0]
    path.write_text("path,split,SPLIT\na.png,val,test\n")
    with pytest.raises(InputError, match="received 2 columns split"):
        tables.read(path, ("path",), "a header", optional=("split",))
    assert tables.read(path, ("path",), "a header").rows[0]["path"] == "a.png"


def test_rows_of_one_image_agree_in_every_column(tmp_path):
    found = table(tmp_path, "path,group,split\nround/a.png,P1,val\nround/A.PNG,P1,test\n")
    assert len(tables.by_path(found, ("group",), PATHS, Path("/data"))[0]) == 1
    with pytest.raises(InputError, match="expected one split; received val and test"):
        tables.by_path(found, ("group", "split"), PATHS, Path("/data"))
