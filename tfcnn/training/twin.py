"""The LiteRT twin of a model: the same answers, sooner, without TensorFlow."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tfcnn.base import atomic, quiet, threads
from tfcnn.prediction import two_columns

Floats = npt.NDArray[np.float32]
Pixels = npt.NDArray[np.uint8]

TOLERANCE = 1e-4  # of a probability
SIGNATURE, INPUT, NAMES = "serving_default", "images", ("probs", "features")
BATCH_SIZE = 8


def write(
    model: Any,
    path: Path,
    sample: Pixels,
    probs: Floats,
    headless: bytes | None = None,
    *,
    tolerance: float = TOLERANCE,
) -> float | None:
    """Write the LiteRT twin: uint8 `images` in; float32 `probs` and `features` out.

    It is kept only where it gives the model's own probabilities.

    Args:
        model: in its saved form.
        path: of the file.
        sample: uint8 `(images, height, width, channels)`.
        probs: float32 `(images, classes)`, the model's own of these.
        headless: a twin of the same model with another head, which then needs no conversion.
        tolerance: the largest difference of a probability that is none.

    Returns:
        The largest difference, or None where the network cannot be converted or disagrees; the
        run is then used through Keras.
    """
    try:
        content = _content(model, headless)
    except Exception as error:  # the converter raises many types for an op that LiteRT lacks
        quiet.write_log(f"no LiteRT twin: {error}")
        return None
    atomic.write_bytes(path, content)
    difference = float(np.abs(_probs(path, sample) - probs).max())
    if not difference <= tolerance:
        quiet.write_log(f"no LiteRT twin: a probability differs by {difference:.2g}")
        path.unlink()
        return None
    return difference


def _content(model: Any, headless: bytes | None) -> bytes:
    if headless is not None:
        try:
            return with_head(headless, *model.get_layer("head").get_weights())
        except ValueError as error:
            quiet.write_log(f"the model is converted once more: {error}")
    return convert(model)


def with_head(content: bytes, kernel: Floats, bias: Floats) -> bytes:
    """Return a twin with the weights of another head.

    Args:
        content: of a twin that `convert` made.
        kernel: float32 `(features, classes)`.
        bias: float32 `(classes,)`.

    Raises:
        ValueError: if the twin does not end in a head of that size, which takes the features. A
            factor of the features, such as that of an average, may be in its kernel instead.
    """
    from tensorflow.lite.tools import flatbuffer_utils

    twin = flatbuffer_utils.convert_bytearray_to_object(bytearray(content))
    graph = twin.subgraphs[0]
    features = graph.outputs[NAMES.index("features")]
    heads = [one for one in graph.operators if _places(one)[1:] and _is_head(graph, one, kernel)]
    if [_places(one)[0] for one in heads] != [features]:
        raise ValueError(f"{len(heads)} heads of {kernel.shape[::-1]}, or not of the features")
    _, *places = _places(heads[0])
    for place, values in zip(places, (kernel.T, bias), strict=True):
        data = np.ascontiguousarray(values, np.float32).view(np.uint8).ravel()
        twin.buffers[graph.tensors[place].buffer].data = data
    return bytes(flatbuffer_utils.convert_object_to_bytearray(twin))


def _places(operator: Any) -> list[int]:
    """Return the tensors that an operation takes; what is left out of them counts as none."""
    return [] if operator.inputs is None else [int(place) for place in operator.inputs]


def _is_head(graph: Any, operator: Any, kernel: Floats) -> bool:
    """Say whether an operation multiplies by a kernel of this size, and adds a bias."""
    places = _places(operator)
    shapes = [tuple(graph.tensors[place].shape) for place in places[1:] if place >= 0]
    return shapes == [kernel.shape[::-1], kernel.shape[1:]]


def convert(model: Any, batch_size: int | None = None) -> bytes:
    """Return a model in LiteRT's format, with one signature: its probabilities and features.

    TensorFlow's own way to a signature leads through a SavedModel and takes four times as long. The
    signature is added to the converted model instead.

    Args:
        model: in its saved form; its features are what enters its layer "head".
        batch_size: how many images it takes at once; None for any number.

    Returns:
        The bytes of a `.tflite` file that takes uint8 `images`.
    """
    from tensorflow.lite.python import schema_py_generated as schema
    from tensorflow.lite.tools import flatbuffer_utils

    both = keras.Model(model.inputs[0], [model.outputs[0], model.get_layer("head").input])

    def serve(images: Any) -> Any:
        outputs = both(tf.cast(images, tf.float32), training=False)
        # in a list, outputs keep their order
        return [tf.identity(output) for output in tf.nest.flatten(outputs)]

    signature = [tf.TensorSpec((batch_size, *model.input_shape[1:]), tf.uint8, name=INPUT)]
    concrete = tf.function(serve, input_signature=signature).get_concrete_function()
    converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete], both)
    converter.experimental_lower_to_saved_model = False
    with quiet.stderr_to_log():
        converted = converter.convert()
    content = flatbuffer_utils.convert_bytearray_to_object(bytearray(converted))
    graph = content.subgraphs[0]

    def tensors(places: Any, names: tuple[str, ...]) -> list[Any]:
        maps = []
        for place, name in zip(places, names, strict=True):
            entry = schema.TensorMapT()
            entry.name, entry.tensorIndex = name, int(place)
            maps.append(entry)
        return maps

    definition = schema.SignatureDefT()
    definition.signatureKey, definition.subgraphIndex = SIGNATURE, 0
    definition.inputs = tensors(graph.inputs, (INPUT,))
    definition.outputs = tensors(graph.outputs, NAMES)
    content.signatureDefs = [definition]
    return bytes(flatbuffer_utils.convert_object_to_bytearray(content))


def runner(content: bytes) -> Callable[[Pixels], dict[str, Floats]]:
    """Return what computes the outputs of a converted model, by name, for uint8 images."""
    from ai_edge_litert.interpreter import Interpreter

    with quiet.stderr_to_log():  # the runtime greets on the file descriptor
        interpreter = Interpreter(model_content=content, num_threads=threads.cores())
        interpreter.allocate_tensors()
        signature = interpreter.get_signature_runner(SIGNATURE)

    def run(images: Pixels, _: Any = interpreter) -> dict[str, Floats]:  # which must stay alive
        outputs: dict[str, Floats] = signature(**{INPUT: np.ascontiguousarray(images)})
        return outputs

    return run


def _probs(path: Path, sample: Pixels) -> Floats:
    run, size = runner(path.read_bytes()), BATCH_SIZE
    parts = [sample[start : start + size] for start in range(0, len(sample), size)]
    return np.concatenate([two_columns(run(part)["probs"]) for part in parts])
