"""Archives that are sound, cut, hostile or larger than the disk; arrays without pickle."""

import errno
import hashlib
import io
import os
import resource
import signal
import stat
import struct
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tfcnn.base import disk
from tfcnn.base.errors import InputError
from tfcnn.datasets import _unpack
from tfcnn.datasets._unpack import content_sha256, read_npz, unpack_zip
from tfcnn.decode import archives

MIRROR = os.environ.get("TFCNN_TEST_MIRROR")
# sha256 over all files of the 9,065 cells of 140 patients that the test mirror holds
MIRROR_SHA256 = "cb08a6622b9fefd9ccd89fe81b0baa4510ba1c2335108f1eb3676fdc1844d630"

FILES = {
    f"cells/{label}/C{index}.png": bytes([index]) * (500 + index)
    for label in ("Parasitized", "Uninfected")
    for index in range(5)
}
JUNK = (
    "cells/Parasitized/Thumbs.db",
    "cells/Uninfected/thumbs.DB",
    "cells/.DS_Store",
    "__MACOSX/cells/._C1.png",
    "cells/.hidden/C1.png",
)


def make_zip(path: Path, members: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    return make_zip(tmp_path / "cells.zip", FILES)


@pytest.fixture
def target(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    return folder / "malaria"


def refused(archive: Path, target: Path) -> str:
    """Return the error of an archive that must be refused and leave nothing."""
    with pytest.raises(InputError) as info:
        unpack_zip(archive, target)
    assert list(target.parent.iterdir()) == []
    message = str(info.value)
    assert "\n" not in message
    assert str(archive) in message
    return message


# --- sound archives


@pytest.mark.parametrize(
    "compression",
    [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA],
)
def test_files_are_unpacked_and_junk_is_counted(
    tmp_path: Path, target: Path, compression: int
) -> None:
    members = FILES | dict.fromkeys(JUNK, b"junk")
    seen: list[tuple[int, int | None]] = []
    archive = make_zip(tmp_path / "cells.zip", members, compression)
    result = unpack_zip(archive, target, progress=lambda done, total: seen.append((done, total)))
    assert result == (len(FILES), len(JUNK))
    assert contents(target) == FILES
    assert [path.name for path in target.parent.iterdir()] == ["malaria"]
    total = sum(map(len, FILES.values()))
    assert seen[-1] == (total, total)
    assert seen == sorted(seen)


def test_folder_entries_are_kept_also_empty_ones(tmp_path: Path, target: Path) -> None:
    archive = make_zip(
        tmp_path / "cells.zip", {"a/": b"", "a/x.png": b"x", "empty/": b"", "./": b""}
    )
    assert unpack_zip(archive, target) == (1, 0)
    assert sorted(path.name for path in target.iterdir()) == ["a", "empty"]


def test_other_names_can_be_ignored(archive: Path, target: Path) -> None:
    assert unpack_zip(archive, target, ignore=("uninfected",)) == (5, 5)
    assert [path.name for path in (target / "cells").iterdir()] == ["Parasitized"]


def test_missing_parents_are_made_and_an_empty_target_is_replaced(
    archive: Path, tmp_path: Path
) -> None:
    target = tmp_path / "some" / "where"
    target.mkdir(parents=True)
    unpack_zip(archive, target)
    assert contents(target) == FILES


def test_target_with_files_is_left_alone(archive: Path, target: Path) -> None:
    target.mkdir()
    (target / "mine").touch()
    with pytest.raises(InputError, match="does not exist yet"):
        unpack_zip(archive, target)
    assert contents(target) == {"mine": b""}


# --- hostile archives


@pytest.mark.parametrize(
    "name",
    [
        "../outside.png",
        "cells/../../outside.png",
        "..",
        "/absolute.png",
        "//host/share.png",
        "C:/drive.png",
        "c:drive.png",
        "cells\\..\\..\\outside.png",
        "\\\\host\\share.png",
        "cells/line\nbreak.png",
        "cells/.hidden/../../../outside.png",
        "__MACOSX/../../outside.png",
    ],
)
def test_member_that_would_leave_the_folder_is_refused_by_name(
    tmp_path: Path, target: Path, name: str
) -> None:
    archive = make_zip(tmp_path / "cells.zip", FILES | {name: b"x"})
    assert repr(name) in refused(archive, target)
    assert not list(tmp_path.rglob("outside*"))


def test_name_with_nul_is_refused(tmp_path: Path, target: Path) -> None:
    archive = make_zip(tmp_path / "cells.zip", FILES | {"cells/x.png#.exe": b"x"})
    archive.write_bytes(archive.read_bytes().replace(b"x.png#.exe", b"x.png\0.exe"))
    assert r"'cells/x.png\x00.exe'" in refused(archive, target)


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFIFO])
def test_links_and_devices_are_refused(tmp_path: Path, target: Path, kind: int) -> None:
    info = zipfile.ZipInfo("cells/link.png")
    info.external_attr = (kind | 0o777) << 16
    archive = make_zip(tmp_path / "cells.zip", FILES)
    with zipfile.ZipFile(archive, "a") as writer:
        writer.writestr(info, "/etc/passwd")
    assert "'cells/link.png', a link or device" in refused(archive, target)


