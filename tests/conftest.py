"""What many tests share: a home of their own, and small folders of images."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Data and models of a test go to a folder of its own."""
    folder = tmp_path / "home"
    monkeypatch.setenv("TFCNN_HOME", str(folder))
    return folder


@pytest.fixture
def make_tree(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes class folders of images a network can tell apart."""

    def make(
        classes: tuple[str, ...] = ("round", "square"),
        groups: int = 6,
        per_group: int = 4,
        side: int = 32,
        name: str = "shapes",
        seed: int = 0,
    ) -> Path:
        root = tmp_path / name
        rng = np.random.default_rng(seed)
        for label, class_name in enumerate(classes):
            folder = root / class_name
            folder.mkdir(parents=True)
            for group in range(groups):
                for number in range(per_group):
                    pixels = rng.integers(0, 60, (side, side, 3), dtype=np.uint8)
                    band = slice(label * side // len(classes), (label + 1) * side // len(classes))
                    pixels[band, :, label % 3] += 150
                    Image.fromarray(pixels).save(folder / f"P{group}_{number}.png")
        return root

    return make
