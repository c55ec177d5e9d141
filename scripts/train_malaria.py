"""The course's malaria CNN in Keras: python scripts/train_malaria.py [--pipeline generator]."""

import argparse

import keras
import tensorflow as tf
from keras.layers import Conv2D, Dense, Dropout, Flatten, MaxPooling2D, Rescaling

import tfcnn
from tfcnn.inputs.generator import translate

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("source", nargs="?", default="malaria", help="a data set or a folder")
parser.add_argument("--pipeline", choices=["tfdata", "generator"], default="tfdata")
parser.add_argument("--epochs", type=int, default=20)
parser.add_argument("--seed", type=int, default=0)
options = parser.parse_args()
changes = {"rotation_range": 20, "width_shift_range": 0.1, "height_shift_range": 0.1,
           "shear_range": 0.1, "zoom_range": 0.1, "horizontal_flip": True}  # fmt: skip
augment = translate(**changes).augment
data = tfcnn.data(options.source, image_size=130, batch_size=16, seed=options.seed, augment=augment)
train, val = data.train, data.val  # no patient is in both
if options.pipeline == "generator":
    generator = tf.keras.preprocessing.image.ImageDataGenerator(**changes)
    train, val = data.flow(generator, "train"), data.flow(generator, "val")
keras.utils.set_random_seed(options.seed)
with tf.distribute.MirroredStrategy().scope():
    convolutions = [layer for filters in (32, 64, 64) for layer in
                    (Conv2D(filters, 3, activation="relu"), MaxPooling2D())]  # fmt: skip
    dense = [Flatten(), Dense(128, activation="relu"), Dropout(0.5), Dense(1, activation="sigmoid")]
    model = keras.Sequential([keras.Input(data.shape), Rescaling(1 / 255), *convolutions, *dense])
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
stop = keras.callbacks.EarlyStopping(patience=2, restore_best_weights=True)
model.fit(train, validation_data=val, epochs=options.epochs, callbacks=[stop], shuffle=False)
print(tfcnn.evaluate(tfcnn.adopt(model, data, name=f"malaria-{options.pipeline}")).sentence)
