"""What is remembered of files is believed only as it was written, and blocks no folder."""

import json
from dataclasses import fields
from pathlib import Path

import pytest
from conftest import Heard, recipe_of

from tfcnn import manifest
from tfcnn.base.errors import TfcnnError
from tfcnn.datasets import _install
from tfcnn.datasets._install import Origin
from tfcnn.datasets.folder import open_folder
from tfcnn.manifest import audit, rows
from tfcnn.manifest.rows import REHASHED


@pytest.fixture
def source(make_tree):
    return open_folder(make_tree(groups=2, per_group=2))


def test_a_flipped_bit_anywhere_is_not_believed(source):
    first = manifest.build(source)
    path = source.store / "manifest.csv"
    content = path.read_bytes()
    for place in [*range(0, len(content) - 1, 37), len(content) - 2]:
        for bit in (0x80, 0x01, 0x20):
            path.write_bytes(content[:place] + bytes([content[place] ^ bit]) + content[place + 1 :])
            result = manifest.build(source)
            assert result.rows == first.rows and result.notes == first.notes
            assert REHASHED in result.rehash_note and str(path) in result.rehash_note
            assert path.read_bytes() == content, "and it is as it was"


@pytest.mark.parametrize("damage", ["half", "empty", "swapped", "without its last line", "utf-16"])
def test_other_damage_is_not_believed_and_said_once(source, damage):
    first = manifest.build(source)
    path = source.store / "manifest.csv"
    text = path.read_text()
    lines = text.splitlines(keepends=True)
    hashes = [line.split(",")[4] for line in lines[1:3]]
    changed = {
        "half": text[: len(text) // 2],
        "empty": "",
        "swapped": hashes[0].join(
            part.replace(hashes[0], hashes[1]) for part in text.split(hashes[1])
        ),
        "without its last line": "".join(lines[:-1]),
        "utf-16": text,
    }[damage]  # fmt: skip
    path.write_bytes(changed.encode("utf-16" if damage == "utf-16" else "utf-8"))
    result = manifest.build(source)
    assert result.rows == first.rows
    assert [text for text in result.messages() if REHASHED in text] == [result.rehash_note]
    again = manifest.build(source)
    assert again.rehash_note == "" and again.rows == first.rows


def test_what_was_remembered_is_read_as_a_table(source):
    manifest.build(source)
    header, *_, last = (source.store / "manifest.csv").read_text().splitlines()
    assert header.startswith("path,label,group,official,sha256,pixels_sha256")
    assert last.startswith("# sha256 ")


def test_check_and_training_say_it_and_go_on(make_tree, monkeypatch):
    root = make_tree(groups=4)
    source = open_folder(root)
    manifest.build(source)
    path = source.store / "manifest.csv"
    path.write_bytes(b"\xff\xfe" + path.read_bytes())
    result = audit.audit(recipe_of(root).data, Heard())
    assert not result.is_blocking
    assert any(REHASHED in finding.what for finding in result.findings)
    assert not any(REHASHED in f.what for f in audit.audit(recipe_of(root).data, Heard()).findings)


ORIGIN = Origin(False, ("not the official",), "a.zip", "0" * 64, 3)


@pytest.fixture
def download(tmp_path: Path) -> Path:
    """A finished download of a picture's worth and its labels."""
    new, folder = tmp_path / "new", tmp_path / "set"
    for place in (new, folder):
        place.mkdir()
    (new / "labels.npy").write_bytes(b"labels")
    _install.install(new, ("labels.npy",), folder, ORIGIN)
    return folder


def test_a_flipped_bit_in_the_origin_of_a_download_is_not_believed(download):
    path = download / "origin.json"
    content = path.read_bytes()
    assert _install.read(download) is not None
    for place in range(0, len(content) - 1, 5):
        path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        result = _install.read(download)
        if result is not None:
            assert result == Origin(**{**vars(ORIGIN), "sha256": result.sha256})
    path.write_bytes(content.replace(b"false", b"true"))
    assert _install.read(download) is None
    with pytest.raises(TfcnnError, match=r"origin\.json: .*try `tfcnn download mnist`, which"):
        _install.require(download, "mnist")


def test_labels_that_changed_since_are_refused_and_fetched_again(download):
    (download / "labels.npy").write_bytes(b"labelz")
    assert _install.read(download) is None
    path = download / "origin.json"
    content = json.loads(path.read_text())
    path.write_text(json.dumps({key: value for key, value in content.items() if key != "sha256"}))
    result = _install.read(download)
    assert result is not None and result.sha256 == {}, "one of an earlier tfcnn cannot tell"


@pytest.mark.parametrize("cells", [5, 8, 9, 11, 0])
def test_a_sealed_row_of_other_length_is_not_believed(cells, tmp_path):
    """Whoever changes a manifest can seal it again."""
    header = [field.name for field in fields(rows.Row)]
    line = ["a.png", "a", "", "", "0", "1", "7", "8", "", "", "more"][:cells]
    text = "\n".join([",".join(header), ",".join(line), ""]) + ("\n" if not cells else "")
    path = tmp_path / rows.FILE
    path.write_bytes(text.encode() + rows._checksum(text.encode()))
    assert rows.read(path) == ({}, f"{path}: {rows.REHASHED}")


def test_a_cell_that_is_too_long_is_not_believed(tmp_path):
    header = [field.name for field in fields(rows.Row)]
    line = ["a" * 140_000, "a", "", "", "0", "1", "7", "8", "", ""]
    text = "\n".join([",".join(header), ",".join(line), ""]).encode()
    path = tmp_path / rows.FILE
    path.write_bytes(text + rows._checksum(text))
    assert rows.read(path) == ({}, f"{path}: {rows.REHASHED}")
