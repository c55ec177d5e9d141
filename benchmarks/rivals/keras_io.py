"""What a user of Keras writes after its guides: folders to datasets, plain layers, `fit`.

    python benchmarks/rivals/keras_io.py FOLDER --epochs 10 [--mixed]

FOLDER holds train/ and test/ with a folder per class. The layers of recipe `malaria`, in
the order of Keras' guides (normalisation and ReLU before pooling), the same optimizer; mirror
images and contrast by Keras' layers; images cached in memory.
"""

import contest
import keras
import numpy as np
import tensorflow as tf
from keras import layers

arguments = contest.options(epochs=10, mixed=False)
side, batch_size = 48, 128
if arguments.mixed:
    keras.config.set_dtype_policy("mixed_bfloat16")
keras.utils.set_random_seed(arguments.seed)


def read(split: str, shuffle: bool) -> tf.data.Dataset:
    return keras.utils.image_dataset_from_directory(
        arguments.folder / split,
        image_size=(side, side),
        batch_size=None,
        shuffle=shuffle,
        verbose=False,
    )


classes = len(list((arguments.folder / "train").iterdir()))
train = read("train", shuffle=True).cache()
count = train.cardinality().numpy()
train = train.shuffle(count).batch(batch_size, drop_remainder=True).prefetch(tf.data.AUTOTUNE)
test = read("test", shuffle=False).batch(batch_size)

model = keras.Sequential(
    [
        keras.Input((side, side, 3)),
        layers.RandomFlip("horizontal_and_vertical"),
        layers.RandomContrast(0.15),
        layers.UnitNormalization(axis=(1, 2), dtype="float32"),
        layers.Rescaling(0.8 * side),
    ]
)
for width in (32, 64, 128, 256):
    model.add(layers.Conv2D(width, 3, padding="same", use_bias=False))
    model.add(layers.BatchNormalization(momentum=0.9))
    model.add(layers.Activation("relu"))
    model.add(layers.MaxPooling2D())
model.add(layers.GlobalAveragePooling2D())
model.add(layers.Dense(classes, activation="softmax", dtype="float32"))
steps = arguments.epochs * (count // batch_size)
rate = keras.optimizers.schedules.CosineDecay(
    3e-3 / 25, round(0.8 * steps), warmup_target=3e-3, warmup_steps=round(0.2 * steps)
)
model.compile(
    keras.optimizers.AdamW(rate, weight_decay=0.02),
    "sparse_categorical_crossentropy",
    metrics=["accuracy"],
)
model.fit(train, epochs=arguments.epochs, verbose=0)
labels = np.concatenate([batch_labels.numpy() for _, batch_labels in test])
contest.answer(labels, model.predict(test, verbose=0))
