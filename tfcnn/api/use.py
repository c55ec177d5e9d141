"""The verbs that use a run: `load`, `predict`, `explain_images`, `export`."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfcnn.api.arguments import as_list, as_run, hearing
from tfcnn.base.progress import Reporter

if TYPE_CHECKING:
    from tfcnn.explain.study import Study
    from tfcnn.export._write import Export
    from tfcnn.prediction import Predictions, Stream
    from tfcnn.runs import Run

LONG = 100  # images: for fewer, a bar is no help


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
    run: "Run | str | Path",
    paths: str | Path | Iterable[str | Path],
    *,
    progress: bool = True,
    reporter: Reporter | None = None,
) -> "Predictions":
    """Predict images: files, folders and zip archives, in order.

    Args:
        run: a run, or its name or path.
        paths: one or several.
        progress: say what was passed over and, of many images, how far it is: in a notebook below
            the cell, else on standard error.
        reporter: hears of it instead, and shows it as it likes.

    Returns:
        A list of one prediction per image, which a notebook shows with its pictures; an image
        that cannot be read has `flag` "unreadable".

    Raises:
        InputError: if a path does not exist or holds no image.
    """
    from tfcnn.prediction import Predictions

    opened, found = as_run(run), []
    with hearing(progress, reporter) as hears:
        predictions = stream(opened, paths, hears.note)
        images = predictions.images
        is_long = len(images) >= LONG
        update = hears.stage(f"predicting by {opened.name}") if is_long else None
        for prediction in predictions:
            found.append(prediction)
            if update:
                update(len(found), len(images))
    return Predictions(found, images, opened.decoder.background)


def explain_images(
    run: "Run | str | Path",
    paths: str | Path | Iterable[str | Path],
    *,
    progress: bool = True,
    reporter: Reporter | None = None,
    **options: Any,
) -> "Study":
    """Show where a run sees evidence for a class, and check that this depends on its training.

    Args:
        run: a run, or its name or path.
        paths: one or several images, folders and zip archives.
        progress: show it: in a notebook below the cell, else on standard error.
        reporter: hears of it instead, and shows it as it likes.
        **options: `method`, `layer`, `class_name`, `output` and the others of
            `tfcnn.explain.study.explain_files`.
    """
    from tfcnn.explain import study

    opened = as_run(run)
    with hearing(progress, reporter) as hears:
        options |= {"progress": hears.stage("explaining"), "note": hears.note}
        return study.explain_files(opened, as_list(paths), **options)


def export(
    run: "Run | str | Path",
    format: str,
    output: str | Path | None = None,
    *,
    progress: bool = True,
    reporter: Reporter | None = None,
) -> "Export":
    """Write a run as a file that needs no tfcnn, if it gives the answers of the saved model.

    Args:
        run: a run, or its name or path.
        format: `page`, `saved-model`, `onnx`, `litert` or `litert-int8`.
        output: where to; a folder `RUN-FORMAT` in the working folder if None.
        progress: show it: in a notebook below the cell, else on standard error.
        reporter: hears of it instead, and shows it as it likes.

    Returns:
        Where it is, how large, how fast, and how well it agrees with `model.keras`.

    Raises:
        InputError: if there is no such format, or a library for it is missing.
        CheckError: if it does not give the saved model's answers: nothing is written then.
    """
    from tfcnn.export import _write

    opened, place = as_run(run), None if output is None else Path(output)
    with hearing(progress, reporter) as hears:
        return _write.export_run(opened, format, place, hears)
