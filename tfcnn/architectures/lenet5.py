"""lenet5: LeCun et al. 1998, the network that read cheques, with its sparse third layer.

Paper: LeCun, Bottou, Bengio, Haffner, "Gradient-based learning applied to document recognition",
Proceedings of the IEEE 86(11), 1998, section II.B, figure 2 and table I.
Built: C1 6@5x5, S2, C3 16@5x5 whose maps see 3, 4 or 6 of the maps of S2 (table I), S4, C5 120@5x5,
F6 84, head.
Differs: plain average pooling (the paper's has a trained coefficient and bias per map), tanh
without the factors 1.7159 and 2/3, softmax instead of radial basis functions on fixed bitmaps,
pixels in [0, 1] instead of [-0.1, 1.175].
60,806 parameters at 32x32x1 and 10 classes, 61,706 with `connections="full"`. The paper's 60,000 is
this less the head (850), plus the coefficients and biases of S2 and S4 (44). Images from 28x28 are
padded with zeros to 32x32. Smallest image: 28x28.
"""

from typing import Literal

import keras

from tfcnn.architectures import require_size

MIN_SIZE = (28, 28)

FIELD = 32  # side of the paper's input, into which digits of 28x28 are centred

CONNECTIONS: tuple[tuple[int, ...], ...] = (
    *((0, 1, 2), (1, 2, 3), (2, 3, 4), (3, 4, 5), (0, 4, 5), (0, 1, 5)),
    *((0, 1, 2, 3), (1, 2, 3, 4), (2, 3, 4, 5), (0, 3, 4, 5), (0, 1, 4, 5), (0, 1, 2, 5)),
    *((0, 1, 3, 4), (1, 2, 4, 5), (0, 2, 3, 5)),
    (0, 1, 2, 3, 4, 5),
)
"""Table I of the paper: the maps of S2 that each of the 16 maps of C3 sees."""


def build(
    input_shape: tuple[int, int, int],
    num_classes: int,
    *,
    connections: Literal["sparse", "full"] = "sparse",
    activation: Literal["tanh", "relu"] = "tanh",
) -> keras.Model:
    """Build the network.

    Args:
        input_shape: `(height, width, channels)`, at least 28x28.
        num_classes: outputs of the softmax.
        connections: of C3 to S2: those of the paper's table I, or all.
        activation: after each convolution and dense layer.

    Returns:
        A model from pixels in [0, 255] to probabilities.

    Raises:
        ValueError: if the images are smaller than `MIN_SIZE`.
    """
    require_size(input_shape, MIN_SIZE)
    inputs = keras.Input(input_shape, name="image")
    x = keras.layers.Rescaling(1 / 255, name="rescale")(inputs)
    missing = [max(0, FIELD - side) for side in input_shape[:2]]
    if any(missing):
        margins = tuple((total // 2, total - total // 2) for total in missing)
        x = keras.layers.ZeroPadding2D(margins, name="pad")(x)
    x = keras.layers.Conv2D(6, 5, activation=activation, name="conv1")(x)
    x = keras.layers.AveragePooling2D(2, name="pool1")(x)
    x = _sparse_conv2(x) if connections == "sparse" else keras.layers.Conv2D(16, 5, name="conv2")(x)
    x = keras.layers.Activation(activation, name="activation2")(x)
    x = keras.layers.AveragePooling2D(2, name="pool2")(x)
    x = keras.layers.Conv2D(120, 5, activation=activation, name="conv3")(x)
    x = keras.layers.Flatten(name="flatten")(x)
    x = keras.layers.Dense(84, activation=activation, name="dense1")(x)
    head = keras.layers.Dense(num_classes, activation="softmax", dtype="float32", name="head")
    return keras.Model(inputs, head(x), name="lenet5")


def _sparse_conv2(x: keras.KerasTensor) -> keras.KerasTensor:
    """Convolve each of the 16 choices of maps separately, so that others have no weights at all."""
    maps = keras.ops.split(x, 6, axis=-1)
    outputs = []
    for i, chosen in enumerate(CONNECTIONS):
        inputs = keras.layers.Concatenate(name=f"maps2_{i}")([maps[m] for m in chosen])
        outputs.append(keras.layers.Conv2D(1, 5, name=f"conv2_{i}")(inputs))
    return keras.layers.Concatenate(name="conv2")(outputs)
