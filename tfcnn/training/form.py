"""Two forms of one network: a fast one to train, a plain one to keep.

The training form has the same weights in the same order, but computes under mixed precision, with
the faster layers of `layers`, and ends in logits. The saved form is what `build` returns: plain
Keras layers in float32 that any Keras can load. Where a recipe asks for it, the saved form looks at
several views of an image and averages what it sees.
"""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfcnn import architectures
from tfcnn.base.errors import TfcnnError
from tfcnn.recipes import ModelSettings
from tfcnn.training.layers import (
    AllInTraining,
    FasterConv2D,
    FusedBatchNormalization,
    TwoLogits,
    gelu,
)


def training_form(
    settings: ModelSettings, input_shape: tuple[int, int, int], num_classes: int, policy: str
) -> Any:
    """Build a network to train: under `policy`, with fused batch norm, ending in logits.

    A network with auxiliary classifiers gives all their logits in training, see `AllInTraining`.
    """
    previous = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        plain = architectures.build(settings.network, input_shape, num_classes, settings.options)
        model = keras.models.clone_model(plain, clone_function=_faster)
        model.set_weights(plain.get_weights())
        if model.output_shape[-1] == 1:  # under the policy too: Keras scales the loss by it
            outputs = TwoLogits(dtype="float32")(model.outputs[0])
            model = keras.Model(model.inputs[0], outputs, name=model.name)
        if len(model.outputs) > 1:
            outputs = AllInTraining(dtype="float32")(model.outputs)
            model = keras.Model(model.inputs[0], outputs, name=model.name)
    finally:
        keras.config.set_dtype_policy(previous)
    return model


def plain(settings: ModelSettings, input_shape: tuple[int, int, int], num_classes: int) -> Any:
    """Build the plain float32 network, with the weights it begins from."""
    previous = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float32")
    try:
        return architectures.build(settings.network, input_shape, num_classes, settings.options)
    finally:
        keras.config.set_dtype_policy(previous)


def saved_form(
    settings: ModelSettings,
    input_shape: tuple[int, int, int],
    num_classes: int,
    weights: list[np.ndarray[Any, Any]],
) -> Any:
    """Build the plain float32 network with trained weights.

    Raises:
        TfcnnError: if the weights are not those of this network.
    """
    model = _unlearnt(settings, input_shape, num_classes)
    shapes = [weight.shape for weight in model.get_weights()]
    if shapes != [weight.shape for weight in weights]:
        raise TfcnnError(
            settings.network, f"weights of shapes {shapes}", "others", "reporting this as a bug"
        )
    model.set_weights(weights)
    if len(model.outputs) > 1:  # auxiliary classifiers have done their work
        model = architectures.part(settings.network, "without_auxiliary")(model)
    return model


def _unlearnt(settings: ModelSettings, input_shape: tuple[int, int, int], num_classes: int) -> Any:
    """Build the plain network without the weights it begins from: trained ones are put in."""
    if architectures.is_backbone(settings.network):
        options = {**settings.options, "weights": "none"}
        settings = settings.model_copy(update={"options": options})
    return plain(settings, input_shape, num_classes)


def training_weights(
    settings: ModelSettings,
    input_shape: tuple[int, int, int],
    num_classes: int,
    saved: Any,
    temperature: float,
) -> list[np.ndarray[Any, Any]] | None:
    """Return the weights of a model in its saved form as the training form has them.

    Args:
        settings: what was built.
        input_shape: `(height, width, channels)`.
        num_classes: how many there are.
        saved: the model; of whatever views.
        temperature: that is folded into its head, and is taken out again: the loss sees the logits
            that were trained.

    Returns:
        The weights in order; None where the network has heads that were not saved.
    """
    model = _unlearnt(settings, input_shape, num_classes)
    if len(model.outputs) > 1:
        return None
    layers = {layer.name: layer for layer in saved._flatten_layers()}
    for layer in model.layers:
        layer.set_weights(layers[layer.name].get_weights() if layer.weights else [])
    fold_temperature(model, 1 / temperature)
    weights: list[np.ndarray[Any, Any]] = model.get_weights()
    return weights


