"""Ultralytics' classifier on a folder of class folders, or on one file: the rival of `predict`.

    python benchmarks/rivals/ultralytics_predict.py 64 FOLDER_OR_FILE

Its smallest network with random weights: the answers mean nothing and take as long as any.
"""

import sys
from pathlib import Path

from ultralytics import YOLO

side, path = int(sys.argv[1]), Path(sys.argv[2])
model = YOLO("yolo11n-cls.yaml")
found = 0
for folder in sorted(path.iterdir()) if path.is_dir() else [path]:
    results = model.predict(
        folder, imgsz=side, batch=64, stream=True, verbose=False, device="cpu", save=False
    )
    found += sum(1 for _ in results)
print(found)
