"""Zip archives of strangers: bombs are refused, a bad member is one row, nothing is told twice."""

import contextlib
import io
import struct
import subprocess
import sys
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

import tfcnn
from tfcnn.base.errors import InputError
from tfcnn.decode import archives
from tfcnn.decode.archives import MemberError
from tfcnn.explain import image_files
from tfcnn.explain.image_files import Readable, Unreadable
from tfcnn.prediction import expand
from tfcnn.runs import open_run

METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
ENTRY, LOCAL = b"PK\1\2", b"PK\3\4"
Change = Callable[[bytearray, int, int], None]  # the archive, the list's entry, the own header


def picture(seed: int) -> bytes:
    file = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


PICTURES = {"a.png": picture(1), "b\xe9.png": picture(2), "c.png": picture(3)}


def make_zip(
    path: Path, members: dict[str, bytes] | list[tuple[str, bytes]], method: int = 8
) -> Path:
    pairs = members.items() if isinstance(members, dict) else members
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a name that is there already
        with zipfile.ZipFile(path, "w", method) as made:
            for name, content in pairs:
                made.writestr(name, content)
    return path


def changed(path: Path, change: Change, name: str = "b\xe9.png") -> Path:
    """Make one member of the archive wrong."""
    content = bytearray(path.read_bytes())
    raw = name.encode()
    entry = content.index(raw, content.index(ENTRY)) - 46
    change(content, entry, content.index(raw) - 30)
    path.write_bytes(content)
    return path


def put(offset: int, form: str, *values: int, own: int | None = None) -> Change:
    """Write numbers at an offset of the entry in the list, and perhaps of the own header."""

    def change(content: bytearray, entry: int, header: int) -> None:
        struct.pack_into(form, content, entry + offset, *values)
        if own is not None:
            struct.pack_into(form, content, header + own, *values)

    return change


def cut_of_its_name(content: bytearray, entry: int, header: int) -> None:
    content[entry + 46 + 2] = content[header + 30 + 2] = 0xFF  # no letter of UTF-8


BAD: dict[str, tuple[Change, str]] = {
    "a later version": (put(6, "<B", 99, own=4), "made for version 9.9"),
    "Deflate64": (put(10, "<H", 9, own=8), "packed by Deflate64"),
    "Zstandard": (put(10, "<H", 93, own=8), "packed by Zstandard"),
    "an unknown method": (put(10, "<H", 77, own=8), "packed by method 77"),
    "no LZMA": (put(10, "<H", 14, own=8), "LZMA"),
    "no bzip2": (put(10, "<H", 12, own=8), "Invalid data stream"),
    "not UTF-8": (cut_of_its_name, "not in UTF-8"),
    "encrypted": (put(8, "<H", 0x801, own=6), "an encrypted file"),
    "a link": (put(38, "<L", 0o120777 << 16), "a link or device"),
    "a wrong CRC": (put(16, "<L", 7, own=14), "Bad CRC-32"),
    "a false size": (put(24, "<L", 100), "more than the 100 bytes"),
    "a size too large": (put(24, "<L", 100_000), "not the 100,000"),
    "a place elsewhere": (put(42, "<L", 5), "where another member does"),
    "a place after the end": (put(42, "<L", 1 << 30), "where another member does"),
    "packed bytes after the end": (put(20, "<L", 1 << 30), "where another member does"),
    "another name in its header": (
        lambda content, entry, header: content.__setitem__(header + 30, ord("x")),
        "another name in its own header",
    ),
    "no own header": (
        lambda content, entry, header: content.__setitem__(header, 0),
        "no header where the list says",
    ),
    "a damaged description": (
        lambda content, entry, header: struct.pack_into("<L", content, entry + 24, 0xFFFFFFFF),
        "",
    ),
}


@pytest.mark.parametrize("bad", BAD)
def test_a_bad_member_is_one_unreadable_row_and_the_others_are_read(
    bad: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archives, "SMALL_BYTES", 1 << 33)
    change, reason = BAD[bad]
    archive = changed(make_zip(tmp_path / "cells.zip", PICTURES), change)
    images = expand([archive])
    assert len(images) == 3
    read, unreadable = [], []
    for image in images:
        try:
            read.append(image.read())
        except tfcnn.decode.UnreadableImageError as error:
            unreadable.append(error)
            assert str(archive) in str(error) and "\n" not in str(error)
    assert read == [PICTURES["a.png"], PICTURES["c.png"]]
    assert len(unreadable) == 1 and reason in unreadable[0].reason


