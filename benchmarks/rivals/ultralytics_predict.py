"""Ultralytics' classifier on a folder of class folders, or on one file: the rival of `predict`.

    python benchmarks/rivals/ultralytics_predict.py 64 FOLDER_OR_FILE --batch 64

Its smallest network with random weights: the answers mean nothing and take as long as any. Without
`--batch` it predicts one image at a time, as `model.predict` does where nothing is said.
"""

import argparse
from pathlib import Path

from ultralytics import YOLO

parser = argparse.ArgumentParser()
parser.add_argument("side", type=int)
parser.add_argument("path", type=Path)
parser.add_argument("--batch", type=int, default=1)
arguments = parser.parse_args()
model = YOLO("yolo11n-cls.yaml")
options = {"imgsz": arguments.side, "batch": arguments.batch, "device": "cpu", "save": False}
count, path = 0, arguments.path
for folder in sorted(path.iterdir()) if path.is_dir() else [path]:
    count += sum(1 for _ in model.predict(folder, stream=True, verbose=False, **options))
print(count)
