"""What val says against what was said of a model: its scaling of pixels, its order of classes.

A model that gets other numbers than it was trained on, or whose outputs mean other classes, answers
all the same. It is wrong more often than chance explains.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment
from scipy.special import expit
from scipy.stats import binomtest

from tfcnn.decode import Pixels
from tfcnn.prediction import two_columns
from tfcnn.training import foreign

LUCK = 0.001  # probability by which another way is better by chance
Labels = npt.NDArray[np.integer]
Right = npt.NDArray[np.bool_]


def remarks(
    model: Any,
    images: Pixels,
    labels: Labels,
    pixels: str,
    order: Sequence[int],
    class_names: Sequence[str],
    *,
    is_probs: bool,
) -> list[str]:
    """Return what speaks for another scaling, or another order of classes, than was said.

    Args:
        model: as somebody trained it.
        images: uint8 `(images, height, width, channels)` of val.
        labels: int `(images,)`.
        pixels: the scaling that was named.
        order: for each class the number of the model's output for it.
        class_names: of the images, in the order of the labels.
        is_probs: whether the model gives probabilities; else it gives logits.
    """
    outputs = np.asarray(order)[labels]
    scalings = [name for name in foreign.PIXELS if name != "imagenet" or images.shape[3] == 3]
    answers = {name: _answers(model, images, name, is_probs) for name in scalings}
    given = answers[pixels] == outputs
    others = {
        f"with pixels={name}": answer == outputs
        for name, answer in answers.items()
        if name != pixels
    }
    names = _matching_names(answers[pixels], labels, class_names)
    numbers = np.array([names.index(name) for name in class_names])
    in_this_order = f"if its outputs are {', '.join(names)}, in this order (class_names)"
    others[in_this_order] = answers[pixels] == numbers[labels]
    best = max(others, key=lambda name: int(others[name].sum()))
    if not _is_better(others[best], given):
        return []
    return [
        f"the model is right on {given.sum()} of {len(labels)} images of val with what was said of "
        f"it, and on {others[best].sum()} {best}: which was it trained with?"
    ]


def _is_better(one: Right, other: Right) -> bool:
    """Say whether one way is right more often than another by more than chance (a sign test)."""
    better, worse = int((one & ~other).sum()), int((other & ~one).sum())
    return better > worse and binomtest(better, better + worse).pvalue < LUCK


def _matching_names(answers: Labels, labels: Labels, class_names: Sequence[str]) -> list[str]:
    """Return the order of classes by which most answers are right, a name per output."""
    counts = np.zeros((len(class_names), len(class_names)), np.int64)
    np.add.at(counts, (answers, labels), 1)
    _, classes = linear_sum_assignment(counts, maximize=True)
    return [class_names[i] for i in classes]


def _answers(model: Any, images: Pixels, pixels: str, is_probs: bool) -> Labels:
    """Return the number of the output that a model answers with, per image."""
    outputs = foreign.outputs_of(model, foreign.scaled(images, pixels))
    if outputs.shape[1] == 1:
        outputs = two_columns(outputs if is_probs else expit(outputs))
    return np.asarray(outputs.argmax(axis=1))
