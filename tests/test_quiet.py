"""What TensorFlow is told before it starts."""

import os

from tfcnn import quiet

SETTING = "TF_FORCE_GPU_ALLOW_GROWTH"


def test_a_gpu_is_shared_unless_its_user_says_otherwise(monkeypatch):
    monkeypatch.delenv(SETTING, raising=False)
    quiet.silence()
    assert os.environ[SETTING] == "true"
    monkeypatch.setenv(SETTING, "false")
    quiet.silence()
    assert os.environ[SETTING] == "false"
