"""What TensorFlow is told before it starts."""

import os
import sys
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
