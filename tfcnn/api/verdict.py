"""The verbs that judge: `evaluate`, `report`, `compare`, `set_threshold`, `label_errors`."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfcnn.api.arguments import as_run
from tfcnn.base.errors import InputError

if TYPE_CHECKING:
    from tfcnn.evaluation.comparison import Comparison
    from tfcnn.evaluation.labels import Suspects
    from tfcnn.evaluation.rethreshold import Change
    from tfcnn.evaluation.scoring import Report
    from tfcnn.report.checklist import Checklist
    from tfcnn.runs import Run


def evaluate(
    run: "Run | str | Path",
    *,
    data: str | Path | None = None,
    labels_csv: str | Path | None = None,
    label_column: str | None = None,
    group_regex: str | None = None,
    group_csv: str | Path | None = None,
    group_from: str | None = None,
    path_column: str | None = None,
    group_column: str | None = None,
    ignore: Sequence[str] | None = None,
    output: str | Path | None = None,
) -> "Report":
    """Return a run's metrics with intervals.

    Without `data` these are the figures of its own val and test, predicted once by `train`.

    Args:
        run: a run, or its name or path.
        data: a folder of class folders that the run has not seen, or a Python file that lists
            such images.
        labels_csv: a CSV with columns `path, label[, group]`, where its folders are no classes.
        label_column: what that CSV calls its column `label`.
        group_regex: how a group is read from a file name there; the run's own if None, "" where
            no groups are known.
        group_csv: a CSV with columns `path, group`, instead.
        group_from: as `data.group_from`; the run's own where no other rule is given.
        path_column: what the CSV calls its column `path`.
        group_column: what it calls its column `group`.
        ignore: as `data.ignore`; the run's own if None.
        output: a folder for `predictions.csv`, `report.json` and `report.html` of `data`; it takes
            the place of an earlier one. None writes nothing.

    Raises:
        InputError: if the folder cannot be used.
        CheckError: if the run was trained on images or groups of that folder.
    """
    from tfcnn.evaluation import scoring

    opened = as_run(run)
    if data is None and output is not None:
        raise InputError("--output", "other images, that a report is written of", "none",
                         "--data FOLDER, or `tfcnn report` for the run's own")  # fmt: skip
    if data is None:
        rules = (
            labels_csv, label_column, group_regex, group_csv, group_from, path_column,
            group_column, ignore,
        )  # fmt: skip
        if any(rule is not None for rule in rules):
            raise InputError(
                "labels or groups", "a folder of images beside them", "none", "--data FOLDER"
            )
        return scoring.load(opened)
    return _on_other_data(
        opened,
        Path(data),
        None if output is None else Path(output),
        group_regex=group_regex,
        group_csv=None if group_csv is None else str(group_csv),
        group_from=group_from,
        columns=(path_column, group_column),
        labels_csv=None if labels_csv is None else str(labels_csv),
        label_column=label_column,
        ignore=ignore,
    )


def _on_other_data(run: "Run", data: Path, output: Path | None, **how: Any) -> "Report":
    """Measure other images, and write predictions and a report of them where that is asked for."""
    from tfcnn.evaluation import other_data

    if output is None:
        return other_data.evaluate(run, data, **how).report
    from tfcnn.report import on_other_data

    on_other_data.check(output, data)
    measured = other_data.evaluate(run, data, **how)
    on_other_data.write(run, measured, data, output)
    return measured.report


def report(run: "Run | str | Path") -> Path:
    """Write a run's `report.html` anew, from its folder and from its images where they still are.

    Args:
        run: a run, or its name or path.

    Returns:
        The path of `report.html`; a browser opens it.

    Raises:
        InputError: if a file that it is made of is missing, or another process changes the run.
        CheckError: if one is not as it was written.
    """
    from tfcnn.base.disk import locked
    from tfcnn.evaluation import scoring
    from tfcnn.report import page

    opened = as_run(run)
    scoring.load(opened)  # a shipped model has none, and lies where nothing may be written
    with locked(opened.path):  # else a page of figures that change meanwhile would stay
        return page.write(opened.path)


def checklist(run: "Run | str | Path") -> "Checklist":
    """Fill the reporting checklists CLAIM 2024 and TRIPOD+AI from the files of a run.

    Writes `checklist.html`, which links to `report.html`, and `checklist.csv` into its folder.

    Args:
        run: a run, or its name or path.

    Returns:
        Every item with what the run says to it, and what is left for the author to write.

    Raises:
        InputError: if a file that it is filled from is missing, or another process changes the run.
        CheckError: if one is not as it was written.
    """
    from tfcnn.base.disk import locked
    from tfcnn.evaluation import scoring
    from tfcnn.report import checklist as lists

    opened = as_run(run)
    scoring.load(opened)  # a shipped model has none, and lies where nothing may be written
    with locked(opened.path):
        return lists.write(opened)[0]


def set_threshold(
    run: "Run | str | Path",
    *,
    sensitivity: float | None = None,
    specificity: float | None = None,
    value: float | None = None,
    positive: str | None = None,
) -> "Change":
    """Give a finished run another threshold, chosen on val, without training it again.

    Its `model.json`, `predictions.csv`, `report.json` and `report.html` are written anew.

    Args:
        run: a run with its predictions, or its name or path.
        sensitivity: the least share of positive images to be called positive on val, in (0, 1].
        specificity: the least share of negative images to be called negative on val, in (0, 1].
        value: the threshold itself, in [0, 1]. Give one of the three.
        positive: the class that is looked for; the run's own if None.

    Returns:
        The figures before and after, on val and test, and the run as it is now.

    Raises:
        InputError: if the run has no such threshold, or the wish cannot be had on val.
        CheckError: if the run is a demonstrated leak.
    """
    from tfcnn.base.disk import locked
    from tfcnn.evaluation import rethreshold

    opened = as_run(run)
    rethreshold.refuse(opened, positive)  # a shipped model lies where nothing may be written
    from tfcnn.report.page import render

    with locked(opened.path):
        return rethreshold.change(
            as_run(opened.path), render,  # as another process may have left it meanwhile
            sensitivity=sensitivity, specificity=specificity, value=value, positive=positive,
        )  # fmt: skip


def compare(first: "Run | str | Path", second: "Run | str | Path") -> "Comparison":
    """Compare two runs on the images that both were tested on.

    Args:
        first: a run, or its name or path.
        second: another, of the same classes.

    Returns:
        Every metric of both, and first minus second with its interval: hard patients are hard
        for both, so it is narrower than their own intervals suggest.

    Raises:
        InputError: if they have other classes, or no test image in common.
    """
    from tfcnn.evaluation import comparison

    return comparison.compare(as_run(first), as_run(second))


def label_errors(name: str | Path, *, top: int = 60) -> "Suspects":
    """Rank the labels of a cross-validation by how little they are believed.

    Writes `labels.csv`, all of them, and `labels.html`, the first ones with their images.

    Args:
        name: a cross-validation, by name or path; `malaria` means `malaria-crossval`.
        top: how many images the page shows.

    Raises:
        InputError: if there is no such cross-validation, or its images are gone.
    """
    from tfcnn.evaluation import labels
    from tfcnn.report import page

    suspects = labels.find(name)
    page.write_labels(suspects, top)
    return suspects
