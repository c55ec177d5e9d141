"""A training whose images stay on the one GPU that trains: its steps make the batches themselves.

What is drawn comes from the processor, see `inputs.resident`. Several steps run as one call, for a
small network ends a step sooner than Python begins the next one.
"""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from tfcnn.base.progress import Reporter
from tfcnn.inputs import pipeline
from tfcnn.inputs.resident import Resident, device_for
from tfcnn.inputs.tfdata import as_written
from tfcnn.recipes import Recipe, TrainSettings
from tfcnn.training.prepare import Prepared

MOST_STEPS = 32  # of a call; the bar of an epoch moves once in each


def images_of(
    recipe: Recipe, prepared: Prepared, model: Any, reporter: Reporter
) -> Resident | None:
    """Return the images of train and val on the GPU that trains; None where they come in batches.

    They come in batches to a processor, under a strategy, from ImageDataGenerator, from files that
    are decoded anew in each epoch, and where they are too large for the device.

    Args:
        recipe: what to do, as in `fit.fit_epochs`.
        prepared: the images.
        model: the training form.
        reporter: hears where they are.
    """
    rows = np.union1d(prepared.rows["train"], prepared.rows["val"])
    device = device_for(prepared.images, len(rows))
    # also over one device: a strategy lets Keras build the model from a batch
    is_spread = model.distribute_strategy is not tf.distribute.get_strategy()
    if not device or is_spread or recipe.inputs.pipeline == "generator":
        return None
    name = device.rpartition("device:")[2]
    try:
        images = pipeline.resident(recipe.inputs, prepared.images, rows, device)
    except tf.errors.ResourceExhaustedError:  # another program computes there
        reporter.note(f"images do not fit on {name}: they come in batches")
        return None
    reporter.note(f"images stay on {name}")  # no number: folds differ, and say it once
    return images


def steps_together(train: TrainSettings, steps: int, *, is_watched: bool) -> int:
    """Return how many steps run as one call: they divide an epoch, as all epochs are one data set.

    Args:
        train: what is to be done.
        steps: of an epoch.
        is_watched: whether callbacks of the user may look at each step.
    """
    is_set_each_step = train.schedule == "reduce_on_plateau" and train.warmup_epochs > 0
    if is_watched or is_set_each_step:
        return 1
    return max(count for count in range(1, MOST_STEPS + 1) if steps % count == 0)


@contextlib.contextmanager
def loading(model: Any, images: Resident | None, steps: int) -> Iterator[None]:
    """Let the steps of a model make their batches, while a block trains it.

    Args:
        model: compiled; afterwards it takes images again.
        images: where the batches come from; nothing changes if None.
        steps: that run as one call.
    """
    if images is None:
        yield
        return
    before = model.jit_compile, model.steps_per_execution
    # an affine map has no kernel of XLA: the batch is made outside what XLA compiles
    learn = tf.function(model.train_step, jit_compile=model.jit_compile, autograph=False)
    model.train_step = _loading(learn, images)
    model.test_step = _loading(model.test_step, images)  # XLA would compile the last batch anew
    model.jit_compile, model.steps_per_execution = False, steps
    try:
        yield
    finally:
        del model.train_step, model.test_step
        model.jit_compile, model.steps_per_execution = before
        model.train_function = model.test_function = None  # they hold the images


def _loading(step: Callable[[Any], Any], images: Resident) -> Callable[[Any], Any]:
    def load(batch: tuple[Any, ...]) -> Any:
        drawn, *rest = batch
        if not isinstance(drawn, dict):  # images, of a user's callback
            return step(batch)
        return step((images.load(drawn), *rest))

    return as_written(load)  # type: ignore[no-any-return]
