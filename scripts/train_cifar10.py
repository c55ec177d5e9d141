"""Train a CNN on CIFAR-10: python scripts/train_cifar10.py [section.key=value ...]."""

import sys

import keras
import numpy as np

import tfcnn
from tfcnn import datasets

run = tfcnn.train("cifar10", settings=sys.argv[1:])
print(tfcnn.evaluate(run).sentence)

# the saved model is plain Keras and takes plain pixels in [0, 255]: scaling is its first layer
model = keras.saving.load_model(run.path / "model.keras")
source = datasets.open_named("cifar10")
shown = [item for item in source.items if item.official == "test"][:5]
probs = model.predict(np.stack([source.read(item.path) for item in shown]), verbose=0)
for item, row in zip(shown, probs, strict=True):
    print(f"{item.path}: {run.class_names[row.argmax()]} ({row.max():.0%}), in truth {item.label}")
