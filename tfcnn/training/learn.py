"""From prepared images to a measured, saved model: what of a training needs TensorFlow."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from tfcnn import architectures, recipes, runs
from tfcnn.base import quiet, sampling
from tfcnn.base.errors import TfcnnError
from tfcnn.base.progress import Reporter
from tfcnn.evaluation import calibration, scoring
from tfcnn.evaluation import table as predictions
from tfcnn.evaluation.table import Table
from tfcnn.inputs import tfdata
from tfcnn.manifest import splits
from tfcnn.prediction import two_columns
from tfcnn.runs import Run
from tfcnn.training import form, measuring, saving, strategy, views
from tfcnn.training.begun import make_room, resumable
from tfcnn.training.fit import compile_model, fit, phases
from tfcnn.training.prepare import Prepared
from tfcnn.training.randomness import seeded
from tfcnn.training.record import card, facts
from tfcnn.training.resume import Checkpoint, State, vouched

__all__ = ["learn"]

Floats = npt.NDArray[np.float32]
VAL_BATCH_SIZE = 128
CHECKED = 256  # val images on which the model's forms, and Keras' own evaluate, are compared
TWINNED = 64  # val images on which the LiteRT twin is compared with it
STARTERS = 5000  # training images that a network is initialised with, where it asks for any


def learn(prepared: Prepared, folder: Path, resuming: bool, reporter: Reporter) -> Run:
    """Train a network on prepared images, save it and score it once on its test split.

    Args:
        prepared: the images, and the recipe with what it left open filled in.
        folder: of the run; a finished one there is moved aside.
        resuming: whether to go on with the unfinished one there.
        reporter: hears of the progress.

    Returns:
        The run, not stamped as done yet.

    Raises:
        InputError: if the network cannot be built for these images.
    """
    train = prepared.recipe.train
    with seeded(train.seed, deterministic=train.deterministic):
        return _learn(prepared, folder, resuming, reporter)


def _learn(prepared: Prepared, folder: Path, resuming: bool, reporter: Reporter) -> Run:
    state = Checkpoint.read_state(folder, reporter) if resuming else State()
    model = _build(prepared, state)  # what it refuses, it refuses before anything is written
    if not resuming:
        make_room(folder, reporter)
    with resumable(folder):
        if not resuming:
            recipes.write(prepared.recipe, folder / runs.RECIPE)
            splits.write(prepared.manifest, prepared.splits, folder / runs.SPLIT)
            state.sha256 = vouched(folder)
        reporter.note(f"training {prepared.recipe.model.network} in {state.precision}")
        weights, trained = _train(prepared, model, folder, state, reporter)
        reporter.stage("saving and scoring")
        return _save(prepared, folder, state, weights, trained, reporter)


def _build(prepared: Prepared, state: State) -> Any:
    """Build the training form on the devices there are."""
    recipe, settings = prepared.recipe, prepared.recipe.train
    state.precision = state.precision or strategy.precision(settings.precision)
    classes = len(prepared.manifest.class_names)
    with strategy.choose().scope():
        model = form.training_form(recipe.model, prepared.decoder.shape, classes, state.precision)
        initialize = architectures.part(recipe.model.network, "initialize")
        if initialize:
            initialize(model, prepared.images[_some(prepared, "train", STARTERS)])
    return model


def _train(
    prepared: Prepared, model: Any, folder: Path, state: State, reporter: Reporter
) -> tuple[list[Any], Floats]:
    """Fit the training form; returns the weights to keep and its probabilities on `_checked`."""
    data, recipe = (prepared.images, prepared.labels), prepared.recipe
    loss_weights = architectures.part(recipe.model.network, "LOSS_WEIGHTS") or (1.0,)
    settings = phases(recipe.train)
    while True:
        phase = recipe.model_copy(update={"train": settings[state.phase]})
        if state.phase:
            architectures.part(recipe.model.network, "finetune")(model)
            reporter.note(f"fine-tuning {recipe.model.network}")
        compile_model(model, phase.train, len(prepared.rows["train"]), loss_weights)
        weights = fit(model, phase, data, prepared.rows, folder, state, reporter)
        model.set_weights(weights)
        if state.phase + 1 == len(settings):
            break
        state.next_phase()
    logits = model.predict(_batches(prepared, _checked(prepared)), verbose=0)
    probs = keras.ops.convert_to_numpy(keras.ops.softmax(logits))
    return form.as_computed(weights, state.precision), probs


def _save(
    prepared: Prepared,
    folder: Path,
    state: State,
    weights: list[Any],
    trained: Floats,
    reporter: Reporter,
) -> Run:
    """Write the model in its saved form, measure it, and write what was measured."""
    recipe, val_rows = prepared.recipe, prepared.rows["val"]
    classes, shape = len(prepared.manifest.class_names), prepared.decoder.shape
    val_labels = prepared.labels[val_rows]
    plain = form.saved_form(recipe.model, shape, classes, weights)
    saved = _on_val(plain, prepared, folder, _checked(prepared))
    agreement: dict[str, Any] = {"forms_mean_difference": saving.agree(trained, saved)}
    if recipe.model.views != "one":
        plain = views.averaged(plain, recipe.model.views)
    temperature = 1.0
    if recipe.evaluation.calibrate:
        val = _on_val(plain, prepared, folder)
        temperature = calibration.fit_temperature(val_labels, val)
        form.fold_temperature(plain, temperature)
    saving.write_keras(plain, folder / runs.MODEL)
    sample = prepared.images[_some(prepared, "val", TWINNED)]
    agreement["twin_difference"] = saving.write_twin(plain, folder / runs.TWIN, sample)
    if agreement["twin_difference"] is None:
        reporter.note(
            "note: no LiteRT twin, for the network cannot be converted or then answers otherwise "
            f"(why: {quiet.log_path()}): Keras answers, which starts more slowly"
        )

    run = Run(folder, card(prepared, folder, state, temperature))
    table = measuring.predict(prepared, run, reporter)
    agreement["keras_evaluate"] = _cross_check(plain, prepared, table)
    predictions.write(run, table)
    engine = run.card["record"]["engine"]
    scoring.write(scoring.score(run, table, facts(prepared, state, agreement, engine)), folder)
    run = run.recorded(runs.RECIPE, runs.HISTORY, runs.PREDICTIONS, runs.REPORT)
    runs.write_card(run)
    return run


def _checked(prepared: Prepared) -> npt.NDArray[np.int64]:
    """Return places in val, at most `CHECKED`, of every class."""
    return sampling.evenly(prepared.labels[prepared.rows["val"]], CHECKED)


def _some(prepared: Prepared, split: str, most: int) -> npt.NDArray[np.int64]:
    """Return row numbers of a split, at most so many, of every class."""
    rows = prepared.rows[split]
    return rows[sampling.evenly(prepared.labels[rows], most)]


def _batches(prepared: Prepared, places: npt.NDArray[np.int64] | slice = slice(None)) -> Any:
    """Return val in order, or these places of it, in batches that keep memory small."""
    rows = prepared.rows["val"][places]
    size = min(VAL_BATCH_SIZE, prepared.recipe.train.batch_size)  # what memory is known to hold
    return tfdata.in_order(prepared.images, prepared.labels, rows, size)


def _on_val(
    model: Any,
    prepared: Prepared,
    folder: Path,
    places: npt.NDArray[np.int64] | slice = slice(None),
) -> Floats:
    """Return a model's probabilities on val, or on these places of it; all are numbers."""
    probs = two_columns(model.predict(_batches(prepared, places), verbose=0))
    rows = prepared.rows["val"][places]
    measuring.refuse_no_answer(folder, probs, [prepared.manifest.rows[row].path for row in rows])
    return probs


def _cross_check(plain: Any, prepared: Prepared, table: Table) -> float:
    """Compare the accuracy from predictions with `model.evaluate`'s, on `_checked`.

    Raises:
        TfcnnError: if they differ by more than two images on the edge between two classes.
    """
    part, places = table.part("val"), _checked(prepared)
    kind = "binary" if plain.output_shape[-1] == 1 else "sparse_categorical"
    metrics = [f"{kind}_accuracy"]
    # to trace it would take longer than these few images do
    plain.compile(loss=f"{kind}_crossentropy", metrics=metrics, run_eagerly=True)
    evaluated = plain.evaluate(_batches(prepared, places), verbose=0, return_dict=True)
    value = float(evaluated[f"{kind}_accuracy"])
    counted = float(np.mean((part.probs.argmax(axis=1) == part.labels)[places]))
    if abs(value - counted) > 2 / len(places):
        raise TfcnnError(
            "val accuracy", f"{counted:.5f}, from predictions", f"{value:.5f}, from evaluate()",
            "reporting this as a bug",
        )  # fmt: skip
    return value
