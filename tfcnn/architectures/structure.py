"""What the parts that tfcnn relies on are called in a network, and what they are made of."""

from collections.abc import Callable, Iterator
from typing import Any

import keras

INPUT, SCALING, HEAD = "image", "rescale", "head"
ACTIVATIONS = {1: keras.activations.sigmoid, 2: keras.activations.softmax}


def is_a_model(model: Any, input_shape: tuple[int, ...], num_classes: int) -> str:
    """Say why something is no model with one input; "" for such a model."""
    if not isinstance(model, keras.Model):
        return f"{type(model).__name__}, no keras.Model"
    if not model.built or len(getattr(model, "inputs", None) or ()) != 1:
        return f"{_name(model)}, which is not made of one keras.Input and the layers on it"
    return ""


def begins_with_image(model: Any, input_shape: tuple[int, ...], num_classes: int) -> str:
    """Say what is wrong with the input."""
    given = model.inputs[0]
    if given.name != INPUT:
        return f"an input called {given.name!r}, not {INPUT!r}"
    if tuple(given.shape[1:]) != tuple(input_shape):
        return f"an input of shape {tuple(given.shape[1:])}, not {tuple(input_shape)}"
    return ""


def scales_first(model: Any, input_shape: tuple[int, ...], num_classes: int) -> str:
    """Say what is wrong with the scaling of pixels."""
    layers = list(model.layers)
    scaling = next((layer for layer in layers if layer.name == SCALING), None)
    if scaling is None:
        return f"no layer called {SCALING!r}"
    if not isinstance(scaling, keras.layers.Rescaling):
        return f"a {type(scaling).__name__} called {SCALING!r}"
    learning = next((layer for layer in layers if getattr(layer, "weights", [])), None)
    if learning is not None and layers.index(learning) < layers.index(scaling):
        return f"{learning.name} before {SCALING!r}"
    return ""


def ends_in_head(model: Any, input_shape: tuple[int, ...], num_classes: int) -> str:
    """Say what is wrong with the end."""
    head = next((layer for layer in model.layers if layer.name == HEAD), None)
    if head is None:
        return f"no layer called {HEAD!r}"
    if type(head) is not keras.layers.Dense:
        return f"a {type(head).__name__} called {HEAD!r}"
    if model.outputs[0] is not head.output:
        return f"{HEAD!r} before the end"
    widths = (1, 2) if num_classes == 2 else (num_classes,)
    if head.units not in widths:
        return f"{head.units} outputs, not {' or '.join(map(str, widths))}"
    if head.activation is not ACTIVATIONS[min(head.units, 2)]:
        return f"{HEAD!r} with the activation {getattr(head.activation, '__name__', '?')}"
    return "" if len(head.input.shape) == 2 else f"{HEAD!r} on maps, not on a vector"


def is_plain(model: Any, input_shape: tuple[int, ...], num_classes: int) -> str:
    """Say which parts are not Keras' own: no other program could load them in safe mode."""
    layers = [model, *model._flatten_layers(include_self=False)]  # `layers` skips nested models
    foreign = [_name(layer) for layer in layers if not _is_plain(type(layer))]
    if not foreign:
        foreign = sorted(set(_foreign(keras.saving.serialize_keras_object(model))))
    return ", ".join(foreign[:3]) + (" and others" if len(foreign) > 3 else "")


Check = Callable[[Any, tuple[int, ...], int], str]
# in the order in which one relies on the other
CHECKS: tuple[tuple[str, Check], ...] = (
    ("returns a keras.Model with one input", is_a_model),
    (f"takes images of the given shape, by an input called {INPUT!r}", begins_with_image),
    ("is made of plain Keras layers and functions, without Lambda", is_plain),
    (f"scales pixels in a Rescaling layer called {SCALING!r} before it learns", scales_first),
    (f"ends in a Dense layer called {HEAD!r} of a probability per class", ends_in_head),
)


def fault(model: Any, input_shape: tuple[int, ...], num_classes: int) -> tuple[str, str] | None:
    """Return what a network should do and does not, and what it does instead; None for a right one.

    Args:
        model: what `build` returned.
        input_shape: that it was built for, `(height, width, channels)`.
        num_classes: that it was built for.
    """
    for text, check in CHECKS:
        if received := check(model, input_shape, num_classes):
            return text, received
    return None


def _is_plain(kind: type) -> bool:
    return kind.__module__.startswith("keras.src.") and kind is not keras.layers.Lambda


def _foreign(content: Any) -> Iterator[str]:
    """Yield the names of functions and classes in a serialised model that are not Keras' own."""
    if isinstance(content, list | tuple):
        for part in content:
            yield from _foreign(part)
    if isinstance(content, dict):
        kind, module = content.get("class_name"), content.get("module")
        if kind in ("function", "__lambda__"):
            config = content.get("config")
            yield f"the function {config}" if isinstance(config, str) else "a lambda"
        elif isinstance(module, str) and not module.startswith(("keras", "builtins")):
            yield str(kind)
        for part in content.values():
            yield from _foreign(part)


def _name(layer: Any) -> str:
    return f"{layer.name} ({type(layer).__name__})"
