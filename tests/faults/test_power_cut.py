"""The power is cut: what says that it is finished is whole, and what is not resumes or is refused.

An ext4 in a file is mounted, a command writes to it, and the file system is shut down at a moment,
as at a power cut: what had not reached the disk is lost. Then it is mounted again.
"""

import fcntl
import json
import os
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import fault_tally
import pytest
from conftest import QUICK, run_tfcnn, start_tfcnn, write_tree

from tfcnn import runs

pytestmark = pytest.mark.faults

SHUTDOWN = 0x8004587D  # EXT4_IOC_SHUTDOWN
WITHOUT_FLUSH = struct.pack("I", 2)  # what is in memory only is lost, the journal too
SETTINGS = [word for one in (*QUICK, "data.group_regex='^(P[0-9]+)_'", "model.network=mlp")
            for word in ("--set", one)]  # fmt: skip


class Disk:
    """A file system of its own, whose power can be cut."""

    def __init__(self, folder: Path) -> None:
        self.file, self.root = folder / "disk.img", folder / "disk"
        self.root.mkdir()
        with self.file.open("wb") as file:
            file.truncate(256 << 20)
        self._run("mkfs.ext4", "-q", "-F", self.file)
        self.mount()

    def _run(self, *words: object) -> None:
        subprocess.run([str(word) for word in words], check=True, capture_output=True)

    def mount(self) -> None:
        # by default what is written reaches the disk after 5 s, or 30: this loses all it can
        self._run("mount", "-o", "loop,commit=300", self.file, self.root)

    def unmount(self) -> None:
        self._run("umount", self.root)

    def cut(self) -> None:
        """Lose what has not reached the disk, and come back."""
        folder = os.open(self.root, os.O_RDONLY)
        fcntl.ioctl(folder, SHUTDOWN, WITHOUT_FLUSH)
        os.close(folder)
        self.unmount()
        self.mount()


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    try:
        made = Disk(tmp_path)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no file system can be mounted here: {error}")
    yield made
    made.unmount()


def started(disk: Disk, *words: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tfcnn", *map(str, words)],
        env={**os.environ, "TFCNN_HOME": str(disk.root)},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def cut_at(disk: Disk, process: subprocess.Popen[str], there: Path, wait_seconds: float) -> None:
    """Cut the power so long after a file is there, or as soon as the command has ended."""
    while process.poll() is None and not there.exists():
        time.sleep(0.002)
    time.sleep(wait_seconds)
    process.send_signal(signal.SIGSTOP)  # nothing is written after the cut
    folder = os.open(disk.root, os.O_RDONLY)
    fcntl.ioctl(folder, SHUTDOWN, WITHOUT_FLUSH)
    os.close(folder)
    process.kill()
    process.communicate()
    disk.unmount()
    disk.mount()


MOMENTS = [  # after which file, and how long after it (s)
    ("split.csv", 0.0), ("checkpoint/state.npz", 0.0), ("checkpoint/before.npz", 0.01),
    ("model.keras", 0.0), ("model.json", 0.0), ("report.json", 0.0), ("report.html", 0.0),
    ("DONE", 0.0), ("DONE", 0.02), ("DONE", 0.3), ("DONE", 2.0),
]  # fmt: skip


@pytest.mark.parametrize(
    ("there", "wait_seconds"),
    MOMENTS,
)
def test_a_training(tmp_path, disk, there, wait_seconds):
    source = write_tree(tmp_path / "shapes", groups=8)
    run = disk.root / "models" / "shapes"
    process = started(disk, "train", source, *SETTINGS)
    cut_at(disk, process, run / there, wait_seconds)
    if there == "DONE" and wait_seconds:
        assert runs.is_done(run)
    if runs.state(run) == "finished":
        assert all(path.stat().st_size for path in run.rglob("*") if path.is_file()), "emptied"
    else:
        is_begun = runs.state(run) == "unfinished"
        again = start_tfcnn(
            "train", source, *(["--resume"] if is_begun else SETTINGS), home=disk.root
        )
        assert again.returncode == 0, again.stderr
    home = tmp_path / "home"  # on no disk that is unmounted: a process may keep its files open
    whole = run_tfcnn("train", source, *SETTINGS, "--run", "whole", home=home)
    assert whole.returncode == 0, whole.stderr
    for name in ("predictions.csv", "split.csv"):
        other = home / "models" / "whole" / name
        assert (run / name).read_bytes() == other.read_bytes()
    told = start_tfcnn("predict", run, source / "round" / "P0_0.png", home=disk.root)
    assert told.returncode == 0, told.stderr
    fault_tally.add("train", "the power is cut", 1)


@pytest.mark.parametrize("wait_seconds", [0.0, 0.1, 0.5, 1.0, 2.0])
def test_a_download(disk, wait_seconds):
    """Smears are drawn; of digits an array is copied."""
    for name, made in (("smears", "smears"), ("digits", "digits")):
        there = disk.root / "data" / made
        process = started(disk, "download", name)
        cut_at(disk, process, there, wait_seconds)
        told = start_tfcnn("check", name, home=disk.root)
        assert "a fault in tfcnn" not in told.stderr
        if told.returncode:  # it had not reached the disk
            assert start_tfcnn("download", name, home=disk.root).returncode == 0
            told = start_tfcnn("check", name, home=disk.root)
        assert told.returncode == 0, told.stderr
        fault_tally.add(f"download {name}", "the power is cut", 1)


@pytest.mark.parametrize("wait_seconds", [0.0, 0.05, 0.2, 1.0, 3.0, 7.0])
def test_predictions(disk, trained, wait_seconds):
    output = disk.root / "predictions.csv"
    images = trained.parents[2] / "cells"
    process = started(disk, "predict", trained, images, "--output", output)
    cut_at(disk, process, output, wait_seconds)
    if wait_seconds or output.exists():
        assert output.read_text().count("\n") == 1 + 96
    fault_tally.add("predict --output CSV", "the power is cut", 1)


def test_what_is_written_without_a_care_is_lost(disk):
    """Else the cuts of the other tests would prove nothing."""
    (disk.root / "a.json").write_text(json.dumps("whole"))
    disk.cut()
    assert not (disk.root / "a.json").exists() or not (disk.root / "a.json").stat().st_size
