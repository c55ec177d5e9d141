"""Build the training form and fit it: optimizer, schedule, stopping, live figures, checkpoints."""

import importlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tfcnn import architectures
from tfcnn.base import atomic, sampling
from tfcnn.base.errors import InputError
from tfcnn.base.progress import Reporter
from tfcnn.inputs import tfdata
from tfcnn.recipes import Recipe, TrainSettings
from tfcnn.runs import HISTORY, LOGS
from tfcnn.training import form, losses, on_device, strategy, unfreeze
from tfcnn.training.batches import Waiting, train_and_val, train_batches, val_batches
from tfcnn.training.budget import Budget
from tfcnn.training.callbacks import Averages, Plateau, UsualNames
from tfcnn.training.checkpoint import (
    Checkpoint,
    SeedEpochs,
    Start,
    State,
    Stopping,
    restore,
)
from tfcnn.training.optimizers import optimizer_for
from tfcnn.training.prepare import Prepared

Floats = npt.NDArray[np.float32]
# of val, on which the forms of the model, and Keras' evaluate, are compared: fewer large ones
CHECKED_IMAGES, CHECKED_PIXELS, CHECKED_LEAST = 256, 256 * 64 * 64, 32
TIMED_STEPS = 3
START_IMAGES = 5000  # of train, that a network is initialised with, where it asks for any


@dataclass(frozen=True)
class Trained:
    """What a training leaves.

    Attributes:
        weights: to keep, as they were computed with.
        val_logits: float32 `(places, classes)`, as computed with these weights: of all of val, or
            of `checked_places` alone.
        features: float32 `(images, features)` of all images, where they are known: of a network
            that stayed as it is.
        headless: the LiteRT twin of the network with another head, where there is one already.
    """

    weights: list[npt.NDArray[Any]]
    val_logits: Floats
    features: Floats | None = None
    headless: bytes | None = None


def build(prepared: Prepared, state: State) -> Any:
    """Build the training form on the devices there are, in the precision of `state`.

    Raises:
        InputError: if the network cannot be built for these images.
    """
    recipe, classes = prepared.recipe, len(prepared.manifest.class_names)
    is_finetuned = recipe.model.start == "finetune"
    together = prepared.team.cluster if prepared.team else None
    with strategy.choose(recipe.train.strategy, together).scope():
        model = form.training_form(recipe.model, prepared.decoder.shape, classes, state.precision)
        initialize = architectures.part(recipe.model.network, "initialize")
        if initialize and not is_finetuned:
            initialize(model, prepared.images[start_rows(prepared)])
    if is_finetuned:
        unfreeze.last_layers(model, recipe.train.finetune_layers)
    return model


def fit(
    prepared: Prepared,
    model: Any,
    folder: Path,
    start: Start,
    budget: Budget,
    reporter: Reporter,
    callbacks: Sequence[Any] = (),
) -> Trained:
    """Fit the training form from where `start` says it is.

    Args:
        prepared: the images, and what the recipe asks for.
        model: from `build`.
        folder: the run folder; history, logs and checkpoints go there.
        start: of the training; its state follows the training.
        budget: the time there is.
        reporter: hears of every epoch.
        callbacks: of the user, Keras' own.

    Raises:
        InputError: if a loss is not finite, or an image that is decoded meanwhile has changed.
    """
    recipe, state = prepared.recipe, start.state
    loss_weights = architectures.part(recipe.model.network, "LOSS_WEIGHTS") or (1.0,)
    count = len(prepared.rows["train"])
    train = _spread(settings_of(recipe), model, count, state, reporter)
    reporter.note(f"training {Path(recipe.model.network).name} in {state.precision}")
    if prepared.team:  # whatever a way to begin has computed, it goes on alike everywhere
        model.set_weights(prepared.team.of_chief(model.get_weights))
    # without those of a run that is continued: the schedule is one of the further epochs
    train = train.model_copy(update={"epochs": train.epochs - state.first_epoch})
    if budget.minutes is not None and not state.epochs:
        compile_model(model, train, count, loss_weights)
        fitting = epochs_within(prepared, model, train, budget)
        state.epochs = state.first_epoch + fitting
        reporter.note(f"train.minutes: {fitting} of {train.epochs} epochs fit")
    if state.epochs:
        train = _epochs_of(train, state.epochs - state.first_epoch)
    compile_model(model, train, count, loss_weights)
    train = train.model_copy(update={"epochs": state.first_epoch + train.epochs})
    recipe = recipe.model_copy(update={"train": train})
    weights = fit_epochs(model, recipe, prepared, folder, start, reporter, callbacks)
    model.set_weights(weights)
    places = slice(None) if prepared.place else checked_places(prepared)
    logits = _alone(model, prepared, state).predict(val_batches(prepared, places), verbose=0)
    return Trained(form.as_computed(weights, state.precision), np.asarray(logits))


