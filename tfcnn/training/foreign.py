"""Bring any Keras classifier into the saved form: plain layers, pixels in [0, 255], a layer "head".

A model of classes of its own could not be loaded elsewhere. Its layers are therefore called one by
one, down to Keras' own, which gives the same computation as a graph of these. It is saved, loaded
in safe mode, and compared with the model itself.
"""

import contextlib
import itertools
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from scipy.special import expit, softmax

from tfcnn.base.errors import InputError

Floats = npt.NDArray[np.float32]

# (scale, offset) of pixels in [0, 255]; `imagenet` as torchvision's models take them
MEAN, SPREAD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
PIXELS: dict[str, tuple[Any, Any]] = {
    "0..255": (1.0, 0.0),
    "0..1": (1 / 255, 0.0),
    "-1..1": (1 / 127.5, -1.0),
    "imagenet": (
        [1 / (255 * spread) for spread in SPREAD],
        [-mean / spread for mean, spread in zip(MEAN, SPREAD, strict=True)],
    ),
}
TOLERANCE = 1e-5  # of a probability: what reordered sums in float32 may change
MIXED_TOLERANCE = 0.02  # of the mean, where the model computes in 16 bits
MOST_NESTED = 20
BATCH_SIZE = 32
MOST_REASON = 200  # characters of an error of a library
SMALLEST = 1e-30  # of a probability whose logarithm is taken
ACTIVATIONS = ("softmax", "sigmoid", "linear")
ADDED = ("image", "pixels", "head")  # names of the layers that the saved form adds
TO_SHARES = ("sigmoid", "hard_sigmoid", "sparse_sigmoid")  # of each unit by itself, in [0, 1]
# what may follow the last activation and changes no number
PASSING = {"Cast", "Dropout", "Flatten", "Identity", "Reshape", "Squeeze"}


@dataclass(frozen=True)
class SavedForm:
    """A classifier in its saved form.

    Attributes:
        model: from pixels in [0, 255] to probabilities, by a last layer "head".
        has_features: whether the head takes features; else it takes the model's own logits.
        is_probs: whether the model gives probabilities itself; else it gives logits.
        difference: the largest difference of a probability from the model itself.
    """

    model: Any
    has_features: bool
    is_probs: bool
    difference: float


def check(model: Any, shape: tuple[int, int, int], num_classes: int, pixels: str) -> None:
    """Refuse what is no classifier of these images.

    Args:
        model: any object.
        shape: `(height, width, channels)` of the images.
        num_classes: how many classes they have.
        pixels: a key of `PIXELS`.

    Raises:
        InputError: naming what does not fit.
    """
    if not isinstance(model, keras.Model):
        raise InputError(
            "model", "a keras.Model of Keras 3", type(model).__module__, "import keras"
        )
    if not isinstance(pixels, str) or pixels not in PIXELS:
        known = ", ".join(PIXELS)
        raise InputError("pixels", f"one of {known}", repr(pixels), "what the model was trained on")
    if pixels == "imagenet" and shape[2] != 3:
        raise InputError("pixels=imagenet", "3 channels", str(shape[2]), "channels=3")
    name = f"model {model.name}"
    takes = input_shape(model)
    if takes is not None and not all(
        one in (None, other) for one, other in zip(takes, shape, strict=True)
    ):
        size = "x".join(map(str, takes))
        raise InputError(
            name, f"images of {size} (height x width x channels)", "x".join(map(str, shape)),
            f"tfcnn.data(..., image_size={takes[:2]}, channels={takes[2]})",
        )  # fmt: skip
    _check_outputs(model, shape, num_classes, name)


