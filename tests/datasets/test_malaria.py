"""The NIH cells in small: fetched, verified by content, replaced whole, and never half there."""

import hashlib
import os
import socket
from pathlib import Path

import pytest
from dataset_fakes import (
    CLASSES,
    cell_names,
    served,
    tree,
    write_cells,
    write_files,
    write_zip,
)

from tfcnn import manifest
from tfcnn.base.errors import InputError
from tfcnn.contracts.of_sources import stamps
from tfcnn.datasets import _fetch, _install, malaria
from tfcnn.datasets import folder as class_folders

NOTE = "16 cells of 4 patients; not the official archive of 27,558 cells of 200 patients"


@pytest.fixture
def cells(tmp_path: Path) -> Path:
    return write_cells(tmp_path / "cells")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data" / "malaria"


@pytest.fixture(autouse=True)
def _quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_fetch, "BACKOFF_SECONDS", (0.0,))
    monkeypatch.setenv("no_proxy", "127.0.0.1")


def be_official(monkeypatch: pytest.MonkeyPatch, cells: Path, archive: Path, address: str) -> None:
    """Make a fake the official data set."""
    monkeypatch.setattr(malaria, "ADDRESS", address)
    monkeypatch.setattr(malaria, "SIZE_BYTES", archive.stat().st_size)
    monkeypatch.setattr(malaria, "ARCHIVE_SHA256", hashlib.sha256(archive.read_bytes()).hexdigest())
    monkeypatch.setattr(malaria, "CONTENT_SHA256", malaria.content_sha256(cells))
    monkeypatch.setattr(malaria, "NUM_CELLS", len([*cells.glob("*/*.png")]))


def refusal(data: Path, mirror: object = None) -> str:
    with pytest.raises(InputError) as info:
        malaria.download(data, mirror=None if mirror is None else str(mirror))
    assert "\n" not in str(info.value)
    return str(info.value)


def assert_absent(data: Path) -> None:
    with pytest.raises(InputError, match="tfcnn download malaria"):
        malaria.open_source(data)


