"""The loss of a recipe, the accuracy beside it, and how much an image of a class counts.

Both take labels as class numbers `(batch,)`, or as shares of each class `(batch, classes)`, which
mixed images have.
"""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tfcnn.recipes import TrainSettings

Floats = npt.NDArray[np.float32]


def loss_for(train: TrainSettings, head_weights: tuple[float, ...] = (1.0,)) -> Any:
    """Return the loss of a recipe, a function of labels and logits.

    Args:
        train: what is to be done.
        head_weights: of the outputs; in training all count, afterwards the first alone.
    """

    def of(targets: Any, logits: Any) -> Any:
        smoothing = train.label_smoothing
        if train.loss == "focal":  # alpha, one factor for all, would only scale the rate
            return keras.losses.categorical_focal_crossentropy(
                targets, logits, alpha=1.0, gamma=train.focal_gamma, from_logits=True,
                label_smoothing=smoothing,
            )  # fmt: skip
        return keras.losses.categorical_crossentropy(
            targets, logits, from_logits=True, label_smoothing=smoothing
        )

    def loss(labels: Any, logits: Any) -> Any:
        targets = _shares(labels, logits.shape[-1])
        if logits.shape.rank == 2:
            return of(targets, logits)
        return sum(weight * of(targets, logits[:, i]) for i, weight in enumerate(head_weights))

    return loss


def sparse_categorical_accuracy(labels: Any, logits: Any) -> Any:
    """Return whether the first head finds the class, of mixed images the one with most share."""
    first = logits if logits.shape.rank == 2 else logits[:, 0]
    if _is_mixed(labels, logits.shape[-1]):
        labels = tf.argmax(labels, axis=1)
    return keras.metrics.sparse_categorical_accuracy(labels, first)


def _is_mixed(labels: Any, num_classes: int) -> bool:
    # of others Keras may make a column, and there are two classes at least
    return bool(labels.shape.rank == 2 and labels.shape[1] == num_classes)


def _shares(labels: Any, num_classes: int) -> Any:
    if _is_mixed(labels, num_classes):
        return labels
    indices = tf.cast(tf.reshape(labels, [-1]), tf.int32)  # Keras hands labels over as floats
    return tf.one_hot(indices, num_classes)


def class_weights(
    train: TrainSettings, labels: npt.NDArray[np.int32], class_names: Sequence[str]
) -> Floats:
    """Return how much an image of each class counts, float32 `(classes,)`.

    Args:
        train: what is to be done.
        labels: int32 `(images,)`, of the train split.
        class_names: in order.
    """
    given = train.class_weights
    if given == "balanced":  # so that every class counts the same
        counts = np.bincount(labels, minlength=len(class_names))
        return (len(labels) / (len(counts) * np.maximum(counts, 1))).astype(np.float32)
    by_name = given if isinstance(given, dict) else {}
    return np.array([by_name.get(name, 1.0) for name in class_names], np.float32)


def weighted(weights: Floats) -> Callable[[Any, Any], tuple[Any, Any, Any]]:
    """Return what adds to a batch the weight of each image."""
    of_class = tf.constant(weights)

    def add(images: Any, labels: Any) -> tuple[Any, Any, Any]:
        if _is_mixed(labels, len(weights)):
            return images, labels, tf.linalg.matvec(labels, of_class)
        return images, labels, tf.gather(of_class, labels)

    return add
