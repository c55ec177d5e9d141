"""pretrained: a backbone of keras.applications with its own preprocessing inside and a new head.

Papers: those of the backbones, named in keras.io/api/applications; the default is MobileNetV2
(Sandler et al., CVPR 2018, tables 2 and 4).
Built: the backbone without its classifier, its average over all positions, dropout, head. What its
`preprocess_input` does to pixels is written as plain layers, so that the saved model takes pixels
in [0, 255]; grey images are repeated to three channels.
Parameters of the default at 1000 classes: 3,538,984, in the paper 3.4 million. Smallest image: that
of the backbone, 32x32 for the default.
"""

import contextlib
import inspect
import re
import sys
import textwrap
import warnings
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np

from tfcnn.base.errors import InputError, UnfitValueError

MIN_SIZE = (32, 32)  # of the default backbone
# the sides that backbones learnt from, in px; None: any other
IMAGE_SIDES = (
    "backbone",
    {
        "InceptionV3": 299, "InceptionResNetV2": 299, "Xception": 299, "NASNetLarge": 331,
        "EfficientNetB1": 240, "EfficientNetB2": 260, "EfficientNetB3": 300,
        "EfficientNetB4": 380, "EfficientNetB5": 456, "EfficientNetB6": 528,
        "EfficientNetB7": 600, "EfficientNetV2B1": 240, "EfficientNetV2B2": 260,
        "EfficientNetV2B3": 300, "EfficientNetV2S": 384, "EfficientNetV2M": 480,
        "EfficientNetV2L": 480, None: 224,
    },
)  # fmt: skip
ORIGIN = "ImageNet, 1.28 million photographs of 1,000 kinds of things and animals"


def build(
    input_shape: tuple[int, int, int],
    num_classes: int,
    *,
    backbone: str = "MobileNetV2",
    weights: str | None = "imagenet",
    dropout: float = 0.2,
) -> keras.Model:
    """Build the network.

    Args:
        input_shape: `(height, width, channels)`, 1 or 3 channels.
        num_classes: outputs of the softmax.
        backbone: name of a function of `keras.applications`, such as "ResNet50".
        weights: "imagenet" (Keras' cache, else its download), the path of a local `.weights.h5`,
            `.h5` or `.keras` file of this backbone without its top, or None or "none" for random.
        dropout: share of the features dropped in training.

    Returns:
        A model from pixels in [0, 255] to probabilities.

    Raises:
        InputError: if there is no such backbone, or its weights do not load or do not fit.
        UnfitValueError: if the images are too small, or have neither 1 nor 3 channels.
    """
    if input_shape[2] not in (1, 3):
        raise UnfitValueError("images of 1 or 3 channels", str(input_shape[2]))
    application = _application(backbone)
    inputs = keras.Input(input_shape, name="image")
    x = keras.layers.Rescaling(1 / 255, name="rescale")(inputs)
    if input_shape[2] == 1:
        x = keras.layers.Concatenate(name="grey_to_rgb")([x, x, x])
    base = _load(application, _preprocess(x, application), weights)
    x = keras.layers.Dropout(dropout, name="dropout")(base.output)
    head = keras.layers.Dense(num_classes, activation="softmax", dtype="float32", name="head")
    return keras.Model(inputs, head(x), name="pretrained")


def _application(backbone: str) -> Callable[..., keras.Model]:
    functions = dict(inspect.getmembers(keras.applications, inspect.isfunction))
    if backbone not in functions:
        expected = f"one of {', '.join(functions)}"
        raise InputError("network pretrained, option backbone", expected, backbone, "ResNet50")
    return functions[backbone]


def _preprocess(x: keras.KerasTensor, application: Callable[..., keras.Model]) -> keras.KerasTensor:
    """Apply a backbone's `preprocess_input` as layers, derived from its results for four pixels.

    Each of them is a scale and an offset per channel, some after turning RGB into BGR.
    """
    black_and_primaries = np.vstack([np.zeros(3), 255 * np.eye(3)]).reshape(4, 1, 1, 3)
    preprocess_input = sys.modules[application.__module__].preprocess_input
    offset, *primaries = np.reshape(preprocess_input(black_and_primaries), (4, 3))
    scales = np.stack(primaries) - offset
    if scales[0, 0] == 0:
        x = keras.ops.flip(x, axis=-1)
        scales = scales[::-1]
    return keras.layers.Rescaling(np.diag(scales).tolist(), offset.tolist(), name="preprocess")(x)


def _load(
    application: Callable[..., keras.Model], x: keras.KerasTensor, weights: str | None
) -> keras.Model:
    """Return the backbone on top of `x`, in one flat graph with it."""
    path = None if weights in (None, "none", "imagenet") else Path(weights).expanduser()
    if path and not path.is_file():
        raise InputError(path, "a file of weights", "no such file", "its full path")
    arguments = {"input_tensor": x, "input_shape": tuple(x.shape[1:])}
    arguments["weights"] = "imagenet" if weights == "imagenet" else None
    try:
        with contextlib.redirect_stdout(sys.stderr), warnings.catch_warnings():
            # Keras warns where its weights come from another image size: averages fit any.
            warnings.filterwarnings("ignore", message="`input_shape` is undefined")
            # It lists in hundreds of lines what a file lacks, before an error that says the same.
            warnings.filterwarnings("ignore", message="Skipping nested container")
            base = application(include_top=False, pooling="avg", **arguments)
            if path:
                base.load_weights(path)
    except Exception as error:
        if smallest := re.search(r"must be at least (\d+x\d+)", str(error)):
            received = f"{x.shape[1]}x{x.shape[2]}"
            raise UnfitValueError(f"images of at least {smallest[1]}", received) from error
        if weights is None or weights == "none":
            raise
        raise _no_weights(application.__name__, weights, error) from error
    return base


def _no_weights(backbone: str, weights: str, error: Exception) -> InputError:
    """Return the error for weights that do not load; Keras' message names file or address."""
    return InputError(
        f"weights {weights!r} of {backbone}",
        f"weights of {backbone} without its top, with the same names and shapes",
        textwrap.shorten(str(error), 300),
        "the option weights=PATH with a local .weights.h5, .h5 or .keras file",
    )
