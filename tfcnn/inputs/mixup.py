"""Mixup: images of a batch, and their labels, are mixed in pairs.

`image = weight x image + (1 - weight) x partner`, and the same of the labels, which become shares
of classes. It is the formula of `keras.layers.MixUp`; here the draws are functions of (seed, epoch,
image index), as all others in `augment`.

Reference: Zhang, Cisse, Dauphin, Lopez-Paz, "mixup: beyond empirical risk minimization" (2018),
eq. 1 and section 2.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from tfcnn.inputs import augment
from tfcnn.inputs.geometry import Indices


def draw(
    alpha: float, seed: int, epoch: int, indices: Indices
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int32]]:
    """Draw with which image of a batch each is mixed, and how much of its own is left.

    Args:
        alpha: both parameters of the Beta distribution that weights come from, in (0, 1]. The
            smaller, the more images stay nearly as they are, or nearly become their partner.
        seed: as the arguments that follow, see `augment.uniforms`.
        epoch: counted from 0.
        indices: int64 `(batch,)`, the images' numbers in the data set.

    Returns:
        The share of the image itself, float32 `(batch,)` in [0, 1], and the place of its partner,
        int32 `(batch,)`, a permutation.
    """
    from scipy.special import betaincinv  # late: few trainings mix

    unit = augment.uniforms(seed, epoch, indices, len(augment.KINDS))
    weight, place = (unit[:, augment.KINDS.index(kind)] for kind in ("mixup", "mixup_partner"))
    return betaincinv(alpha, alpha, weight).astype(np.float32), np.argsort(place).astype(np.int32)


def mix_images(images: Any, weights: Any, partners: Any) -> Any:
    """Mix the images of a batch.

    Args:
        images: float32 tensor `(batch, height, width, channels)`.
        weights: float32 tensor `(batch,)`, see `draw`.
        partners: int32 tensor `(batch,)`.
    """
    import tensorflow as tf

    own = tf.reshape(weights, [-1, 1, 1, 1])
    return own * images + (1 - own) * tf.gather(images, partners)


def mix_labels(labels: Any, weights: Any, partners: Any, num_classes: int) -> Any:
    """Mix the labels of a batch: the share of each class, float32 `(batch, classes)`.

    Args:
        labels: int32 tensor `(batch,)`.
        weights: float32 tensor `(batch,)`, see `draw`.
        partners: int32 tensor `(batch,)`.
        num_classes: how many there are.
    """
    import tensorflow as tf

    shares, own = tf.one_hot(labels, num_classes), tf.reshape(weights, [-1, 1])
    return own * shares + (1 - own) * tf.gather(shares, partners)