def _check_outputs(model: Any, shape: tuple[int, int, int], num_classes: int, name: str) -> None:
    """Refuse a model that does not give one number per class for an image."""
    for what, values in (("input", getattr(model, "inputs", None)),
                         ("output", getattr(model, "outputs", None))):  # fmt: skip
        if values and len(values) != 1:
            hint = "a keras.Model of these alone"
            raise InputError(name, f"one {what}", str(len(values)), hint)
    size = "x".join(map(str, shape))
    try:
        outputs = np.asarray(model(np.zeros((1, *shape), np.float32), training=False))
    except Exception as error:  # whatever somebody's layers raise
        raise InputError(
            name, f"a model of {size} images", in_one_line(error), "another image_size"
        ) from error
    wanted = {(1, num_classes), (1, 1)} if num_classes == 2 else {(1, num_classes)}
    if outputs.shape not in wanted:
        raise InputError(
            name, f"{num_classes} outputs, one per class", f"outputs of shape {outputs.shape[1:]}",
            "the source it was trained on",
        )  # fmt: skip


def input_shape(model: Any) -> tuple[int | None, int | None, int | None] | None:
    """Return the `(height, width, channels)` that a model takes, None where it does not say."""
    shape = getattr(model, "input_shape", None) if getattr(model, "inputs", None) else None
    if not isinstance(shape, tuple) or len(shape) != 4:
        return None
    return shape[1], shape[2], shape[3]


def saved_form(model: Any, sample: npt.NDArray[np.uint8], pixels: str) -> SavedForm:
    """Return a model in its saved form, at temperature 1.

    Args:
        model: that `check` lets through; it stays as it is.
        sample: uint8 `(images, height, width, channels)`, on which both are compared.
        pixels: a key of `PIXELS`.

    Raises:
        InputError: if its outputs are no probabilities and no logits, if it cannot be called layer
            by layer, or if a file cannot hold it without code.
    """
    name = f"model {model.name}"
    outputs = outputs_of(model, scaled(sample, pixels))
    if not np.isfinite(outputs).all():
        raise InputError(name, "numbers", "NaN or infinity", "another pixels=..., or its weights")
    with _untouched(model):
        try:
            plain = _reloaded(_unrolled(model, sample.shape[1:], pixels))
            outputs_of(plain, sample[:1].astype(np.float32))
        except Exception as error:  # whatever somebody's layers, or Keras' reader, raise
            raise InputError(
                name, "Keras' own layers and functions, whatever calls them", in_one_line(error),
                "keras.ops in place of tf functions, and no functions of your own as activations",
            ) from error  # fmt: skip
    expected, is_probs = _probs(outputs, _activation(plain.outputs[0]), name)
    ended, has_features = _with_head(_in_float32(plain), is_probs, name)
    difference = np.abs(outputs_of(ended, sample.astype(np.float32)) - expected)
    computed_in = {layer.compute_dtype for layer in [model, *model._flatten_layers()]}
    is_mixed = not computed_in.isdisjoint(("float16", "bfloat16"))
    found, most = (difference.mean(), MIXED_TOLERANCE) if is_mixed else (
        difference.max(), TOLERANCE,
    )  # fmt: skip
    if not found <= most:
        raise InputError(
            name, f"the same answers from its layers, called one by one, within {most:g}",
            f"a difference of {found:.2g}", "a model whose call depends on its input alone",
        )  # fmt: skip
    return SavedForm(ended, has_features, is_probs, float(difference.max()))


