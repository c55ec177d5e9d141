"""What TensorFlow is told before it starts."""

import os
import stat
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from conftest import Heard

from tfcnn.base import disk, quiet

SETTING = "TF_FORCE_GPU_ALLOW_GROWTH"


def test_a_gpu_is_shared_unless_its_user_says_otherwise(monkeypatch):
    monkeypatch.delenv(SETTING, raising=False)
    quiet.silence()
    assert os.environ[SETTING] == "true"
    monkeypatch.setenv(SETTING, "false")
    quiet.silence()
    assert os.environ[SETTING] == "false"


def test_a_start_without_bytecode_says_what_it_costs(monkeypatch, tmp_path):
    import tensorflow

    def started() -> list[str]:
        heard = Heard()
        with monkeypatch.context() as patch:
            patch.delitem(sys.modules, "keras")  # as at a first start
            patch.setattr(tensorflow.__spec__, "cached", str(cached))
            quiet.load_tensorflow(heard)
        return heard.notes

    cached = tmp_path / "__init__.pyc"
    (note,) = started()
    assert "no bytecode" in note
    assert f"compileall -q {Path(tensorflow.__file__).parents[1]}" in note
    cached.touch()
    assert started() == []


def test_threads_that_silence_it_leave_stderr_where_it_was():
    before = os.fstat(2)

    def work(_: int) -> None:
        with quiet.stderr_to_log():
            time.sleep(0.002)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(40)))
    after = os.fstat(2)
    assert (before.st_dev, before.st_ino) == (after.st_dev, after.st_ino)


def test_a_log_that_cannot_be_written_is_done_without(monkeypatch, tmp_path):
    monkeypatch.setattr(quiet, "log_path", lambda: tmp_path)  # a folder
    quiet.write_log("lost")
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_text("mine")
    link.symlink_to(target)
    monkeypatch.setattr(quiet, "log_path", lambda: link)
    quiet.write_log("lost")
    assert target.read_text() == "mine"


@pytest.fixture
def shared(monkeypatch, tmp_path) -> Path:
    """A temporary folder that everybody may write to; returns the user's own in it."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path / f"tfcnn-{os.getuid()}"


def test_logs_and_details_lie_where_nobody_else_writes(shared):
    details = quiet.write_details("what happened")
    quiet.write_log("seen")
    assert details.parent == shared == quiet.log_path().parent
    assert stat.S_IMODE(shared.stat().st_mode) == 0o700
    for path in (details, quiet.log_path()):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("laid", ["a link", "a file", "a folder open to all"])
def test_what_somebody_else_laid_there_is_not_used(shared, tmp_path, laid):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    if laid == "a link":
        shared.symlink_to(elsewhere)
    elif laid == "a file":
        shared.write_text("mine")
    else:
        shared.mkdir()
        shared.chmod(0o777)
    details = quiet.write_details("what happened")
    assert details.read_text() == "what happened" and details.parent != shared
    assert stat.S_IMODE(details.parent.stat().st_mode) == 0o700
    quiet.write_log("elsewhere")
    assert quiet.log_path().read_text().strip() == "elsewhere"
    assert not list(elsewhere.iterdir())


def test_details_replace_a_link_and_never_follow_it(shared, tmp_path):
    target = tmp_path / "target"
    target.write_text("mine")
    quiet.write_details("first").unlink()
    (shared / "traceback.txt").symlink_to(target)
    assert quiet.write_details("second").read_text() == "second"
    assert target.read_text() == "mine"


def test_the_log_is_bounded(shared, monkeypatch):
    monkeypatch.setattr(quiet, "LOG_BYTES", 100)
    for number in range(50):
        quiet.write_log(f"line {number:03d}")
        assert quiet.log_path().stat().st_size <= 109
    assert "line 049" in quiet.log_path().read_text()


def test_a_pipe_in_the_logs_place_does_not_hang(shared):
    quiet.log_path()
    os.mkfifo(shared / "tensorflow.log")
    quiet.write_log("lost")


def test_a_lock_is_never_made_through_a_link(tmp_path):
    target = tmp_path / "target"
    target.write_text("mine")
    (tmp_path / ".run.lock").symlink_to(target)
    with pytest.raises(OSError, match="symbolic"), disk.locked(tmp_path / "run"):
        pass
    assert target.read_text() == "mine"
