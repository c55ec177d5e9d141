"""LiteRT: the file that tfcnn itself predicts by, for phones, small computers and Python."""

from pathlib import Path
from typing import Any

import numpy as np

from tfcnn.base import atomic
from tfcnn.decode import Pixels
from tfcnn.export._format import Runner
from tfcnn.export._job import OUTPUTS, Floats, Job

FILE, TITLE, TOLERANCE = "model.tflite", "LiteRT", 1e-4
LIBRARIES: dict[str, str] = {}
SNIPPET_LIBRARIES = ("ai-edge-litert",)
SNIPPET = """\
from ai_edge_litert.interpreter import Interpreter
model = Interpreter(str(here / "{file}"))
probs = model.get_signature_runner()(images=images)["probs"]
"""


def write(job: Job, path: Path) -> None:
    """Write the run's own twin, or convert the model where there is none that has all columns."""
    atomic.write_bytes(path, content(job))


def content(job: Job) -> bytes:
    """Return the model in LiteRT's format."""
    if job.twin and not job.has_two_columns:
        return job.twin.read_bytes()
    from tfcnn.training import twin

    return twin.convert(job.model)


def open_file(path: Path) -> Runner:
    """Open a `.tflite` file."""
    from tfcnn.training import twin

    signature = twin.runner(path.read_bytes())

    def run(images: Pixels) -> tuple[Floats, Floats]:
        outputs: dict[str, Any] = signature(images)
        probs, features = (np.asarray(outputs[name]) for name in OUTPUTS)
        return probs, features

    return run
