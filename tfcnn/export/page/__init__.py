"""A page: one HTML file that holds the model and answers without network, server or tfcnn."""

from pathlib import Path

import numpy as np

from tfcnn.base import atomic
from tfcnn.base.errors import CheckError
from tfcnn.decode import Pixels
from tfcnn.export._format import Runner
from tfcnn.export._job import OUTPUTS, Floats, Job
from tfcnn.export.page import assembly, page_settings

FILE, TITLE, TOLERANCE = "model.html", "a page", 1e-4
LIBRARIES: dict[str, str] = {}
SNIPPET, SNIPPET_LIBRARIES = None, ()
MOST_BYTES = 8_000_000
ONE = 1  # image at a time: LiteRT.js takes no model of an open number


def write(job: Job, path: Path) -> None:
    """Write the page.

    Raises:
        CheckError: if it is larger than 8 MB.
    """
    from tfcnn.training import twin

    parts = {
        "model": twin.convert(job.model, batch_size=ONE),
        "domain": page_settings.domain_arrays(job.run),
    }
    content = assembly.assemble(page_settings.settings(job.run), parts)
    if len(content) > MOST_BYTES:
        expected = f"a page of at most {MOST_BYTES / 1e6:g} MB"
        hint = "a run of a smaller network, or --format litert"
        raise CheckError(job.run.path, expected, f"one of {len(content) / 1e6:.1f} MB", hint)
    atomic.write_bytes(path, content)


def open_file(path: Path) -> Runner:
    """Open the model that a page holds, with LiteRT in Python."""
    from tfcnn.training import twin

    signature = twin.runner(assembly.part(path.read_bytes(), "model"))

    def run(images: Pixels) -> tuple[Floats, Floats]:
        answers = [signature(images[i : i + ONE]) for i in range(len(images))]
        probs, features = (np.concatenate([one[name] for one in answers]) for name in OUTPUTS)
        return probs, features

    return run
