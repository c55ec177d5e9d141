"""compact: what tfcnn trains from scratch: four blocks of convolution, pooling, BatchNorm, ReLU.

Pooling comes before BatchNorm and ReLU, which then run on a quarter of the pixels; a CPU trains
this faster than the usual order. 390,370 parameters at the default widths for RGB images and two
classes, at any image size: the head sees averages. Smallest image: 16x16 at the default widths.
"""

import math

import keras

from tfcnn.architectures import require_size

MIN_SIZE = (16, 16)


def build(
    input_shape: tuple[int, int, int],
    num_classes: int,
    *,
    widths: tuple[int, ...] = (32, 64, 128, 256),
    dropout: float = 0.0,
    equalize: bool = False,
) -> keras.Model:
    """Build the network.

    Args:
        input_shape: `(height, width, channels)`, each side at least 2 to the number of blocks.
        num_classes: outputs of the softmax.
        widths: filters of each block.
        dropout: share of the features dropped in training.
        equalize: whether each colour channel of each image is divided by its root mean square,
            so that light and strength of stain, which differ from slide to slide, count less.
            Where an image's overall colour tells its class, leave it off.

    Returns:
        A model from pixels in [0, 255] to probabilities.

    Raises:
        ValueError: if the images are too small for the number of blocks.
    """
    smallest = 2 ** len(widths)
    require_size(input_shape, (smallest, smallest))
    model = keras.Sequential(name="compact")
    model.add(keras.Input(input_shape, name="image"))
    if equalize:
        # each channel becomes a vector of unit length, and is then scaled to usual pixel sizes;
        # in float32, as a sum of squares needs more than the 8 bits of bfloat16
        unit = keras.layers.UnitNormalization(axis=(1, 2), dtype="float32", name="equalize")
        model.add(unit)
        scale = 0.8 * math.sqrt(input_shape[0] * input_shape[1])
        # centred on 0, where bfloat16 is most precise
        model.add(keras.layers.Rescaling(scale, -0.8, dtype="float32", name="rescale"))
    else:
        model.add(keras.layers.Rescaling(1 / 255, name="rescale"))
    for i, width in enumerate(widths, start=1):
        model.add(
            keras.layers.Conv2D(
                width,
                3,
                padding="same",
                use_bias=False,  # BatchNorm shifts
                kernel_initializer="he_normal",
                name=f"conv{i}",
            )
        )
        model.add(keras.layers.MaxPooling2D(name=f"pool{i}"))
        # a short training has few steps in which the moving averages can follow
        model.add(keras.layers.BatchNormalization(momentum=0.9, name=f"norm{i}"))
        model.add(keras.layers.ReLU(name=f"relu{i}"))
    model.add(keras.layers.GlobalAveragePooling2D(name="average"))
    if dropout:
        model.add(keras.layers.Dropout(dropout, name="dropout"))
    model.add(keras.layers.Dense(num_classes, activation="softmax", dtype="float32", name="head"))
    return model
