"""What a network computes inside for given images: activations, logits and their gradients.

No second network is built. Layers are watched while the model itself is called, so the same code
serves Sequential, functional and nested models, new ones and those loaded from a `.keras` file: a
model built around the inner tensors of a reloaded one gives no gradient.
"""

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from tfcnn.base.errors import InputError

__all__ = ["gradients", "outputs", "top_inputs"]

Floats = npt.NDArray[np.float32]
Pixels = npt.NDArray[np.uint8]

_LOCK = threading.Lock()  # a watched layer serves one call at a time


def gradients(
    model: Any, layer: Any, images: npt.NDArray[Any], classes: npt.NDArray[Any] | None
) -> tuple[list[Floats], list[Floats], Floats]:
    """Return a layer's activations and the gradients of a class's logit with respect to them.

    The logit is what enters the softmax, or the sigmoid: its gradient does not vanish where the
    network is sure. One sigmoid unit's `z` counts for class 1 and `-z` for class 0.

    Args:
        model: from images to probabilities, ending in a softmax or a sigmoid.
        layer: any layer in it, however deeply nested.
        images: `(n, height, width, channels)` in [0, 255].
        classes: int `(n,)`, or None for the predicted ones.

    Returns:
        One float32 `(n, height, width, channels)` of activations for each time that the layer is
        called, as many of gradients, and the logits `(n, classes)`, two for a sigmoid.

    Raises:
        InputError: if the network does not end so, or the logit does not depend on the layer.
    """
    import tensorflow as tf

    seen: list[Any] = []
    with _LOCK, tf.GradientTape() as tape:

        def watch(_: Any, output: Any) -> None:
            tape.watch(output)
            seen.append(output)

        with _watched([layer], watch), _logits(model) as logits:
            model(tf.convert_to_tensor(images, tf.float32), training=False)
        z = tf.cast(logits[-1], tf.float32)
        z = tf.concat([-z, z], axis=1) if z.shape[1] == 1 else z
        chosen = tf.argmax(z, axis=1) if classes is None else tf.constant(classes, tf.int64)
        score = tf.gather(z, chosen, axis=1, batch_dims=1)
    slopes = tape.gradient(score, seen)
    if not seen or any(slope is None for slope in slopes):
        raise InputError(
            f"layer {layer.name!r}", "a layer that the answer depends on", "one it does not",
            "another layer",
        )  # fmt: skip
    return [_floats(a) for a in seen], [_floats(slope) for slope in slopes], _floats(z)


def outputs(model: Any, layers: list[Any], image: Pixels) -> list[Floats]:
    """Return what each layer makes of one image, float32 `(height, width, channels)`.

    Of a layer that is called several times, its first answer.
    """
    seen: dict[int, Any] = {}
    with _LOCK, _watched(layers, lambda layer, output: seen.setdefault(id(layer), output)):
        model(image[None].astype(np.float32), training=False)
    return [_floats(seen[id(layer)])[0] for layer in layers]


def top_inputs(model: Any, images: Floats) -> list[list[Floats]]:
    """Return, for each layer of the outermost model in order of first call, what it was given.

    Each is a list with one float32 array per call; layers of several inputs count their first.
    """
    seen: dict[int, list[Floats]] = {}

    def note(layer: Any, inputs: Any) -> None:
        first = inputs[0] if isinstance(inputs, list | tuple) else inputs
        seen.setdefault(id(layer), []).append(_floats(first))

    with _LOCK, _watched(model.layers, note, before=True):
        model(images, training=False)
    return list(seen.values())


@contextlib.contextmanager
def _watched(
    layers: list[Any], heard: Callable[[Any, Any], Any], *, before: bool = False
) -> Iterator[None]:
    """Tell `heard` each output of the layers, or each input, while the model is called."""
    replaced = []
    try:
        for layer in layers:
            layer.call, original = _telling(layer, layer.call, heard, before), layer.call
            replaced.append((layer, original))
        yield
    finally:
        for layer, _ in replaced:
            del layer.call  # the class's own is there again


def _telling(
    layer: Any, call: Callable[..., Any], heard: Callable[[Any, Any], Any], before: bool
) -> Callable[..., Any]:
    def told(*inputs: Any, **options: Any) -> Any:
        output = call(*inputs, **options)
        heard(layer, inputs[0] if before else output)
        return output

    return told


@contextlib.contextmanager
def _logits(model: Any) -> Iterator[list[Any]]:
    """Collect what enters the last softmax or sigmoid of a model while it is called."""
    last = _last(model)
    seen: list[Any] = []
    if type(last).__name__ in ("Softmax", "Sigmoid"):  # a layer, or an operation of keras.ops
        with _watched([last], lambda _, value: seen.append(value), before=True):
            yield seen
        return
    activation: Any = getattr(last, "activation", None)
    if getattr(activation, "__name__", "") not in ("softmax", "sigmoid", "linear"):
        raise InputError(
            f"network {model.name}", "a last layer with a softmax or a sigmoid",
            f"{type(last).__name__} {last.name!r}", "a network that ends in a Dense layer",
        )  # fmt: skip

    def noting(z: Any) -> Any:
        seen.append(z)
        return activation(z)

    last.activation = noting
    try:
        yield seen
    finally:
        last.activation = activation


def _last(model: Any) -> Any:
    """Return the layer that gives the answer, that of the innermost model if they are nested."""
    operation = model.outputs[0]._keras_history.operation
    return _last(operation) if hasattr(operation, "layers") else operation


def _floats(tensor: Any) -> Floats:
    import tensorflow as tf

    values: Floats = tf.cast(tensor, tf.float32).numpy()
    return values
