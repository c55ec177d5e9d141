"""Write the model a run is used by: plain Keras, and its LiteRT twin where it agrees."""

import tempfile
import zipfile
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tfcnn.base import atomic, quiet
from tfcnn.base.errors import TfcnnError
from tfcnn.prediction import two_columns

__all__ = ["agree", "write_keras", "write_twin"]

Floats = npt.NDArray[np.float32]
TWIN_TOLERANCE = 1e-4
# bfloat16 keeps 8 bits of a number: .001 to .003 is usual; more than this is another network
FORM_TOLERANCE = 0.02


def agree(trained: Floats, saved: Floats) -> float:
    """Compare the probabilities of both forms on val.

    Args:
        trained: float `(images, classes)`, from the training form.
        saved: the same from the saved form, at temperature 1.

    Returns:
        The mean absolute difference.

    Raises:
        TfcnnError: if it is more than rounding explains.
    """
    difference = float(np.abs(trained - saved).mean())
    if not difference <= FORM_TOLERANCE:
        raise TfcnnError(
            "model.keras",
            f"the probabilities of the training form within {FORM_TOLERANCE}",
            f"a mean difference of {difference:.3g}",
            "--set train.precision=float32, and reporting this as a bug",
        )
    return difference


def write_keras(model: Any, path: Path) -> None:
    """Write a `.keras` file, whole or not at all, and compressed, which Keras leaves out."""
    with tempfile.TemporaryDirectory() as folder, atomic.writing(path) as part:
        plain = Path(folder) / path.name
        model.save(plain)
        with (
            zipfile.ZipFile(plain) as stored,
            zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as packed,
        ):
            for name in stored.namelist():
                packed.writestr(name, stored.read(name))


def write_twin(model: Any, path: Path, sample: npt.NDArray[np.uint8]) -> float | None:
    """Write the LiteRT twin: uint8 `images` in; float32 `probs` and `features` out.

    It is kept only where it gives the model's own probabilities on `sample`, uint8
    `(images, height, width, channels)`, within 1e-4.

    Returns:
        The largest difference, or None where the network cannot be converted or disagrees; the
        run is then used through Keras.
    """
    both = keras.Model(model.inputs[0], [model.outputs[0], model.get_layer("head").input])

    def serve(images: Any) -> dict[str, Any]:
        probs, features = both(tf.cast(images, tf.float32), training=False)
        return {"probs": probs, "features": features}

    signature = [tf.TensorSpec((None, *sample.shape[1:]), tf.uint8, name="images")]
    try:
        with quiet.stderr_to_log():
            content = _convert(both, tf.function(serve, input_signature=signature))
    except Exception as error:  # the converter raises many types for an op that LiteRT lacks
        quiet.write_log(f"no LiteRT twin: {error}")
        return None
    atomic.write_bytes(path, content)
    difference = _difference(both, path, sample)
    if not difference <= TWIN_TOLERANCE:
        path.unlink()
        return None
    return difference


def _convert(model: Any, serve: Any) -> bytes:
    module = tf.Module()  # Keras' own export takes twice the time
    module.weights, module.serve = [weight.value for weight in model.weights], serve
    with tempfile.TemporaryDirectory() as folder:
        tf.saved_model.save(module, folder, signatures={"serving_default": serve})
        content: bytes = tf.lite.TFLiteConverter.from_saved_model(folder).convert()
    return content


def _difference(both: Any, path: Path, sample: npt.NDArray[np.uint8]) -> float:
    from ai_edge_litert.interpreter import Interpreter

    with quiet.stderr_to_log():
        interpreter = Interpreter(str(path))
        outputs = interpreter.get_signature_runner("serving_default")(images=sample)
    expected = np.asarray(both(sample.astype(np.float32), training=False)[0])
    return float(np.abs(two_columns(outputs["probs"]) - two_columns(expected)).max())
