"""mlp: the course's ANN, 784-120-84-10, whose 105,214 parameters show why convolution pays.

Source: the course's notebook on MNIST. Variant: ReLU, two hidden layers, softmax; nothing differs
but that flattening happens inside the network. 105,214 parameters at 28x28x1 and 10 classes; the
slides say "over 100,000". Smallest image: 1x1.
"""

import keras

from tfcnn.architectures import require_size

MIN_SIZE = (1, 1)


def build(
    input_shape: tuple[int, int, int],
    num_classes: int,
    *,
    units: tuple[int, ...] = (120, 84),
) -> keras.Model:
    """Build the network.

    Args:
        input_shape: `(height, width, channels)`.
        num_classes: outputs of the softmax.
        units: width of each hidden layer.

    Returns:
        A model from pixels in [0, 255] to probabilities.

    Raises:
        ValueError: if a side of the images is shorter than one pixel.
    """
    require_size(input_shape, MIN_SIZE)
    model = keras.Sequential(name="mlp")
    model.add(keras.Input(input_shape, name="image"))
    model.add(keras.layers.Rescaling(1 / 255, name="rescale"))
    model.add(keras.layers.Flatten(name="flatten"))
    for i, width in enumerate(units, start=1):
        model.add(keras.layers.Dense(width, activation="relu", name=f"dense{i}"))
    model.add(keras.layers.Dense(num_classes, activation="softmax", dtype="float32", name="head"))
    return model