@pytest.mark.parametrize("names", [("a/x", "a/x"), ("a", "a/x"), ("a/x", "a"), ("a", "a/b/c")])
@pytest.mark.filterwarnings("ignore:Duplicate name:UserWarning")
def test_names_that_exclude_each_other_are_refused(
    tmp_path: Path, target: Path, names: tuple[str, str]
) -> None:
    archive = tmp_path / "cells.zip"
    with zipfile.ZipFile(archive, "w") as writer:
        for name in names:
            writer.writestr(name, b"x")
    assert f"'{names[1]}' again" in refused(archive, target)


def test_bomb_is_refused_by_its_ratio(
    tmp_path: Path, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archives, "SMALL_BYTES", 1 << 20)
    zeros = {"cells/zeros.png": bytes(2 << 20)}
    archive = make_zip(tmp_path / "bomb.zip", zeros, zipfile.ZIP_DEFLATED)
    assert "expected at most 1 MB when unpacked; received 2 MB" in refused(archive, target)
    unpack_zip(make_zip(tmp_path / "large.zip", zeros), target)  # as large, but not a bomb


def test_bomb_is_refused_by_its_declared_size(
    tmp_path: Path, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archives, "MAX_BYTES", 1000)
    assert "1000" not in refused(make_zip(tmp_path / "bomb.zip", FILES), target)


def test_bomb_is_refused_by_its_number_of_members(
    tmp_path: Path, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archives, "MAX_MEMBERS", len(FILES) - 1)
    archive = make_zip(tmp_path / "bomb.zip", FILES)
    assert f"expected at most {len(FILES) - 1} members; received {len(FILES)}" in refused(
        archive, target
    )


def test_member_longer_than_it_declares_is_not_written_beyond_that(
    tmp_path: Path, target: Path
) -> None:
    """A bomb that lies about its size: a megabyte declared as 1,000 bytes."""
    archive = make_zip(tmp_path / "bomb.zip", {"a.png": bytes(1 << 20)}, zipfile.ZIP_DEFLATED)
    true_size, false_size = struct.pack("<L", 1 << 20), struct.pack("<L", 1000)
    archive.write_bytes(archive.read_bytes().replace(true_size, false_size))
    assert zipfile.ZipFile(archive).getinfo("a.png").file_size == 1000
    assert "'a.png' damaged" in refused(archive, target)


def test_encrypted_member_is_refused(tmp_path: Path, target: Path) -> None:
    archive = make_zip(tmp_path / "cells.zip", {"a.png": b"x"})
    content = bytearray(archive.read_bytes())
    content[content.index(b"PK\x01\x02") + 8] |= 1  # the flag bits of the central directory
    archive.write_bytes(content)
    assert "'a.png', an encrypted file" in refused(archive, target)


# --- damaged archives


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.999])
def test_truncated_archive_is_called_so(archive: Path, target: Path, share: float) -> None:
    content = archive.read_bytes()
    archive.write_bytes(content[: int(len(content) * share)])
    assert "truncated" in refused(archive, target)


def test_damaged_member_is_named(archive: Path, target: Path) -> None:
    content = bytearray(archive.read_bytes())
    content[content.index(FILES["cells/Uninfected/C3.png"])] ^= 0xFF
    archive.write_bytes(content)
    message = refused(archive, target)
    assert "cells/" in message and "/C3.png' damaged" in message and "CRC" in message


@pytest.mark.parametrize(
    ("content", "word"), [(b"", "empty"), (b"<html>sign in</html>", "something else")]
)
def test_what_is_no_archive_is_called_so(
    tmp_path: Path, target: Path, content: bytes, word: str
) -> None:
    archive = tmp_path / "cells.zip"
    archive.write_bytes(content)
    assert word in refused(archive, target)


def test_missing_archive_and_folder_in_its_place_are_one_line(tmp_path: Path, target: Path) -> None:
    assert "No such file" in refused(tmp_path / "cells.zip", target)
    assert "Is a directory" in refused(tmp_path, target)


