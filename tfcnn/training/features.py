"""What a backbone sees in every image: computed once, and kept like decoded images.

LiteRT computes them: on a CPU it takes a third of the time of TensorFlow. Keras computes them on a
GPU, and where the backbone cannot be converted.
"""

import hashlib
import re
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tfcnn.base import quiet
from tfcnn.base.progress import Reporter
from tfcnn.inputs import arrays
from tfcnn.training import twin
from tfcnn.training.prepare import Prepared

Floats = npt.NDArray[np.float32]
Compute = Callable[[npt.NDArray[np.uint8]], Floats]

VERSION = 1  # raise it when features are computed otherwise: then all are computed again
BATCH_SIZE = 16
KERAS_BATCH_SIZE = 64


def compute(prepared: Prepared, model: Any, reporter: Reporter) -> tuple[Floats, bytes | None]:
    """Return the features of all images, from the cache where it has them.

    All splits share one array, so that folds and seeds compute nothing again. What is fitted to
    them sees the rows of its own split only.

    Args:
        prepared: the images.
        model: from pixels to probabilities; its features are what enters its layer "head".
        reporter: hears of the progress, and if Keras computes on a CPU.

    Returns:
        Float32 `(images, features)`, in the order of the manifest; memory-mapped. And the twin of
        the model that computed them; None where that was not LiteRT, or was no work.
    """
    trunk = keras.Model(model.inputs[0], model.get_layer("head").input)
    hashes = [row.sha256 for row in prepared.manifest.rows]
    key = ["features", VERSION, prepared.decoder.to_dict(), _sha256(trunk)]
    form = arrays.Form(
        arrays.path_of(key, hashes),
        (int(trunk.output_shape[-1]),),
        np.dtype(np.float32),
        hashes,
        "an array of features",
        "they are computed again",
    )

    twins: list[bytes] = []

    def fill(store: arrays.Store) -> None:
        count = len(prepared.images)
        progress = reporter.stage("features")
        size, run = _engine(model, trunk, twins, reporter)
        for start in range(0, count, size):
            batch = prepared.images[start : start + size]
            for i, row in enumerate(run(batch), start=start):
                store(i, row)
            progress(min(start + size, count), count)

    kept = arrays.kept(form, fill)
    for note in kept.notes:
        reporter.note(note)
    return kept.values, twins[0] if twins else None


def _sha256(trunk: Any) -> str:
    """Return a hash of what a trunk computes: its layers and its weights.

    Keras numbers the names of models and layers within a process. So a name counts as its place.
    """
    text = trunk.to_json()
    for i, name in enumerate(dict.fromkeys(re.findall(r'"name": "([^"]*)"', text))):
        text = text.replace(f'"{name}"', f'"{i}"')
    digest = hashlib.sha256(text.encode())
    for weight in trunk.get_weights():
        digest.update(np.ascontiguousarray(weight).data)
    return digest.hexdigest()


def _engine(model: Any, trunk: Any, twins: list[bytes], reporter: Reporter) -> tuple[int, Compute]:
    """Return how many images are computed at once, and by what; a twin is added to `twins`."""
    if not tf.config.list_physical_devices("GPU"):
        try:
            head = model.get_layer("head")
            kernel, bias = head.get_weights()
            head.set_weights([kernel, np.ones_like(bias)])  # one of zeros would be left out
            content = twin.convert(model)
            head.set_weights([kernel, bias])
            run = twin.runner(content)
            twins.append(content)
            return BATCH_SIZE, lambda images: run(images)["features"]
        except Exception as error:  # the converter raises many types for an op that LiteRT lacks
            quiet.write_log(f"no LiteRT for features: {error}")
            reporter.note("Keras computes the features, as LiteRT cannot: this takes longer")

    def compute(images: npt.NDArray[np.uint8]) -> Floats:
        return np.asarray(trunk.predict_on_batch(images.astype(np.float32)))

    return KERAS_BATCH_SIZE, compute
