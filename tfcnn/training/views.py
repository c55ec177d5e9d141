"""Test-time views: a saved model that looks at an image more than once and averages what it sees.

The average is taken of the features that enter the head. The head being linear, that is the average
of the logits, and temperature is folded into it as into any other.
"""

from typing import Any

import keras

__all__ = ["VIEWS", "averaged"]


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
    seen = {key: trunk(view) for key, view in distinct.items()}
    features = keras.layers.Average(name="views")([seen[id(view)] for view in several])
    new_head = type(head).from_config(head.get_config())
    whole = keras.Model(images, new_head(features), name=model.name)
    new_head.set_weights(head.get_weights())
    return whole
