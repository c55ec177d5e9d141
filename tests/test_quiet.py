"""What TensorFlow is told before it starts."""

import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tfcnn import quiet
from tfcnn.progress import Reporter

SETTING = "TF_FORCE_GPU_ALLOW_GROWTH"


def test_a_gpu_is_shared_unless_its_user_says_otherwise(monkeypatch):
    monkeypatch.delenv(SETTING, raising=False)
    quiet.silence()
    assert os.environ[SETTING] == "true"
    monkeypatch.setenv(SETTING, "false")
    quiet.silence()
    assert os.environ[SETTING] == "false"


class _Heard(Reporter):
    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


def test_a_start_without_bytecode_says_what_it_costs(monkeypatch, tmp_path):
    import tensorflow

    def started() -> list[str]:
        heard = _Heard()
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