@pytest.mark.parametrize("method", METHODS)
def test_members_are_read_as_zipfile_reads_them(method: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(method)
    contents = {
        **PICTURES,
        "empty": b"",
        "zeros": bytes(3 << 20),
        "noise": rng.bytes(2_500_000),
        "folder/": b"",
        "folder/text": b"cells " * 300_000,
    }
    archive = make_zip(tmp_path / "cells.zip", contents, method)
    listed = archives.members(archive)
    assert [member.name for member in listed] == list(contents)
    for member in listed:
        assert archives.read(archive, member) == contents[member.name]
        assert archives.head(archive, member) == contents[member.name][:4096]
        assert max(map(len, archives.chunks(archive, member)), default=0) <= archives.PIECE_BYTES


@pytest.mark.parametrize("before", [b"", b"#!/bin/sh\n" * 50])
@pytest.mark.parametrize("comment", [b"", b"of cells", b"x" * 65535])
def test_what_stands_before_and_after_does_not_matter(
    before: bytes, comment: bytes, tmp_path: Path
) -> None:
    archive = make_zip(tmp_path / "cells.zip", PICTURES)
    with zipfile.ZipFile(archive, "a") as made:
        made.comment = comment
    archive.write_bytes(before + archive.read_bytes())
    found = [archives.read(archive, member) for member in archives.members(archive)]
    assert found == list(PICTURES.values())


def test_archives_of_64_bits_are_read(tmp_path: Path) -> None:
    archive = tmp_path / "cells.zip"
    with zipfile.ZipFile(archive, "w") as made:
        for name, content in PICTURES.items():
            with made.open(name, "w", force_zip64=True) as file:
                file.write(content)
    content = bytearray(archive.read_bytes())
    # as of a list that begins beyond 4 GB: its own end, the place of that, and a mark in the old
    end = content.index(b"PK\5\6")
    _, _, _, _, count, size, start, _ = struct.unpack_from("<4s4H2LH", content, end)
    wide = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, count, count, size, start)
    wide += struct.pack("<4sLQL", b"PK\6\7", 0, end, 1)
    struct.pack_into("<2L", content, end + 12, 0xFFFFFFFF, 0xFFFFFFFF)
    archive.write_bytes(content[:end] + wide + content[end:])
    listed = archives.members(archive)
    assert [archives.read(archive, member) for member in listed] == list(PICTURES.values())
    with zipfile.ZipFile(archive) as oracle:
        assert oracle.namelist() == [member.name for member in listed]


@settings(
    deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data(), method=st.sampled_from(METHODS))
def test_changed_bytes_give_the_content_or_a_fault(
    tmp_path: Path, data: st.DataObject, method: int
) -> None:
    contents = {"a.png": b"cells " * 20, "b/c.png": b"x"}
    archive = make_zip(tmp_path / "cells.zip", contents, method)
    content = bytearray(archive.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    archive.write_bytes(content)
    try:
        listed = archives.members(archive)
    except InputError as error:
        assert "\n" not in str(error)
        return
    for member in listed:
        with contextlib.suppress(MemberError):
            assert archives.read(archive, member) in (*contents.values(), b"")


# --- bombs


def overlapping(path: Path, count: int) -> Path:
    """Make an archive whose members all are the same bytes (Fifield, 2019)."""
    make_zip(path, {"a.png": np.random.default_rng(1).bytes(100_000)})
    content = path.read_bytes()
    start, end = content.index(ENTRY), content.index(b"PK\5\6")
    entry = content[start:end]
    entries = [entry.replace(b"a.png", f"{number:05d}".encode()) for number in range(count)]
    record = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, count, count, len(entry) * count, start, 0)
    path.write_bytes(content[:start] + b"".join(entries) + record)
    return path


def test_overlapping_members_are_read_once(tmp_path: Path) -> None:
    listed = archives.members(overlapping(tmp_path / "bomb.zip", 50))
    assert [bool(member.fault) for member in listed] == [False] + [True] * 49


def test_an_archive_that_says_it_is_a_bomb_is_refused_before_anything_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archives, "chunks", None)
    size, said = (struct.pack("<L", number) for number in (30_007, 30_000_000))
    zeros = make_zip(tmp_path / "0.zip", {f"{i}.png": bytes(30_007) for i in range(40)})
    zeros.write_bytes(zeros.read_bytes().replace(size, said))
    bombs = {
        "at most 1,074 MB when unpacked; received 1,200 MB": zeros,
        "members side by side": overlapping(tmp_path / "1.zip", 20_000),
    }
    for reason, archive in bombs.items():
        with pytest.raises(InputError, match=reason) as info:
            expand([archive])
        assert "\n" not in str(info.value) and str(archive) in str(info.value)
    monkeypatch.setattr(archives, "MAX_MEMBERS", 2)
    with pytest.raises(InputError, match="at most 2 members; received 3 or more"):
        expand([make_zip(tmp_path / "many.zip", PICTURES)])


def test_a_member_that_is_too_large_is_an_unreadable_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = make_zip(tmp_path / "cells.zip", {"a.png": bytes(100_000), "b.png": picture(1)})
    monkeypatch.setenv("TFCNN_MAX_MEGAPIXELS", "0.01")  # and so files of 45 kB
    large, small = expand([archive])
    assert small.read() == picture(1)
    with pytest.raises(tfcnn.decode.UnreadableImageError, match="a file of 0 MB, over 0 MB"):
        large.read()


PEAK = r"""
import re, sys
from pathlib import Path
from tfcnn.prediction import expand
from tfcnn.base.errors import TfcnnError
peak = lambda: int(re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[1])
before = peak()
told = []
try:
    for image in expand(sys.argv[1:]):
        try: image.read()
        except TfcnnError as error: told.append(str(error))
except TfcnnError as error: told.append(str(error))
print(peak() - before)
print(*told, sep="\n")
"""


