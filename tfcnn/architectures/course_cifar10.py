"""course_cifar10: the course's CNN for CIFAR-10, two convolutions and one dense layer.

Source: the course's notebook, as printed; nothing differs but the scale, 1/255 in training and in
test, where the notebook trains on pixels over 225 by a slip. 225,610 parameters at 32x32x3 and 10
classes, the same integer as the notebook prints. Smallest image: 13x13 (a 4x4 kernel, then a 2x2
pool, twice).
"""

import keras

from tfcnn.architectures import require_size

MIN_SIZE = (13, 13)


def build(input_shape: tuple[int, int, int], num_classes: int) -> keras.Model:
    """Build the network, from pixels in [0, 255] to probabilities.

    `input_shape` is `(height, width, channels)`, at least 13x13.

    Raises:
        ValueError: if the images are smaller than `MIN_SIZE`.
    """
    require_size(input_shape, MIN_SIZE)
    return keras.Sequential(
        [
            keras.Input(input_shape, name="image"),
            keras.layers.Rescaling(1 / 255, name="rescale"),
            keras.layers.Conv2D(32, 4, activation="relu", name="conv1"),
            keras.layers.MaxPooling2D(2, name="pool1"),
            keras.layers.Conv2D(32, 4, activation="relu", name="conv2"),
            keras.layers.MaxPooling2D(2, name="pool2"),
            keras.layers.Flatten(name="flatten"),
            keras.layers.Dense(256, activation="relu", name="dense1"),
            keras.layers.Dense(num_classes, activation="softmax", dtype="float32", name="head"),
        ],
        name="course_cifar10",
    )
