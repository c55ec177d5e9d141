"""course_malaria: the course's CNN for malaria cells, three convolutions and a sigmoid.

Source: the course's notebook, as printed. Differs: more than two classes, which the notebook does
not have, get a softmax. 1,662,209 parameters at 130x130x3 and 2 classes, the same integer as the
notebook prints. Smallest image: 22x22 (a 3x3 kernel, then a 2x2 pool, three times).
"""

import keras

from tfcnn.architectures import require_size

MIN_SIZE = (22, 22)


def build(input_shape: tuple[int, int, int], num_classes: int) -> keras.Model:
    """Build the network, from pixels in [0, 255] to probabilities.

    `input_shape` is `(height, width, channels)`, at least 22x22. Two classes give one sigmoid unit,
    the probability of class 1; more give a softmax.

    Raises:
        ValueError: if the images are smaller than `MIN_SIZE`.
    """
    require_size(input_shape, MIN_SIZE)
    units, activation = (1, "sigmoid") if num_classes == 2 else (num_classes, "softmax")
    return keras.Sequential(
        [
            keras.Input(input_shape, name="image"),
            keras.layers.Rescaling(1 / 255, name="rescale"),
            keras.layers.Conv2D(32, 3, activation="relu", name="conv1"),
            keras.layers.MaxPooling2D(2, name="pool1"),
            keras.layers.Conv2D(64, 3, activation="relu", name="conv2"),
            keras.layers.MaxPooling2D(2, name="pool2"),
            keras.layers.Conv2D(64, 3, activation="relu", name="conv3"),
            keras.layers.MaxPooling2D(2, name="pool3"),
            keras.layers.Flatten(name="flatten"),
            keras.layers.Dense(128, activation="relu", name="dense1"),
            keras.layers.Dropout(0.5, name="dropout"),
            keras.layers.Dense(units, activation=activation, dtype="float32", name="head"),
        ],
        name="course_malaria",
    )
