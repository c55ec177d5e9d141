"""Prediction from the start of a process: tfcnn, Keras, Ultralytics, and what the machine allows.

    python benchmarks/prediction.py malaria data/malaria/cell_images --repeats 5

Folder: a run predicts every image of a folder. File: it predicts one. Each repeat runs all
contestants one after the other, so that a busy machine is busy for all; ratios are of one repeat.
The bound is the time of decoding alone plus that of inference alone, on all cores, in one process
that has started already. Ultralytics runs where `sh benchmarks/rivals/install.sh` has put it: one
image at a time, as it does where nothing is said, and in batches of 64.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

import tfcnn
from tfcnn.base import threads
from tfcnn.datasets.folder import image_files
from tfcnn.prediction import Predictor
from tfcnn.runs import Run

RIVALS = Path(__file__).parent / "rivals"
ULTRALYTICS_SIDE = 64  # px


def seconds(command: list[str]) -> float:
    """Return how long a process takes from its start to its end."""
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - start


def bounds(run: Run, files: list[Path]) -> tuple[float, float]:
    """Return the seconds of decoding alone and of inference alone."""
    predictor = Predictor(run)
    predictor.expect(len(files))
    start = time.perf_counter()
    with ThreadPoolExecutor(threads.cores()) as pool:
        decode = predictor.decoder.decode
        images = np.stack(list(pool.map(lambda f: decode(f.read_bytes(), str(f)), files)))
    middle = time.perf_counter()
    predictor.probs_and_features(images)
    return middle - start, time.perf_counter() - middle


def spread(values: list[float]) -> str:
    return f"{statistics.median(values):6.2f} ({min(values):.2f} to {max(values):.2f})"


parser = argparse.ArgumentParser()
parser.add_argument("run")
parser.add_argument("folder", type=Path)
parser.add_argument("--repeats", type=int, default=5)
arguments = parser.parse_args()
run = tfcnn.load(arguments.run)
files = image_files(arguments.folder)[0]
python = RIVALS / "environments" / "classify" / "bin" / "python"
yolo = [str(python), str(RIVALS / "ultralytics_predict.py"), str(ULTRALYTICS_SIDE)]
keras = [
    sys.executable,
    str(RIVALS / "keras_predict.py"),
    str(run.path / "model.keras"),
    str(run.decoder.shape[0]),
]
rows: dict[str, list[float]] = {}
with tempfile.TemporaryDirectory() as scratch:
    ours = [sys.executable, "-m", "tfcnn", "predict", str(run.path)]
    for _ in range(arguments.repeats):
        decode, infer = bounds(run, files)
        found = {
            "decode": decode,
            "infer": infer,
            "tfcnn": seconds([*ours, str(arguments.folder), "--output", f"{scratch}/a.csv"]),
            "keras": seconds([*keras, str(arguments.folder)]),
            "tfcnn_file": seconds([*ours, str(files[0])]),
            "keras_file": seconds([*keras, str(files[0])]),
        }
        if python.exists():
            found["ultralytics"] = seconds([*yolo, str(arguments.folder)])
            in_batches = [*yolo, str(arguments.folder), "--batch", "64"]
            found["ultralytics_batches"] = seconds(in_batches)
            found["ultralytics_file"] = seconds([*yolo, str(files[0])])
        for name, value in found.items():
            rows.setdefault(name, []).append(value)
engine = Predictor(run)
engine.expect(len(files))
print(
    f"{len(files):,} images, {run.name}, {engine.engine}, {threads.cores()} cores, "
    f"{arguments.repeats} repeats: s"
)
for name, values in rows.items():
    print(f"{name:20} {spread(values)}")


def ratio(top: list[float], bottom: list[float]) -> str:
    return spread([t / b for t, b in zip(top, bottom, strict=True)])


both = [decode + infer for decode, infer in zip(rows["decode"], rows["infer"], strict=True)]
print(f"share of the bound: {ratio(both, rows['tfcnn'])}")
for rival in ("keras", "ultralytics", "ultralytics_batches"):
    if rival in rows:
        print(f"{rival} over tfcnn: {ratio(rows[rival], rows['tfcnn'])}")
for rival in ("keras_file", "ultralytics_file"):
    if rival in rows:
        print(f"{rival} over tfcnn: {ratio(rows[rival], rows['tfcnn_file'])}")
