"""Ultralytics' classifier trained from scratch with its defaults.

    python benchmarks/rivals/ultralytics_classify.py FOLDER --epochs 10

FOLDER holds train/, val/ and test/ with a folder per class. Prints accuracy and ROC AUC on test as
JSON.
"""

import argparse
import json
import tempfile
from pathlib import Path

import numpy as np
from sklearn.metrics import roc_auc_score
from ultralytics import YOLO

parser = argparse.ArgumentParser()
parser.add_argument("folder", type=Path)
parser.add_argument("--epochs", type=int, default=10)
parser.add_argument("--side", type=int, default=64)
parser.add_argument("--seed", type=int, default=0)
arguments = parser.parse_args()
paths = sorted((arguments.folder / "test").glob("*/*.png"))
names = sorted({path.parent.name for path in paths})
labels = np.array([names.index(path.parent.name) for path in paths])
with tempfile.TemporaryDirectory() as scratch:
    model = YOLO("yolo11n-cls.yaml")
    model.train(
        data=str(arguments.folder.resolve()),
        epochs=arguments.epochs,
        imgsz=arguments.side,
        batch=128,
        pretrained=False,
        device="cpu",
        project=scratch,
        plots=False,
        verbose=False,
        seed=arguments.seed,
    )
    probs = np.array(
        [
            found.probs.data.numpy()
            for first in range(0, len(paths), 256)
            for found in model.predict(
                paths[first : first + 256], imgsz=arguments.side, verbose=False, batch=256
            )
        ]
    )
accuracy = float((probs.argmax(axis=1) == labels).mean())
print(json.dumps({"accuracy": accuracy, "auc": roc_auc_score(labels == 0, probs[:, 0])}))
