"""A convolution that learns faster on small maps: the gradient of its kernel as matrix products.

On a CPU with AMX, oneDNN takes more than twice as long for that gradient as the products below
where maps are no wider than 8 pixels: it fills its tiles along a row of pixels, and most of a tile
stays empty. Measured by `benchmarks/kernel_gradient.py`.
"""

from typing import Any

import keras
import tensorflow as tf

__all__ = ["FasterConv2D"]

MAX_WIDTH = 8
MIN_CHANNELS = 64


class FasterConv2D(keras.layers.Conv2D):  # type: ignore[misc]
    """Keras' layer with its weights and outputs; see the module for what is faster."""

    def convolution_op(self, inputs: Any, kernel: Any) -> Any:
        """Convolve `(batch, height, width, channels)`; see `keras.layers.Conv2D`."""
        if not self.is_faster_at(inputs.shape):
            return super().convolution_op(inputs, kernel)
        return _convolve(tf.convert_to_tensor(inputs), tf.convert_to_tensor(kernel))

    def is_faster_at(self, shape: Any) -> bool:
        """Say whether images of shape `(batch, height, width, channels)` take the products."""
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
def _convolve(images: Any, kernel: Any) -> tuple[Any, Any]:
    """Convolve with stride 1 and padding "same"."""

    def gradient(upstream: Any) -> tuple[Any, Any]:
        # what comes back through a convolution is a convolution with the kernel turned around
        turned = tf.transpose(kernel[::-1, ::-1], [0, 1, 3, 2])
        return tf.nn.conv2d(upstream, turned, 1, "SAME"), kernel_gradient(
            images, upstream, kernel.shape[:2]
        )

    return tf.nn.conv2d(images, kernel, 1, "SAME"), gradient


def kernel_gradient(images: Any, upstream: Any, size: tuple[int, int]) -> Any:
    """Return the gradient of a kernel: `out[i, j] = sum of images[y + i, x + j] * upstream[y, x]`.

    Args:
        images: tensor `(batch, height, width, in)`.
        upstream: the gradient of the output, tensor `(batch, height, width, out)`.
        size: odd height and width of the kernel.

    Returns:
        A tensor `(*size, in, out)`.
    """
    high, wide = size[0] // 2, size[1] // 2
    # all pixels one below the other, with a margin of zeros that each row shares with the next:
    # a step to the side or down is then a constant offset, and a shifted copy is a slice
    margin = [[0, 0], [0, high], [0, wide], [0, 0]]
    pitch = images.shape[2] + wide
    flat = tf.reshape(tf.pad(images, margin), [-1, images.shape[3]])
    reach = high * pitch + wide
    flat = tf.pad(flat, [[reach, reach], [0, 0]])
    errors = tf.reshape(tf.pad(upstream, margin), [-1, upstream.shape[3]])
    count = tf.shape(errors)[0]
    products = []
    for i in range(size[0]):
        for j in range(size[1]):
            start = i * pitch + j
            products.append(tf.matmul(flat[start : start + count], errors, transpose_a=True))
    return tf.reshape(tf.stack(products), [*size, images.shape[3], upstream.shape[3]])
