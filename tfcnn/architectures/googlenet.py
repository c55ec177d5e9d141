"""googlenet: Szegedy et al. 2014, 22 layers of inception blocks (Inception v1).

Paper: Szegedy et al., "Going deeper with convolutions", CVPR 2015 (arXiv 1409.4842), table 1,
figures 2b and 3.
Built: table 1, convolutions with biases; average over all positions, dropout .4, head.
Differs: no local response normalisation (as in `alexnet`), pixels in [0, 1] without the mean
subtracted, He's initial weights; `batch_norm=True` puts batch normalisation (Ioffe and Szegedy
2015) in place of the biases, and then it trains without tricks.
The two auxiliary classifiers of figure 3 (`auxiliary=True`) help training only: the model then has
three outputs, `head` first, whose losses count as in `LOSS_WEIGHTS`, each against the same labels;
`without_auxiliary` gives the network that is saved and used, with the same weights.
6,998,552 parameters at 1000 classes and any size, 13,378,280 with auxiliary classifiers (224x224),
7,020,392 with batch normalisation (7,005,832 trained); table 1 adds up to 6.8 million. Smallest
image: 32x32, with auxiliary classifiers 65x65.
"""

import keras

from tfcnn.architectures import require_size

MIN_SIZE = (32, 32)

AUXILIARY_MIN_SIZE = (65, 65)  # their 5x5 pool needs 5x5 maps at stride 16

LOSS_WEIGHTS = (1.0, 0.3, 0.3)
"""Weights of the losses of `head` and the two auxiliary classifiers (section 5)."""

BLOCKS = {  # 1x1, 3x3 reduce, 3x3, 5x5 reduce, 5x5, pool projection: table 1
    "3a": (64, 96, 128, 16, 32, 32),
    "3b": (128, 128, 192, 32, 96, 64),
    "4a": (192, 96, 208, 16, 48, 64),
    "4b": (160, 112, 224, 24, 64, 64),
    "4c": (128, 128, 256, 24, 64, 64),
    "4d": (112, 144, 288, 32, 64, 64),
    "4e": (256, 160, 320, 32, 128, 128),
    "5a": (256, 160, 320, 32, 128, 128),
    "5b": (384, 192, 384, 48, 128, 128),
}


def build(
    input_shape: tuple[int, int, int],
    num_classes: int,
    *,
    batch_norm: bool = False,
    auxiliary: bool = False,
    dropout: float = 0.4,
) -> keras.Model:
    """Build the network.

    Args:
        input_shape: `(height, width, channels)`, at least 32x32.
        num_classes: outputs of each softmax.
        batch_norm: normalise after each convolution.
        auxiliary: add the two classifiers for training; see `without_auxiliary`.
        dropout: share of the features dropped in training.

    Returns:
        A model from pixels in [0, 255] to probabilities, or to three of them.

    Raises:
        ValueError: if the images are smaller than `MIN_SIZE`, with `auxiliary` than 65x65.
    """
    require_size(input_shape, AUXILIARY_MIN_SIZE if auxiliary else MIN_SIZE)
    inputs = keras.Input(input_shape, name="image")
    x = keras.layers.Rescaling(1 / 255, name="rescale")(inputs)
    x = _conv(x, 64, 7, "conv1", batch_norm, strides=2)
    x = _pool(x, "pool1")
    x = _conv(x, 64, 1, "conv2_reduce", batch_norm)
    x = _conv(x, 192, 3, "conv2", batch_norm)
    x = _pool(x, "pool2")
    helpers: list[keras.KerasTensor] = []
    for name, widths in BLOCKS.items():
        x = _inception(x, widths, f"inception{name}", batch_norm)
        if name in ("3b", "4e"):
            x = _pool(x, f"pool{name[0]}")
        if auxiliary and name in ("4a", "4d"):
            helpers.append(_helper(x, num_classes, f"aux{len(helpers) + 1}", batch_norm))
    x = keras.layers.GlobalAveragePooling2D(name="average")(x)
    x = keras.layers.Dropout(dropout, name="dropout")(x)
    head = keras.layers.Dense(num_classes, activation="softmax", dtype="float32", name="head")(x)
    return keras.Model(inputs, [head, *helpers] if helpers else head, name="googlenet")


def without_auxiliary(model: keras.Model) -> keras.Model:
    """Return the network that ends in `head`, sharing its weights with the model given.

    Args:
        model: a model from `build`, with or without auxiliary classifiers.

    Returns:
        The model from the same images to the probabilities of `head` alone.
    """
    return keras.Model(model.input, model.get_layer("head").output, name=model.name)


def _conv(
    x: keras.KerasTensor, filters: int, kernel: int, name: str, batch_norm: bool, strides: int = 1
) -> keras.KerasTensor:
    x = keras.layers.Conv2D(
        filters,
        kernel,
        strides=strides,
        padding="same",
        use_bias=not batch_norm,
        kernel_initializer="he_normal",
        name=name,
    )(x)
    if batch_norm:
        x = keras.layers.BatchNormalization(momentum=0.9, name=f"{name}_norm")(x)
    return keras.layers.ReLU(name=f"{name}_relu")(x)


def _pool(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    return keras.layers.MaxPooling2D(3, strides=2, padding="same", name=name)(x)


def _inception(
    x: keras.KerasTensor, widths: tuple[int, ...], name: str, batch_norm: bool
) -> keras.KerasTensor:
    """Join four views of the same maps: 1x1, 3x3 and 5x5 convolutions, and a pool (figure 2b)."""
    one, three_reduce, three, five_reduce, five, projection = widths
    b1 = _conv(x, one, 1, f"{name}_1x1", batch_norm)
    b2 = _conv(x, three_reduce, 1, f"{name}_3x3_reduce", batch_norm)
    b2 = _conv(b2, three, 3, f"{name}_3x3", batch_norm)
    b3 = _conv(x, five_reduce, 1, f"{name}_5x5_reduce", batch_norm)
    b3 = _conv(b3, five, 5, f"{name}_5x5", batch_norm)
    b4 = keras.layers.MaxPooling2D(3, strides=1, padding="same", name=f"{name}_pool")(x)
    b4 = _conv(b4, projection, 1, f"{name}_projection", batch_norm)
    return keras.layers.Concatenate(name=name)([b1, b2, b3, b4])


def _helper(
    x: keras.KerasTensor, num_classes: int, name: str, batch_norm: bool
) -> keras.KerasTensor:
    """Classify from the middle of the network, to bring gradients there (section 5)."""
    x = keras.layers.AveragePooling2D(5, strides=3, name=f"{name}_pool")(x)
    x = _conv(x, 128, 1, f"{name}_conv", batch_norm)
    x = keras.layers.Flatten(name=f"{name}_flatten")(x)
    x = keras.layers.Dense(1024, activation="relu", name=f"{name}_dense")(x)
    x = keras.layers.Dropout(0.7, name=f"{name}_dropout")(x)
    head = keras.layers.Dense(
        num_classes, activation="softmax", dtype="float32", name=f"{name}_head"
    )
    return head(x)
