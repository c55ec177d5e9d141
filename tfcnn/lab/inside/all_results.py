"""A LiteRT model that gives the result of every layer, for one image at a time."""

from dataclasses import dataclass
from typing import Any

from tfcnn.base import quiet
from tfcnn.base.errors import InputError
from tfcnn.lab.inside.steps import Steps

SIGNATURE, INPUT = "serving_default", "images"
MOST_WEIGHT_BYTES = 40_000_000
MOST_VALUES = 40_000_000  # of all results of one image: 160 MB in float32


@dataclass(frozen=True)
class Converted:
    """A converted network.

    Attributes:
        content: of a `.tflite` file that takes uint8 `images`, `(1, height, width, channels)`.
        names: per place the name of the output that has its result. Places whose results are the
            same, such as those before and after a dropout, share one.
    """

    content: bytes
    names: tuple[str, ...]


def require_small(name: str, model: Any, steps: Steps) -> None:
    """Refuse a network that a page cannot hold.

    Raises:
        InputError: if its weights or its results are too many.
    """
    weights = 4 * int(model.count_params())
    if weights > MOST_WEIGHT_BYTES:
        expected = f"a network of at most {MOST_WEIGHT_BYTES // 10**6} MB of weights"
        raise InputError(name, expected, f"{weights / 1e6:.0f} MB", "a run of a smaller network")
    values = sum(_count(shape) for shape in steps.shapes)
    if values > MOST_VALUES:
        expected = f"at most {MOST_VALUES // 10**6} million values in all layers, for one image"
        hint = "a run of smaller images (--set data.image_size=...)"
        raise InputError(name, expected, f"{values / 1e6:.0f} million", hint)


def convert(model: Any, steps: Steps) -> Converted:
    """Return a network that gives all its results.

    Args:
        model: the network in its saved form.
        steps: of this model.

    Raises:
        InputError: if LiteRT has no such operation.
    """
    import keras
    import tensorflow as tf

    shape = (1, *steps.shapes[0])

    def serve(images: Any) -> Any:
        results = steps.compute(tf.cast(images, tf.float32))
        return [tf.identity(result) for result in results]

    signature = [tf.TensorSpec(shape, tf.uint8, name=INPUT)]
    concrete = tf.function(serve, input_signature=signature).get_concrete_function()
    tracked = keras.Model(model.inputs, model.outputs)
    converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete], tracked)
    converter.experimental_lower_to_saved_model = False
    try:
        with quiet.stderr_to_log():
            content = converter.convert()
    except Exception as error:  # the converter raises many types for an op that LiteRT lacks
        reason = str(error).strip().splitlines()[0][:200]
        hint = "a network of Keras' usual layers"
        raise InputError(f"network {model.name}", "layers that LiteRT has", reason, hint) from error
    return _named(content)


def _named(content: bytes) -> Converted:
    """Give each result a name of its own, and leave out those that are another's."""
    from tensorflow.lite.python import schema_py_generated as schema
    from tensorflow.lite.tools import flatbuffer_utils

    converted = flatbuffer_utils.convert_bytearray_to_object(bytearray(content))
    graph = converted.subgraphs[0]
    places = [int(place) for place in graph.outputs]
    distinct = list(dict.fromkeys(places))

    def named(name: str, place: int) -> Any:
        entry = schema.TensorMapT()
        entry.name, entry.tensorIndex = name, place
        return entry

    graph.outputs = distinct
    definition = schema.SignatureDefT()
    definition.signatureKey, definition.subgraphIndex = SIGNATURE, 0
    definition.inputs = [named(INPUT, int(graph.inputs[0]))]
    definition.outputs = [named(f"r{i}", place) for i, place in enumerate(distinct)]
    converted.signatureDefs = [definition]
    names = tuple(f"r{distinct.index(place)}" for place in places)
    return Converted(bytes(flatbuffer_utils.convert_object_to_bytearray(converted)), names)


def _count(shape: tuple[int, ...]) -> int:
    count = 1
    for side in shape:
        count *= side
    return count
