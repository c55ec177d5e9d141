"""The course's ANN on MNIST, in Keras: python scripts/train_mnist_ann.py [--epochs 10]."""

import argparse

import keras

import tfcnn
from tfcnn.concepts.parameters import network_parameters

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--epochs", type=int, default=10)
parser.add_argument("--run", default="mnist-ann-keras")
options = parser.parse_args()

data = tfcnn.data("mnist", image_size=28, channels=1, labels="one-hot")
x_train, y_train = data.arrays("train")
x_val, y_val = data.arrays("val")
print(f"images {x_train.shape}, labels {y_train.shape}; 28 x 28 = 784 pixels make one row")

keras.utils.set_random_seed(0)
model = keras.Sequential(
    [
        keras.Input(data.shape),
        keras.layers.Flatten(),
        keras.layers.Dense(120, activation="relu"),
        keras.layers.Dense(84, activation="relu"),
        keras.layers.Dense(10, activation="softmax"),
    ]
)
model.compile(keras.optimizers.Adam(1e-3), "categorical_crossentropy", metrics=["accuracy"])
by_hand = network_parameters([784, 120, 84, 10])
print(f"{model.count_params():,} parameters; counted by hand: {by_hand:,}")

val = (x_val / 255, y_val)
model.fit(x_train / 255, y_train, batch_size=100, epochs=options.epochs, validation_data=val)
run = tfcnn.adopt(model, data, name=options.run, pixels="0..1")  # test is scored here, once
print(tfcnn.evaluate(run).sentence)