@pytest.mark.parametrize("members", [{}, {"a/": b""}, dict.fromkeys(JUNK, b"junk")])
def test_archive_without_files_is_refused(
    tmp_path: Path, target: Path, members: dict[str, bytes]
) -> None:
    assert "received none" in refused(make_zip(tmp_path / "cells.zip", members), target)


@settings(
    deadline=None, max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data(), compression=st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED]))
def test_bytes_changed_anywhere_give_an_input_error_or_files_inside_the_folder(
    tmp_path: Path, data: st.DataObject, compression: int
) -> None:
    archive, target = tmp_path / "cells.zip", tmp_path / "out" / "malaria"
    content = bytearray(
        make_zip(archive, {"a/x.png": b"x" * 40, "b": b"y"}, compression).read_bytes()
    )
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    archive.write_bytes(content)
    try:
        unpack_zip(archive, target)
    except InputError:
        assert not target.exists()
    else:
        assert set(contents(target).values()) <= {b"x" * 40, b"y", b""}
        _unpack.shutil.rmtree(target)
    assert list(target.parent.iterdir()) == []


# --- the disk


def test_too_small_a_disk_is_refused_before_writing(
    archive: Path, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = type("Usage", (), {"free": 1000})
    monkeypatch.setattr(disk.shutil, "disk_usage", lambda folder: usage)
    with pytest.raises(InputError, match=r"MB of free disk space; received 0\.0 MB"):
        unpack_zip(archive, target)
    assert list(target.parent.iterdir()) == []


def start_child(
    archive: Path, target: Path, seconds_per_file: float, preexec_fn: Callable[[], None] | None
) -> subprocess.Popen[str]:
    code = (
        "import sys, pathlib, time\n"
        "from tfcnn.datasets import _unpack\n"
        "from tfcnn.base.errors import InputError\n"
        "archive, target = map(pathlib.Path, sys.argv[1:3])\n"
        "wait = lambda done, total: time.sleep(float(sys.argv[3]))\n"
        "try: _unpack.unpack_zip(archive, target, progress=wait)\n"
        "except InputError as error: print(error)\n"
    )
    return subprocess.Popen(
        [sys.executable, "-c", code, str(archive), str(target), str(seconds_per_file)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=preexec_fn,
    )


def test_full_disk_is_one_line_and_leaves_nothing(tmp_path: Path, target: Path) -> None:
    """A limit on file size stands for the full disk: the write itself fails, in the kernel."""
    archive = make_zip(tmp_path / "cells.zip", FILES | {"cells/z.png": bytes(200_000)})

    def set_limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    output, _ = start_child(archive, target, 0, set_limit).communicate(timeout=20)
    assert len(output.splitlines()) == 1
    assert f"{target}: expected enough disk space; received a full disk" in output
    assert list(target.parent.iterdir()) == []


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_disk_that_fills_up_at_any_file_leaves_nothing(
    archive: Path, target: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    true_open = Path.open
    num_opened = 0

    def failing_open(path: Path, mode: str = "r") -> object:
        nonlocal num_opened
        num_opened += mode == "xb"
        if num_opened == 7:
            raise OSError(code, os.strerror(code), str(path))
        return true_open(path, mode)

    monkeypatch.setattr(Path, "open", failing_open)
    with pytest.raises(InputError, match="a full disk"):
        unpack_zip(archive, target)
    assert num_opened == 7
    assert list(target.parent.iterdir()) == []


# --- interruptions


def test_killed_process_leaves_nothing_trusted_and_the_next_one_cleans_up(
    archive: Path, target: Path
) -> None:
    other = target.parent / ".malaria-notes.part"  # of a user, not of ours
    other.mkdir()
    child = start_child(archive, target, 0.2, None)
    deadline = time.monotonic() + 20
    while not list(target.parent.rglob("C2.png")):
        assert time.monotonic() < deadline
        time.sleep(0.005)
    with pytest.raises(InputError, match="another process"):  # nor its files removed
        unpack_zip(archive, target)
    child.send_signal(signal.SIGKILL)
    child.communicate()
    assert not target.exists()
    leftovers = [path for path in target.parent.iterdir() if path != other and path.is_dir()]
    assert len(leftovers) == 1 and contents(leftovers[0])
    unpack_zip(archive, target)
    assert contents(target) == FILES
    assert sorted(target.parent.iterdir()) == [other, target]


def test_interrupt_leaves_nothing(archive: Path, target: Path) -> None:
    def interrupt(done: int, total: int | None) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        unpack_zip(archive, target, progress=interrupt)
    assert list(target.parent.iterdir()) == []


# --- the hash of the content


def test_content_hash_is_that_of_the_sorted_lines(tmp_path: Path) -> None:
    """`B-2/x` sorts after `B/x` by folder and name, but before it as one string of bytes."""
    members = {"B/b.png": b"1", "B-2/a.png": b"2", "a/C.png": b"3", "B/a.png": b"4"}
    for name, content in members.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
    (tmp_path / "a" / "notes.txt").touch()
    (tmp_path / "origin.json").touch()
    order = ["B-2/a.png", "B/a.png", "B/b.png", "a/C.png"]
    lines = [f"{hashlib.sha256(members[name]).hexdigest()}  {name}\n" for name in order]
    expected = hashlib.sha256("".join(lines).encode()).hexdigest()
    assert content_sha256(tmp_path) == (expected, 4)
    (tmp_path / "B" / "a.png").rename(tmp_path / "B" / "c.png")
    assert content_sha256(tmp_path)[0] != expected


def test_content_hash_of_an_empty_folder_counts_nothing(tmp_path: Path) -> None:
    assert content_sha256(tmp_path) == (hashlib.sha256().hexdigest(), 0)


@pytest.mark.skipif(not MIRROR, reason="TFCNN_TEST_MIRROR names no folder with cell_images.zip")
def test_real_cells_have_their_published_hash(target: Path) -> None:
    result = unpack_zip(Path(MIRROR or "") / "cell_images.zip", target)
    assert result == (9065, 2)  # a Thumbs.db in each class folder
    assert content_sha256(target / "cell_images") == (MIRROR_SHA256, 9065)


# --- arrays


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_arrays_come_back_as_they_were(tmp_path: Path, save: Callable[..., None]) -> None:
    path = tmp_path / "mnist.npz"
    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, (20, 28, 28), dtype=np.uint8)
    y = np.asfortranarray(rng.normal(size=(3, 4)))
    save(path, x=x, y=y, other=x, empty=np.zeros((0, 3), np.int32))
    arrays = read_npz(path, ("y", "x", "empty"))
    assert list(arrays) == ["y", "x", "empty"]
    np.testing.assert_array_equal(arrays["x"], x)
    np.testing.assert_array_equal(arrays["y"], y)
    assert arrays["x"].dtype == np.uint8
    assert arrays["empty"].shape == (0, 3)


def refused_array(path: Path, name: str = "x") -> str:
    with pytest.raises(InputError) as info:
        read_npz(path, (name,))
    message = str(info.value)
    assert "\n" not in message
    assert str(path) in message
    return message


def test_missing_array_names_those_there_are(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, images=np.zeros(3), labels=np.zeros(3))
    message = refused_array(path, "x_train")
    assert "'x_train'" in message and "images, labels" in message


def test_pickled_array_is_not_run(tmp_path: Path) -> None:
    path, proof = tmp_path / "a.npz", tmp_path / "run"

    class Hostile:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.mkdir, (str(proof),)

    np.savez(path, x=np.array([Hostile()], dtype=object))
    assert "allow_pickle=False" in refused_array(path)
    assert not proof.exists()


def test_truncated_and_foreign_files_are_one_line(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, x=np.zeros(1000))
    path.write_bytes(path.read_bytes()[:-200])
    assert "truncated" in refused_array(path)
    path.write_bytes(b"")
    assert "empty" in refused_array(path)
    np.save(tmp_path / "a.npy", np.zeros(3))
    assert "something else" in refused_array(tmp_path / "a.npy")
    assert "No such file" in refused_array(tmp_path / "none.npz")


def test_array_bomb_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "SMALL_BYTES", 1 << 20)
    path = tmp_path / "a.npz"
    np.savez_compressed(path, x=np.zeros(2 << 20, np.uint8))
    assert "expected at most 1 MB" in refused_array(path)


@pytest.mark.parametrize("shape", [(10**15,), (1001,), (999,), (-1,)])
def test_array_with_a_false_shape_is_refused(tmp_path: Path, shape: tuple[int]) -> None:
    """Too many elements cannot be read; too few would leave the CRC unchecked."""
    header = io.BytesIO()
    description = {"descr": "|u1", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(header, description)
    path = make_zip(tmp_path / "a.npz", {"x.npy": header.getvalue() + bytes(1000)})
    assert "'x' damaged" in refused_array(path)


@settings(
    deadline=None, max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data(), save=st.sampled_from([np.savez, np.savez_compressed]))
def test_array_file_with_changed_bytes_gives_the_array_or_an_input_error(
    tmp_path: Path, data: st.DataObject, save: Callable[..., None]
) -> None:
    path, x = tmp_path / "a.npz", np.arange(50, dtype=np.uint8)
    save(path, x=x)
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    try:
        array = read_npz(path, ("x",))["x"]
    except InputError:
        return
    np.testing.assert_array_equal(array, x)
