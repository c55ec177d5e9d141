"""The course's CNN on MNIST, in Keras: python scripts/train_mnist.py [--epochs 10]."""

import argparse
from collections import Counter

import keras
from keras.layers import Conv2D, Dense, Flatten, MaxPooling2D

import tfcnn

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--epochs", type=int, default=10)
parser.add_argument("--run", default="mnist-keras")
options = parser.parse_args()

data = tfcnn.data("mnist", image_size=28, channels=1, batch_size=32)
(x_train, y_train), (x_val, y_val) = data.arrays("train"), data.arrays("val")

keras.utils.set_random_seed(0)
model = keras.Sequential(
    [
        keras.Input(data.shape),
        Conv2D(32, (4, 4), activation="relu"),
        MaxPooling2D((2, 2)),
        Flatten(),
        Dense(128, activation="relu"),
        Dense(10, activation="softmax"),
    ]
)
model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
stop = keras.callbacks.EarlyStopping(patience=2, restore_best_weights=True)  # by val, not by test
val = (x_val / 255, y_val)
model.fit(x_train / 255, y_train, epochs=options.epochs, validation_data=val, callbacks=[stop])
run = tfcnn.adopt(model, data, name=options.run, pixels="0..1")
print(tfcnn.evaluate(run).sentence)
rows = [row for row in run.predictions if row["split"] == "test"]
pairs = [(row["label"], row["predicted"]) for row in rows if row["label"] != row["predicted"]]
for (label, predicted), count in Counter(pairs).most_common(5):
    print(f"{count} times {label} was taken for {predicted}")
