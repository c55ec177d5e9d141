"""resnet: He et al. 2015, residual networks for ImageNet (18, 34, 50) and CIFAR (20, 32, 56).

Paper: He, Zhang, Ren, Sun, "Deep residual learning for image recognition", CVPR 2016 (arXiv
1512.03385), table 1 (ImageNet), section 4.2 and table 6 (CIFAR).
Built: 18 and 34 of basic blocks, 50 of bottlenecks with the stride in their first 1x1 convolution,
on a 7x7 stem; 20, 32 and 56 of basic blocks on a 3x3 stem. Shortcuts as published: where the width
changes, ImageNet networks project with a 1x1 convolution (option B), CIFAR networks subsample and
pad with zero channels (option A, no parameters); the option `shortcut` takes the other.
Differs: pixels in [0, 1] without the mean subtracted; Keras' "same" padding, which at stride 2 pads
below and right first.
Parameters with moving averages of batch normalisation, in brackets those trained:
depth 18 11,699,112 (11,689,512), 34 21,814,696 (21,797,672), 50 25,610,152 (25,557,032) at 1000
classes; 20 271,098 (269,722), 32 466,426 (464,154), 56 857,082 (853,018) at 3 channels and 10
classes. The paper gives 0.27, 0.46 and 0.85 million for CIFAR (table 6) and none for ImageNet;
ResNet-50 is cited with 25.6 million. Smallest image: 4x4 for CIFAR depths, 32x32 for ImageNet's.
"""

from typing import Literal

import keras

from tfcnn.architectures import require_size

MIN_SIZE = (4, 4)  # of the default depth

IMAGENET_MIN_SIZE = (32, 32)

IMAGENET_BLOCKS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3)}  # table 1
CIFAR_BLOCKS = {20: (3, 3, 3), 32: (5, 5, 5), 56: (9, 9, 9)}  # 6n + 2 layers


def build(
    input_shape: tuple[int, int, int],
    num_classes: int,
    *,
    depth: Literal[18, 20, 32, 34, 50, 56] = 20,
    shortcut: Literal["published", "padding", "projection"] = "published",
) -> keras.Model:
    """Build the network.

    Args:
        input_shape: `(height, width, channels)`, at least 4x4 for depths 20, 32 and 56, else 32x32.
        num_classes: outputs of the softmax.
        depth: layers with weights on the longest path, projections not counted.
        shortcut: where the width changes: option A of the paper ("padding"), option B
            ("projection"), or what the paper used at this depth.

    Returns:
        A model from pixels in [0, 255] to probabilities.

    Raises:
        ValueError: if the images are too small for the depth.
    """
    cifar = depth in CIFAR_BLOCKS
    require_size(input_shape, MIN_SIZE if cifar else IMAGENET_MIN_SIZE)
    project = not cifar if shortcut == "published" else shortcut == "projection"
    inputs = keras.Input(input_shape, name="image")
    x = keras.layers.Rescaling(1 / 255, name="rescale")(inputs)
    if cifar:
        x = _conv(x, 16, 3, 1, "conv1")
    else:
        x = _conv(x, 64, 7, 2, "conv1")
        x = keras.layers.MaxPooling2D(3, strides=2, padding="same", name="pool1")(x)
    widths = (16, 32, 64) if cifar else (64, 128, 256, 512)
    counts = CIFAR_BLOCKS[depth] if cifar else IMAGENET_BLOCKS[depth]
    branch = _bottleneck if depth == 50 else _basic
    for stage, (width, count) in enumerate(zip(widths, counts, strict=True), start=2):
        for i in range(count):
            name = f"conv{stage}_{i + 1}"
            strides = 2 if stage > 2 and i == 0 else 1
            residual = branch(x, width, strides, name)
            x = _shortcut(x, residual.shape[-1], strides, name, project)
            x = keras.layers.Add(name=f"{name}_add")([x, residual])
            x = keras.layers.ReLU(name=name)(x)
    x = keras.layers.GlobalAveragePooling2D(name="average")(x)
    head = keras.layers.Dense(num_classes, activation="softmax", dtype="float32", name="head")
    return keras.Model(inputs, head(x), name=f"resnet{depth}")


def _conv(
    x: keras.KerasTensor, filters: int, kernel: int, strides: int, name: str, relu: bool = True
) -> keras.KerasTensor:
    """Convolve without bias, normalise, and rectify where asked."""
    x = keras.layers.Conv2D(
        filters,
        kernel,
        strides=strides,
        padding="same",
        use_bias=False,
        kernel_initializer="he_normal",
        name=name,
    )(x)
    x = keras.layers.BatchNormalization(momentum=0.9, name=f"{name}_norm")(x)
    return keras.layers.ReLU(name=f"{name}_relu")(x) if relu else x


def _basic(x: keras.KerasTensor, width: int, strides: int, name: str) -> keras.KerasTensor:
    x = _conv(x, width, 3, strides, f"{name}a")
    return _conv(x, width, 3, 1, f"{name}b", relu=False)


def _bottleneck(x: keras.KerasTensor, width: int, strides: int, name: str) -> keras.KerasTensor:
    x = _conv(x, width, 1, strides, f"{name}a")
    x = _conv(x, width, 3, 1, f"{name}b")
    return _conv(x, 4 * width, 1, 1, f"{name}c", relu=False)


def _shortcut(
    x: keras.KerasTensor, width: int, strides: int, name: str, project: bool
) -> keras.KerasTensor:
    """Bring the input of a block to the shape of its output, if it is not so already."""
    missing = width - x.shape[-1]
    if not missing:  # in these networks the stride changes only where the width does
        return x
    if project:
        return _conv(x, width, 1, strides, f"{name}_project", relu=False)
    if strides > 1:  # a pool of one pixel keeps every second
        x = keras.layers.MaxPooling2D(1, strides=strides, name=f"{name}_subsample")(x)
    return keras.ops.pad(x, [[0, 0], [0, 0], [0, 0], [missing // 2, missing - missing // 2]])
