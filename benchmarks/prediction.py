"""Prediction from the start of a process: tfcnn, Keras, Ultralytics, and what the machine allows.

    python benchmarks/prediction.py malaria data/malaria/cell_images --repeats 5

A contestant predicts every image of a folder, or one file. Each repeat runs all contestants one
after the other, so that a busy machine is busy for all; ratios are of one repeat. The bound is the
time of decoding alone plus that of inference alone, on all cores, in one process that has started
already. Ultralytics runs if `sh benchmarks/rivals/install.sh` installed it: one image at a time,
which is its default, and in batches of 64.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from figures import spread

import tfcnn
from tfcnn.base import threads
from tfcnn.datasets.folder import image_files
from tfcnn.prediction import Predictor
from tfcnn.runs import Run

RIVALS = Path(__file__).parent / "rivals"
PYTHON = RIVALS / "environments" / "classify" / "bin" / "python"
ULTRALYTICS_SIDE = 64  # px


def seconds(command: list[object]) -> float:
    """Return how long a process takes from its start to its end."""
    start = time.perf_counter()
    subprocess.run([*map(str, command)], check=True, capture_output=True)
    return time.perf_counter() - start


def bounds(run: Run, files: list[Path]) -> tuple[float, float, str]:
    """Return the seconds of decoding alone and of inference alone, and what computes."""
    predictor = Predictor(run)
    predictor.expect(len(files))
    start = time.perf_counter()
    with ThreadPoolExecutor(threads.cores()) as pool:
        decode = predictor.decoder.decode
        images = np.stack(list(pool.map(lambda f: decode(f.read_bytes(), str(f)), files)))
    middle = time.perf_counter()
    predictor.probs_and_features(images)
    return middle - start, time.perf_counter() - middle, str(predictor.engine)


def contestants(run: Run, folder: Path, file: Path, scratch: str) -> dict[str, list[object]]:
    """Return the command of each contestant."""
    ours = [sys.executable, "-m", "tfcnn", "predict", run.path]
    side = run.decoder.shape[0]
    keras = [sys.executable, RIVALS / "keras_predict.py", run.path / "model.keras", side]
    commands = {
        "tfcnn": [*ours, folder, "--output", f"{scratch}/a.csv"],
        "tfcnn, a file": [*ours, file],
        "Keras": [*keras, folder],
        "Keras, a file": [*keras, file],
    }
    if PYTHON.exists():
        yolo = [PYTHON, RIVALS / "ultralytics_predict.py", ULTRALYTICS_SIDE]
        commands["Ultralytics"] = [*yolo, folder]
        commands["Ultralytics, batches"] = [*yolo, folder, "--batch", 64]
        commands["Ultralytics, a file"] = [*yolo, file]
    return commands


parser = argparse.ArgumentParser()
parser.add_argument("run")
parser.add_argument("folder", type=Path)
parser.add_argument("--repeats", type=int, default=5)
arguments = parser.parse_args()
run = tfcnn.load(arguments.run)
files = image_files(arguments.folder)[0]
times: dict[str, list[float]] = defaultdict(list)
with tempfile.TemporaryDirectory() as scratch:
    commands = contestants(run, arguments.folder, files[0], scratch)
    for _ in range(arguments.repeats):
        decode, infer, engine = bounds(run, files)
        times["decoding alone"].append(decode)
        times["inference alone"].append(infer)
        for name, command in commands.items():
            times[name].append(seconds(command))
print(f"{len(files):,} images, {run.name}, {engine}, {threads.cores()} cores: seconds")
bound = [sum(pair) for pair in zip(times["decoding alone"], times["inference alone"], strict=True)]
print(f"share of the bound: {spread([b / t for b, t in zip(bound, times['tfcnn'], strict=True)])}")
for name, values in times.items():
    base = times["tfcnn, a file" if name.endswith("a file") else "tfcnn"]
    ratio = spread([value / own for value, own in zip(values, base, strict=True)])
    print(f"{name:22} {spread(values):26} over tfcnn's {ratio}")