def outputs_of(model: Any, images: Floats) -> Floats:
    """Return a model's outputs, float32 `(images, outputs)`, a few images at a time.

    `predict` would be traced for every model anew, and TensorFlow complains of that.
    """
    parts = np.array_split(images, -(-len(images) // BATCH_SIZE))
    return np.concatenate([np.asarray(model(part, training=False)) for part in parts])


def in_one_line(error: Exception) -> str:
    """Return an error of a library in one line."""
    text = " ".join(f"{type(error).__name__}: {error}".split())
    return text if len(text) <= MOST_REASON else f"{text[:MOST_REASON]} ..."


def reordered(model: Any, order: Sequence[int]) -> Any:
    """Let a saved form give its classes in another order.

    Args:
        model: whose head is changed in place.
        order: for each class the number of the output that was for it.
    """
    head = model.get_layer("head")
    kernel, bias = head.get_weights()
    if kernel.shape[1] > 1:
        head.set_weights([kernel[:, list(order)], bias[list(order)]])
    elif list(order) == [1, 0]:  # 1 - sigmoid(x) is sigmoid(-x)
        head.set_weights([-kernel, -bias])
    return model


def scaled(images: npt.NDArray[np.uint8], pixels: str) -> Floats:
    """Return pixels in [0, 255] as a model takes them, by a key of `PIXELS`."""
    scale, offset = PIXELS[pixels]
    return np.asarray(images * np.float32(scale) + np.float32(offset), np.float32)


def _probs(outputs: Floats, activation: str | None, name: str) -> tuple[Floats, bool]:
    """Return a model's probabilities, and whether it gives them itself: else it gives logits.

    Args:
        outputs: float32 `(images, outputs)`, of the model itself.
        activation: that it ends in; None where that is not known: then the numbers decide.
        name: of the model.
    """
    is_share = bool(((outputs >= 0) & (outputs <= 1)).all())
    if outputs.shape[1] == 1:
        is_probs = is_share and activation in (*TO_SHARES, None)
        return (outputs if is_probs else expit(outputs)), is_probs
    if activation in TO_SHARES:
        raise InputError(
            name, "probabilities that sum to 1", f"{outputs.shape[1]} sigmoid units",
            "a softmax, as an image has one class",
        )  # fmt: skip
    if is_share and np.allclose(outputs.sum(axis=1), 1, atol=1e-3):
        return outputs, True
    return np.asarray(softmax(outputs, axis=1)), False


def _activation(output: Any) -> str | None:
    """Return the activation that a graph of Keras' own layers ends in, None for another end.

    It may be that of a layer, a layer by itself, or an operation such as `keras.ops.sigmoid`.
    """
    operation = output._keras_history.operation
    while type(operation).__name__ in PASSING:
        operation = operation.input._keras_history.operation
    if function := getattr(operation, "activation", None):
        return str(function.__name__)
    names = {name.replace("_", ""): name for name in dir(keras.activations)}
    return names.get(type(operation).__name__.lower())


def _unrolled(model: Any, shape: tuple[int, ...], pixels: str) -> Any:
    """Return a model as a graph of Keras' own layers and operations, scaling in front of it."""
    image = keras.Input(shape, name="image")
    scale, offset = PIXELS[pixels]
    inputs = image
    if pixels != "0..255":
        inputs = keras.layers.Rescaling(scale, offset, name="pixels", dtype="float32")(image)
    whole = keras.Model(image, model.call(inputs), name=model.name)
    for _ in range(MOST_NESTED):
        if all(_is_plain(layer) for layer in whole.layers):
            break
        whole = keras.models.clone_model(
            whole, clone_function=lambda layer: layer, call_function=_expanded
        )
    return whole


def _expanded(layer: Any, *arguments: Any, **named: Any) -> Any:
    return layer(*arguments, **named) if _is_plain(layer) else layer.call(*arguments, **named)


def _is_plain(layer: Any) -> bool:
    """Say whether a layer is one of Keras' own, which a file can hold without code."""
    is_own = type(layer).__module__.startswith("keras.")
    return is_own and not isinstance(layer, keras.Model | keras.layers.Lambda)


def _reloaded(whole: Any) -> Any:
    """Return a model as a file gives it back in safe mode."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        whole.save(path)
        return keras.saving.load_model(path, compile=False)


def _in_float32(model: Any) -> Any:
    """Return a model that computes in float32; one that does already stays as it is."""
    policies = {layer.dtype_policy.compute_dtype for layer in model.layers if layer.weights}
    if policies <= {"float32"}:
        return model

    def clone(layer: Any) -> Any:
        return type(layer).from_config({**layer.get_config(), "dtype": "float32"})

    copy = keras.models.clone_model(model, clone_function=clone)
    copy.set_weights(model.get_weights())
    return copy


def _with_head(model: Any, is_probs: bool, name: str) -> tuple[Any, bool]:
    """Return a model that ends in a Dense layer "head" of probabilities, and what that takes.

    Returns:
        The model, and whether the head takes features. Where the model does not end in a Dense
        layer, the head takes its logits and leaves them as they are.
    """
    output = model.outputs[0]
    units = output.shape[-1]
    activation = "sigmoid" if units == 1 else "softmax"
    dense = _last_dense(output)
    if dense is not None:
        features, weights = dense.input, dense.get_weights()
        if len(weights) == 1:  # without a bias
            weights.append(np.zeros(units, np.float32))
    else:
        features = output
        if is_probs:
            share = keras.ops.maximum(output, SMALLEST)
            features = keras.ops.log(share)
            if units == 1:
                features -= keras.ops.log(keras.ops.maximum(1 - output, SMALLEST))
        weights = [np.eye(units, dtype=np.float32), np.zeros(units, np.float32)]
    if len(features.shape) != 2 or None in features.shape[1:]:
        raise InputError(name, "features of shape (features,)", str(features.shape[1:]), "Flatten")
    head = keras.layers.Dense(units, activation=activation, name="head", dtype="float32")
    ended = keras.Model(model.inputs[0], head(features), name=model.name)
    head.set_weights(weights)
    return ended, dense is not None


def _last_dense(output: Any) -> Any | None:
    """Return the Dense layer that a model ends in, with an activation in it or after it."""
    layer = output._keras_history.operation
    names = []
    while not isinstance(layer, keras.layers.Dense):
        if isinstance(layer, keras.layers.Softmax):
            names.append("softmax")
        elif isinstance(layer, keras.layers.Activation):
            names.append(layer.activation.__name__)
        else:
            return None
        layer = layer.input._keras_history.operation
    names.append(layer.activation.__name__)
    real = [one for one in names if one != "linear"]
    return layer if len(real) <= 1 and set(real) <= set(ACTIVATIONS) else None


@contextlib.contextmanager
def _untouched(model: Any) -> Iterator[None]:
    """Let a model's layers be called, and forget it afterwards: they keep their one output.

    TensorFlow's activations, such as `tf.nn.relu`, are Keras' of the same name meanwhile. No two
    parts of it share a name, and none has that of a part which the saved form adds.
    """
    layers = [model, *model._flatten_layers()]
    kept = [(list(one._inbound_nodes), list(one._outbound_nodes)) for one in layers]
    replaced = {layer: layer.activation for layer in layers if _of_tensorflow(layer)}
    for layer, function in replaced.items():
        layer.activation = keras.activations.get(function.__name__.removesuffix("_v2"))
    names = _own_names(layers)
    try:
        yield
    finally:
        for operation, name in names.items():
            operation.name = name
        for layer, function in replaced.items():
            layer.activation = function
        for layer, (inbound, outbound) in zip(layers, kept, strict=True):
            layer._inbound_nodes[:], layer._outbound_nodes[:] = inbound, outbound


def _own_names(layers: Sequence[Any]) -> dict[Any, str]:
    """Give every layer and operation a name that no other has, and return those they had."""
    inner = [one for layer in layers for one in getattr(layer, "_operations", ())]
    names = {operation: operation.name for operation in (*layers, *inner)}
    taken = set(ADDED)
    for operation, name in names.items():
        numbered = (f"{name}_{i}" for i in itertools.count(1))
        operation.name = next(one for one in itertools.chain([name], numbered) if one not in taken)
        taken.add(operation.name)
    return names


def _of_tensorflow(layer: Any) -> bool:
    """Say whether a layer's activation is a function of TensorFlow that Keras has too."""
    function = getattr(layer, "activation", None)
    name = getattr(function, "__name__", "").removesuffix("_v2")
    is_own = getattr(function, "__module__", "").startswith("tensorflow.")
    return is_own and hasattr(keras.activations, name)
