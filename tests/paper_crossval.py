"""A cross-validation without models: its answers are fairly sure, and right but for some labels."""

import csv
from collections.abc import Collection
from pathlib import Path

import numpy as np

from tfcnn import recipes, runs
from tfcnn.base import atomic, records


def write_crossval(
    root: Path, home: Path, wrong: Collection[str], groups: dict[str, str] | None = None
) -> Path:
    """Write the folder of a cross-validation of class folders.

    Args:
        root: the folder of class folders.
        home: of the models.
        wrong: paths of images that the models take for the next class.
        groups: of each path; what stands before the first "_" of its name if None.
    """
    folder = home / "models" / f"{root.name}-crossval"
    names = sorted(path.name for path in root.iterdir())
    paths = sorted(path.relative_to(root).as_posix() for path in root.rglob("*.png"))
    rng, rows, split = np.random.default_rng(0), [], []
    for path in paths:
        label = path.split("/")[0]
        group = groups[path] if groups else path.split("/")[1].split("_")[0]
        most = rng.uniform(0.8, 0.99)
        said = (names.index(label) + (path in wrong)) % len(names)
        probs = np.full(len(names), (1 - most) / (len(names) - 1))
        probs[said] = 0.96 if path in wrong else most
        if path in wrong:
            probs[np.arange(len(names)) != said] = 0.04 / (len(names) - 1)
        rows.append([path, "test", group, label, *map(str, probs)])
        split.append([path, records.sha256_of(root / path)])
    recipes.write(recipes.for_folder(root), folder / "recipe.toml")
    header = ["path", "split", "group", "label", *(f"prob_{name}" for name in names)]
    atomic.write_text(folder / "predictions.csv", atomic.csv_text(header, rows))
    table = atomic.csv_text(["path", "sha256"], split)
    atomic.write_text(folder / "splits" / "fold-0.csv", table)
    runs.stamp(folder)
    return folder


def read_table(path: Path) -> list[dict[str, str]]:
    """Return the rows of a table of tfcnn's."""
    with path.open(newline="") as file:
        return list(csv.DictReader(file))