def as_computed(weights: list[np.ndarray[Any, Any]], policy: str) -> list[np.ndarray[Any, Any]]:
    """Return trained weights with the kernels of convolutions as the training form used them.

    Under `mixed_bfloat16` it rounds them to 8 bits before it multiplies; the saved form, in
    float32, is then the same network, and half of its file is zeros that compress away.
    """
    if policy != "mixed_bfloat16":
        return weights
    return [
        tf.cast(tf.cast(weight, tf.bfloat16), weight.dtype).numpy() if weight.ndim == 4 else weight
        for weight in weights
    ]


def fold_temperature(model: Any, temperature: float) -> None:
    """Divide the logits of a saved form by `temperature`, without a layer for it.

    Dividing the head's kernel and bias is temperature scaling.
    """
    head = model.get_layer("head")
    head.set_weights([weight / temperature for weight in head.get_weights()])


def _faster(layer: Any) -> Any:
    config = layer.get_config()
    if layer.name.endswith("head"):
        config["activation"] = "linear"  # the loss takes logits: exact where a softmax saturates
    if type(layer) is keras.layers.BatchNormalization:
        config["synchronized"] = tf.distribute.get_strategy().num_replicas_in_sync > 1
        return FusedBatchNormalization.from_config(config)
    if tf.config.list_physical_devices("GPU"):  # what follows helps CPUs
        return type(layer).from_config(config)
    if type(layer) is keras.layers.Activation and config["activation"] == "gelu":
        config["activation"] = gelu
    if type(layer) is keras.layers.Conv2D:
        return FasterConv2D.from_config(config)
    return type(layer).from_config(config)


def _mirrored(images: Any) -> list[Any]:
    return [images, keras.ops.flip(images, axis=2)]


def _turned(images: Any) -> list[Any]:
    """Return the eight turns and mirror images of square images."""
    several = []
    for view in _mirrored(images):
        half_turned = keras.ops.flip(view, axis=(1, 2))
        both = [view, half_turned]
        several += both + [keras.ops.transpose(one, (0, 2, 1, 3)) for one in both]
    return several


def _shifted(images: Any) -> list[Any]:
    """Return mirror images, which count twice, and moved by a pixel either way (airbench's)."""
    padded = keras.ops.pad(images, [[0, 0], [1, 1], [1, 1], [0, 0]], mode="reflect")
    corners = [((0, 2), (0, 2)), ((2, 0), (2, 0))]
    moved = [keras.layers.Cropping2D(corner)(padded) for corner in corners]
    return 2 * _mirrored(images) + [view for each in moved for view in _mirrored(each)]


VIEWS = {"mirrored": _mirrored, "turned": _turned, "shifted": _shifted}


def averaged(model: Any, views: str) -> Any:
    """Return a model that averages the features of several views of an image.

    The head is linear, so this averages the logits, and a temperature is folded into the head as
    in any other model.

    Args:
        model: in its saved form, with a last layer "head".
        views: a key of `VIEWS`.

    Returns:
        A model of plain Keras layers with the same input and output.
    """
    head = model.get_layer("head")
    trunk = keras.Model(model.inputs, head.input, name=f"{model.name}_trunk")
    images = keras.Input(model.input_shape[1:], name="image")
    several = VIEWS[views](images)
    distinct = {id(view): view for view in several}  # one that counts twice is computed once
    features_of = {key: trunk(view) for key, view in distinct.items()}
    features = keras.layers.Average(name="views")([features_of[id(view)] for view in several])
    new_head = type(head).from_config(head.get_config())
    whole = keras.Model(images, new_head(features), name=model.name)
    new_head.set_weights(head.get_weights())
    return whole
