"""The course's CNN on CIFAR-10, in Keras: python scripts/train_cifar10.py [--epochs 15]."""

import argparse

import keras
from keras.layers import Conv2D, Dense, Flatten, MaxPooling2D, Rescaling

import tfcnn

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--epochs", type=int, default=15)
parser.add_argument("--run", default="cifar10-keras")
options = parser.parse_args()

data = tfcnn.data("cifar10", image_size=32, batch_size=32)
print({name: sum(counts.values()) for name, counts in data.counts.items()})

keras.utils.set_random_seed(0)
model = keras.Sequential(
    [
        keras.Input(data.shape),
        Rescaling(1 / 255),
        Conv2D(32, (4, 4), activation="relu"),
        MaxPooling2D((2, 2)),
        Conv2D(32, (4, 4), activation="relu"),
        MaxPooling2D((2, 2)),
        Flatten(),
        Dense(256, activation="relu"),
        Dense(10, activation="softmax"),
    ]
)
model.compile("rmsprop", "sparse_categorical_crossentropy", metrics=["accuracy"])
stop = keras.callbacks.EarlyStopping(patience=3, restore_best_weights=True)
model.fit(
    data.train, validation_data=data.val, epochs=options.epochs, callbacks=[stop], shuffle=False
)
run = tfcnn.adopt(model, data, name=options.run)
print(tfcnn.evaluate(run).sentence)
