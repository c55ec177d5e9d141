"""A name that a file has got survives a power cut with all of its content."""

import errno
import os
import time
from pathlib import Path

import pytest

from tfcnn.base import atomic


@pytest.fixture
def events(monkeypatch):
    """Record, in order, what reaches the disk and what gets its name, by inode."""
    found: list[tuple[str, int]] = []
    sync, fsync, replace = os.sync, os.fsync, Path.replace

    def noted_fsync(descriptor):
        found.append(("disk", os.fstat(descriptor).st_ino))
        fsync(descriptor)

    def noted_replace(self, target):
        found.append(("name", self.stat().st_ino))
        return replace(self, target)

    monkeypatch.setattr(os, "sync", lambda: (found.append(("all", 0)), sync()))
    monkeypatch.setattr(os, "fsync", noted_fsync)
    monkeypatch.setattr(Path, "replace", noted_replace)
    return found


def test_a_file_reaches_the_disk_before_its_name_and_its_folder_after(tmp_path, events):
    target = tmp_path / "a.txt"
    atomic.write_text(target, "whole")
    inode, folder = target.stat().st_ino, tmp_path.stat().st_ino
    assert events == [("disk", inode), ("name", inode), ("disk", folder)]


def test_all_of_a_folder_reaches_the_disk_before_its_name(tmp_path, events):
    with atomic.writing(tmp_path / "several") as part:
        part.mkdir()
        (part / "a.txt").write_text("a")
    inode = (tmp_path / "several").stat().st_ino
    assert events == [("all", 0), ("name", inode), ("disk", tmp_path.stat().st_ino)]


def test_the_folders_above_reach_the_disk_too(tmp_path, events):
    atomic.write_text(tmp_path / "new" / "newer" / "a.txt", "whole")
    made = [tmp_path.stat().st_ino, (tmp_path / "new").stat().st_ino]
    assert events[:2] == [("disk", inode) for inode in made]


def test_a_file_system_without_fsync_is_written_to_all_the_same(tmp_path, monkeypatch):
    def refuse(descriptor):
        raise OSError(errno.EINVAL, "Invalid argument")

    monkeypatch.setattr(os, "fsync", refuse)
    atomic.write_text(tmp_path / "a.txt", "whole")
    assert (tmp_path / "a.txt").read_text() == "whole"


@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC])
def test_what_did_not_reach_the_disk_gets_no_name(tmp_path, monkeypatch, number):
    atomic.write_text(tmp_path / "a.txt", "old")

    def fail(descriptor):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match=os.strerror(number)):
        atomic.write_text(tmp_path / "a.txt", "new")
    assert (tmp_path / "a.txt").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_what_a_kill_left_of_a_file_goes_after_an_hour(tmp_path):
    target, now = tmp_path / "p.csv", time.time()
    ages = {
        ".p-01234567.part.csv": 3700,
        ".p-89abcdef.part.csv": 60,
        ".p-groups-01234567.part.csv": 3700,
        ".p-01234567.part.xlsx": 3700,
        ".p-mine.part.csv": 3700,
    }
    for name, age in ages.items():
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (now - age, now - age))
    atomic.remove_old_parts(target)
    assert {path.name for path in tmp_path.iterdir()} == {*list(ages)[1:]}


def test_old_parts_of_a_folder_go_whatever_they_were_to_be(tmp_path):
    left = [tmp_path / name for name in (".a-0123abcd.part.png", ".b c-0123abcd.part")]
    others = [tmp_path / name for name in (".a.part.png", "a-0123abcd.part.png", ".a-0123abcd.png")]
    for path in (*left, *others):
        path.write_text("half")
        os.utime(path, (0, 0))
    new = atomic.part_path(tmp_path / "c.csv")
    new.write_text("half")
    atomic.remove_old_parts_in(tmp_path)
    assert {*tmp_path.iterdir()} == {*others, new}


def test_what_is_left_of_a_file_is_not_that_of_another_of_like_name(tmp_path):
    for name in (".p-01234567.part.csv", ".p-groups-01234567.part.csv"):
        (tmp_path / name).touch()
    atomic.remove_parts(tmp_path / "p.csv")
    assert [path.name for path in tmp_path.iterdir()] == [".p-groups-01234567.part.csv"]
