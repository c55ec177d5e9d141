"""The course's exercise on Fashion-MNIST, in Keras: python scripts/train_fashion.py."""

import argparse

import keras
from keras.layers import Conv2D, Dense, Flatten, MaxPooling2D, Rescaling

import tfcnn

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--epochs", type=int, default=10)
parser.add_argument("--run", default="fashion-keras")
options = parser.parse_args()

data = tfcnn.data("fashion-mnist", image_size=28, channels=1, batch_size=32)

keras.utils.set_random_seed(0)
model = keras.Sequential(
    [
        keras.Input(data.shape),
        Rescaling(1 / 255),
        Conv2D(32, (4, 4), activation="relu"),
        MaxPooling2D((2, 2)),
        Flatten(),
        Dense(128, activation="relu"),
        Dense(10, activation="softmax"),
    ]
)
model.compile("rmsprop", "sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(data.train, validation_data=data.val, epochs=options.epochs, shuffle=False)

report = tfcnn.evaluate(tfcnn.adopt(model, data, name=options.run))
print(report.sentence)
# rows of the confusion matrix are the true classes: the share of each that was found
for i, counts in enumerate(report.confusion["test"]):
    print(f"{data.class_names[i]:12} {counts[i] / sum(counts):.1%} of {sum(counts):,}")
