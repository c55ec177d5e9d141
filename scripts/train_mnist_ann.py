"""The course's ANN on MNIST: python scripts/train_mnist_ann.py [section.key=value ...]."""

import sys

import keras

import tfcnn
from tfcnn.concepts.parameters import network_parameters

# 784 pixels, then 120 and 84 neurons, then one output per digit: each layer has weights and biases
by_hand = network_parameters([784, 120, 84, 10])

run = tfcnn.train("mnist-ann", settings=sys.argv[1:])

model = keras.saving.load_model(run.path / "model.keras")
model.summary()
print(f"{model.count_params():,} parameters; counted by hand: {by_hand:,}")
print(tfcnn.evaluate(run).sentence)
