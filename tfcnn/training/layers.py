"""Layers of the training form: those of Keras, with its weights and outputs, computed faster.

Batch normalisation is TensorFlow's fused kernel.

GELU takes two passes over memory, one forwards and one back. TensorFlow computes GELU and its
gradient operation by operation, some fifteen, each of which reads and writes the whole map. XLA
makes one loop of them: a fifth of the time on a CPU, and in float32 between reading and writing,
where bfloat16 would round every step.

A convolution of small maps puts several images side by side, as one wide image. On a CPU with AMX,
oneDNN fills its tiles of 16 along a row of pixels. Where maps are no wider than 8 pixels, half of a
tile and more stays empty, on the way forward and in both gradients. Columns of zeros between the
images keep them apart. `benchmarks/layers.py` measures it.
"""

import math
from typing import Any

import keras
import tensorflow as tf

MAX_WIDTH = 8
MIN_CHANNELS = 64
IMAGES = 8  # side by side; with 4 or 16 it takes as long


class FusedBatchNormalization(keras.layers.BatchNormalization):  # type: ignore[misc]
    """Keras' layer with its weights, computed by TensorFlow's fused kernel.

    On CPU a small network trains 1.6 times as fast. The moving variance follows the unbiased
    batch variance, as in every TensorFlow 1 network. With `synchronized`, mean and variance are of
    the images of all replicas together, as if one device had the whole batch.
    """

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """Normalise `(batch, height, width, channels)`; see `keras.layers.BatchNormalization`."""
        if inputs.shape.rank != 4 or mask is not None:
            return super().call(inputs, training=training, mask=mask)
        training = bool(training) and self.trainable
        context = tf.distribute.get_replica_context()  # None where a model is only being built
        if training and self.synchronized and context:
            return self._over_replicas(inputs, context)
        gamma, beta = (tf.cast(weight, tf.float32) for weight in self._affine())
        outputs, mean, variance, *_ = tf.compat.v1.nn.fused_batch_norm(
            inputs,
            gamma,
            beta,
            mean=None if training else tf.cast(self.moving_mean, tf.float32),
            variance=None if training else tf.cast(self.moving_variance, tf.float32),
            epsilon=self.epsilon,
            is_training=training,
        )[:3]
        if training:
            self._follow(self.moving_mean, mean)
            self._follow(self.moving_variance, variance)
        return tf.cast(outputs, self.compute_dtype)

    def _over_replicas(self, inputs: Any, context: Any) -> Any:
        """Normalise by mean and variance of the whole batch, of which each replica has a part."""
        wide = tf.cast(inputs, tf.float32)
        over_all = tf.distribute.ReduceOp.MEAN  # each replica has as many images
        mean = context.all_reduce(over_all, tf.reduce_mean(wide, (0, 1, 2)))
        variance = context.all_reduce(over_all, tf.reduce_mean((wide - mean) ** 2, (0, 1, 2)))
        gamma, beta = (tf.cast(weight, tf.float32) for weight in self._affine())
        outputs = tf.nn.batch_normalization(wide, mean, variance, beta, gamma, self.epsilon)
        count = tf.cast(tf.size(wide) / tf.size(mean), tf.float32)
        count *= context.num_replicas_in_sync
        self._follow(self.moving_mean, mean)
        self._follow(self.moving_variance, variance * count / (count - 1))  # unbiased, as alone
        return tf.cast(outputs, self.compute_dtype)

    def _affine(self) -> tuple[Any, Any]:
        channels = self.moving_mean.shape
        gamma = self.gamma if self.scale else tf.ones(channels)
        return gamma, self.beta if self.center else tf.zeros(channels)

    def _follow(self, moving: Any, batch: Any) -> None:
        moving.assign(moving * self.momentum + tf.cast(batch, moving.dtype) * (1 - self.momentum))


class TwoLogits(keras.layers.Layer):  # type: ignore[misc]
    """Turns the logit of a one-unit sigmoid head into two, so that every network has one loss."""

    def call(self, inputs: Any) -> Any:
        """Map `(batch, 1)` to `(batch, 2)`: softmax over (0, z) is (1 - sigmoid(z), sigmoid(z))."""
        return tf.concat([tf.zeros_like(inputs), inputs], axis=-1)


class AllInTraining(keras.layers.Layer):  # type: ignore[misc]
    """Hands on the logits of all heads in training, of the first alone afterwards."""

    def call(self, inputs: list[Any], training: bool | None = None) -> Any:
        """Map heads of `(batch, classes)` to `(batch, heads, classes)`, or to the first of them."""
        return tf.stack(inputs, axis=1) if training else tf.identity(inputs[0])


@tf.custom_gradient  # type: ignore[untyped-decorator]
def gelu(x: Any) -> Any:
    """Return `x` times the probability that a standard normal variable is below it.

    Args:
        x: float tensor of any shape; all that is kept for the gradient.

    Returns:
        A tensor of its shape and type, within 1e-6 or a rounding of that type.

    Source: Hendrycks and Gimpel, "Gaussian error linear units" (2016, arXiv 1606.08415), eq. 1.
    """
    return _forward(x), lambda upstream: _backward(x, upstream)


@tf.function(jit_compile=True)  # type: ignore[untyped-decorator]
def _forward(x: Any) -> Any:
    wide = _wide(x)
    return tf.cast(wide * _below(wide), x.dtype)


@tf.function(jit_compile=True)  # type: ignore[untyped-decorator]
def _backward(x: Any, upstream: Any) -> Any:
    wide = _wide(x)
    density = tf.exp(-0.5 * wide**2) / math.sqrt(2 * math.pi)
    return tf.cast(_wide(upstream) * (_below(wide) + wide * density), x.dtype)


def _wide(x: Any) -> Any:
    return tf.cast(x, tf.float32) if x.dtype.size < 4 else x


def _below(x: Any) -> Any:
    return 0.5 * (1 + tf.math.erf(x * math.sqrt(0.5)))


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
