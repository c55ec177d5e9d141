"""How long a step of a network takes on this machine, in bfloat16 and in float32.

It is measured once and kept among the decoded images, so that the same training takes the same
precision again. A measurement has a file of its own: two processes need not wait for each other.
"""

import gc
import hashlib
import json
import math
from collections.abc import Callable
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfcnn import architectures
from tfcnn.base import atomic, own_files, processor, threads
from tfcnn.base.progress import Reporter
from tfcnn.base.records import sha256_of
from tfcnn.datasets import data_home
from tfcnn.recipes import Recipe
from tfcnn.training import form, losses

Shape = tuple[int, int, int, int]
FLOAT32, BFLOAT16 = "float32", "mixed_bfloat16"
# of the images of a step: a training may have several times as many
MOST_PIXELS, LEAST_IMAGES = 64 * 32 * 32, 8
# steps in each precision; fewer once they have taken so long, one where it is this much slower
ROUNDS, LEAST_ROUNDS, MOST_SECONDS, CLEARLY = 5, 3, 1.0, 1.5


def known_or_measured(
    recipe: Recipe, images: Shape, classes: int, reporter: Reporter
) -> tuple[dict[str, float], str]:
    """Return the processor seconds of a step in each precision, as kept or as measured now.

    Args:
        recipe: whose network and loss are taken.
        images: `(batch, height, width, channels)` of a step; fewer are timed where that is much.
        classes: how many there are.
        reporter: hears if the measurement cannot be kept.

    Returns:
        Seconds per dtype policy, and when they were measured, in words.
    """
    most = max(LEAST_IMAGES, MOST_PIXELS // (images[1] * images[2]))
    images = (min(images[0], most), *images[1:])
    facts = _facts(recipe, images, classes)
    path = path_of(facts)
    if (kept := read(path)) is not None:
        return kept, "measured before"
    reporter.stage("measuring bfloat16 and float32")
    start = perf_counter()
    seconds = measure(recipe, images, classes)
    if math.isfinite(seconds[BFLOAT16]):
        _keep(path, {**facts, "seconds": seconds}, reporter)
    return seconds, f"measured in {perf_counter() - start:.1f} s"


def measure(recipe: Recipe, images: Shape, classes: int) -> dict[str, float]:
    """Return the processor seconds of a step, forward and back, in each precision.

    They take turns, so that other work disturbs both alike, and the round in the middle by their
    ratio counts. Of two equal networks that ratio spreads a third as much as that of least times.

    Args:
        recipe: whose network and loss are taken.
        images: `(batch, height, width, channels)`.
        classes: how many there are.

    Returns:
        Seconds per dtype policy; infinity for bfloat16 where the network does not compute in it.
    """
    steps: dict[str, Callable[[], Any]] = {}
    for policy in (FLOAT32, BFLOAT16):
        try:
            steps[policy] = _step(recipe, images, classes, policy)
            steps[policy]()  # the first one is compiled
        except Exception:  # a user's own network raises whatever it likes
            if policy == FLOAT32:
                raise
            return {FLOAT32: 1.0, BFLOAT16: math.inf}
    rounds: list[dict[str, float]] = []
    start = perf_counter()
    while len(rounds) < ROUNDS:
        rounds.append({policy: timed(step) for policy, step in steps.items()})
        is_long = perf_counter() - start > MOST_SECONDS and len(rounds) >= LEAST_ROUNDS
        if is_long or ratio(rounds[0]) > CLEARLY:
            break
    steps.clear()
    gc.collect()  # graphs refer to themselves, and hold the weights
    return sorted(rounds, key=ratio)[len(rounds) // 2]


def ratio(seconds: dict[str, float]) -> float:
    """Return the time of a step in bfloat16 as a multiple of that in float32."""
    return seconds[BFLOAT16] / seconds[FLOAT32]


def timed(step: Callable[[], Any]) -> float:
    """Return the processor seconds that a step takes, of all cores together."""
    start = process_time()
    step()
    return process_time() - start


def _step(recipe: Recipe, images: Shape, classes: int, policy: str) -> Callable[[], Any]:
    """Return what computes the gradients of made-up images, as a training does."""
    model = form.training_form(recipe.model, images[1:], classes, policy)
    weights = architectures.part(recipe.model.network, "LOSS_WEIGHTS") or (1.0,)
    loss = losses.loss_for(recipe.train, weights)

    @tf.function  # type: ignore[untyped-decorator]
    def gradients(pixels: Any, labels: Any) -> Any:
        with tf.GradientTape() as tape:
            mean = tf.reduce_mean(loss(labels, model(pixels, training=True)))
        return tape.gradient(mean, model.trainable_variables)

    values = np.random.default_rng(0).integers(0, 256, images)
    pixels, labels = tf.constant(values, tf.float32), tf.range(images[0]) % classes
    return lambda: gradients(pixels, labels)


def _facts(recipe: Recipe, images: Shape, classes: int) -> dict[str, Any]:
    """Return all that the time of a step depends on."""
    network = recipe.model.network
    if own_files.is_own(network):
        network = f"{Path(network).name}, sha256 {sha256_of(Path(network))}"
    return {
        "processor": processor.name(),
        "flags": " ".join(sorted(processor.flags())),
        "cores": threads.cores(),
        "versions": f"TensorFlow {tf.__version__}, Keras {keras.__version__}",
        "network": network,
        "options": str(sorted(recipe.model.options.items())),
        "images": list(images),
        "classes": classes,
    }


def path_of(facts: dict[str, Any]) -> Path:
    """Return the file for a measurement that depends on these facts."""
    digest = hashlib.sha256(json.dumps(facts, allow_nan=False).encode()).hexdigest()
    return data_home() / "cache" / "precision" / f"{digest[:32]}.json"


def read(path: Path) -> dict[str, float] | None:
    """Return the seconds that were kept; None where there are none, or the file is damaged."""
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))["seconds"]
        seconds = {policy: float(kept[policy]) for policy in (FLOAT32, BFLOAT16)}
    except (OSError, ValueError, KeyError, TypeError, OverflowError):
        return None
    return seconds if all(0 < one < math.inf for one in seconds.values()) else None


def _keep(path: Path, content: dict[str, Any], reporter: Reporter) -> None:
    try:
        atomic.write_text(path, json.dumps(content, indent=1, allow_nan=False) + "\n")
    except OSError as error:  # the next training measures again
        reporter.note(f"what was measured is not kept: {error}")
