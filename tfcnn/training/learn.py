"""Train by one way to begin: a new head for what has learnt before, and epochs for what learns.

`begin` refuses what can be refused and writes nothing. `learn` trains.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from tfcnn.base.errors import InputError
from tfcnn.base.progress import Reporter
from tfcnn.training import checkpoint, form, frozen, precision, ways
from tfcnn.training.budget import Budget
from tfcnn.training.checkpoint import Start, State
from tfcnn.training.fit import Trained, build, fit
from tfcnn.training.prepare import Prepared


@dataclass(frozen=True)
class Begun:
    """A training that can begin, or go on.

    Attributes:
        prepared: the images, and the way to begin.
        start: nothing, or the end of an epoch; its state follows the training.
        model: the training form; of what stays frozen, the saved form.
        callbacks: of the user, which hear of the epochs.
    """

    prepared: Prepared
    start: Start
    model: Any
    callbacks: Sequence[Any] = ()

    @property
    def state(self) -> State:
        """What is known of the training beside weights."""
        return self.start.state


def begin(
    prepared: Prepared,
    folder: Path,
    resuming: bool,
    reporter: Reporter,
    callbacks: Sequence[Any] = (),
) -> Begun:
    """Build the network of a way to begin, with the weights it begins from.

    Args:
        prepared: the images, and the way to begin.
        folder: of the run.
        resuming: go on from the checkpoint there, if there is one.
        reporter: hears if a checkpoint was damaged, and which precision `auto` comes to.
        callbacks: of the user, Keras' own.

    Raises:
        InputError: if the network cannot be built for these images, its weights are not there, or
            the checkpoint is of an earlier way to fine-tune.
        CheckError: if a file that the run was begun with is another one now.
    """
    start = checkpoint.read(folder, reporter, prepared.place) if resuming else Start()
    is_finetuned = prepared.recipe.model.start == "finetune"
    if is_finetuned and start.weights and not start.state.head:  # its layers learnt in other steps
        received = "one of an earlier tfcnn, which fine-tuned otherwise"
        raise InputError(folder, "a checkpoint of this tfcnn", received, "--fresh")
    is_frozen = prepared.recipe.model.start == "frozen"
    if is_frozen:
        start.state.precision = "float32"
    else:
        precision.settle(prepared, start.state, reporter)
    # whatever was tried or measured before: a way gives the same as where it is the only one
    keras.utils.set_random_seed(prepared.recipe.train.seed)
    if is_frozen:
        return Begun(prepared, start, _plain(prepared), callbacks)
    return Begun(prepared, start, build(prepared, start.state), callbacks)


def learn(begun: Begun, folder: Path, budget: Budget, reporter: Reporter) -> Trained:
    """Train, and return the weights to keep.

    Args:
        begun: from `begin`.
        folder: of the run; history, logs and checkpoints go there.
        budget: the time there is.
        reporter: hears of every epoch.
    """
    prepared, model, start = begun.prepared, begun.model, begun.start
    if prepared.recipe.model.start == "frozen":
        if not prepared.is_chief:  # which fits the linear model alone
            return Trained([], np.zeros((0, len(prepared.manifest.class_names)), np.float32))
        if begun.callbacks:
            reporter.note("callbacks: none is called for a linear model, which has no epochs")
        trained = frozen.fit(prepared, model, start.state, reporter)
        if not prepared.place:  # else it is said when it is compared
            loss = frozen.log_loss(trained.val_logits, prepared.labels[prepared.rows["val"]])
            reporter.note(
                f"{ways.describe(prepared.recipe)}; log loss on val {loss:.3f}, "
                f"{start.state.train_seconds:.0f} s"
            )
        return trained
    is_new = prepared.recipe.model.start == "finetune" and not start.weights
    if is_new and prepared.is_chief:  # whose weights the others get
        plain = _plain(prepared)
        frozen.fit(prepared, plain, start.state, reporter)
        model.get_layer("head").set_weights(plain.get_layer("head").get_weights())
    return fit(prepared, model, folder, start, budget, reporter, begun.callbacks)


def _plain(prepared: Prepared) -> Any:
    """Return the saved form of a backbone with the weights it begins from."""
    model, classes = prepared.recipe.model, len(prepared.manifest.class_names)
    return form.plain(model, prepared.decoder.shape, classes)
