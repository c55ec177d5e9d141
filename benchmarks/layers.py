"""A step of the layers that tfcnn computes in its own way, beside TensorFlow's, in bfloat16.

    python benchmarks/layers.py

Convolutions on small maps, eight images side by side, against oneDNN; GELU in one loop against one
operation at a time. Prints the processor time of an image, forward and all gradients: the median of
alternated calls each, and their ratio.
"""

import argparse
import statistics
import time

import numpy as np

from tfcnn.base import quiet

quiet.load_tensorflow()
import tensorflow as tf  # noqa: E402

from tfcnn.training.layers import convolve, gelu  # noqa: E402

MAPS = [
    (512, 3, 256, 256), (512, 7, 256, 256), (128, 6, 128, 256), (32, 6, 128, 256),
    (512, 13, 64, 128), (512, 15, 64, 256),
]  # fmt: skip
ACTIVATED = [(512, 15, 15, 64), (512, 7, 7, 256)]


def library_convolution(images, kernel):
    return tf.nn.conv2d(images, kernel, 1, "SAME")


def library_gelu(images):
    return tf.nn.gelu(images, approximate=False)


def step(function):
    @tf.function(autograph=False)
    def run(*tensors):
        with tf.GradientTape() as tape:
            tape.watch(tensors)
            outputs = function(*tensors)
        return tape.gradient(outputs, tensors, outputs)

    return run


def microseconds(function, tensors) -> float:
    start = time.process_time()
    function(*tensors)
    return 1e6 * (time.process_time() - start) / len(tensors[0])


def compare(name: str, theirs, ours, shapes: list[tuple[int, ...]]) -> None:
    """Print a line: what it is, TensorFlow's time, ours and their ratio."""
    rng, steps = np.random.default_rng(0), [step(theirs), step(ours)]
    tensors = [tf.cast(rng.normal(size=shape), tf.bfloat16) for shape in shapes]
    times = [[microseconds(run, tensors) for run in steps] for _ in range(arguments.repeats + 2)]
    library, own = (statistics.median(column) for column in zip(*times[2:], strict=True))
    print(f"{name:44} {library:10.0f} {own:6.0f} {library / own:6.2f}")


parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--repeats", type=int, default=9)
parser.add_argument("--most", type=int, default=512, help="images in a batch at most")
arguments = parser.parse_args()
print(f"{'us an image':44} {'TensorFlow':>10} {'tfcnn':>6} {'ratio':>6}")
for batch, side, channels, filters in MAPS:
    batch = min(batch, arguments.most)
    shapes = [(batch, side, side, channels), (3, 3, channels, filters)]
    name = f"convolution, {batch} of {side} px, {channels} -> {filters}"
    compare(name, library_convolution, convolve, shapes)
for batch, *shape in ACTIVATED:
    batch = min(batch, arguments.most)
    name = f"GELU, {batch} of {shape[0]} px, {shape[2]} channels"
    compare(name, library_gelu, gelu, [(batch, *shape)])
