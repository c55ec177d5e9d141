"""Build the training form and fit it: optimizer, schedule, stopping, live figures, checkpoints."""

import importlib
import math
from collections.abc import Callable
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
from tfcnn.inputs import pipeline, tfdata
from tfcnn.recipes import Recipe, TrainSettings
from tfcnn.runs import HISTORY, LOGS
from tfcnn.training import form, strategy
from tfcnn.training.checkpoint import (
    Checkpoint,
    SeedEpochs,
    Start,
    State,
    Stopping,
    restore,
)
from tfcnn.training.muon import FilterMuon
from tfcnn.training.prepare import Prepared

Floats = npt.NDArray[np.float32]
VAL_BATCH_SIZE = 128
CHECKED_IMAGES = 256  # of val, on which the forms of the model, and Keras' evaluate, are compared
START_IMAGES = 5000  # of train, that a network is initialised with, where it asks for any


@dataclass(frozen=True)
class Trained:
    """What a training leaves.

    Attributes:
        weights: to keep, as the training form computed with them.
        checked_probs: float32 `(places, classes)`, of the training form on `checked_places`.
    """

    weights: list[npt.NDArray[Any]]
    checked_probs: Floats


def build(prepared: Prepared, state: State) -> Any:
    """Build the training form on the devices there are, in the precision of `state`.

    Raises:
        InputError: if the network cannot be built for these images.
    """
    recipe, classes = prepared.recipe, len(prepared.manifest.class_names)
    state.precision = state.precision or strategy.precision(recipe.train.precision)
    with strategy.choose().scope():
        model = form.training_form(recipe.model, prepared.decoder.shape, classes, state.precision)
        initialize = architectures.part(recipe.model.network, "initialize")
        if initialize:
            initialize(model, prepared.images[sample_rows(prepared, "train", START_IMAGES)])
    return model


def fit(prepared: Prepared, model: Any, folder: Path, start: Start, reporter: Reporter) -> Trained:
    """Fit the training form, phase by phase, from where `start` says it is.

    Args:
        prepared: the images, and what the recipe asks for.
        model: from `build`.
        folder: the run folder; history, logs and checkpoints go there.
        start: of the training; its state follows the training.
        reporter: hears of every epoch.
    """
    data, recipe, state = (prepared.images, prepared.labels), prepared.recipe, start.state
    loss_weights = architectures.part(recipe.model.network, "LOSS_WEIGHTS") or (1.0,)
    settings = phases(recipe.train)
    while True:
        phase = recipe.model_copy(update={"train": settings[state.phase]})
        if state.phase:
            architectures.part(recipe.model.network, "finetune")(model)
            reporter.note(f"fine-tuning {recipe.model.network}")
        compile_model(model, phase.train, len(prepared.rows["train"]), loss_weights)
        weights = fit_phase(model, phase, data, prepared.rows, folder, start, reporter)
        model.set_weights(weights)
        if state.phase + 1 == len(settings):
            break
        state.next_phase()
        start = Start(state)
    logits = model.predict(val_batches(prepared, checked_places(prepared)), verbose=0)
    probs = keras.ops.convert_to_numpy(keras.ops.softmax(logits))
    return Trained(form.as_computed(weights, state.precision), probs)


def checked_places(prepared: Prepared) -> npt.NDArray[np.int64]:
    """Return places in val, at most `CHECKED_IMAGES`, of every class."""
    return sampling.evenly(prepared.labels[prepared.rows["val"]], CHECKED_IMAGES)


def sample_rows(prepared: Prepared, split: str, most: int) -> npt.NDArray[np.int64]:
    """Return row numbers of a split, at most so many, of every class."""
    rows = prepared.rows[split]
    return rows[sampling.evenly(prepared.labels[rows], most)]


def val_batches(prepared: Prepared, places: npt.NDArray[np.int64] | slice = slice(None)) -> Any:
    """Return val in order, or these places of it, in batches that keep memory small."""
    rows = prepared.rows["val"][places]
    size = min(VAL_BATCH_SIZE, prepared.recipe.train.batch_size)  # what memory is known to hold
    return tfdata.in_order(prepared.images, prepared.labels, rows, size)


