"""speedrun: ours for CIFAR-10, after airbench94: a whitening stem and three pairs of layers.

Paper: Jordan, "94% on CIFAR-10 in 3.29 seconds on a single GPU" (2024, arXiv 2404.00498), section
3, which has about 1.97 million parameters; the whitening follows Page, "How to train your ResNet"
(2018).
Built: a frozen convolution that whitens patches of 2x2 pixels, by both signs of every component;
three groups of convolution, pooling, BatchNorm, GELU, convolution, BatchNorm, GELU; the maximum
over all positions; head, whose weights start near 0. BatchNorm shifts and does not scale.
Differs: ReLU instead of GELU, and no bias, after the whitening; the head has a bias.
`initialize` sets the whitening from training images and lets the first filters of each convolution
pass their input on (section 3.2).
Parameters: 1,973,930 at 3 channels and 10 classes. Smallest image: 9x9.
"""

from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from tfcnn.architectures import require_size

MIN_SIZE = (9, 9)

PATCH = 2
EPSILON = 5e-4  # of the paper's code: how much of an eigenvalue counts as noise
PLACES_AT_ONCE = 6_000_000  # of patches: .5 GB; 5,000 images of CIFAR-10 have 5,120,000 pixels
SCALE = 1 / 64  # pixels over roughly their standard deviation in photographs


def build(
    input_shape: tuple[int, int, int],
    num_classes: int,
    *,
    widths: tuple[int, ...] = (64, 256, 256),
) -> keras.Model:
    """Build the network.

    Args:
        input_shape: `(height, width, channels)`, at least 9x9.
        num_classes: outputs of the softmax.
        widths: filters of each pair of layers.

    Returns:
        A model from pixels in [0, 255] to probabilities.

    Raises:
        ValueError: if the images are too small.
    """
    smallest = 2 ** len(widths) + PATCH - 1
    require_size(input_shape, (smallest, smallest))
    model = keras.Sequential(name="speedrun")
    model.add(keras.Input(input_shape, name="image"))
    model.add(keras.layers.Rescaling(SCALE, offset=-127.5 * SCALE, name="rescale"))
    filters = 2 * input_shape[2] * PATCH**2
    model.add(keras.layers.Conv2D(filters, PATCH, use_bias=False, trainable=False, name="whiten"))
    model.add(keras.layers.ReLU(name="whiten_relu"))
    for i, width in enumerate(widths, start=1):
        for part in "ab":
            model.add(_convolution(width, f"conv{i}{part}"))
            if part == "a":
                model.add(keras.layers.MaxPooling2D(name=f"pool{i}"))
            # a short training has few steps in which the moving averages can follow
            norm = keras.layers.BatchNormalization(
                momentum=0.6, epsilon=1e-5, scale=False, name=f"norm{i}{part}"
            )
            model.add(norm)
            model.add(keras.layers.Activation("gelu", name=f"gelu{i}{part}"))
    model.add(keras.layers.GlobalMaxPooling2D(name="greatest"))
    # the maxima are large: a head with usual weights would start with extreme probabilities
    start = keras.initializers.RandomNormal(stddev=0.001)
    head = keras.layers.Dense(
        num_classes, activation="softmax", kernel_initializer=start, dtype="float32", name="head"
    )
    model.add(head)
    return model


def initialize(model: Any, images: npt.NDArray[np.uint8]) -> None:
    """Set the weights that are not random, before the first step.

    Args:
        model: the network, or its training form; changed in place.
        images: some thousand training images, uint8 `(images, height, width, channels)`.
    """
    whiten = model.get_layer("whiten")
    whiten.set_weights([whitening(images, whiten.kernel.shape[0])])
    for layer in model.layers:
        if isinstance(layer, keras.layers.Conv2D) and layer is not whiten:
            kernel = np.array(layer.get_weights()[0])
            middle, num_identity = kernel.shape[0] // 2, min(kernel.shape[2:])
            kernel[..., :num_identity] = 0
            kernel[middle, middle, :num_identity, :num_identity] = np.eye(num_identity)
            layer.set_weights([kernel])


def whitening(images: npt.NDArray[np.uint8], patch: int) -> npt.NDArray[np.float32]:
    """Return filters whose responses to patches of these images are uncorrelated.

    Args:
        images: uint8 `(images, height, width, channels)`.
        patch: height and width of a patch in px.

    Returns:
        float32 `(patch, patch, channels, filters)`: the eigenvectors of the patches' covariance
        over the root of their eigenvalues, then the same with the other sign.
    """
    count, height, width, channels = images.shape
    size = patch * patch * channels
    sums, places = np.zeros((size, size), np.float32), count * height * width
    for part in np.array_split(images, -(-places // PLACES_AT_ONCE)):
        windows = np.lib.stride_tricks.sliding_window_view(part, (patch, patch), axis=(1, 2))
        flat = windows.transpose(0, 1, 2, 4, 5, 3).reshape(-1, size)
        pixels = (flat.astype(np.float32) - 127.5) * SCALE
        sums += pixels.T @ pixels
    total = count * (height - patch + 1) * (width - patch + 1)
    values, vectors = np.linalg.eigh(sums / total)
    filters = vectors / np.sqrt(values + EPSILON)
    both = np.concatenate([filters, -filters], axis=1)
    kernel: npt.NDArray[np.float32] = both.reshape(patch, patch, channels, -1).astype(np.float32)
    return kernel


def _convolution(width: int, name: str) -> keras.layers.Layer:
    start = keras.initializers.VarianceScaling(1 / 3, "fan_in", "uniform")
    return keras.layers.Conv2D(
        width, 3, padding="same", use_bias=False, kernel_initializer=start, name=name
    )
