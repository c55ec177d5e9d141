"""The batches of a training: of train, epoch after epoch, and of val, for one device or several."""

from time import perf_counter
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tfcnn.inputs import pipeline, tfdata
from tfcnn.inputs.resident import Resident
from tfcnn.recipes import Recipe
from tfcnn.training import keras_mend, losses
from tfcnn.training.prepare import Prepared

VAL_BATCH_SIZE, VAL_BATCH_PIXELS = 128, 128 * 64 * 64  # large maps would fill the memory


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


def train_and_val(
    model: Any,
    recipe: Recipe,
    prepared: Prepared,
    first_epoch: int,
    waiting: Waiting,
    resident: Resident | None = None,
) -> tuple[Any, Any, int | None]:
    """Return train and val for Keras' `fit`: all, or the share of this process among several.

    Several devices of one process get a batch each, one after the other.

    Args:
        model: compiled.
        recipe: what to do, as in `fit.fit_epochs`.
        prepared: the images.
        first_epoch: counted from 0.
        waiting: measures how long train is waited for.
        resident: the images of both where they stay on the device; a batch is then what it loads.

    Returns:
        Train, val, and the steps of val where it has no end.
    """
    classes, size = model.output_shape[-1], recipe.train.batch_size
    spread, rows = model.distribute_strategy, prepared.rows["val"]
    replicas = spread.num_replicas_in_sync
    if replicas == 1:
        train = train_batches(prepared, recipe, first_epoch, classes, resident=resident)
        if resident:
            val = resident.in_order(prepared.labels, rows, size)
        else:
            val = tfdata.in_order(prepared.images, prepared.labels, rows, size)
        return waiting.measured(train), val, None

    def share(context: Any) -> tfdata.Share:
        own = replicas // context.num_input_pipelines
        return tfdata.Share(context.input_pipeline_id * own, own, replicas)

    def train_of(context: Any) -> Any:
        batches = train_batches(prepared, recipe, first_epoch, classes, share(context))
        return waiting.measured(batches)

    def val_of(context: Any) -> Any:
        return tfdata.in_order(prepared.images, prepared.labels, rows, size, share(context))

    if prepared.team:
        part = tfdata.Share(0, 1, replicas)
        local = train_batches(prepared, recipe, first_epoch, classes, part).take(1)
        keras_mend.build(model, *next(iter(local)))
    distribute = spread.distribute_datasets_from_function
    steps = tfdata.in_order_steps(len(rows), size)
    return distribute(train_of), distribute(val_of), steps


def train_batches(
    prepared: Prepared,
    recipe: Recipe,
    first_epoch: int,
    num_classes: int,
    share: tfdata.Share = tfdata.WHOLE,
    resident: Resident | None = None,
) -> Any:
    """Return the batches of all epochs from the first on, with weights where classes have any.

    Args:
        prepared: the images.
        recipe: what to do, as in `fit.fit_epochs`.
        first_epoch: counted from 0.
        num_classes: how many there are.
        share: of every batch that this process takes.
        resident: the images where they stay on the device.
    """
    rows, train = prepared.rows["train"], recipe.train
    chosen = prepared.labels, rows
    settings: dict[str, Any] = {
        "batch_size": min(train.batch_size, len(rows)), "seed": train.seed, "alpha": train.mixup,
        "first_epoch": first_epoch, "epochs": train.epochs, "num_classes": num_classes,
    }  # fmt: skip
    if resident:
        batches = resident.training(*chosen, **settings)
    else:
        batches = pipeline.training(
            recipe.inputs, prepared.images, *chosen, share=share, **settings
        )
    if train.class_weights == "none":
        return batches
    names = prepared.manifest.class_names
    weights = losses.class_weights(train, prepared.labels[rows], names)
    return batches.map(losses.weighted(weights))  # Keras' `class_weight` would prefetch once more


def val_batches(prepared: Prepared, places: npt.NDArray[np.int64] | slice = slice(None)) -> Any:
    """Return val in order, or these places of it, in batches that keep memory small."""
    rows = prepared.rows["val"][places]
    height, width, _ = prepared.decoder.shape
    most = max(1, VAL_BATCH_PIXELS // (height * width))
    size = min(VAL_BATCH_SIZE, most, prepared.recipe.train.batch_size)
    return tfdata.in_order(prepared.images, prepared.labels, rows, size)