class Waiting:
    """Measures how long training waits for its next batch: from its request to its delivery.

    Both times are taken inside the input pipeline: the rest of a step is no waiting.
    """

    def __init__(self) -> None:
        self.seconds = 0.0
        self._request_time = 0.0

    def _ask(self, number: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        self._request_time = perf_counter()
        return number

    def _deliver(self, request: Any, labels: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
        self.seconds += perf_counter() - self._request_time
        return labels

    def measured(self, dataset: Any) -> Any:
        """Return the dataset with the time of each request and each delivery taken.

        A strategy over several GPUs prefetches after it, and so requests early: this counts as
        waiting too.
        """

        def ask(number: Any) -> Any:
            return tfdata.call(self._ask, [number], tf.int64)

        def deliver(request: Any, batch: tuple[Any, ...]) -> tuple[Any, ...]:
            images, labels, *weights = batch
            labels_then = tfdata.call(self._deliver, [request, labels], labels.dtype)
            return images, tf.ensure_shape(labels_then, labels.shape), *weights

        # of a zip, the first is asked before the second
        requests = tf.data.Dataset.counter().map(tfdata.as_written(ask))
        options = tf.data.Options()
        options.autotune.enabled = False  # it would call what is stateless ahead of time
        return (
            tf.data.Dataset.zip(requests, dataset)
            .map(tfdata.as_written(deliver))
            .with_options(options)
        )


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
        _write_history(self.state.history, self.path)
        self.reporter.epoch(epoch + 1, self.params["epochs"], row)


def fit_phase(
    model: Any,
    recipe: Recipe,
    data: tuple[npt.NDArray[np.uint8], npt.NDArray[np.int32]],
    rows: dict[str, npt.NDArray[np.int64]],
    folder: Path,
    start: Start,
    reporter: Reporter,
) -> list[npt.NDArray[Any]]:
    """Train a compiled training form from where `start` says it is.

    Args:
        model: compiled, see `compile_model`.
        recipe: what to do, with the `[train]` section of the phase, see `phases`.
        data: images uint8 `(images, height, width, channels)` and labels int32 `(images,)`.
        rows: the row numbers of each split.
        folder: the run folder; history, logs and checkpoints go there.
        start: of this phase.
        reporter: hears of every epoch.

    Returns:
        The weights to keep: the best on val, or the last, as the recipe says; Keras' stopping
        rule has put the best ones back when training ends.
    """
    train, state = recipe.train, start.state
    stopping = Stopping(train.patience, train.epochs, train.best_weights)
    restore(start, model, stopping)
    size = min(train.batch_size, len(rows["train"]))
    steps = tfdata.steps_per_epoch(len(rows["train"]), size)
    waiting = Waiting()
    live = _Live(state, reporter, waiting, (size, steps), folder / HISTORY)
    end = state.phase_start + train.epochs
    if not state.is_done:
        batches = pipeline.training(
            recipe.inputs, *data, rows["train"], batch_size=size, seed=train.seed,
            first_epoch=state.epoch, epochs=end,
        )  # fmt: skip
        if train.class_weights == "balanced":  # Keras' `class_weight` would prefetch once more
            batches = batches.map(_weighted(data[1][rows["train"]]))
        model.fit(
            waiting.measured(batches),
            validation_data=tfdata.in_order(*data, rows["val"], train.batch_size),
            initial_epoch=state.epoch,
            epochs=end,
            steps_per_epoch=steps,
            shuffle=False,  # the batches are shuffled already
            callbacks=[
                SeedEpochs(train.seed), stopping, live, Checkpoint(folder, state, stopping),
                *tensorboard_callbacks(folder / LOGS, Reporter() if state.phase else reporter),
            ],
            verbose=0,
        )  # fmt: skip
    elif stopping.kept_weights is not None:  # where Keras puts the best back, it was cut
        model.set_weights(stopping.kept_weights)
    return [np.array(weight) for weight in model.get_weights()]


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


def phases(train: TrainSettings) -> list[TrainSettings]:
    """Return the settings of each phase: the one of `[train]`, and that of fine-tuning if any."""
    if not train.finetune_epochs:
        return [train]
    finetune = {"epochs": train.finetune_epochs, "learning_rate": train.finetune_learning_rate}
    return [train, train.model_copy(update=finetune)]


def compile_model(
    model: Any, train: TrainSettings, num_images: int, loss_weights: tuple[float, ...] = (1.0,)
) -> None:
    """Give a training form its loss, its optimizer and its schedule.

    Args:
        model: from `training_form`; compiled anew if it was before.
        train: the settings of one phase.
        num_images: in the train split.
        loss_weights: of the outputs; in training all count, afterwards the first alone.
    """
    size = min(train.batch_size, num_images)
    steps = train.epochs * tfdata.steps_per_epoch(num_images, size)

    def loss(labels: Any, logits: Any) -> Any:
        indices = tf.cast(tf.reshape(labels, [-1]), tf.int32)  # Keras hands labels over as floats
        targets = tf.one_hot(indices, logits.shape[-1])

        def of(outputs: Any) -> Any:
            return keras.losses.categorical_crossentropy(
                targets, outputs, from_logits=True, label_smoothing=train.label_smoothing
            )

        if logits.shape.rank == 2:
            return of(logits)
        return sum(weight * of(logits[:, i]) for i, weight in enumerate(loss_weights))

    def sparse_categorical_accuracy(labels: Any, logits: Any) -> Any:
        first = logits if logits.shape.rank == 2 else logits[:, 0]
        return keras.metrics.sparse_categorical_accuracy(labels, first)

    with model.distribute_strategy.scope():
        model.compile(
            optimizer=optimizer_for(train, steps), loss=loss, metrics=[sparse_categorical_accuracy]
        )
        model.optimizer.build(model.trainable_variables)
    # a step whose first call makes variables is traced twice, a second each time
    if tf.distribute.get_strategy() is model.distribute_strategy:
        model.compute_metrics(None, tf.zeros((1,)), tf.zeros((1, *model.output_shape[1:])))
        model.reset_metrics()


def optimizer_for(train: TrainSettings, steps: int) -> Any:
    """Return the recipe's optimizer with its schedule over `steps` steps."""
    rate: Any = train.learning_rate
    if train.schedule == "cosine":
        rate = keras.optimizers.schedules.CosineDecay(rate, steps)
    elif train.schedule == "linear":
        rate = keras.optimizers.schedules.PolynomialDecay(rate, steps, end_learning_rate=0.0)
    elif train.schedule == "one_cycle":  # up in a straight line, down along a cosine
        warmup = round(train.warmup_fraction * steps)
        rate = keras.optimizers.schedules.CosineDecay(
            rate / 25, max(1, steps - warmup), warmup_target=rate, warmup_steps=warmup
        )
    decay = train.weight_decay or None
    if train.optimizer == "muon":
        return FilterMuon(rate, momentum=train.momentum)
    if train.optimizer == "sgd":
        optimizer = keras.optimizers.SGD(
            rate, momentum=train.momentum, nesterov=True, weight_decay=decay
        )
    else:
        kinds = {
            "adam": keras.optimizers.Adam,
            "adamw": keras.optimizers.AdamW,
            "rmsprop": keras.optimizers.RMSprop,
        }
        # AdamW, unlike the others, takes no None
        optimizer = kinds[train.optimizer](rate, weight_decay=decay or 0.0)
    if decay:  # shrinking what only shifts or scales helps nothing
        optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return optimizer


def _weighted(labels: npt.NDArray[np.int32]) -> Callable[[Any, Any], tuple[Any, Any, Any]]:
    """Return what adds to a batch the weights that let every class count the same."""
    counts = np.bincount(labels)
    weights = tf.constant(len(labels) / (len(counts) * np.maximum(counts, 1)), tf.float32)
    return lambda images, classes: (images, classes, tf.gather(weights, classes))


def _write_history(history: list[dict[str, float]], path: Path) -> None:
    header = list(history[0])
    rows = ([row[key] for key in header] for row in history)
    atomic.write_text(path, atomic.csv_text(header, rows))
