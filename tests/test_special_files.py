"""Only regular files are read: no pipe is waited for, no device is opened, nothing is endless."""

import os
import socket
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import start_tfcnn, write_tree
from dataset_fakes import served

import tfcnn
from tfcnn import recipes
from tfcnn.base import atomic, files, tables
from tfcnn.base.errors import InputError
from tfcnn.datasets import folder
from tfcnn.datasets._fetch import fetch, locate
from tfcnn.lab import image_kernel
from tfcnn.prediction import expand

Maker = Callable[[Path], None]


def make_fifo(path: Path) -> None:
    os.mkfifo(path)


def make_socket(path: Path) -> None:
    place = Path.cwd()
    os.chdir(path.parent)  # an address has at most 108 bytes
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(path.name)
    os.chdir(place)


def link_to(target: str) -> Maker:
    return lambda path: path.symlink_to(target)


SPECIAL = {
    "a named pipe (FIFO)": make_fifo,
    "a socket": make_socket,
    "a device": link_to("/dev/zero"),
    "a link that leads to itself": lambda path: path.symlink_to(path),
    "a link to nothing": link_to("nowhere"),
    "no such file": lambda path: None,
}


def in_time(action: Callable[[], object]) -> None:
    """Do something that must not wait: a thread left behind is a failure, not a stop."""
    done: list[BaseException | None] = []

    def act() -> None:
        try:
            action()
            done.append(None)
        except BaseException as error:
            done.append(error)

    thread = threading.Thread(target=act, daemon=True)
    thread.start()
    thread.join(20)
    assert done, "it waits"
    if done[0]:
        raise done[0]


READERS: dict[str, tuple[str, Callable[[Path], object]]] = {
    "predict": ("cell.png", lambda path: expand([path])),
    "predict, a zip": ("cells.zip", lambda path: expand([path])),
    "a table": ("groups.csv", lambda path: tables.read(path, ("path", "group"), "it")),
    "a recipe": ("own.toml", lambda path: recipes.load(str(path))),
    "a mirror": ("mnist.npz", lambda path: locate(str(path), ("mnist.npz",))),
    "a file address": ("mnist.npz", lambda path: locate(f"file://{path}", ("mnist.npz",))),
    "a folder": ("cells", lambda path: folder.open_folder(path)),
    "a kernel's picture": ("cell.png", lambda path: image_kernel._content(path)),
    "a kernel": ("numbers.csv", lambda path: image_kernel.read_kernel(str(path))),
}


@pytest.mark.parametrize("kind", SPECIAL)
@pytest.mark.parametrize("reader", READERS)
def test_what_is_no_file_is_refused_in_one_line(reader: str, kind: str, tmp_path: Path) -> None:
    name, read = READERS[reader]
    path = tmp_path / name
    SPECIAL[kind](path)
    with pytest.raises(InputError) as info:
        in_time(lambda: read(path))
    assert str(path) in str(info.value) and "\n" not in str(info.value)
    if reader.startswith(("predict", "a table")):
        assert f"received {kind}" in str(info.value)


@pytest.mark.parametrize("name", ["\0.png", "a" * 300 + ".png", "cell.png/inside.png"])
def test_names_that_no_file_has_are_refused_in_one_line(tmp_path: Path, name: str) -> None:
    (tmp_path / "cell.png").write_bytes(b"x")
    with pytest.raises(InputError):
        expand([tmp_path / name])


def test_special_files_in_a_folder_are_left_out_and_said(tmp_path: Path) -> None:
    root = write_tree(tmp_path, classes=("all",), groups=1, per_group=2) / "all"
    make_fifo(root / "a.png")
    make_fifo(root / "without suffix")
    make_socket(root / "b.png")
    (root / "c.png").symlink_to("/dev/zero")
    (root / "d.png").symlink_to(root / "nowhere")
    (root / "e.png").symlink_to(root / "e.png")
    said: list[str] = []
    in_time(lambda: expand([root], said.append))
    assert said == [
        f"{root}: passed over 6 of 8 files: 4 that are no regular files, 2 broken links"
    ]


def test_predict_refuses_a_pipe_before_it_answers(trained: Path, tmp_path: Path) -> None:
    make_fifo(tmp_path / "cell.png")
    result = start_tfcnn("predict", trained, tmp_path / "cell.png", home=trained.parents[1])
    assert result.returncode == 2 and result.stdout == ""
    assert "received a named pipe (FIFO)" in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


def test_no_more_is_read_than_may_be(tmp_path: Path) -> None:
    path = tmp_path / "big.csv"
    path.write_bytes(b"x" * 1001)
    assert len(files.read(path, 1001)) == 1001
    with pytest.raises(files.NotReadableError, match="where at most 0 MB are read"):
        files.read(path, 1000)
    with path.open("wb") as file:
        file.truncate(1 << 40)  # a hole, which takes no space
    with pytest.raises(InputError, match="a file of 1,099,512 MB"):
        tables.read(path, ("path",), "it")


def test_a_file_of_the_system_that_states_no_size_is_read(tmp_path: Path) -> None:
    content = files.read(Path("/proc/self/status"))
    assert content.startswith(b"Name:")
    with pytest.raises(files.NotReadableError):
        files.read(Path("/proc/self/status"), 10)


def test_a_pipe_put_in_the_place_of_a_file_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the look and the opening somebody may exchange the file."""
    path, regular = tmp_path / "cell.png", tmp_path / "other"
    regular.write_bytes(b"x")
    make_fifo(path)
    true_stat = os.stat
    monkeypatch.setattr(files.os, "stat", lambda *_, **options: true_stat(regular))
    with pytest.raises(files.NotReadableError, match="a named pipe"):
        in_time(lambda: files.read(path))


@pytest.mark.parametrize("make", [make_fifo, make_socket, link_to("/dev/null")])
def test_no_output_replaces_a_device(make: Maker, tmp_path: Path) -> None:
    """As the system's administrator a rename would put a file in the place of /dev/null."""
    path = tmp_path / "answers.csv"
    make(path)
    with pytest.raises(InputError, match="expected a name for a file; received a"):
        atomic.write_text(path, "x")
    assert [entry.name for entry in tmp_path.iterdir()] == ["answers.csv"]
    assert not path.is_file()


def test_a_part_file_is_never_written_through_a_link(tmp_path: Path) -> None:
    source, other = tmp_path / "cells.zip", tmp_path / "mine"
    source.write_bytes(b"cells")
    other.write_bytes(b"mine")
    target = tmp_path / "to" / "cells.zip"
    target.parent.mkdir()
    target.with_name("cells.zip.part").symlink_to(other)
    with served(tmp_path) as (address, _):
        fetch(f"{address}/cells.zip", target, sha256=None)
    assert target.read_bytes() == b"cells" and not target.is_symlink()
    assert other.read_bytes() == b"mine"


def test_the_arrays_of_a_data_set_are_files(tmp_path: Path, home: Path) -> None:
    from dataset_fakes import fake_arrays, write_npz

    mirror = write_npz(tmp_path / "mnist.npz", fake_arrays("mnist"))
    run = home / "data" / "mnist"
    tfcnn.datasets.download("mnist", mirror=str(mirror))
    labels = run / "train_labels.npy"
    labels.unlink()
    make_fifo(labels)
    with pytest.raises(InputError, match="mnist"):
        in_time(lambda: tfcnn.datasets.open_named("mnist"))
