"""Images in small batches, so that few of them are many."""

import pytest
from conftest import write_tree

from tfcnn.prediction import engines, many


@pytest.fixture
def small_batches(monkeypatch):
    monkeypatch.setattr(engines, "BATCH_SIZE", 4)
    monkeypatch.setattr(many, "KEPT_FROM", 10)


@pytest.fixture
def cells(tmp_path, small_batches):
    """Return a folder of 43 images, one of them broken: the eleventh batch holds three."""
    root = write_tree(tmp_path / "new", groups=11, per_group=2)
    (root / "round" / "P3_1.png").write_bytes(b"no image")
    (root / "square" / "P10_1.png").unlink()
    return root