def _spread(
    train: TrainSettings, model: Any, count: int, state: State, reporter: Reporter
) -> TrainSettings:
    """Return a training for the devices of a model, and say what it means where they are several.

    Over one device nothing changes.

    Raises:
        InputError: if a training goes on whose steps were those of another number of devices.
    """
    replicas = model.distribute_strategy.num_replicas_in_sync
    if train.batch_scaling != "none" and state.replicas not in (0, replicas):
        expected, hint = f"{state.replicas} devices, as it was begun", "as many, or --fresh"
        raise InputError("train.batch_scaling", expected, f"{replicas}", hint)
    state.replicas = replicas
    if replicas == 1:
        return train
    spread = strategy.spread(train, count, replicas)
    size, rate = spread.batch_size, spread.learning_rate
    reporter.note(
        f"{replicas} devices: a step takes {size} images, {size // replicas} on each; "
        f"learning rate {rate:g}"
    )
    return spread


def _alone(model: Any, prepared: Prepared, state: State) -> Any:
    """Return the training form on this process alone: all the others predict the same images."""
    if not prepared.team:
        return model
    settings, classes = prepared.recipe.model, len(prepared.manifest.class_names)
    alone = form.training_form(settings, prepared.decoder.shape, classes, state.precision)
    alone.set_weights(model.get_weights())
    return alone


def settings_of(recipe: Recipe) -> TrainSettings:
    """Return `[train]` of a way to begin: fine-tuning has its own epochs, rate and optimizer."""
    train = recipe.train
    if recipe.model.start != "finetune":
        return train
    changes = {
        "epochs": train.finetune_epochs,
        "learning_rate": train.finetune_learning_rate,
        "optimizer": "adamw",  # muon would rescale the kernels
    }
    return train.model_copy(update=changes)


def _epochs_of(train: TrainSettings, epochs: int) -> TrainSettings:
    """Return the same training in another number of epochs; the warm-up keeps its share."""
    warmup = train.warmup_epochs * epochs / train.epochs
    return train.model_copy(update={"epochs": epochs, "warmup_epochs": warmup})


def epochs_within(prepared: Prepared, model: Any, train: TrainSettings, budget: Budget) -> int:
    """Return how many epochs fit into the time that is left, by the time that a few steps take.

    Args:
        prepared: the images.
        model: compiled; it has its weights back afterwards, and is to be compiled again.
        train: what is to be done.
        budget: the time there is.
    """
    rows, weights = prepared.rows, model.get_weights()
    size = min(train.batch_size, len(rows["train"]))
    recipe = prepared.recipe.model_copy(update={"train": _epochs_of(train, 1)})
    batches = train_batches(prepared, recipe, 0, model.output_shape[-1])
    seconds = []
    for batch in batches.take(1 + TIMED_STEPS):  # the first one is compiled
        start = perf_counter()
        model.train_on_batch(*batch)
        seconds.append(perf_counter() - start)
    model.set_weights(weights)
    # an image of val takes a third of one of train: no way back
    steps = (len(rows["train"]) + len(rows["val"]) / 3) / size
    return budget.epochs(train.epochs, steps * float(np.median(seconds[1:] or seconds)))


