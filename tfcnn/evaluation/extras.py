"""What a report holds besides its figures: subgroups of a user's table, and a stress test."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tfcnn import runs
from tfcnn.base.errors import InputError
from tfcnn.evaluation import run_images, stress, subgroups
from tfcnn.evaluation import table as predictions
from tfcnn.evaluation.scoring import Report
from tfcnn.evaluation.table import Table
from tfcnn.prediction import Predictor
from tfcnn.runs import Run


@dataclass(frozen=True)
class Wanted:
    """What is asked for besides the figures.

    Attributes:
        subgroups_csv: a table that names subgroups; None for none.
        progress: hears how far the stress test is; None where none is asked for.
    """

    subgroups_csv: str | None = None
    progress: Callable[[int, int], None] | None = None

    def __bool__(self) -> bool:
        return self.subgroups_csv is not None or self.progress is not None


def of_own_split(report: Report, run: Run, wanted: Wanted) -> Report:
    """Return the report of a run with what is asked for, on the split that stands for the run.

    Raises:
        InputError: if the run has no predictions, the table cannot be used, or, for a stress test,
            the images are gone, or the run is the mean of folds that learnt from them.
        CheckError: if a file is not the one that was written.
    """
    if not wanted:
        return report
    if wanted.progress is not None and run.num_folds:
        expected = "images that its model was not trained on"
        received = "the mean of a cross-validation, whose folds learnt from all of them"
        hint = (
            f"--stress of a fold: {runs.as_typed(run.path / runs.fold_name(0))}; or --data FOLDER"
        )
        raise InputError(run.path, expected, received, hint)
    part = predictions.read(run).part(report.main_split)
    report = _with_subgroups(report, run, part, wanted.subgroups_csv)
    if wanted.progress is None:
        return report
    images = run_images.of_paths(run, part.paths.tolist())
    return with_stress(report, run, part, images, Predictor(run), wanted)


def with_stress(
    report: Report, run: Run, part: Table, images: Any, predictor: Predictor, wanted: Wanted
) -> Report:
    """Return a report with a stress test on the images of its table."""
    found = stress.warnings_of(run, part)
    content = stress.measure(run, part, images, predictor, found, wanted.progress)
    return replace(report, stress=content)


def of_data(
    report: Report, run: Run, part: Table, images: Any, predictor: Predictor, wanted: Wanted
) -> Report:
    """Return the report on other data with what is asked for; see `of_own_split`."""
    report = _with_subgroups(report, run, part, wanted.subgroups_csv)
    if wanted.progress is None:
        return report
    return with_stress(report, run, part, images, predictor, wanted)


def after_training(report: Report, run: Run, table: Table, csv: str | None) -> Report:
    """Return a report with subgroups; where they cannot be compared, with a warning why.

    A training that took hours does not fail for a table that changed meanwhile.
    """
    try:
        return _with_subgroups(report, run, table.part(report.main_split), csv)
    except InputError as error:
        return replace(report, warnings=[*report.warnings, f"subgroups: not compared ({error})"])


def _with_subgroups(report: Report, run: Run, part: Table, csv: str | None) -> Report:
    if csv is None:
        return report
    return replace(report, subgroups=subgroups.measure(run, part, Path(csv)))
