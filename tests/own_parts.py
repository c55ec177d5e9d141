"""A network and a source as a stranger writes them, in files outside of the package."""

from pathlib import Path

NETWORK = '''"""mine: a convolution, its average, and a linear head."""

import keras

from tfcnn.architectures import require_size

MIN_SIZE = (4, 4)


def build(input_shape, num_classes, *, filters: int = 8, rate=0.0):
    require_size(input_shape, MIN_SIZE)
    return keras.Sequential(
        [
            keras.Input(input_shape, name="image"),
            keras.layers.Rescaling(1 / 255, name="rescale"),
            keras.layers.Conv2D(filters, 3, padding="same", activation="relu", name="conv1"),
            keras.layers.Dropout(rate, name="drop"),
            keras.layers.GlobalAveragePooling2D(name="average"),
            keras.layers.Dense(num_classes, activation="softmax", dtype="float32", name="head"),
        ],
        name="mine",
    )
'''
# 48 images of 12 groups, which a colour tells apart
SOURCE = '''"""shapes: dark and bright squares."""

from pathlib import Path

import numpy as np
from PIL import Image

from tfcnn.base import atomic
from tfcnn.base.errors import InputError
from tfcnn.datasets import Item, Source

IS_LOCAL = True
LIMITS = ("Squares only.",)


def intended_use(summary):
    return f"Telling dark from bright ({summary})."


def download(folder, *, mirror=None, progress=None):
    if mirror is not None:
        raise InputError("shapes", "no --from", mirror, "leaving it out")
    if (folder / "images").is_dir():
        return
    rng = np.random.default_rng(0)
    with atomic.writing(folder / "images") as part:
        for level, class_name in ((40, "dark"), (160, "bright")):
            (part / class_name).mkdir(parents=True)
            for number in range(24):
                pixels = rng.integers(level, level + 60, (12, 12, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(part / class_name / f"P{number % 12}_{number}.png")


def open_source(folder):
    root = folder / "images"
    paths = sorted(path.relative_to(root).as_posix() for path in root.rglob("*.png"))
    items = tuple(Item(path, label=path.partition("/")[0]) for path in paths)
    return Source("any name", root, items, group_regex=r"^(P[0-9]+)_")
'''
SETTINGS = (
    "train.epochs=2", "train.batch_size=16", "data.image_size=12", "train.precision=float32",
    "train.optimizer=adam", "train.learning_rate=0.01",
)  # fmt: skip


def write(folder: Path, name: str, text: str, *changes: tuple[str, str]) -> Path:
    """Write a file with some of its text changed, each at the one place where it stands."""
    for old, new in changes:
        assert text.count(old) == 1, f"{text.count(old)} times: {old}"
        text = text.replace(old, new)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path
