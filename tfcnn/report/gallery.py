"""Write `labels.html`: the images whose labels are least believed, to be looked at."""

import base64
import io
from pathlib import Path

from tfcnn import recipes, runs
from tfcnn.base import atomic
from tfcnn.base.progress import Reporter
from tfcnn.datasets import Source
from tfcnn.datasets.folder import open_any
from tfcnn.decode import Background, open_image
from tfcnn.evaluation.labels import Suspects
from tfcnn.report.page import environment

__all__ = ["write"]

THUMBNAIL_PX = 160


def write(suspects: Suspects, top: int) -> Path:
    """Write the page of a ranking into its cross-validation's folder.

    Args:
        suspects: from `tfcnn.evaluation.labels.find`.
        top: how many images to show, the least believable labels first.

    Returns:
        The path of `labels.html`.

    Raises:
        InputError: if the images are no longer where they were.
    """
    data = recipes.load(str(suspects.path / runs.RECIPE)).data
    source = open_any(data, Reporter())
    shown = [
        {**row, "thumbnail": _thumbnail(source, row["path"], data.background)}
        for row in suspects.rows[:top]
    ]
    text = (
        environment()
        .get_template("labels.html")
        .render(
            name=suspects.path.name,
            suspects=suspects,
            shown=shown,
            groups=source.nouns[1],
        )
    )
    target = suspects.path / runs.LABELS_PAGE
    atomic.write_text(target, text)
    return target


def _thumbnail(source: Source, path: str, background: Background) -> str:
    """Return a PNG of at most `THUMBNAIL_PX` a side, in base64; small images are not enlarged."""
    image = open_image(source.read(path), path).flat(background)
    image.thumbnail((THUMBNAIL_PX, THUMBNAIL_PX))
    file = io.BytesIO()
    image.save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode("ascii")
