"""The course's exercise: a CNN on Fashion-MNIST."""

from typing import Any

import numpy as np

from tfcnn.lab.exercises._exercise import Exercise, Mistake
from tfcnn.lab.stand_in import downloaded

SHAPE, LEAST = (28, 28, 1), 0.8
NO_MODEL = "expected the Keras model that you trained"
INPUT = (
    "a convolutional layer wants height, width and channels. Your network takes images of another "
    "shape than 28 x 28 px with one channel"
)
OUTPUT = "the last layer must have one neuron for each class. There are ten"
NO_CONVOLUTION = (
    "your network has no convolutional layer. It may be right, but it does not see which pixels "
    "are neighbours: the exercise asks for a CNN"
)
NO_PROBABILITIES = (
    "the ten answers for an image do not add up to 1, so they are no probabilities. Which "
    "activation does the last layer of a classifier have?"
)
UNTRAINED = "the answers are no better than chance. Was the model trained, and with right labels?"
RANGE = (
    "with pixels from 0 to 255 your network is much better than with 0 to 1. The task asks for a "
    "network of scaled pixels: train and test must be scaled by the same number"
)
LITTLE = "your network learns, but is right on fewer than four of five images. Train it for longer"


def trained() -> Any:
    import keras
    from keras.layers import Conv2D, Dense, Flatten, MaxPooling2D

    import tfcnn

    source = downloaded("fashion-mnist", otherwise="digits")
    data = tfcnn.data(source, image_size=28, channels=1, labels="one-hot", progress=False)
    images, labels = data.arrays("train")
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            Conv2D(32, (4, 4), activation="relu"),
            MaxPooling2D((2, 2)),
            Flatten(),
            Dense(128, activation="relu"),
            Dense(10, activation="softmax"),
        ]
    )
    model.compile("rmsprop", "categorical_crossentropy", metrics=["accuracy"])
    model.fit(images / 255, labels, epochs=3, verbose=0)
    return model


def _network(*last: Any, shape: tuple[int, ...] = SHAPE, has_convolution: bool = True) -> Any:
    import keras

    first = [keras.layers.Conv2D(4, 4, strides=4)] if has_convolution else []
    return keras.Sequential([keras.Input(shape), *first, keras.layers.Flatten(), *last])


def _dense(units: int, activation: str | None = "softmax") -> Any:
    import keras

    return keras.layers.Dense(units, activation=activation)


def _accuracy(model: Any, images: Any, labels: Any) -> float:
    return float((model.predict(images, verbose=0).argmax(axis=1) == labels).mean())


def _judge_network(answer: Any, generator: np.random.Generator) -> str:
    import keras

    if not isinstance(answer, keras.Model):
        return f"{NO_MODEL}; received a {type(answer).__name__}"
    if not answer.built or tuple(answer.input_shape[1:]) != SHAPE:
        return INPUT
    if tuple(answer.output_shape[1:]) != (10,):
        return OUTPUT
    if not any(isinstance(layer, keras.layers.Conv2D) for layer in answer.layers):
        return NO_CONVOLUTION
    return _judge_answers(answer, generator)


def _judge_answers(model: Any, generator: np.random.Generator) -> str:
    import tfcnn

    source = downloaded("fashion-mnist", otherwise="digits")
    data = tfcnn.data(source, image_size=28, channels=1, progress=False)
    images, labels = data.arrays("val")
    chosen = generator.permutation(len(images))[:1000]
    images, labels = images[chosen].astype(np.float32), labels[chosen]
    probs = model.predict(images[:50] / 255, verbose=0)
    if not np.allclose(probs.sum(axis=1), 1, atol=1e-3) or probs.min() < 0:
        return NO_PROBABILITIES
    small, large = _accuracy(model, images / 255, labels), _accuracy(model, images, labels)
    if large > small + 0.1:
        return RANGE
    if small < 0.25:
        return UNTRAINED
    return LITTLE if small < LEAST else ""


EXERCISES = (
    Exercise(
        name="fashion",
        idea="a CNN of your own on Fashion-MNIST",
        call="model",
        task="Train a CNN that tells the ten kinds of clothes of Fashion-MNIST apart, and give the "
        "trained model to the check. It takes images of shape (28, 28, 1) with pixels from 0.0 to "
        "1.0, and answers with ten probabilities. The check tries it on images of val and wants "
        "four of five right. Where Fashion-MNIST is not downloaded, digits stand in for it; train "
        "on what tfcnn.lab.downloaded returns.",
        judge=_judge_network,
        solution=trained,
        is_made=True,
        mistakes=(
            Mistake(lambda: _network(_dense(10), shape=(28, 28, 3)), INPUT),
            Mistake(lambda: _network(_dense(1, "sigmoid")), OUTPUT),
            Mistake(lambda: _network(_dense(10), has_convolution=False), NO_CONVOLUTION),
            Mistake(lambda: _network(_dense(10, None)), NO_PROBABILITIES),
            Mistake(lambda: _network(_dense(10)), UNTRAINED),
        ),
    ),
)