def peak_of(archive: Path) -> tuple[float, list[str]]:
    """Return by how many MB reading an archive raises a process, and the errors."""
    done = subprocess.run(
        [sys.executable, "-c", PEAK, str(archive)], capture_output=True, text=True, check=True
    )
    first, *told = done.stdout.splitlines()
    return int(first) / 1024, told


@pytest.mark.parametrize("method", METHODS[1:])
def test_a_member_that_lies_about_its_size_takes_no_memory(method: int, tmp_path: Path) -> None:
    """200 MB that say they are 1,000 bytes: bzip2 packs them in 200."""
    size = 208 << 20
    archive = tmp_path / "bomb.zip"
    with zipfile.ZipFile(archive, "w", method) as made, made.open("a.png", "w") as file:
        for _ in range(size >> 24):
            file.write(bytes(1 << 24))
    content = archive.read_bytes()
    archive.write_bytes(content.replace(struct.pack("<L", size), struct.pack("<L", 1000)))
    megabytes, told = peak_of(archive)
    assert megabytes < 100
    assert len(told) == 1 and "more than the 1,000 bytes that it says" in told[0]


# --- names


@pytest.mark.parametrize(
    "names",
    [("a.png", "a.png"), ("a.png", "./a.png"), ("x/a.png", "x//a.png"), ("a.png", "../a.png")],
)
def test_two_members_of_one_name_are_both_said(names: tuple[str, str], tmp_path: Path) -> None:
    contents = [*zip(names, (picture(1), picture(2)), strict=True), ("z/z.png", picture(3))]
    images = expand([make_zip(tmp_path / "cells.zip", contents)])
    assert [image.path for image in images] == [f"{tmp_path}/cells.zip/{n}" for n, _ in contents]
    for image in images[:2]:
        with pytest.raises(
            tfcnn.decode.UnreadableImageError, match=r"2 members of this name|'\.\."
        ):
            image.read()
    assert images[2].read() == picture(3)


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("../../a.png", "a path with '..'"),
        ("x\\..\\..\\a.png", "a path with '..'"),
        ("/etc/a.png", "an absolute path"),
        ("C:/a.png", "an absolute path"),
        ("\\\\host\\a.png", "an absolute path"),
        ("a\nb.png", "control characters"),
        ("a\x1b[31m.png", "control characters"),
    ],
)
def test_hostile_names_are_unreadable_rows(name: str, fault: str, tmp_path: Path) -> None:
    first, second = expand([make_zip(tmp_path / "cells.zip", {name: picture(1), "z.png": b""})])
    hostile = first if name in first.path else second
    with pytest.raises(tfcnn.decode.UnreadableImageError, match=fault):
        hostile.read()


def test_names_of_windows_are_read(tmp_path: Path) -> None:
    (image,) = expand([make_zip(tmp_path / "cells.zip", {"cells\\a.png": picture(1)})])
    assert image.read() == picture(1)


def test_files_that_are_none_are_counted_by_member(tmp_path: Path) -> None:
    contents = [("a.png", picture(1)), ("t.txt", b"1"), ("t.txt", b"2"), (".", b"3")]
    said: list[str] = []
    assert len(expand([make_zip(tmp_path / "cells.zip", contents)], said.append)) == 1
    assert "passed over 3 of 4 files: 2 .txt, 1 without a name" in said[0]


# --- the verbs


def test_predict_and_explain_answer_for_the_others(trained: Path, tmp_path: Path) -> None:
    run = open_run(trained)
    archive = changed(make_zip(tmp_path / "cells.zip", PICTURES), BAD["a later version"][0])
    found = tfcnn.predict(run, archive)
    assert [one.flag == "unreadable" for one in found] == [False, True, False]
    assert "version 9.9" in found[1].reason
    (batch,) = image_files.read(run.decoder, image_files.list_images([archive]))
    assert [type(one) for one in batch] == [Readable, Unreadable, Readable]


def test_more_archives_than_open_files(tmp_path: Path) -> None:
    archive = make_zip(tmp_path / "cells.zip", PICTURES)
    before = len(list(Path("/proc/self/fd").iterdir()))
    images = expand([archive] * 50)
    assert len(list(Path("/proc/self/fd").iterdir())) <= before + 1
    assert images[-1].read() == PICTURES["c.png"]


@pytest.mark.parametrize("cut", [30, "after the inner one"])
def test_an_archive_in_a_truncated_one_is_not_taken_for_it(tmp_path, cut):
    inner, path = io.BytesIO(), tmp_path / "outer.zip"
    with zipfile.ZipFile(inner, "w") as archive:
        archive.writestr("of-the-inner.png", b"pixels")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("first.png", b"pixels")
        archive.writestr("inner.zip", inner.getvalue())
    content, packed = path.read_bytes(), inner.getvalue()
    end = len(content) - cut if cut == 30 else content.index(packed) + len(packed)
    path.write_bytes(content[:end])
    with pytest.raises(InputError, match=r"truncated or damaged one .*another archive"):
        archives.members(path)
