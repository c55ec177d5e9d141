"""What a model can be known to have learnt from, as far as Keras and TensorFlow tell.

Keras does not say which images a model was fitted to. Its optimizer counts steps, the last `fit`
counts epochs, and TensorFlow numbers all that it makes: a variable with a smaller number than the
images has existed before them. `doubt` puts these together. It cannot know which weights a model
was given before its first step, nor what happened before `compile` began the steps anew.
"""

import sys
import weakref
from typing import Any

from tfcnn.manifest import Manifest

ALL: "weakref.WeakSet[Any]" = weakref.WeakSet()  # the `data.Data` of this process
CONFIG = {"dtype", "trainable"}  # a file, or a clone, gives every layer both


def clock() -> int:
    """Return the number that TensorFlow gave last; 0 where it is not loaded."""
    if "tensorflow" not in sys.modules:
        return 0
    from tensorflow.python.framework import ops

    return int(ops.uid())


def doubt(model: Any, data: Any) -> str:
    """Say why a model may have learnt from more than train; "" where nothing speaks for it.

    Args:
        model: a Keras model.
        data: the images, a `data.Data`.
    """
    steps = _steps(model)
    if not steps:
        return "it has no optimizer that took steps"
    if data.has_read_test:
        return "test was read"
    born = _born(model)
    if born is None or born <= data.made:
        return "it was built before tfcnn.data returned the images"
    if name := _from_a_config(model):
        return f"layer {name} comes from a file, or is a clone"
    if other := _other_images(data, born):
        return f"images of test were also given by {other}"
    return _doubt_of_steps(model, data, steps, born)


def _doubt_of_steps(model: Any, data: Any, steps: int, born: int) -> str:
    """Say why not all steps can have been on train."""
    history = getattr(model, "history", None)  # of the last `fit`; a loop by hand leaves none
    per_epoch = None if history is None else history.params.get("steps")
    if steps <= data.batches_since(born) and (
        history is None or per_epoch in data.batches_per_epoch
    ):
        return ""
    if not data.gave_arrays:
        return "its optimizer took other steps than data.train gave batches"
    if history is None or not per_epoch:
        return "arrays were given, and it did not learn by fit"
    if steps != per_epoch * len(history.epoch):
        return "arrays were given, and its optimizer took other steps than those of the last fit"
    count = len(data.prepared.rows["train"])
    size = -(-count // per_epoch)  # the largest batch that needs no fewer steps
    if -(-count // size) != per_epoch:
        return f"no batch size makes {per_epoch} steps of the {count:,} images of train"
    return ""


def _steps(model: Any) -> int:
    """Return how many steps a model's optimizer took; 0 where there is none."""
    iterations = getattr(getattr(model, "optimizer", None), "iterations", None)
    # under a strategy it has no number of its own
    return 0 if iterations is None else int(iterations.numpy())


def _born(model: Any) -> int | None:
    """Return the number of a model's oldest weight; None where TensorFlow does not say."""
    try:
        return min(int(weight.value.handle._id) for weight in model.weights)
    except (AttributeError, ValueError):
        return None


def _from_a_config(model: Any) -> str:
    """Return the name of a layer with weights whose every setting was given; "" for none."""
    for layer in model._flatten_layers():
        config = getattr(getattr(layer, "_auto_config", None), "config", {})
        if layer.weights and config.keys() >= CONFIG:
            return str(layer.name)
    return ""


def _other_images(data: Any, born: int) -> str:
    """Say which other images of this process hold some of test, and were read since."""
    tested = _pixels(data.manifest, data.prepared.rows["test"])
    for other in ALL:
        for split, rows in other.prepared.rows.items():
            if other is data or other.last_read(split) <= born:
                continue
            if not tested.isdisjoint(_pixels(other.manifest, rows)):
                return f"the {split} of other images"
    return ""


def _pixels(manifest: Manifest, rows: Any) -> set[str]:
    return {manifest.rows[int(row)].pixels_sha256 for row in rows}