def checked_places(prepared: Prepared) -> npt.NDArray[np.int64]:
    """Return places in val, at most `CHECKED_IMAGES`, of every class."""
    height, width, _ = prepared.decoder.shape
    most = min(CHECKED_IMAGES, max(CHECKED_LEAST, CHECKED_PIXELS // (height * width)))
    return sampling.evenly(prepared.labels[prepared.rows["val"]], most)


def start_rows(prepared: Prepared) -> npt.NDArray[np.int64]:
    """Return row numbers of train, at most `START_IMAGES`, of every class."""
    rows = prepared.rows["train"]
    return rows[sampling.evenly(prepared.labels[rows], START_IMAGES)]


class _Live(keras.callbacks.Callback):  # type: ignore[misc]
    """Keeps the history, measures speed and waiting, and tells the reporter."""

    def __init__(
        self, state: State, reporter: Reporter, waiting: Waiting, sizes: tuple[int, int], path: Path
    ) -> None:
        super().__init__()
        self.state, self.reporter, self.waiting, self.path = state, reporter, waiting, path
        self.batch_size, self.steps = sizes
        self._epoch_start = self._epoch_waited = 0.0

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._epoch_start, self._epoch_waited = perf_counter(), self.waiting.seconds
        self._cpu_start = process_time()
        self._trained: float | None = None
        epochs = self.params["epochs"]
        self._progress = self.reporter.stage(f"epoch {epoch + 1}/{epochs}")

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self._progress((batch + 1) * self.batch_size, self.steps * self.batch_size)
        if batch + 1 == self.steps:
            self._trained = perf_counter() - self._epoch_start

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        seconds = perf_counter() - self._epoch_start
        trained = self._trained or seconds
        row = {
            "epoch": epoch + 1,
            **{key: float(value) for key, value in (logs or {}).items()},
            "learning_rate": float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate)),
            "seconds": seconds,
            "images_per_second": self.steps * self.batch_size / trained,
            "waiting_fraction": (self.waiting.seconds - self._epoch_waited) / trained,
        }
        for name in ("loss", "val_loss"):  # the last steps may break what the mean does not show
            if not math.isfinite(row[name]):
                raise InputError(
                    f"epoch {epoch + 1}", f"a finite {name}", str(row[name]),
                    "a lower train.learning_rate",
                )  # fmt: skip
        self.state.epoch = epoch + 1
        self.state.train_seconds += seconds
        self.state.train_cpu_seconds += process_time() - self._cpu_start
        self.state.history.append(row)
        write_history(self.state.history, self.path)
        self.reporter.epoch(epoch + 1, self.params["epochs"], row)


