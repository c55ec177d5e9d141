"""`adopt(model, data, folder)`: from a model that somebody else's code trained to a run.

It is brought into the saved form, calibrated on val, scored once on test, and saved as a training
saves its own. What it was trained on is recorded where that is known.
"""

import zipfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras

from tfcnn import recipes, runs
from tfcnn.base import files, naming
from tfcnn.base.errors import InputError
from tfcnn.base.progress import Reporter
from tfcnn.evaluation import calibration
from tfcnn.inputs import tfdata
from tfcnn.recipes import ModelSettings, Recipe
from tfcnn.training import foreign, learnt, mismatch, own_parts
from tfcnn.training.data import Data
from tfcnn.training.fit import checked_places
from tfcnn.training.making import Making
from tfcnn.training.measure import measure
from tfcnn.training.prepare import Prepared
from tfcnn.training.resume import check_folder, make_room
from tfcnn.training.save import Saved, on_val, write

MOST_NAMES = 200  # characters of class names that do not fit
TRAIN = "train"  # what a model learnt from, where that is known


def load(path: Path) -> Any:
    """Load a `.keras` file in safe mode: it brings layers of Keras' own, and runs no code.

    Raises:
        InputError: if there is none, or it holds something else.
    """
    hint = "tfcnn.adopt(model, data) in Python, where the code of its layers is"
    if obstacle := files.what(path):
        raise InputError(path, "a .keras file", obstacle, "another path")
    if path.suffix != ".keras":
        received = f"a {path.suffix or 'nameless'} file"
        raise InputError(path, "a .keras file", received, "keras.saving.load_model(...).save(...)")
    if not zipfile.is_zipfile(path):
        raise InputError(path, "a .keras file", "no zip archive", "the file as Keras saved it")
    try:
        return keras.saving.load_model(path, compile=False)
    except Exception as error:  # of files that are none, of Lambda, of unknown classes
        received = foreign.in_one_line(error)
        raise InputError(path, "a .keras file of Keras' own layers", received, hint) from error


@tfdata.plain_errors()
def adopt(
    model: Any,
    data: Data,
    folder: Path,
    *,
    pixels: str,
    class_names: Sequence[str] | None,
    calibrate: bool,
    fresh: bool,
    reporter: Reporter,
) -> None:
    """Make a run of a model. It is not stamped as done yet, as after `train`.

    Args:
        model: a Keras classifier; it stays as it is.
        data: the images; afterwards they count as scored.
        folder: of the run.
        pixels: what the model takes, a key of `foreign.PIXELS`.
        class_names: in the order of the model's outputs; None for the order of the images'.
        calibrate: whether a temperature is fitted on val and folded into the model.
        fresh: move an unfinished run aside.
        reporter: hears of the progress.

    Raises:
        InputError: if the model is no classifier of these images, or the folder is taken.
        CheckError: if the model gives NaN or infinity.
    """
    check_folder(folder, resume=False, fresh=fresh or _is_adoption(folder))
    prepared = _prepared(data.prepared, folder, calibrate)
    own_names = prepared.manifest.class_names
    order = _order(class_names, own_names)
    foreign.check(model, prepared.decoder.shape, len(own_names), pixels)
    places = checked_places(prepared)
    sample = prepared.images[prepared.rows["val"][places]]
    labels = prepared.labels[prepared.rows["val"]]
    saved_form = foreign.saved_form(model, sample, pixels)
    remarks = mismatch.remarks(
        model, sample, labels[places], pixels, order, own_names, is_probs=saved_form.is_probs
    )
    for remark in remarks:
        reporter.note(remark)
    doubt = learnt.doubt(model, data)
    if doubt:
        reporter.note(f"note: what the model learnt from is unknown to tfcnn: {doubt}")
    parts = own_parts.read(prepared.recipe)
    make_room(folder, reporter)
    prepared = own_parts.write_start(prepared, parts, folder)
    reporter.stage("saving and scoring")
    whole = foreign.reordered(saved_form.model, order)
    probs, temperature = on_val(whole, prepared, folder), 1.0
    if calibrate:
        temperature = calibration.fit_temperature(labels, probs)
    twin_difference = write(
        whole, temperature, prepared, folder, reporter, tolerance=foreign.TOLERANCE
    )
    agreement = {"forms_mean_difference": saved_form.difference, "twin_difference": twin_difference}
    making = _making(model, doubt, saved_form, pixels, tuple(remarks))
    measure(prepared, making, Saved(whole, temperature, agreement), folder, reporter)
    data.is_scored = True


def _order(class_names: Sequence[str] | None, own: Sequence[str]) -> list[int]:
    """Return for each class of the images the number of the model's output for it."""
    if class_names is None:
        return list(range(len(own)))
    names = [str(name) for name in class_names] if isinstance(class_names, list | tuple) else []
    if sorted(names) != sorted(own):
        raise InputError(
            "class_names", f"[{', '.join(own)}], in the order of the model's outputs",
            str(class_names)[:MOST_NAMES], "a list with each of these once",
        )  # fmt: skip
    return [names.index(name) for name in own]


def _is_adoption(folder: Path) -> bool:
    """Say whether a run was begun by `adopt`: nothing is lost where it begins again."""
    path = folder / runs.RECIPE
    return path.exists() and recipes.load(str(path), is_record=True).model.network == runs.ADOPTED


def _prepared(prepared: Prepared, folder: Path, calibrate: bool) -> Prepared:
    """Return the images with the recipe of the run."""
    recipe: Recipe = prepared.recipe.model_copy(
        update={
            "name": naming.as_folder_name(folder.name),
            "model": ModelSettings(network=runs.ADOPTED),
            "evaluation": prepared.recipe.evaluation.model_copy(update={"calibrate": calibrate}),
        }
    )
    return replace(prepared, asked=recipe, recipe=recipe, allowed=(recipe,))


def _making(
    model: Any, doubt: str, saved_form: foreign.SavedForm, pixels: str, remarks: tuple[str, ...]
) -> Making:
    network = {
        "name": model.name,
        "options": {},
        "start": runs.ADOPTED,
        "tries": [],
        "pixels": pixels,
        "parameters": int(model.count_params()),
        "trained_on": runs.UNKNOWN if doubt else TRAIN,
    }
    facts = {"train_seconds": 0.0, "epochs": 0}
    policy = str(model.dtype_policy.name)
    return Making(network, facts, policy, has_features=saved_form.has_features, remarks=remarks)
