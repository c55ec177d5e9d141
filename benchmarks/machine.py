"""What this machine can do, and what share of it training reaches, layer by layer.

    python benchmarks/machine.py malaria

Measures products of large matrices and a large convolution in bfloat16 and float32, and the copying
of memory; then each layer of a network as it is trained: one step forward and back, in the training
form, in bfloat16. A layer's rate counts its multiplications and additions, three times those of the
way forward (a frozen one's twice); a layer that has none is compared with the memory it must move.
The gradient of a layer's input is always among it, though training needs none of the first ones'.
Seconds of processor time over all cores, the least of several calls: other work on the machine can
only add to it.
"""

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from tfcnn import recipes
from tfcnn.base import quiet, threads

quiet.load_tensorflow()  # which turns oneDNN on where TensorFlow leaves it off
import tensorflow as tf  # noqa: E402

from tfcnn.training import form  # noqa: E402

PRODUCTS = [(1024, 1024, 1024), (2048, 2048, 2048), (16384, 576, 256), (576, 16384, 256)]
IMAGES, KERNEL = (16, 32, 32, 256), (3, 3, 256, 256)


def cpu_seconds(run: Callable[[], Any]) -> float:
    """Return the least processor time of a call, after two that warm up."""
    values = []
    for _ in range(arguments.repeats + 2):
        start = time.process_time()
        run()
        values.append(time.process_time() - start)
    return min(values[2:])


def product_rate(dtype: tf.DType) -> float:
    """Return additions and multiplications per second and core, of what has most of them."""
    images = tf.cast(tf.random.normal(IMAGES), dtype)
    kernel = tf.cast(tf.random.normal(KERNEL), dtype)
    convolve = tf.function(lambda: tf.nn.conv2d(images, kernel, 1, "SAME"))
    count = 2 * np.prod(IMAGES[:3]) * np.prod(KERNEL)
    rates = [count / cpu_seconds(convolve)]
    for rows, inner, columns in PRODUCTS:
        left = tf.cast(tf.random.normal((rows, inner)), dtype)
        right = tf.cast(tf.random.normal((inner, columns)), dtype)
        multiply = tf.function(lambda a=left, b=right: tf.matmul(a, b))
        rates.append(2 * rows * inner * columns / cpu_seconds(multiply))
    return float(max(rates))


def memory_rate() -> float:
    """Return the bytes per second that one core reads and writes when copying."""
    source = np.ones(32 * 2**20, np.float32)
    target = np.empty_like(source)
    return 2 * source.nbytes / cpu_seconds(lambda: np.copyto(target, source))


def operations(layer: Any) -> float:
    """Return the multiplications and additions of an image on its way through a layer."""
    kernel = getattr(layer, "kernel", None)
    if kernel is None:
        return 0.0
    places = np.prod(layer.output.shape[1:-1]) if len(layer.output.shape) > 2 else 1
    return 2.0 * float(np.prod(kernel.shape)) * float(places)


def step(layer: Any, batch: int, dtype: tf.DType) -> Callable[[], Any]:
    """Return one step through a layer, forward and back."""
    shape = (batch, *layer.input.shape[1:])
    images = tf.cast(tf.random.uniform(shape), dtype)
    outputs = layer(images, training=True)
    gradient = tf.ones_like(outputs)

    @tf.function
    def run(inputs: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            found = layer(inputs, training=True)
        wanted = [inputs, *layer.trainable_variables]
        # what nothing asks for is not computed, and no gradient of a convolution wants its output
        return found, tape.gradient(found, wanted, gradient)

    return lambda: run(images)


parser = argparse.ArgumentParser()
parser.add_argument("recipe", nargs="?", default="malaria")
parser.add_argument("--classes", type=int, default=2)
parser.add_argument("--float32", action="store_true")
parser.add_argument("--repeats", type=int, default=9)
arguments = parser.parse_args()
limits = {"bfloat16": product_rate(tf.bfloat16), "float32": product_rate(tf.float32)}
memory = memory_rate()
print(f"{threads.cores()} cores. A core: " + ", ".join(
    f"{rate / 1e9:,.0f} GFLOP/s in {name}" for name, rate in limits.items()
) + f", {memory / 1e9:.1f} GB/s of memory")  # fmt: skip
policy = "float32" if arguments.float32 else "mixed_bfloat16"
limit = limits["float32" if arguments.float32 else "bfloat16"]
settings = recipes.load(arguments.recipe)
shape = (*settings.data.image_size, settings.data.channels)
model = form.training_form(settings.model, shape, arguments.classes, policy)
total, batch = 0.0, settings.train.batch_size
print("| layer | output | CPU µs an image | GFLOP/s | share of the limit |\n|---|---|---|---|---|")
for layer in model.layers:
    dtype = tf.as_dtype(layer.compute_dtype)
    taken = cpu_seconds(step(layer, batch, dtype)) / batch
    total += taken
    # a frozen layer has no gradient of its kernel
    flops = (3 if layer.trainable_weights else 2) * operations(layer)
    moved = 2 * dtype.size * float(np.prod(layer.input.shape[1:]) + np.prod(layer.output.shape[1:]))
    share = flops / taken / limit if flops else moved / taken / memory
    kind = "" if flops else " (of memory)"
    rate = f"{flops / taken / 1e9:,.0f}" if flops else "-"
    size = "x".join(map(str, layer.output.shape[1:]))
    print(f"| {layer.name} | {size} | {1e6 * taken:.1f} | {rate} | {100 * share:.0f} %{kind} |")
print(f"\nall layers, one by one: {1e6 * total:,.0f} µs of processor time an image")
