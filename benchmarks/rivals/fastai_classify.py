"""fastai's usual four lines, with a ResNet-18 from scratch.

    python benchmarks/rivals/fastai_classify.py FOLDER --epochs 10

FOLDER holds train/, val/ and test/ with a folder per class. Prints accuracy and ROC AUC on test as
JSON.
"""

import argparse
import json
from pathlib import Path

import numpy as np
from fastai.vision.all import (
    ImageDataLoaders,
    Resize,
    accuracy,
    aug_transforms,
    resnet18,
    set_seed,
    vision_learner,
)
from sklearn.metrics import roc_auc_score

parser = argparse.ArgumentParser()
parser.add_argument("folder", type=Path)
parser.add_argument("--epochs", type=int, default=10)
parser.add_argument("--side", type=int, default=64)
parser.add_argument("--seed", type=int, default=0)
arguments = parser.parse_args()
set_seed(arguments.seed)
data = ImageDataLoaders.from_folder(
    arguments.folder,
    train="train",
    valid="val",
    item_tfms=Resize(arguments.side, method="squish"),
    batch_tfms=aug_transforms(flip_vert=True, max_rotate=90.0),
    bs=128,
    num_workers=2,
)
learner = vision_learner(data, resnet18, pretrained=False, metrics=accuracy)
with learner.no_bar(), learner.no_logging():
    learner.fit_one_cycle(arguments.epochs, 3e-3)
    paths = sorted((arguments.folder / "test").glob("*/*.png"))
    probs = learner.get_preds(dl=data.test_dl(paths))[0].numpy()
names = list(data.vocab)
labels = np.array([names.index(path.parent.name) for path in paths])
found = float((probs.argmax(axis=1) == labels).mean())
print(json.dumps({"accuracy": found, "auc": roc_auc_score(labels == 0, probs[:, 0])}))
