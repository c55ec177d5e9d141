"""The loss of a recipe, by hand: cross-entropy and focal, of classes and of shares of classes."""

import numpy as np
import pytest
import tensorflow as tf
from scipy.special import softmax

from tfcnn.recipes import TrainSettings
from tfcnn.training import losses

LOGITS = np.random.default_rng(0).normal(0, 2, (6, 3)).astype(np.float32)
LABELS = np.array([0, 1, 2, 2, 1, 0], np.int32)
SHARES = np.random.default_rng(1).dirichlet(np.ones(3), 6).astype(np.float32)


def settings(**changes: object) -> TrainSettings:
    return TrainSettings.model_validate(changes)


def loss(labels: np.ndarray, **changes: object) -> np.ndarray:
    made = losses.loss_for(settings(**changes))
    return np.asarray(made(tf.constant(labels), tf.constant(LOGITS)))


def by_hand(shares: np.ndarray, gamma: float, smoothing: float) -> np.ndarray:
    probs = softmax(LOGITS.astype(np.float64), axis=1)
    targets = shares * (1 - smoothing) + smoothing / 3
    return (-targets * (1 - probs) ** gamma * np.log(probs)).sum(axis=1)


@pytest.mark.parametrize("smoothing", [0.0, 0.3])
@pytest.mark.parametrize(
    ("changes", "gamma"),
    [({}, 0), ({"loss": "focal"}, 2), ({"loss": "focal", "focal_gamma": 0.7}, 0.7)],
)
def test_the_loss_is_the_one_of_its_formula(changes, gamma, smoothing):
    one_hot = np.eye(3, dtype=np.float32)[LABELS]
    for labels, shares in ((LABELS, one_hot), (SHARES, SHARES)):
        found = loss(labels, label_smoothing=smoothing, **changes)
        np.testing.assert_allclose(found, by_hand(shares, gamma, smoothing), rtol=1e-4)


def test_labels_may_be_a_column_as_keras_makes_them():
    np.testing.assert_array_equal(loss(LABELS[:, np.newaxis].astype(np.float32)), loss(LABELS))


def test_all_heads_count_in_training_with_their_weights():
    heads, shares = tf.stack([LOGITS, LOGITS[::-1]], axis=1), tf.constant(SHARES)
    both = losses.loss_for(settings(), (1.0, 0.3))
    one, other = (losses.loss_for(settings())(shares, heads[:, i]) for i in range(2))
    np.testing.assert_allclose(both(shares, heads), one + 0.3 * other, rtol=1e-6)


def test_the_class_of_mixed_images_is_the_one_with_most_share():
    found = losses.sparse_categorical_accuracy(tf.constant(SHARES), tf.constant(LOGITS))
    np.testing.assert_array_equal(found, SHARES.argmax(axis=1) == LOGITS.argmax(axis=1))
    found = losses.sparse_categorical_accuracy(tf.constant(LABELS), tf.constant(LOGITS))
    np.testing.assert_array_equal(found, LOGITS.argmax(axis=1) == LABELS)


def test_class_weights_are_balanced_or_given():
    labels = np.array([0, 0, 0, 1], np.int32)
    weights = losses.class_weights(settings(class_weights="balanced"), labels, ("a", "b"))
    np.testing.assert_allclose(weights, [4 / 6, 2])
    weights = losses.class_weights(settings(class_weights={"b": 3}), labels, ("a", "b"))
    np.testing.assert_array_equal(weights, [1, 3])


def test_an_image_counts_by_the_classes_it_is_mixed_of():
    add = losses.weighted(np.array([1, 2, 4], np.float32))
    assert add(None, tf.constant(LABELS))[2].numpy().tolist() == [1, 2, 4, 4, 2, 1]
    found = add(None, tf.constant(SHARES))[2]
    np.testing.assert_allclose(found, SHARES @ [1, 2, 4], rtol=1e-6)
