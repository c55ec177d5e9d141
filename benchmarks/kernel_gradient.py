"""The gradient of a convolution's kernel in bfloat16: oneDNN's against products, by map size.

    python benchmarks/kernel_gradient.py

Prints milliseconds, the median of 9 alternated calls each, and their ratio.
"""

import statistics
import time

import numpy as np

from tfcnn import quiet

quiet.load_tensorflow()
import tensorflow as tf  # noqa: E402

from tfcnn.training.convolution import kernel_gradient  # noqa: E402

MAPS = [(512, 3, 256, 256), (512, 7, 256, 256), (128, 6, 128, 256), (512, 15, 64, 256)]
REPEATS = 9


@tf.function
def library(images, upstream):
    size = [3, 3, images.shape[3], upstream.shape[3]]
    return tf.compat.v1.nn.conv2d_backprop_filter(images, size, upstream, [1, 1, 1, 1], "SAME")


@tf.function
def products(images, upstream):
    return kernel_gradient(images, upstream, (3, 3))


def milliseconds(function, *tensors) -> float:
    start = time.perf_counter()
    function(*tensors).numpy()
    return 1e3 * (time.perf_counter() - start)


rng = np.random.default_rng(0)
print("batch  side  in -> out   oneDNN  products  ratio")
for batch, side, channels, filters in MAPS:
    shapes = [(batch, side, side, channels), (batch, side, side, filters)]
    tensors = [tf.cast(rng.normal(size=shape), tf.bfloat16) for shape in shapes]
    times = [[milliseconds(f, *tensors) for f in (library, products)] for _ in range(REPEATS + 2)]
    theirs, ours = (statistics.median(column) for column in zip(*times[2:], strict=True))
    print(
        f"{batch:5}  {side:4}  {channels:3} -> {filters:3}"
        f"  {theirs:7.1f}  {ours:8.1f}  {theirs / ours:5.2f}"
    )
