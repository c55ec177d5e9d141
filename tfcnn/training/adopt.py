"""`adopt(model, data, folder)`: from a model that somebody else's code trained to a run.

It is brought into the saved form, calibrated on val, scored once on test, and saved as a training
saves its own. What it was trained on is recorded where that is known.
"""

import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
from scipy.special import expit
from scipy.stats import binomtest

from tfcnn import recipes, runs
from tfcnn.base import files, naming
from tfcnn.base.errors import InputError
from tfcnn.base.progress import Reporter
from tfcnn.evaluation import calibration
from tfcnn.manifest import splits
from tfcnn.prediction import two_columns
from tfcnn.recipes import ModelSettings, Recipe
from tfcnn.training import foreign, own_parts
from tfcnn.training.data import Data
from tfcnn.training.fit import checked_places
from tfcnn.training.making import Making
from tfcnn.training.measure import measure
from tfcnn.training.prepare import Prepared
from tfcnn.training.resume import check_folder, make_room
from tfcnn.training.save import Saved, on_val, write

LUCK = 0.001  # probability by which another scaling of pixels is better by chance
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


def adopt(
    model: Any,
    data: Data,
    folder: Path,
    *,
    pixels: str,
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
        calibrate: whether a temperature is fitted on val and folded into the model.
        fresh: move an unfinished run aside.
        reporter: hears of the progress.

    Raises:
        InputError: if the model is no classifier of these images, or the folder is taken.
        CheckError: if the model gives NaN or infinity.
    """
    check_folder(folder, resume=False, fresh=fresh or _is_adoption(folder))
    prepared = _prepared(data.prepared, folder, calibrate)
    classes = len(prepared.manifest.class_names)
    foreign.check(model, prepared.decoder.shape, classes, pixels)
    places = checked_places(prepared)
    sample = prepared.images[prepared.rows["val"][places]]
    labels = prepared.labels[prepared.rows["val"]]
    reporter.stage("bringing the model into the saved form")
    saved_form = foreign.saved_form(model, sample, pixels)
    remarks = _scaling_remarks(model, sample, labels[places], pixels)
    for remark in remarks:
        reporter.note(remark)
    parts = own_parts.read(prepared.recipe)
    make_room(folder, reporter)
    prepared = prepared.changed(lambda recipe: own_parts.at_copies(recipe, folder))
    recipes.write(prepared.recipe, folder / runs.RECIPE)
    parts.write(folder)
    splits.write(prepared.manifest, prepared.splits, folder / runs.SPLIT)
    reporter.stage("saving and scoring")
    whole = saved_form.model
    probs, temperature = on_val(whole, prepared, folder), 1.0
    if calibrate:
        temperature = calibration.fit_temperature(labels, probs)
    twin_difference = write(
        whole, temperature, prepared, probs[places], folder, reporter, tolerance=foreign.TOLERANCE
    )
    agreement = {
        "forms_mean_difference": saved_form.difference,
        "twin_difference": twin_difference,
    }
    making = _making(model, data, saved_form, pixels, tuple(remarks))
    measure(prepared, making, Saved(whole, temperature, agreement), folder, reporter)
    data.is_scored = True


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
    model: Any, data: Data, saved_form: foreign.SavedForm, pixels: str, remarks: tuple[str, ...]
) -> Making:
    network = {
        "name": model.name,
        "options": {},
        "start": runs.ADOPTED,
        "tries": [],
        "pixels": pixels,
        "parameters": int(model.count_params()),
        "trained_on": TRAIN if data.has_trained(model) else runs.UNKNOWN,
    }
    facts = {"train_seconds": 0.0, "epochs": 0}
    policy = str(model.dtype_policy.name)
    return Making(network, facts, policy, has_features=saved_form.has_features, remarks=remarks)


def _scaling_remarks(model: Any, images: Any, labels: Any, pixels: str) -> list[str]:
    """Return what speaks for another scaling of pixels than the one that was named.

    A model that gets other numbers than it was trained on answers, and is wrong more often.
    """
    known = {name: _is_right(model, images, labels, name) for name in _scalings(images)}
    given = known.pop(pixels)
    best = max(known, key=lambda name: int(known[name].sum()))
    better, worse = int((known[best] & ~given).sum()), int((given & ~known[best]).sum())
    if better <= worse or binomtest(better, better + worse).pvalue > LUCK:
        return []
    right, other, of = int(given.sum()), int(known[best].sum()), len(labels)
    return [
        f"the model is right on {right} of {of} images of val with pixels={pixels}, and on {other} "
        f"with pixels={best}: it may have been trained with these"
    ]


def _scalings(images: Any) -> list[str]:
    return [name for name in foreign.PIXELS if name != "imagenet" or images.shape[3] == 3]


def _is_right(model: Any, images: Any, labels: Any, pixels: str) -> Any:
    outputs = foreign.outputs_of(model, foreign.scaled(images, pixels))
    if outputs.shape[1] == 1:  # a logit counts from 0, a probability from 1/2
        is_share = foreign.ends_in_sigmoid(model)
        outputs = two_columns(outputs if is_share else expit(outputs))
    return outputs.argmax(axis=1) == labels
