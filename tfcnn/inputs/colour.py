"""Changes of colour of a batch, `(batch, height, width, channels)` in [0, 255], in TensorFlow."""

from typing import Any

import tensorflow as tf

__all__ = ["mean", "scale", "shift_channels"]


def shift_channels(images: Any, shift: Any) -> Any:
    """Add to all channels, clipped to each image's own darkest and brightest value as in Keras."""
    darkest = tf.reduce_min(images, axis=(1, 2, 3), keepdims=True)
    brightest = tf.reduce_max(images, axis=(1, 2, 3), keepdims=True)
    return tf.clip_by_value(images + shift, darkest, brightest)


def mean(images: Any) -> Any:
    """Return the mean of each channel of each image, `(batch, 1, 1, channels)`."""
    shape = tf.shape(images)
    row = tf.reduce_mean(tf.reshape(images, [shape[0], shape[1], -1]), axis=1)
    return tf.reduce_mean(tf.reshape(row, [shape[0], 1, shape[2], -1]), axis=2, keepdims=True)


def scale(images: Any, gains: Any, offsets: Any) -> Any:
    """Multiply each channel of each image and add to it, clipped to [0, 255]."""
    shape = tf.shape(images)

    # a whole row at once: with 3 numbers as the innermost axis it takes three times as long
    def row(values: Any) -> Any:
        full = tf.broadcast_to(values, [shape[0], 1, shape[2], shape[3]])
        return tf.reshape(full, [shape[0], 1, -1])

    rows = tf.reshape(images, [shape[0], shape[1], -1])
    return tf.reshape(tf.clip_by_value(rows * row(gains) + row(offsets), 0.0, 255.0), shape)
