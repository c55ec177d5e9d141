"""course_mnist: the course's CNN for MNIST and Fashion-MNIST, one convolution and one dense layer.

Source: the course's notebooks, as printed; nothing differs. 591,786 parameters at 28x28x1 and 10
classes, the same integer as the notebook prints. Smallest image: 5x5 (a 4x4 kernel, then a 2x2
pool).
"""

import keras

from tfcnn.architectures import require_size

MIN_SIZE = (5, 5)


def build(input_shape: tuple[int, int, int], num_classes: int) -> keras.Model:
    """Build the network, from pixels in [0, 255] to probabilities.

    `input_shape` is `(height, width, channels)`, at least 5x5.

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
            keras.layers.Flatten(name="flatten"),
            keras.layers.Dense(128, activation="relu", name="dense1"),
            keras.layers.Dense(num_classes, activation="softmax", dtype="float32", name="head"),
        ],
        name="course_mnist",
    )
