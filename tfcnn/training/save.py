"""Save a trained network: plain Keras, calibrated, and its LiteRT twin where that agrees."""

import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tfcnn.base import atomic, quiet
from tfcnn.base.errors import CheckError, TfcnnError
from tfcnn.base.progress import Reporter
from tfcnn.evaluation import calibration
from tfcnn.prediction import two_columns
from tfcnn.runs import MODEL, TWIN
from tfcnn.training import form
from tfcnn.training.fit import Trained, checked_places, sample_rows, val_batches
from tfcnn.training.prepare import Prepared

Floats = npt.NDArray[np.float32]
TWIN_IMAGES = 64  # val images on which the LiteRT twin is compared with the model
TWIN_TOLERANCE = 1e-4
# bfloat16 keeps 8 bits of a number: .001 to .003 is usual; more than this is another network
FORM_TOLERANCE = 0.02


@dataclass(frozen=True)
class Saved:
    """What was saved.

    Attributes:
        model: the saved form, a keras.Model.
        temperature: that is folded into its last layer; 1 where it was not calibrated.
        agreement: differences of probabilities: `forms_mean_difference` between the training form
            and the saved form, `twin_difference` (the largest) between the model and its twin,
            None without a twin.
    """

    model: Any
    temperature: float
    agreement: dict[str, float | None]


def save(prepared: Prepared, trained: Trained, folder: Path, reporter: Reporter) -> Saved:
    """Write `model.keras`, and `model.tflite` where it gives the same answers.

    Args:
        prepared: the images, and what the recipe asks for.
        trained: from `fit`.
        folder: of the run.
        reporter: hears if there is no twin.

    Raises:
        CheckError: if the network gives NaN or infinity.
        TfcnnError: if the saved form answers otherwise than the training form.
    """
    recipe, val_labels = prepared.recipe, prepared.labels[prepared.rows["val"]]
    classes, shape = len(prepared.manifest.class_names), prepared.decoder.shape
    plain = form.saved_form(recipe.model, shape, classes, trained.weights)
    saved = _on_val(plain, prepared, folder, checked_places(prepared))
    forms_difference = agree(trained.checked_probs, saved)
    if recipe.model.views != "one":
        plain = form.averaged(plain, recipe.model.views)
    temperature = 1.0
    if recipe.evaluation.calibrate:
        temperature = calibration.fit_temperature(val_labels, _on_val(plain, prepared, folder))
        form.fold_temperature(plain, temperature)
    write_keras(plain, folder / MODEL)
    sample = prepared.images[sample_rows(prepared, "val", TWIN_IMAGES)]
    twin_difference = write_twin(plain, folder / TWIN, sample)
    if twin_difference is None:
        reporter.note(
            "note: no LiteRT twin, for the network cannot be converted or then answers otherwise "
            f"(why: {quiet.log_path()}): Keras answers, which starts more slowly"
        )
    agreement = {"forms_mean_difference": forms_difference, "twin_difference": twin_difference}
    return Saved(plain, temperature, agreement)


def _on_val(
    model: Any,
    prepared: Prepared,
    folder: Path,
    places: npt.NDArray[np.int64] | slice = slice(None),
) -> Floats:
    """Return a model's probabilities on val, or on these places of it; all are numbers."""
    probs = two_columns(model.predict(val_batches(prepared, places), verbose=0))
    refuse_no_answer(folder, probs, prepared.paths(prepared.rows["val"][places]))
    return probs


def refuse_no_answer(folder: Path, probs: Floats, paths: Sequence[str]) -> None:
    """Refuse a network that gives NaN or infinity: nothing can be chosen or measured by it.

    Args:
        folder: of the run.
        probs: float `(images, classes)`.
        paths: of the images.

    Raises:
        CheckError: naming the first image without an answer.
    """
    lost = np.flatnonzero(~np.isfinite(probs).all(axis=1))
    if len(lost):
        count = f"none for {len(lost):,} of {len(probs):,} images"
        hint = "--fresh with a lower train.learning_rate, or train.precision=float32"
        received = f"{count}, such as {paths[lost[0]]}"
        raise CheckError(folder, "a network that answers with numbers", received, hint)


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
            MODEL,
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
