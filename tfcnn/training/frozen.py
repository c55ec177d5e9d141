"""A linear model of a backbone's features: logistic regression, its strength chosen on val.

It becomes the head of the network: what standardised the features is folded into kernel and bias.
Kornblith, Shlens and Le, "Do better ImageNet models transfer better?", 2019, compare it with
fine-tuning.
"""

import warnings
from dataclasses import dataclass, replace
from time import perf_counter, process_time
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from scipy.special import log_softmax

from tfcnn.base.progress import Reporter
from tfcnn.training import features, form
from tfcnn.training.checkpoint import State
from tfcnn.training.fit import Trained
from tfcnn.training.prepare import Prepared

Floats = npt.NDArray[np.floating]
Labels = npt.NDArray[np.int32]

# of the penalty `strength / 2 x the sum of squared weights` beside the mean loss, in this order
STRENGTHS = tuple(float(f"{10.0**power:.2g}") for power in np.arange(1.5, -3.6, -0.5))
WORSE = 3  # strengths without a better log loss, after which weaker ones are not tried
MAX_STEPS = 300  # of L-BFGS
ABSENT = 10.0  # by so much the logit of a class without training images lies below the others


@dataclass(frozen=True)
class Head:
    """A linear model of features.

    Attributes:
        kernel: float32 `(features, classes)`.
        bias: float32 `(classes,)`.
        strength: of the penalty it was fitted with.
        tried: the log loss on val per strength, in the order they were tried; empty where train
            has one class only.
    """

    kernel: Floats
    bias: Floats
    strength: float
    tried: dict[float, float]

    def logits(self, values: Floats) -> Floats:
        """Return float32 `(images, classes)` of features `(images, features)`."""
        return np.asarray(values @ self.kernel + self.bias, dtype=np.float32)


def fit(prepared: Prepared, model: Any, state: State, reporter: Reporter) -> Trained:
    """Fit the head of a backbone, and put it into the model.

    Args:
        prepared: the images, and what the recipe asks for.
        model: in its saved form, with the weights to begin from; its head is changed in place.
        state: of the training; gets the seconds and what was tried.
        reporter: hears of the progress.
    """
    start, cpu_start = perf_counter(), process_time()
    views = prepared.recipe.model.views
    whole = model if views == "one" else form.averaged(model, views)
    values, headless = features.compute(prepared, whole, reporter)
    train, val = (prepared.rows[name] for name in ("train", "val"))
    reporter.stage("fitting a linear model of the features")
    head = fit_head(
        (values[train], prepared.labels[train]),
        (values[val], prepared.labels[val]),
        len(prepared.manifest.class_names),
        class_weights=_class_weights(prepared),
    )
    model.get_layer("head").set_weights([head.kernel, head.bias])
    state.train_seconds += perf_counter() - start
    state.train_cpu_seconds += process_time() - cpu_start
    state.head = {"strength": head.strength, "tried": [list(pair) for pair in head.tried.items()]}
    return Trained(model.get_weights(), head.logits(values[val]), values, headless)


def _class_weights(prepared: Prepared) -> dict[int, float] | Literal["balanced"] | None:
    """Return `train.class_weights` as scikit-learn takes them."""
    given = prepared.recipe.train.class_weights
    if given == "none":
        return None
    if given == "balanced":
        return "balanced"
    # it takes none of a class without images
    there = np.unique(prepared.labels[prepared.rows["train"]])
    names = prepared.manifest.class_names
    return {int(label): given.get(names[label], 1.0) for label in there}


def fit_head(
    train: tuple[Floats, Labels],
    val: tuple[Floats, Labels],
    num_classes: int,
    *,
    class_weights: dict[int, float] | Literal["balanced"] | None,
) -> Head:
    """Fit logistic regressions of falling strength, and keep the one with the least loss on val.

    Args:
        train: features `(images, features)` and labels `(images,)`.
        val: the same; not fitted to.
        num_classes: of all splits; a class may be absent from train.
        class_weights: how much an image of a class counts, by its number; "balanced": so that
            every class counts the same, however many images it has; None: all count the same.
    """
    from sklearn.linear_model import LogisticRegression

    center = train[0].mean(axis=0)
    scale = float((train[0] - center).std()) or 1.0  # one for all: what varies more tells more
    if len(np.unique(train[1])) == 1:  # nothing to tell apart: always that class
        weights = np.zeros((1, len(center)), np.float32)
        return _folded(weights, np.zeros(1), train[1][:1], center, num_classes)
    points = (train[0] - center) / scale
    model = LogisticRegression(max_iter=MAX_STEPS, warm_start=True, class_weight=class_weights)
    # of two classes scikit-learn has one row of weights, which `_per_class` halves
    share = 2 if len(np.unique(train[1])) == 2 else 1
    best: Head | None = None
    tried: dict[float, float] = {}
    for strength in STRENGTHS:
        model.set_params(C=share / (strength * len(points)))
        with warnings.catch_warnings():  # what has not converged is judged by val like all else
            warnings.simplefilter("ignore")
            model.fit(points, train[1])
        weights, bias = _per_class(model.coef_, model.intercept_)
        head = _folded(weights / scale, bias, model.classes_, center, num_classes)
        tried[strength] = log_loss(head.logits(val[0]), val[1])
        if best is None or tried[strength] < tried[best.strength]:
            best = replace(head, strength=strength, tried=tried)
        elif list(tried).index(best.strength) + WORSE < len(tried):
            break
    if best is None:
        raise ValueError("no strength to try")
    return best


def log_loss(logits: Floats, labels: Labels) -> float:
    """Return the mean negative log probability of the labels, of logits `(images, classes)`."""
    return float(-log_softmax(logits, axis=1)[np.arange(len(labels)), labels].mean())


def _per_class(weights: Floats, bias: Floats) -> tuple[Floats, Floats]:
    """Return weights and bias of two classes, where scikit-learn gives one row for both."""
    if len(weights) > 1:
        return weights, bias
    return np.concatenate([-weights, weights]) / 2, np.concatenate([-bias, bias]) / 2


def _folded(
    weights: Floats, bias: Floats, present: Labels, center: Floats, num_classes: int
) -> Head:
    """Return the head that takes features as they are: their center goes into the bias.

    Args:
        weights: `(present classes, features)`.
        bias: `(present classes,)`.
        present: the classes, ascending.
        center: `(features,)`, what was subtracted.
        num_classes: of all splits.
    """
    kernel = np.zeros((len(center), num_classes), np.float32)
    kernel[:, present] = weights.T
    biases = np.full(num_classes, bias.min() - ABSENT, np.float32)
    biases[present] = bias
    return Head(kernel, biases - center @ kernel, 0.0, {})
