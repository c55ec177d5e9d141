"""SavedModel: TensorFlow's own format, for TensorFlow Serving and whatever reads it."""

from pathlib import Path

import numpy as np

from tfcnn.base import quiet
from tfcnn.decode import Pixels
from tfcnn.export._format import Runner
from tfcnn.export._job import INPUT, OUTPUTS, Floats, Job

FILE, TITLE, TOLERANCE = "saved_model", "SavedModel", 1e-4
LIBRARIES: dict[str, str] = {}
SIGNATURE = "serving_default"  # the one that servers call
SNIPPET_LIBRARIES = ("tensorflow",)
SNIPPET = """\
import tensorflow as tf
model = tf.saved_model.load(str(here / "{file}")).signatures["serving_default"]
probs = model(images=tf.constant(images))["probs"].numpy()
"""


def write(job: Job, path: Path) -> None:
    """Write a folder in TensorFlow's format."""
    import tensorflow as tf

    function = job.function()
    module = tf.Module()
    module.model, module.serve = job.model, function  # what is not held by it is not saved
    signatures = {SIGNATURE: function.get_concrete_function()}
    with quiet.stderr_to_log():
        tf.saved_model.save(module, str(path), signatures=signatures)


def open_file(path: Path) -> Runner:
    """Open such a folder."""
    import tensorflow as tf

    with quiet.stderr_to_log():
        loaded = tf.saved_model.load(str(path))
    signature = loaded.signatures[SIGNATURE]

    def run(images: Pixels, _: object = loaded) -> tuple[Floats, Floats]:  # which must stay alive
        outputs = signature(**{INPUT: tf.constant(images)})
        probs, features = (np.asarray(outputs[name]) for name in OUTPUTS)
        return probs, features

    return run
