"""The verbs that use a run on images: `load`, `predict`, `explain_images`."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfcnn.api.arguments import as_list, as_run

if TYPE_CHECKING:
    from tfcnn.explain.study import Study
    from tfcnn.prediction import Prediction, Stream
    from tfcnn.runs import Run


def load(name_or_path: str | Path) -> "Run":
    """Open a finished run: a path, or a name in `models/` or among the shipped models."""
    from tfcnn import runs

    return runs.open_run(name_or_path)


def stream(
    run: "Run | str | Path",
    paths: str | Path | Iterable[str | Path],
    note: Callable[[str], None] | None = None,
) -> "Stream":
    """Yield predictions in order, as they are made; see `predict`.

    `note` hears which files of a folder or archive were passed over, and what computed the others
    where that is not LiteRT.
    """
    from tfcnn.prediction import Predictor

    opened = as_run(run)
    return Predictor(opened, note=note).predict(as_list(paths), note)


def predict(
    run: "Run | str | Path", paths: str | Path | Iterable[str | Path]
) -> "list[Prediction]":
    """Predict images: files, folders and zip archives, in order.

    Args:
        run: a run, or its name or path.
        paths: one or several.

    Returns:
        One prediction per image; an image that cannot be read has `flag` "unreadable".

    Raises:
        InputError: if a path does not exist or holds no image.
    """
    return list(stream(run, paths))


def explain_images(
    run: "Run | str | Path", paths: str | Path | Iterable[str | Path], **options: Any
) -> "Study":
    """Show where a run sees evidence for a class, and check that this depends on its training.

    Args:
        run: a run, or its name or path.
        paths: one or several images, folders and zip archives.
        **options: `method`, `layer`, `class_name`, `output` and the others of
            `tfcnn.explain.study.explain_files`.
    """
    from tfcnn.explain import study

    opened = as_run(run)
    return study.explain_files(opened, as_list(paths), **options)