def test_the_official_archive_is_fetched_verified_and_unpacked(
    tmp_path: Path, cells: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_files(cells, ["Parasitized/Thumbs.db", "Uninfected/Thumbs.db"])
    archive = write_zip(cells, tmp_path / "www" / "cell_images.zip")
    with served(tmp_path / "www") as (address, requested):
        be_official(monkeypatch, cells, archive, f"{address}/cell_images.zip")
        malaria.download(data)
        malaria.download(data)
        assert requested == ["/cell_images.zip"]
    source = malaria.open_source(data)
    assert [item.path for item in source.items] == sorted(cell_names())
    assert (source.name, source.notes, source.store) == ("malaria", (), data)
    assert (source.positive, source.nouns) == ("Parasitized", ("cells", "patients"))
    assert manifest.build(source).summary() == "16 cells of 4 patients"
    origin = _install.read(data)
    assert origin is not None
    assert origin.official
    assert origin.content_sha256 == malaria.CONTENT_SHA256
    kept = {name.split("/")[0] for name in tree(data)}
    assert kept == {"cell_images", "origin.json", "manifest.csv"}  # the archive is not kept


def test_another_archive_at_the_official_address_is_refused(
    tmp_path: Path, cells: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = write_zip(cells, tmp_path / "www" / "cell_images.zip")
    with served(tmp_path / "www") as (address, _):
        be_official(monkeypatch, cells, archive, f"{address}/cell_images.zip")
        changed = bytearray(archive.read_bytes())
        changed[100] ^= 1
        archive.write_bytes(changed)
        assert "sha256" in refusal(data)
        assert_absent(data)
        monkeypatch.setattr(malaria, "SIZE_BYTES", 1)
        assert "1 bytes" in refusal(data)
    assert_absent(data)


def test_other_content_at_the_official_address_is_refused(
    tmp_path: Path, cells: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = write_zip(cells, tmp_path / "www" / "cell_images.zip")
    with served(tmp_path / "www") as (address, _):
        be_official(monkeypatch, cells, archive, f"{address}/cell_images.zip")
        monkeypatch.setattr(malaria, "CONTENT_SHA256", "0" * 64)
        message = refusal(data)
    assert address in message
    assert "--from" in message
    assert_absent(data)


def test_off_line_the_address_and_the_way_out_are_named(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        address = f"http://127.0.0.1:{closed.getsockname()[1]}/cell_images.zip"
    monkeypatch.setattr(malaria, "ADDRESS", address)
    message = refusal(data)
    assert address in message
    assert "--from" in message
    assert_absent(data)
    assert not data.exists()


@pytest.mark.parametrize(
    "mirror",
    [
        *("{tmp}/m/cell_images.zip", "{tmp}/m", "{tmp}/m/other.zip", "{tmp}/cells", "{tmp}/nested"),
        *("{address}/m/cell_images.zip", "{address}/m", "{address}/m/", "file://{tmp}/m"),
    ],
)
def test_mirrors_of_every_kind(mirror: str, tmp_path: Path, cells: Path, data: Path) -> None:
    write_zip(cells, tmp_path / "m" / "cell_images.zip")
    write_zip(cells, tmp_path / "m" / "other.zip", prefix="")
    write_cells(tmp_path / "nested" / "archive" / "cell_images")
    write_files(tmp_path / "nested", ["archive/cell_images/Parasitized/Thumbs.db"])
    before = tree(tmp_path / "nested") | tree(cells)
    with served(tmp_path) as (address, _):
        malaria.download(data, mirror=mirror.format(tmp=tmp_path, address=address))
    source = malaria.open_source(data)
    assert source.notes == (NOTE,)
    assert {item.path: source.read(item.path) for item in source.items} == tree(cells)
    assert tree(tmp_path / "nested") | tree(cells) == before
    names = {name.split("/")[0] for name in tree(data)}
    assert names == {"cell_images", "origin.json"}


def test_the_official_content_in_another_container_needs_no_note(
    tmp_path: Path, cells: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = write_zip(cells, tmp_path / "cell_images.zip")
    be_official(monkeypatch, cells, archive, "http://127.0.0.1:9/nowhere.zip")
    malaria.download(data, mirror=str(write_zip(cells, tmp_path / "repacked.zip", prefix="a/b/")))
    assert malaria.open_source(data).notes == ()


def test_an_image_more_is_not_the_official_content(
    cells: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = write_zip(cells, tmp_path / "cell_images.zip")
    be_official(monkeypatch, cells, archive, "http://127.0.0.1:9/nowhere.zip")
    write_files(cells, ["Parasitized/C9_1.jpg"])  # of a suffix that the content hash leaves out
    malaria.download(data, mirror=str(cells))
    assert "17 cells of 5 patients; not the official" in malaria.open_source(data).notes[0]


def test_an_archive_that_holds_the_cells_twice_gives_them_once(
    tmp_path: Path, cells: Path, data: Path
) -> None:
    write_cells(cells / "cell_images")
    write_files(cells, ["Parasitized/Thumbs.db", "__MACOSX/Parasitized/._C1.png"])
    malaria.download(data, mirror=str(write_zip(cells, tmp_path / "twice.zip")))
    source = malaria.open_source(data)
    assert source.notes == (NOTE,)
    assert [item.path for item in source.items] == sorted(cell_names())


def test_copied_cells_do_not_follow_their_source(cells: Path, data: Path) -> None:
    path = cells / cell_names()[0]
    old = path.read_bytes()
    path.chmod(0o400)
    malaria.download(data, mirror=str(cells))
    path.chmod(0o600)
    path.write_bytes(b"changed in place")
    copy = data / "cell_images" / cell_names()[0]
    assert copy.read_bytes() == old
    assert os.access(copy, os.W_OK)


def test_linked_class_folders_are_copied(tmp_path: Path, cells: Path, data: Path) -> None:
    (tmp_path / "links").mkdir()
    for name in CLASSES:
        (tmp_path / "links" / name).symlink_to(cells / name)
    malaria.download(data, mirror=str(tmp_path / "links"))
    assert tree(data / "cell_images") == tree(cells)
    assert not any(path.is_symlink() for path in data.rglob("*"))


@pytest.mark.parametrize("kind", ["folder", "zip"])
def test_the_same_mirror_changes_nothing_and_another_replaces(
    kind: str, tmp_path: Path, cells: Path, data: Path
) -> None:
    def mirror(folder: Path) -> str:
        return str(
            folder if kind == "folder" else write_zip(folder, tmp_path / f"{folder.name}.zip")
        )

    first, second = mirror(cells), mirror(write_cells(tmp_path / "others", patients=2, first=90))
    malaria.download(data, mirror=first)
    manifest.build(malaria.open_source(data))
    before = stamps(data)
    calls: list[int] = []
    malaria.download(data, mirror=first, progress=lambda done, total: calls.append(done))
    malaria.download(data, progress=lambda done, total: calls.append(done))
    assert stamps(data) == before
    assert calls == []
    malaria.download(data, mirror=second)
    source = malaria.open_source(data)
    assert tree(data / "cell_images") == tree(tmp_path / "others")
    assert source.notes[0].startswith("8 cells of 2 patients")
    assert manifest.build(source).summary() == "8 cells of 2 patients"  # nothing remembered


def test_a_mirror_that_has_changed_is_read_again(cells: Path, data: Path) -> None:
    malaria.download(data, mirror=str(cells))
    write_files(cells, ["Parasitized/C7_1.png"], first=99)
    malaria.download(data, mirror=str(cells))
    assert len(malaria.open_source(data).items) == 17


def wrong_mirrors(tmp_path: Path) -> dict[str, Path]:
    (tmp_path / "hello.zip").write_bytes(b"hello")
    (tmp_path / "empty").mkdir()
    no_patient = write_cells(tmp_path / "no_patient")
    write_files(no_patient, ["Uninfected/cell.png"])
    no_class = write_cells(tmp_path / "no_class")
    for path in (no_class / "Uninfected").iterdir():
        path.unlink()
    return {
        "not there": tmp_path / "nowhere",
        "empty": tmp_path / "empty",
        "not a zip": tmp_path / "hello.zip",
        "other folders": write_zip(tmp_path / "no_patient" / "Uninfected", tmp_path / "flat.zip"),
        "no patient": no_patient,
        "no patient, zipped": write_zip(no_patient, tmp_path / "no_patient.zip"),
        "an empty class": no_class,
    }


@pytest.mark.parametrize("has_data", [False, True])
@pytest.mark.parametrize(
    "wrong",
    [
        *("not there", "empty", "not a zip", "other folders", "no patient", "no patient, zipped"),
        "an empty class",
    ],
)
def test_a_wrong_mirror_is_refused_and_what_was_there_stays(
    wrong: str, has_data: bool, tmp_path: Path, cells: Path, data: Path
) -> None:
    if has_data:
        malaria.download(data, mirror=str(cells))
    before = tree(data)
    mirror = wrong_mirrors(tmp_path)[wrong]
    assert str(mirror) in refusal(data, mirror)
    assert tree(data) == before
    if not has_data:
        assert_absent(data)


def test_an_archive_that_was_fetched_is_not_fetched_again(
    tmp_path: Path, cells: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    archive = write_zip(cells, tmp_path / "www" / "cell_images.zip")
    with served(tmp_path / "www") as (address, requested):
        be_official(monkeypatch, cells, archive, f"{address}/cell_images.zip")
        with monkeypatch.context() as patch:
            patch.setattr(_install, "unpack", interrupt)
            with pytest.raises(KeyboardInterrupt):
                malaria.download(data)
        assert_absent(data)
        malaria.download(data)
        assert requested == ["/cell_images.zip"]
    assert len(malaria.open_source(data).items) == 16


def test_an_interrupted_copy_is_not_trusted(
    cells: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(done: int, total: int | None) -> None:
        if done == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        malaria.download(data, mirror=str(cells), progress=stop)
    assert_absent(data)
    assert tree(data) == {}


def test_a_full_disk_is_said_and_leaves_what_was_there(
    tmp_path: Path, cells: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    malaria.download(data, mirror=str(cells))
    before = tree(data)
    write_cells(tmp_path / "others", patients=2)
    monkeypatch.setattr(malaria.shutil, "copyfile", full)
    assert "a full disk" in refusal(data, tmp_path / "others")
    assert tree(data) == before


@pytest.mark.parametrize("text", ["", "{", "[]", '{"official": true}'])
def test_a_damaged_origin_is_not_trusted(text: str, cells: Path, data: Path) -> None:
    malaria.download(data, mirror=str(cells))
    (data / "origin.json").write_text(text)
    assert_absent(data)
    malaria.download(data, mirror=str(cells))
    assert malaria.open_source(data).notes == (NOTE,)


def test_cells_removed_later_are_noted(cells: Path, data: Path) -> None:
    malaria.download(data, mirror=str(cells))
    (data / "cell_images" / cell_names()[0]).unlink()
    assert malaria.open_source(data).notes == (NOTE, "15 cells, but 16 were downloaded")


def test_a_patient_photographed_twice_is_one(tmp_path: Path, data: Path) -> None:
    names = ["Parasitized/C47P8thin_1.png", "Uninfected/C47P8thinOriginal_2.png"]
    names += ["Uninfected/C4_thinF_1.png"]
    malaria.download(data, mirror=str(write_files(tmp_path / "cells", names)))
    rows = manifest.build(malaria.open_source(data)).rows
    assert sorted(row.group for row in rows) == ["C4", "C47", "C47"]


def test_a_user_folder_laid_out_as_the_archive_is_read_alike(cells: Path, data: Path) -> None:
    malaria.download(data, mirror=str(cells))
    ours, theirs = malaria.open_source(data), class_folders.open_folder(cells)
    assert ours.items == theirs.items
