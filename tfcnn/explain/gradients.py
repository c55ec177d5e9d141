"""What a network computes inside: activations, gradients, and the views of the image it sees.

No second network is built. Layers are watched while the model itself is called, so the same code
serves Sequential, functional and nested models, new ones and those loaded from a `.keras` file: a
model built around the inner tensors of a reloaded one gives no gradient.

A saved model may average over several views of the image: itself, flipped, turned or shifted. The
map of a view must be laid back before it is added to the others. How each view lies is measured
once, on noise, for a model trained here as for any other.
"""

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from tfcnn.base.errors import InputError
from tfcnn.explain.feature_layers import Grid, enlarge

Floats = npt.NDArray[np.float32]
Pixels = npt.NDArray[np.uint8]

_LOCK = threading.Lock()  # a watched layer serves one call at a time
SAME = 0.9  # correlation of noise with itself after a network's own scaling; with another flip 0
MOST_SHIFT = 1 / 8  # of a side: what leaves the view at one edge is not seen, and not searched for
KINDS = [(turns, is_flipped) for is_flipped in (False, True) for turns in range(4)]


def logit_gradients(
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

    activations: list[Any] = []
    with _LOCK, tf.GradientTape() as tape:

        def watch(_: Any, output: Any) -> None:
            tape.watch(output)
            activations.append(output)

        with _watched([layer], watch), _logits(model) as logits:
            model(tf.convert_to_tensor(images, tf.float32), training=False)
        z = tf.cast(logits[-1], tf.float32)
        z = tf.concat([-z, z], axis=1) if z.shape[1] == 1 else z
        chosen = tf.argmax(z, axis=1) if classes is None else tf.constant(classes, tf.int64)
        score = tf.gather(z, chosen, axis=1, batch_dims=1)
    slopes = tape.gradient(score, activations)
    if not activations or any(slope is None for slope in slopes):
        raise InputError(
            f"layer {layer.name!r}", "a layer that the answer depends on", "one it does not",
            "another layer",
        )  # fmt: skip
    return [_floats(a) for a in activations], [_floats(slope) for slope in slopes], _floats(z)


def layer_outputs(model: Any, layers: list[Any], image: Pixels) -> list[Floats]:
    """Return what each layer makes of one image, float32 `(height, width, channels)`.

    A layer that is called several times counts with its first output.
    """
    first: dict[int, Any] = {}
    with _LOCK, _watched(layers, lambda layer, output: first.setdefault(id(layer), output)):
        model(image[None].astype(np.float32), training=False)
    return [_floats(first[id(layer)])[0] for layer in layers]


def top_inputs(model: Any, images: Floats) -> list[list[Floats]]:
    """Return, for each layer of the outermost model in order of first call, its inputs.

    They are a list with one float32 array per call; the first input of a layer that has several.
    """
    by_layer: dict[int, list[Floats]] = {}

    def note(layer: Any, inputs: Any) -> None:
        first = inputs[0] if isinstance(inputs, list | tuple) else inputs
        by_layer.setdefault(id(layer), []).append(_floats(first))

    with _LOCK, _watched(model.layers, note, before=True):
        model(images, training=False)
    return list(by_layer.values())


@contextlib.contextmanager
def _watched(
    layers: list[Any], listener: Callable[[Any, Any], Any], *, before: bool = False
) -> Iterator[None]:
    """Tell `listener` each output of the layers, or each input, while the model is called."""
    replaced = []
    try:
        for layer in layers:
            layer.call, original = _telling(layer, layer.call, listener, before), layer.call
            replaced.append((layer, original))
        yield
    finally:
        for layer, _ in replaced:
            del layer.call  # the class's own is there again


def _telling(
    layer: Any, call: Callable[..., Any], listener: Callable[[Any, Any], Any], before: bool
) -> Callable[..., Any]:
    def call_and_tell(*inputs: Any, **options: Any) -> Any:
        output = call(*inputs, **options)
        listener(layer, inputs[0] if before else output)
        return output

    return call_and_tell


@contextlib.contextmanager
def _logits(model: Any) -> Iterator[list[Any]]:
    """Collect what enters the last softmax or sigmoid of a model while it is called."""
    last = _last(model)
    logits: list[Any] = []
    if type(last).__name__ in ("Softmax", "Sigmoid"):  # a layer, or an operation of keras.ops
        with _watched([last], lambda _, value: logits.append(value), before=True):
            yield logits
        return
    activation: Any = getattr(last, "activation", None)
    if getattr(activation, "__name__", "") not in ("softmax", "sigmoid", "linear"):
        raise InputError(
            f"network {model.name}", "a last layer with a softmax or a sigmoid",
            f"{type(last).__name__} {last.name!r}", "a network that ends in a Dense layer",
        )  # fmt: skip

    def noting(z: Any) -> Any:
        logits.append(z)
        return activation(z)

    last.activation = noting
    try:
        yield logits
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


class View(NamedTuple):
    """How a view lies: mirrored left to right or not, then turned, then shifted.

    Attributes:
        turns: quarter turns to the left, 0 to 3.
        is_flipped: whether it is mirrored.
        shift: `(down, across)` in px.
    """

    turns: int = 0
    is_flipped: bool = False
    shift: tuple[int, int] = (0, 0)

    def upright(self, maps: Floats, grid: Grid, size: tuple[int, int]) -> Floats:
        """Enlarge feature maps of the view to the image, and lay them as the image lies.

        Args:
            maps: float32 `(n, height, width)`, one value per cell.
            grid: where the cells would lie if the view were the image itself.
            size: `(height, width)` of the image in px.

        Returns:
            float32 `(n, *size)`.
        """
        (down, across), (top, left) = self.shift, grid.start
        placed = enlarge(maps, Grid((top - down, left - across), grid.step), size)
        turned = np.rot90(placed, -self.turns, axes=(1, 2))
        return turned[:, :, ::-1] if self.is_flipped else turned


def find_views(model: Any, calls: int) -> list[View]:
    """Find how each view of the image lies.

    Args:
        model: a keras.Model from images.
        calls: how often the layer that is looked at is called.

    Raises:
        InputError: if there are several views and one is not the image flipped, turned by
            quarter turns or shifted by a few px.
    """
    if calls == 1:
        return [View()]
    noise = np.random.default_rng(0).uniform(0, 255, (2, *model.input_shape[1:]))
    images = noise.astype(np.float32)
    inputs = next((one for one in top_inputs(model, images) if len(one) == calls), [])
    lying = [_view(images.mean(-1), view) for view in inputs]
    if not lying or None in lying:
        raise InputError(
            f"network {model.name}",
            "views that are flips or quarter turns of the image, shifted by a few px at most",
            f"{calls} others", "a network that sees the image once",
        )  # fmt: skip
    return [view for view in lying if view is not None]


def _view(upright: Floats, inputs: Floats) -> View | None:
    if inputs.ndim != 4:
        return None
    flat = inputs.mean(-1)
    for turns, is_flipped in KINDS:
        turned = np.rot90(upright[:, :, ::-1] if is_flipped else upright, turns, axes=(1, 2))
        if turned.shape != flat.shape:
            continue
        shift = _shift(turned[0], flat[0])
        if _is_small(shift, flat.shape[1:]) and _alike(turned, flat, shift):
            return View(turns, is_flipped, shift)
    return None


def _shift(first: Floats, second: Floats) -> tuple[int, int]:
    """Return by how many px, down and across, the second picture is most like the first."""
    spectra = [np.fft.fft2(picture - picture.mean()) for picture in (first, second)]
    likeness = np.fft.ifft2(spectra[1] * spectra[0].conj()).real
    place = np.unravel_index(int(likeness.argmax()), likeness.shape)
    down, across = (
        int(at) - (side if at > side // 2 else 0)
        for at, side in zip(place, likeness.shape, strict=True)
    )
    return down, across


def _is_small(shift: tuple[int, int], size: tuple[int, ...]) -> bool:
    return all(abs(moved) <= MOST_SHIFT * side for moved, side in zip(shift, size, strict=True))


def _alike(first: Floats, second: Floats, shift: tuple[int, int]) -> bool:
    """Say whether pictures `(n, height, width)` are alike where they overlap."""
    for axis, moved in enumerate(shift, start=1):
        side = first.shape[axis]
        first = first.take(range(max(-moved, 0), side - max(moved, 0)), axis)
        second = second.take(range(max(moved, 0), side - max(-moved, 0)), axis)
    pairs = zip(first, second, strict=True)
    return all(np.corrcoef(a.ravel(), b.ravel())[0, 1] > SAME for a, b in pairs)
