"""What a split by image is worth in flattery, on drawn cells whose patients give labels away.

    python benchmarks/leak.py

Draws 60 patients (`label_correlation` .8: a network that recognises the patient often knows the
label), and trains recipe `smears` on them with three split seeds, by patient and by image. About 5
minutes on 2 cores. On the malaria cells: `tfcnn train malaria --run NAME --set data.split.seed=N`,
and with `--set data.split.unit=image --set data.split.demonstration=true`.
"""

import os
import statistics
import tempfile
from pathlib import Path

import tfcnn
from tfcnn.datasets import smears

SEEDS = (0, 1, 2)
BY = {
    "patient": [],
    "image": ["data.split.unit=image", "data.split.demonstration=true"],
}


def percent(row: dict[str, float]) -> str:
    return f"{100 * row['value']:.1f} ({100 * row['low']:.1f} to {100 * row['high']:.1f})"


with tempfile.TemporaryDirectory() as scratch:
    os.environ["TFCNN_HOME"] = scratch
    cells = Path(scratch) / "cells"
    smears.generate(cells, label_correlation=0.8)
    source = [f"data.source={cells / smears.IMAGES}", f"data.group_regex='{smears.GROUP_REGEX}'"]
    means = []
    for unit, settings in BY.items():
        rows = []
        for seed in SEEDS:
            chosen = [*source, *settings, f"data.split.seed={seed}"]
            run = tfcnn.train("smears", run=f"{unit}-{seed}", settings=chosen)
            rows.append(tfcnn.evaluate(run).splits["test"]["accuracy"])
        values = [100 * row["value"] for row in rows]
        means.append(statistics.mean(values))
        each = ", ".join(percent(row) for row in rows)
        print(
            f"by {unit}: {each}; mean {means[-1]:.1f} ± {statistics.stdev(values):.1f}", flush=True
        )
    print(f"the split by image flatters by {means[1] - means[0]:.1f} points")
