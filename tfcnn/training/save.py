"""Save a trained network: plain Keras, calibrated, and its LiteRT twin where that agrees."""

import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import softmax

from tfcnn.base import atomic, quiet, sampling
from tfcnn.base.errors import CheckError, TfcnnError
from tfcnn.base.progress import Reporter
from tfcnn.evaluation import calibration
from tfcnn.prediction import two_columns
from tfcnn.runs import MODEL, TWIN
from tfcnn.training import form, twin
from tfcnn.training.batches import val_batches
from tfcnn.training.fit import Trained, checked_places
from tfcnn.training.prepare import Prepared

Floats = npt.NDArray[np.float32]
TWIN_IMAGES = 64  # val images on which the LiteRT twin is compared with the model
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
    whole = plain if recipe.model.views == "one" else form.averaged(plain, recipe.model.views)
    is_frozen = recipe.model.start == "frozen"
    computed = whole if is_frozen else plain  # features are of all views; what was fitted saw one
    places = checked_places(prepared)
    probs = on_val(computed, prepared, folder, places)
    forms_difference = agree(_probs_at(places, trained), probs)
    if computed is not whole:
        probs = on_val(whole, prepared, folder, places)
    temperature = 1.0
    if recipe.evaluation.calibrate:
        logits = trained.val_logits
        val_probs = softmax(logits, axis=1) if is_frozen else on_val(whole, prepared, folder)
        temperature = calibration.fit_temperature(val_labels, val_probs)
    twin_difference = write(
        whole, temperature, prepared, folder, reporter, headless=trained.headless
    )
    agreement = {"forms_mean_difference": forms_difference, "twin_difference": twin_difference}
    return Saved(whole, temperature, agreement)


def write(
    model: Any,
    temperature: float,
    prepared: Prepared,
    folder: Path,
    reporter: Reporter,
    *,
    headless: bytes | None = None,
    tolerance: float = twin.TOLERANCE,
) -> float | None:
    """Fold the temperature into a model, and write it and its twin.

    Args:
        model: in its saved form, at temperature 1.
        temperature: fitted on val.
        prepared: the images.
        folder: of the run.
        reporter: hears if there is no twin.
        headless: see `twin.write`.
        tolerance: see `twin.write`.

    Returns:
        The largest difference of a probability between both, None where there is no twin.
    """
    form.fold_temperature(model, temperature)
    write_keras(model, folder / MODEL)
    places = checked_places(prepared)
    few = sampling.evenly(prepared.labels[prepared.rows["val"]][places], TWIN_IMAGES)
    sample = prepared.images[prepared.rows["val"][places[few]]]
    probs = on_val(model, prepared, folder, places[few])  # its own: at the temperature
    difference = twin.write(model, folder / TWIN, sample, probs, headless, tolerance=tolerance)
    if difference is None:
        reporter.note(
            "note: no LiteRT twin, for the network cannot be converted or then answers otherwise "
            f"(why: {quiet.log_path()}): Keras answers, which starts more slowly"
        )
    return difference


def _probs_at(places: npt.NDArray[np.int64], trained: Trained) -> Floats:
    """Return what was computed in training for these places of val, `(places, classes)`."""
    logits = trained.val_logits
    return np.asarray(softmax(logits if len(logits) == len(places) else logits[places], axis=1))


def on_val(
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
