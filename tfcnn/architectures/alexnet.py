"""alexnet: Krizhevsky et al. 2012, the network that won ImageNet, in its two towers.

Paper: Krizhevsky, Sutskever, Hinton, "ImageNet classification with deep convolutional neural
networks", NeurIPS 2012, section 3.5 and figure 2.
Built: five convolutions and three dense layers, overlapping 3x3 pools, dropout .5. With `groups=2`,
as published, the filters lie in two towers (one per GPU in 2012) that exchange only before conv3
and the dense layers; with `groups=1` every convolution sees all maps. Towers are layers of their
own, not grouped convolutions, which Keras runs through XLA on a CPU, over ten times slower.
Differs: no local response normalisation (Keras has no such layer, it has no parameters, and
Simonyan and Zisserman 2014, section 4.1, found no gain from it); Glorot's initial weights instead
of .01 and biases of 1; pixels in [0, 1] without the mean image subtracted. The input is 227x227:
the paper's 224 does not give its 55x55 maps.
60,965,224 parameters at 227x227x3 and 1000 classes, 62,378,344 with `groups=1`; the paper says 60
million. Smallest image: 67x67.
"""

from typing import Literal

import keras

from tfcnn.architectures import require_size

MIN_SIZE = (67, 67)


def build(
    input_shape: tuple[int, int, int],
    num_classes: int,
    *,
    groups: Literal[1, 2] = 2,
    dropout: float = 0.5,
) -> keras.Model:
    """Build the network.

    Args:
        input_shape: `(height, width, channels)`, at least 67x67.
        num_classes: outputs of the softmax.
        groups: towers, 2 as published.
        dropout: share of each hidden dense layer dropped in training.

    Returns:
        A model from pixels in [0, 255] to probabilities.

    Raises:
        ValueError: if the images are smaller than `MIN_SIZE`.
    """
    require_size(input_shape, MIN_SIZE)
    inputs = keras.Input(input_shape, name="image")
    x = keras.layers.Rescaling(1 / 255, name="rescale")(inputs)
    towers = _conv([x] * groups, 96, 11, "conv1", strides=4, padding="valid")
    towers = _conv(_pool(towers, "pool1"), 256, 5, "conv2")
    x = _merge(_pool(towers, "pool2"), "merge2")
    towers = _conv([x] * groups, 384, 3, "conv3")
    towers = _conv(towers, 384, 3, "conv4")
    x = _merge(_conv(towers, 256, 3, "conv5"), "merge5")
    x = keras.layers.MaxPooling2D(3, strides=2, name="pool5")(x)
    x = keras.layers.Flatten(name="flatten")(x)
    for i in (6, 7):
        x = keras.layers.Dense(4096, activation="relu", name=f"dense{i}")(x)
        x = keras.layers.Dropout(dropout, name=f"dropout{i}")(x)
    head = keras.layers.Dense(num_classes, activation="softmax", dtype="float32", name="head")
    return keras.Model(inputs, head(x), name="alexnet")


def _conv(
    towers: list[keras.KerasTensor],
    filters: int,
    kernel: int,
    name: str,
    strides: int = 1,
    padding: str = "same",
) -> list[keras.KerasTensor]:
    """Convolve each tower with its share of the filters."""
    return [
        keras.layers.Conv2D(
            filters // len(towers),
            kernel,
            strides=strides,
            padding=padding,
            activation="relu",
            name=layer_name,
        )(tower)
        for tower, layer_name in zip(towers, _names(name, towers), strict=True)
    ]


def _pool(towers: list[keras.KerasTensor], name: str) -> list[keras.KerasTensor]:
    pairs = zip(towers, _names(name, towers), strict=True)
    return [keras.layers.MaxPooling2D(3, strides=2, name=layer)(tower) for tower, layer in pairs]


def _merge(towers: list[keras.KerasTensor], name: str) -> keras.KerasTensor:
    return towers[0] if len(towers) == 1 else keras.layers.Concatenate(name=name)(towers)


def _names(name: str, towers: list[keras.KerasTensor]) -> list[str]:
    """Return conv1a and conv1b for two towers, conv1 for one."""
    return [name] if len(towers) == 1 else [name + "ab"[i] for i in range(len(towers))]
