"""Muon for convolutions: steps whose directions all have the same length."""

import functools
from typing import Any

import keras
import tensorflow as tf

STEPS = 3  # of Newton and Schulz: enough here (the source's own choice)
COEFFICIENTS = (3.4445, -4.7750, 2.0315)  # the steepest at zero, from the source
ADAM_RATIO = 0.04  # of the learning rate, for what is not a filter


class FilterMuon(keras.optimizers.Muon):  # type: ignore[misc]
    """Keras' Muon, taken to the kernels of convolutions; all else is left to its AdamW.

    Keras applies Muon to matrices only. Here a kernel `(height, width, in, out)` is the matrix
    `(out, height * width * in)`, its step is made nearly orthogonal, and its norm is kept at the
    root of `out`, so that the learning rate is an angle.

    Source: Jordan et al., "Muon: an optimizer for hidden layers in neural networks" (2024), and
    `airbench94_muon.py` of the same author.
    """

    def __init__(self, learning_rate: Any, momentum: float = 0.6, **kwargs: Any) -> None:
        options = {"weight_decay": None, "adam_weight_decay": None, "adam_lr_ratio": ADAM_RATIO}
        super().__init__(learning_rate, momentum=momentum, **options | kwargs)

    def _should_use_adamw(self, variable: Any) -> bool:
        return len(variable.shape) != 4

    def _muon_update_step(self, gradient: Any, variable: Any, lr: Any, m: Any) -> None:
        self.assign(m, self.momentum * m + gradient)
        filters = variable.shape[-1]
        step = tf.reshape(gradient + self.momentum * m, [-1, filters])
        kernel = tf.convert_to_tensor(variable)
        kernel *= tf.sqrt(float(filters)) / tf.norm(kernel)
        self.assign(variable, kernel - lr * tf.reshape(orthogonal(step), variable.shape))


def orthogonal(matrix: Any) -> Any:
    """Return a matrix with the singular vectors of another, and singular values near 1.

    A step of Newton and Schulz multiplies by a polynomial of the matrix' product with itself, and
    the next step's such product follows from this one's. So the steps are taken on the small ones
    (`columns` or `rows` squared, the lesser), in float32, and the matrix is multiplied twice.

    Args:
        matrix: float tensor `(rows, columns)`.

    Returns:
        float32 tensor of its shape; the singular values are within about [0.5, 1.5], which serves
        as well as 1 (the source).
    """
    a, b, c = COEFFICIENTS
    x = tf.cast(matrix, tf.float32)
    x = tf.cast(x / (tf.norm(x) + 1e-7), tf.bfloat16)  # its largest singular value is at most 1
    is_tall = x.shape[0] > x.shape[1]
    gram = tf.matmul(x, x, transpose_a=is_tall, transpose_b=not is_tall)
    gram = tf.cast(gram, tf.float32)
    polynomials = []
    for _ in range(STEPS):
        polynomial = a * tf.eye(gram.shape[0]) + b * gram + c * gram @ gram
        polynomials.append(polynomial)
        gram = polynomial @ gram @ polynomial
    product = tf.cast(functools.reduce(tf.matmul, polynomials), tf.bfloat16)
    return tf.cast(x @ product if is_tall else product @ x, tf.float32)
