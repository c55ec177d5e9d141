"""A convolution that is faster on small maps: several images side by side, as one wide image.

On a CPU with AMX, oneDNN fills its tiles of 16 along a row of pixels; where maps are no wider than
8 pixels, half of a tile and more stays empty, on the way forward and in both gradients. Columns of
zeros between the images keep them apart. Measured by `benchmarks/layers.py`.
"""

from typing import Any

import keras
import tensorflow as tf

__all__ = ["FasterConv2D", "convolve"]

MAX_WIDTH = 8
MIN_CHANNELS = 64
IMAGES = 8  # side by side; with 4 or 16 it takes as long


class FasterConv2D(keras.layers.Conv2D):  # type: ignore[misc]
    """Keras' layer with its weights and outputs; see the module for what is faster."""

    def convolution_op(self, inputs: Any, kernel: Any) -> Any:
        """Convolve `(batch, height, width, channels)`; see `keras.layers.Conv2D`."""
        if not self.is_faster_at(inputs.shape):
            return super().convolution_op(inputs, kernel)
        return convolve(tf.convert_to_tensor(inputs), tf.convert_to_tensor(kernel))

    def is_faster_at(self, shape: Any) -> bool:
        """Say whether images of shape `(batch, height, width, channels)` are put side by side."""
        plain = (self.strides, self.dilation_rate, self.groups) == ((1, 1), (1, 1), 1)
        return (
            plain
            and self.padding == "same"
            and self.data_format == "channels_last"
            and all(side % 2 for side in self.kernel_size)
            and self.compute_dtype == "bfloat16"
            and shape[2] <= MAX_WIDTH
            and min(shape[3], self.filters) >= MIN_CHANNELS
        )


@tf.custom_gradient  # type: ignore[untyped-decorator]
def convolve(images: Any, kernel: Any) -> tuple[Any, Any]:
    """Convolve with stride 1 and padding "same".

    Args:
        images: tensor `(batch, height, width, in)`.
        kernel: tensor `(rows, columns, in, out)`, an odd number of rows and columns.

    Returns:
        A tensor `(batch, height, width, out)`, and its gradient.
    """
    count, (height, width) = tf.shape(images)[0], images.shape[1:3]
    gap = kernel.shape[1] // 2

    def join(maps: Any) -> Any:
        maps = tf.pad(maps, [[0, -count % IMAGES], [0, 0], [0, gap], [0, 0]])
        rows = tf.reshape(maps, [-1, IMAGES, height, (width + gap) * maps.shape[3]])
        wide = [-1, height, IMAGES * (width + gap), maps.shape[3]]
        return tf.reshape(tf.transpose(rows, [0, 2, 1, 3]), wide)

    def part(joined: Any) -> Any:
        filters = joined.shape[3]
        rows = tf.reshape(joined, [-1, (width + gap) * filters])[:, : width * filters]
        rows = tf.reshape(rows, [-1, height, IMAGES, width * filters])
        maps = tf.reshape(tf.transpose(rows, [0, 2, 1, 3]), [-1, height, width, filters])
        return maps[:count]

    joined = join(images)

    def gradient(upstream: Any) -> tuple[Any, Any]:
        errors = join(upstream)
        # what comes back through a convolution is a convolution with the kernel turned around
        turned = tf.transpose(kernel[::-1, ::-1], [0, 1, 3, 2])
        of_kernel = tf.raw_ops.Conv2DBackpropFilter(
            input=joined, filter_sizes=kernel.shape, out_backprop=errors,
            strides=[1, 1, 1, 1], padding="SAME",
        )  # fmt: skip
        return part(tf.nn.conv2d(errors, turned, 1, "SAME")), of_kernel

    return part(tf.nn.conv2d(joined, kernel, 1, "SAME")), gradient
