"""A step of a convolution on small maps in bfloat16: oneDNN's own against images side by side.

    python benchmarks/small_maps.py

Prints the processor time of an image, forward and both gradients: the median of 9 alternated
calls each, and their ratio.
"""

import statistics
import time

import numpy as np

from tfcnn import quiet

quiet.load_tensorflow()
import tensorflow as tf  # noqa: E402

from tfcnn.training.convolution import convolve  # noqa: E402

MAPS = [
    (512, 3, 256, 256), (512, 7, 256, 256), (128, 6, 128, 256), (32, 6, 128, 256),
    (512, 13, 64, 128), (512, 15, 64, 256),
]  # fmt: skip
REPEATS = 9


def library(images, kernel):
    return tf.nn.conv2d(images, kernel, 1, "SAME")


def step(convolution):
    @tf.function(autograph=False)
    def run(images, kernel):
        with tf.GradientTape() as tape:
            tape.watch([images, kernel])
            outputs = convolution(images, kernel)
        return tape.gradient(outputs, [images, kernel], outputs)

    return run


def microseconds(function, images, kernel) -> float:
    start = time.process_time()
    function(images, kernel)
    return 1e6 * (time.process_time() - start) / len(images)


rng, steps = np.random.default_rng(0), [step(library), step(convolve)]
print("batch  side  in -> out   oneDNN  side by side  ratio")
for batch, side, channels, filters in MAPS:
    shapes = [(batch, side, side, channels), (3, 3, channels, filters)]
    tensors = [tf.cast(rng.normal(size=shape), tf.bfloat16) for shape in shapes]
    times = [[microseconds(run, *tensors) for run in steps] for _ in range(REPEATS + 2)]
    theirs, ours = (statistics.median(column) for column in zip(*times[2:], strict=True))
    print(
        f"{batch:5}  {side:4}  {channels:3} -> {filters:3}"
        f"  {theirs:7.0f}  {ours:12.0f}  {theirs / ours:5.2f}"
    )
