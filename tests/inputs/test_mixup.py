"""Mixup is the formula of Keras' layer, and each draw a function of (seed, epoch, image)."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from tfcnn.inputs import augment, mixup, tfdata
from tfcnn.recipes import Augment

COUNT, CLASSES = 16, 3
RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (COUNT, 8, 8, 3), dtype=np.uint8)
LABELS = np.arange(COUNT, dtype=np.int32) % CLASSES


def batches(alpha: float, first_epoch: int = 0) -> list[tuple[np.ndarray, np.ndarray]]:
    dataset = tfdata.training(
        IMAGES, LABELS, np.arange(COUNT), Augment(brightness=0.2), batch_size=8, seed=3,
        first_epoch=first_epoch, epochs=2, alpha=alpha, num_classes=CLASSES,
    )  # fmt: skip
    return list(dataset.as_numpy_iterator())


def test_images_and_labels_are_mixed_as_keras_does():
    images, labels = batches(0)[0]
    weights, partners = mixup.draw(0.4, 3, 0, np.arange(8))
    layer = keras.layers.MixUp(alpha=0.4)
    drawn = {"mix_weight": weights, "permutation_order": partners}
    mixed = mixup.mix_images(images, weights, partners)
    shares = mixup.mix_labels(labels, weights, partners, CLASSES)
    np.testing.assert_allclose(mixed, layer.transform_images(images, drawn), atol=1e-3)
    one_hot = tf.one_hot(labels, CLASSES)
    np.testing.assert_allclose(shares, layer.transform_labels(one_hot, drawn), atol=1e-6)


def test_weights_are_of_the_beta_distribution_and_partners_a_permutation():
    weights, partners = mixup.draw(0.3, 0, 5, np.arange(4000))
    assert stats.kstest(weights, stats.beta(0.3, 0.3).cdf).pvalue > 0.01
    assert sorted(partners) == list(range(4000))


def test_a_draw_depends_on_seed_epoch_and_image_alone():
    indices = np.array([5, 900, 31])
    weights, _ = mixup.draw(0.3, 1, 2, indices)
    for place, index in enumerate(indices):
        assert mixup.draw(0.3, 1, 2, np.array([index, 7]))[0][0] == weights[place]
    for other in ((2, 2), (1, 3)):
        assert not np.isin(mixup.draw(0.3, *other, indices)[0], weights).any()


def test_the_batches_of_an_epoch_are_mixed_after_they_are_changed():
    for number, (plain, mixed) in enumerate(zip(batches(0), batches(0.4), strict=True)):
        epoch, step = divmod(number, COUNT // 8)
        indices = augment.permutation(3, epoch, COUNT)[8 * step : 8 * step + 8]
        drawn = mixup.draw(0.4, 3, epoch, indices)
        np.testing.assert_allclose(mixed[0], mixup.mix_images(plain[0], *drawn), atol=1e-3)
        shares = mixup.mix_labels(plain[1], *drawn, CLASSES)
        np.testing.assert_allclose(mixed[1], shares, atol=1e-6)
        assert (mixed[1].max(axis=1) < 0.99).any() and mixed[1].dtype == np.float32


def test_a_resume_mixes_the_same():
    for whole, resumed in zip(batches(0.4)[2:], batches(0.4, first_epoch=1), strict=True):
        np.testing.assert_array_equal(whole[0], resumed[0])
        np.testing.assert_array_equal(whole[1], resumed[1])


@pytest.mark.parametrize("alpha", [0.01, 1.0])
def test_the_ends_of_alpha_are_numbers(alpha):
    weights, _ = mixup.draw(alpha, 0, 0, np.arange(1000))
    assert ((weights >= 0) & (weights <= 1)).all()