def fit_epochs(
    model: Any,
    recipe: Recipe,
    prepared: Prepared,
    folder: Path,
    start: Start,
    reporter: Reporter,
    callbacks: Sequence[Any] = (),
) -> list[npt.NDArray[Any]]:
    """Train a compiled training form from where `start` says it is.

    Args:
        model: compiled, see `compile_model`.
        recipe: what to do, with the `[train]` section of the way to begin, see `settings_of`.
        prepared: the images.
        folder: the run folder; history, logs and checkpoints go there.
        start: of the training.
        reporter: hears of every epoch.
        callbacks: of the user, Keras' own.

    Returns:
        The weights to keep: the best on val, or the last, as the recipe says. With `train.ema`
        both are averages.
    """
    rows, train, state = prepared.rows, recipe.train, start.state
    size = min(train.batch_size, len(rows["train"]))
    steps = tfdata.steps_per_epoch(len(rows["train"]), size)
    stopping = Stopping(train.patience, train.epochs, train.best_weights)
    falls_at_plateau = train.schedule == "reduce_on_plateau"
    plateau = Plateau(train, steps, state.first_epoch) if falls_at_plateau else None
    restore(start, model, stopping, plateau)
    waiting = Waiting()
    checkpoint = Checkpoint(folder, prepared.place, state, stopping, plateau)
    if not state.is_done:
        # each sees what those before it have done at the end of an epoch
        seen = [
            SeedEpochs(train.seed),
            *([Averages(is_resumed=bool(start.optimizer))] if train.ema else []),
            _Live(state, reporter, waiting, (size, steps), folder / HISTORY),
            *tensorboard_callbacks(folder / LOGS / prepared.place, reporter),
            *([UsualNames(), *callbacks] if callbacks else []),
            stopping,
            *([plateau] if plateau else []),
            checkpoint,
        ]
        resident = on_device.images_of(recipe, prepared, model, reporter)
        source = train_and_val(model, recipe, prepared, state.epoch, waiting, resident)
        together = on_device.steps_together(train, steps, is_watched=bool(callbacks))
        with on_device.loading(model, resident, together):
            _read(model, source, state.epoch, train.epochs, steps, seen)
    best = stopping.best_weights or stopping.kept_weights  # of what was cut after its last epoch
    return [np.array(weight) for weight in best or checkpoint.weights or start.weights]


def _read(
    model: Any, source: tuple[Any, Any, int | None], first: int, epochs: int, steps: int, seen: Any
) -> None:
    """Fit a model to train and val, from the first epoch up to as many."""
    batches, val, val_steps = source
    model.fit(
        batches,
        validation_data=val,
        validation_steps=val_steps,
        initial_epoch=first,
        epochs=epochs,
        steps_per_epoch=steps,
        shuffle=False,  # the batches are shuffled already
        callbacks=seen,
        verbose=0,
    )


def tensorboard_callbacks(logs: Path, reporter: Reporter) -> list[Any]:
    """Return the callback that writes TensorBoard's logs, or none, and say so, without TensorBoard.

    It is an extra: what it shows is in `history.csv` too.
    """
    try:  # the part that Keras' callback calls; TensorFlow asks for it at the end of an epoch only
        importlib.import_module("tensorboard.plugins.scalar.summary_v2")
    except Exception as error:  # one that is broken raises whatever it likes
        is_absent = isinstance(error, ModuleNotFoundError)
        reason = "it is not installed" if is_absent else f"it does not start ({error})"
        reporter.note(f"no logs for TensorBoard: {reason}; for them: pip install tensorboard")
        return []
    return [keras.callbacks.TensorBoard(logs, write_graph=False)]


def compile_model(
    model: Any, train: TrainSettings, num_images: int, loss_weights: tuple[float, ...] = (1.0,)
) -> None:
    """Give a training form its loss, its optimizer and its schedule.

    Args:
        model: from `training_form`; compiled anew if it was before.
        train: what is to be done.
        num_images: in the train split.
        loss_weights: of the outputs; in training all count, afterwards the first alone.
    """
    size = min(train.batch_size, num_images)
    steps = train.epochs * tfdata.steps_per_epoch(num_images, size)

    with model.distribute_strategy.scope():
        model.compile(
            optimizer=optimizer_for(train, steps),
            loss=losses.loss_for(train, loss_weights),
            metrics=[losses.sparse_categorical_accuracy],
        )
        model.optimizer.build(model.trainable_variables)
    # a step whose first call makes variables is traced twice, a second each time
    if tf.distribute.get_strategy() is model.distribute_strategy:
        model.compute_metrics(None, tf.zeros((1,)), tf.zeros((1, *model.output_shape[1:])))
        model.reset_metrics()


def write_history(history: list[dict[str, float]], path: Path) -> None:
    """Write the figures of every epoch; no file where there is none."""
    if not history:
        path.unlink(missing_ok=True)
        return
    header = list(history[0])
    rows = ([row[key] for key in header] for row in history)
    atomic.write_text(path, atomic.csv_text(header, rows))
