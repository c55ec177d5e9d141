"""What a step costs in several processes on this machine, beside the same step in one.

    python benchmarks/processes.py --processes 1 2 4 --image-size 8 64

Each training runs twice, with few epochs and with more: the difference, over the steps between, has
no start-up in it. Prints per step the processor time of all processes together, the images per
second of the last epochs, and by how much the weights differ from those of one process. Every
process is a command of its own with a home of its own, and they talk over the loopback interface.
"""

import argparse
import resource
import statistics
import sys
import tempfile
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from clusters import Cluster, alone, saved_weights

from tfcnn import runs

STEPS = 1257 // 64  # of an epoch of `digits`


def cpu_seconds() -> float:
    """Return the processor time of all processes that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def train(folder: Path, processes: int, size: int, epochs: int) -> tuple[Path, float]:
    """Return the run of a training, and its processor time."""
    folder.mkdir(parents=True)
    settings = [f"train.epochs={epochs}", f"data.image_size={size}"]
    before = cpu_seconds()
    if processes == 1:
        run = alone(folder, *(word for one in settings for word in ("--set", one)))
    else:
        cluster = Cluster(folder, processes)
        cluster.train(*settings)
        if any(cluster.wait()):
            raise SystemExit(cluster.said(0))
        hashes = [cluster.weights(i) for i in range(processes)]
        if any(one != hashes[0] for one in hashes):
            raise SystemExit(f"{processes} processes have different weights: {hashes}")
        run = cluster.run
    return run, cpu_seconds() - before


parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--processes", type=int, nargs="+", default=[1, 2, 4])
parser.add_argument("--image-size", type=int, nargs="+", default=[8, 64])
parser.add_argument("--epochs", type=int, nargs=2, default=[2, 8])
arguments = parser.parse_args()
few, more = arguments.epochs
print(f"{'px':>4} {'processes':>9} {'CPU ms/step':>11} {'images/s':>8} {'difference':>10}")
for size in arguments.image_size:
    first = None
    for processes in arguments.processes:
        with tempfile.TemporaryDirectory() as name:
            _, short = train(Path(name) / "few", processes, size, few)
            run, long = train(Path(name) / "more", processes, size, more)
            rate = statistics.median(runs.read(run).history["images_per_second"][few:])
            weights = saved_weights(run)
        first = weights if first is None else first
        furthest = max(np.abs(a - b).max() for a, b in zip(weights, first, strict=True))
        step = 1000 * (long - short) / (more - few) / STEPS
        print(f"{size:4} {processes:9} {step:11.1f} {rate:8,.0f} {furthest:10.1e}", flush=True)
