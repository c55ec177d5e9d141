"""Ultralytics' classifier trained from scratch with its defaults.

    python benchmarks/rivals/ultralytics_classify.py FOLDER --epochs 10

FOLDER holds train/, val/ and test/ with a folder per class.
"""

import tempfile

import contest
import numpy as np
from ultralytics import YOLO

arguments = contest.options(epochs=10, side=64)
paths = sorted((arguments.folder / "test").glob("*/*.png"))
names = sorted({path.parent.name for path in paths})
probs = []
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
    for first in range(0, len(paths), 256):
        part = paths[first : first + 256]
        results = model.predict(part, imgsz=arguments.side, verbose=False, batch=256)
        probs += [result.probs.data.numpy() for result in results]
contest.answer(np.array([names.index(path.parent.name) for path in paths]), np.array(probs))
