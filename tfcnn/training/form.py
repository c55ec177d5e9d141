"""Two forms of one network: a fast one to train, a plain one to keep.

The training form has the same weights in the same order, but computes under mixed precision, with
TensorFlow's fused batch normalisation, on CPUs with faster convolutions and GELU of our own, and
ends in logits. The saved form is what `build` returns: plain Keras layers in float32 that any Keras
can load.
"""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfcnn import architectures
from tfcnn.base.errors import TfcnnError
from tfcnn.recipes import ModelSettings
from tfcnn.training.activation import gelu
from tfcnn.training.convolution import FasterConv2D

__all__ = [
    "AllInTraining",
    "FusedBatchNormalization",
    "TwoLogits",
    "as_computed",
    "fold_temperature",
    "saved_form",
    "training_form",
]


class FusedBatchNormalization(keras.layers.BatchNormalization):  # type: ignore[misc]
    """Keras' layer with its weights, computed by TensorFlow's fused kernel.

    On CPU a small network trains 1.6 times as fast. The moving variance follows the unbiased
    batch variance, as in every TensorFlow 1 network.
    """

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """Normalise `(batch, height, width, channels)`; see `keras.layers.BatchNormalization`."""
        if inputs.shape.rank != 4 or mask is not None:
            return super().call(inputs, training=training, mask=mask)
        training = bool(training) and self.trainable
        gamma, beta = (tf.cast(weight, tf.float32) for weight in self._affine())
        outputs, mean, variance, *_ = tf.compat.v1.nn.fused_batch_norm(
            inputs,
            gamma,
            beta,
            mean=None if training else tf.cast(self.moving_mean, tf.float32),
            variance=None if training else tf.cast(self.moving_variance, tf.float32),
            epsilon=self.epsilon,
            is_training=training,
        )[:3]
        if training:
            self._follow(self.moving_mean, mean)
            self._follow(self.moving_variance, variance)
        return tf.cast(outputs, self.compute_dtype)

    def _affine(self) -> tuple[Any, Any]:
        channels = self.moving_mean.shape
        gamma = self.gamma if self.scale else tf.ones(channels)
        return gamma, self.beta if self.center else tf.zeros(channels)

    def _follow(self, moving: Any, batch: Any) -> None:
        moving.assign(moving * self.momentum + tf.cast(batch, moving.dtype) * (1 - self.momentum))


class TwoLogits(keras.layers.Layer):  # type: ignore[misc]
    """Turns the logit of a one-unit sigmoid head into two, so that every network has one loss."""

    def call(self, inputs: Any) -> Any:
        """Map `(batch, 1)` to `(batch, 2)`: softmax over (0, z) is (1 - sigmoid(z), sigmoid(z))."""
        return tf.concat([tf.zeros_like(inputs), inputs], axis=-1)


class AllInTraining(keras.layers.Layer):  # type: ignore[misc]
    """Hands on the logits of all heads in training, of the first alone afterwards."""

    def call(self, inputs: list[Any], training: bool | None = None) -> Any:
        """Map heads of `(batch, classes)` to `(batch, heads, classes)`, or to the first of them."""
        return tf.stack(inputs, axis=1) if training else tf.identity(inputs[0])


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
    previous = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float32")
    try:
        # no starting weights are looked for: trained ones are put in at once
        options = {key: value for key, value in settings.options.items() if key != "weights"}
        if settings.network == "pretrained":
            options["weights"] = "none"
        model = architectures.build(settings.network, input_shape, num_classes, options)
    finally:
        keras.config.set_dtype_policy(previous)
    shapes = [weight.shape for weight in model.get_weights()]
    if shapes != [weight.shape for weight in weights]:
        raise TfcnnError(
            settings.network, f"weights of shapes {shapes}", "others", "reporting this as a bug"
        )
    model.set_weights(weights)
    if len(model.outputs) > 1:  # auxiliary classifiers have done their work
        model = architectures.part(settings.network, "without_auxiliary")(model)
    return model


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
        return FusedBatchNormalization.from_config(config)
    if tf.config.list_physical_devices("GPU"):  # what follows helps CPUs
        return type(layer).from_config(config)
    if type(layer) is keras.layers.Activation and config["activation"] == "gelu":
        config["activation"] = gelu
    if type(layer) is keras.layers.Conv2D:
        return FasterConv2D.from_config(config)
    return type(layer).from_config(config)
