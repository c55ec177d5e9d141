"""`model.start = "auto"`: ways to begin are tried, the cheapest first, and val chooses one.

Each is judged as it would be saved: by the log loss of val at the temperature that fits val best.
No image of test is looked at. Another way is tried only where it could be told to be better: where
the best so far is wrong on so few images of val that a flawless one would win by no more than
chance (a sign test), nothing more is tried. Fine-tuning is not tried on many images either, as it
costs a hundred times what a linear model does, and val then prefers it by little.

The same way, named in the recipe, gives the same model.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import tensorflow as tf
from scipy.special import softmax

from tfcnn import runs
from tfcnn.base.progress import Reporter
from tfcnn.evaluation import calibration
from tfcnn.evaluation.sample import SMALLEST_PROB
from tfcnn.prediction import two_columns
from tfcnn.recipes import Recipe
from tfcnn.training import fit, form, ways
from tfcnn.training.batches import val_batches
from tfcnn.training.budget import Budget
from tfcnn.training.checkpoint import State
from tfcnn.training.fit import Trained
from tfcnn.training.frozen import log_loss
from tfcnn.training.learn import Begun, begin, learn
from tfcnn.training.prepare import Prepared

CHANCE = 0.05
# of train: on two cores more would take half an hour
FINETUNE_IMAGES, FINETUNE_IMAGES_GPU = 2000, 50_000


@dataclass(frozen=True)
class Try:
    """A way to begin that was tried, and what val says of it.

    Attributes:
        start: `frozen`, `finetune` or `scratch`.
        network: that was trained.
        log_loss: of val, at the temperature that fits val best.
        accuracy: of val.
        wrong: val images, or groups where groups are known, that it is wrong on.
        of: how many there are.
        seconds: it took to train.
    """

    start: str
    network: str
    log_loss: float
    accuracy: float
    wrong: int
    of: int
    seconds: float


@dataclass(frozen=True)
class Chosen:
    """The way to begin that is kept.

    Attributes:
        prepared: the images as it sees them.
        state: of its training, at the end.
        trained: its weights.
        tries: all that were tried, in order; empty where there was no choice.
        left_out: why others were not tried, by way.
    """

    prepared: Prepared
    state: State
    trained: Trained
    tries: tuple[Try, ...] = ()
    left_out: tuple[str, ...] = ()


def choose(
    first: Begun, folder: Path, resuming: bool, budget: Budget, reporter: Reporter
) -> Chosen:
    """Train by the ways to begin that a recipe allows, and keep the one that val prefers.

    A training that goes on does the same again: what was trained to its end is read from its
    checkpoint, and features from the cache.

    Args:
        first: the first of the ways, from `begin`.
        folder: of the run.
        resuming: go on from the checkpoints there.
        budget: the time there is.
        reporter: hears what is tried, and what val says of it.
    """
    prepared = first.prepared
    if not prepared.place:
        return Chosen(prepared, first.state, learn(first, folder, budget, reporter))
    tries: list[Try] = []
    left_out = list(prepared.left_out)
    best: tuple[Begun, Trained] | None = None
    for way in prepared.allowed:
        if reason := _against(way, tries, prepared, budget):
            left_out.append(f"{way.model.start} was not tried: {reason}")
            reporter.note(left_out[-1])
            continue
        reporter.note(f"trying {way.model.start}: {ways.describe(way)}")
        begun = first
        if best is not None:
            way_in = prepared.by(way, reporter)
            begun = begin(way_in, folder, resuming, reporter, first.callbacks)
            begun.state.sha256 = first.state.sha256
        trained = learn(begun, folder, budget, reporter)
        tries.append(_judged(begun, trained))
        reporter.note(describe(tries[-1]))
        if best is None or tries[-1] == _least(tries):
            best = begun, trained
    if best is None:
        raise ValueError("no way to begin")
    begun, trained = best
    reporter.note(f"kept: {_least(tries).start}, which has the least log loss on val")
    fit.write_history(begun.state.history, folder / runs.HISTORY)
    return Chosen(begun.prepared, begun.state, trained, tuple(tries), tuple(left_out))


def _judged(begun: Begun, trained: Trained) -> Try:
    """Return what val says of a way to begin; in each process of a team, what the chief found.

    For each would find nearly the same figures, and might then go on in another way.
    """
    if not (team := begun.prepared.team):
        return judge(begun, trained)
    found = team.of_chief(lambda: list(vars(judge(begun, trained)).values()))
    return Try(*(np.asarray(one).item() for one in found))


def judge(begun: Begun, trained: Trained) -> Try:
    """Return what val says of a way to begin."""
    prepared = begun.prepared
    rows = prepared.rows["val"]
    labels, probs = prepared.labels[rows], _val_probs(prepared, trained)
    is_calibrated = prepared.recipe.evaluation.calibrate
    temperature = calibration.fit_temperature(labels, probs) if is_calibrated else 1.0
    calibrated = calibration.apply_temperature(probs, temperature)
    is_wrong = calibrated.argmax(axis=1) != labels
    # an image without a group counts as one of its own
    groups = [group or i for i, group in enumerate(prepared.groups[rows])]
    return Try(
        start=str(prepared.recipe.model.start),
        network=Path(prepared.recipe.model.network).name,
        log_loss=log_loss(np.log(calibrated.clip(SMALLEST_PROB)), labels),
        accuracy=float(1 - is_wrong.mean()),
        wrong=len({group for group, wrong in zip(groups, is_wrong, strict=True) if wrong}),
        of=len(set(groups)),
        seconds=begun.state.train_seconds,
    )


def _val_probs(prepared: Prepared, trained: Trained) -> npt.NDArray[np.floating]:
    """Return the probabilities of val before calibration, by all views of the saved form."""
    settings = prepared.recipe.model
    if settings.views == "one" or settings.start == "frozen":  # whose features are of all views
        return np.asarray(softmax(trained.val_logits, axis=1))
    shape, classes = prepared.decoder.shape, len(prepared.manifest.class_names)
    plain = form.saved_form(settings, shape, classes, trained.weights)
    whole = form.averaged(plain, settings.views)
    return np.asarray(two_columns(whole.predict(val_batches(prepared), verbose=0)))


def describe(tried: Try) -> str:
    """Return in words what val says of a way to begin."""
    return (
        f"{tried.start}: log loss on val {tried.log_loss:.3f}, accuracy {tried.accuracy:.3f}, "
        f"{tried.seconds:.0f} s"
    )


def _least(tries: Sequence[Try]) -> Try:
    """Return the one with the least log loss on val, the first of equals."""
    return min(tries, key=lambda one: one.log_loss)


def _against(way: Recipe, tries: Sequence[Try], prepared: Prepared, budget: Budget) -> str:
    """Return why another way to begin is not tried, "" where it is."""
    if not tries:
        return ""
    best = _least(tries)
    if 0.5**best.wrong >= CHANCE:
        unit = "groups" if prepared.manifest.has_groups else "images"
        return (
            f"{best.start} is wrong on {best.wrong} of {best.of} {unit} of val, so that a flawless "
            "model would be better by no more than chance"
        )
    if budget.seconds_left == 0:
        return f"the {budget.minutes:g} minutes of train.minutes are over"
    count, most = len(prepared.rows["train"]), _most_to_finetune()
    if way.model.start == "finetune" and count > most:
        return (
            f"{count:,} training images are more than {most:,}, and it is slow; "
            "--set model.start=finetune does it"
        )
    return ""


def _most_to_finetune() -> int:
    return FINETUNE_IMAGES_GPU if tf.config.list_physical_devices("GPU") else FINETUNE_IMAGES
