"""Manifests that exist on paper only: rows without files."""

import numpy as np

from tfcnn.datasets import Item, Source
from tfcnn.manifest import Manifest, Row


def on_paper(groups: list[str], labels: list[str], pixels: list[str] | None = None) -> Manifest:
    """Return a manifest of rows that exist on paper only."""
    rows = tuple(
        Row(f"{label}/{i}.png", label, group, "", f"f{i}", pixels[i] if pixels else f"p{i}", 1, 1)
        for i, (group, label) in enumerate(zip(groups, labels, strict=True))
    )
    items = tuple(Item(row.path, row.label) for row in rows)
    return Manifest(Source("paper", root=None, items=items), rows, (), ())  # type: ignore[arg-type]


def patients(count: int, seed: int = 0) -> Manifest:
    """Return patients of skewed sizes, a quarter of them healthy, as the malaria data has them."""
    rng = np.random.default_rng(seed)
    groups, labels = [], []
    for patient in range(count):
        size = int(rng.lognormal(3.2, 0.9)) + 2
        share = 0.0 if patient % 4 == 0 else rng.uniform(0.3, 0.9)
        groups += [f"C{patient}"] * size
        labels += ["sick" if rng.random() < share else "well" for _ in range(size)]
    return on_paper(groups, labels)
