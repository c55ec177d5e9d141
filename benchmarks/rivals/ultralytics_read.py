"""Read the images of a folder as Ultralytics' classifier does; print wall and processor seconds.

    python benchmarks/rivals/ultralytics_read.py 160 FOLDER

Nothing is computed with them. It reads one image after the other, as `model.predict` does.
"""

import sys
import time
from pathlib import Path

import cv2
from PIL import Image
from ultralytics.data.augment import classify_transforms
from ultralytics.data.dataset import ClassificationDataset

side, paths = int(sys.argv[1]), sorted(Path(sys.argv[2]).rglob("*.jpg"))
change = classify_transforms(side)
start, cpu = time.perf_counter(), time.process_time()
for path in paths:
    pixels = ClassificationDataset.imread(str(path))
    change(Image.fromarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)))
print(time.perf_counter() - start, time.process_time() - cpu)
