"""The verbs that judge: `evaluate`, `report`, `compare`, `set_threshold`, `plan`, and labels."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfcnn.api.arguments import as_run, hearing
from tfcnn.base.errors import InputError
from tfcnn.base.progress import Reporter

if TYPE_CHECKING:
    from tfcnn.evaluation.comparison import Comparison
    from tfcnn.evaluation.labels import Suspects
    from tfcnn.evaluation.planning import Plan
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
    subgroups: str | Path | None = None,
    stress: bool = False,
    progress: bool = True,
    reporter: Reporter | None = None,
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
        subgroups: a CSV with a column `path` or `group`, and others such as site: each value is
            compared with the rest.
        stress: disturb the images in nine ways and measure what that costs. Of a run's own test
            images it is kept in the run folder, as `stress.json`, and shown in its `report.html`.
        progress: show how far a stress test is: in a notebook below the cell, else on standard
            error.
        reporter: hears of it instead, and shows it as it likes.
        output: a folder for `predictions.csv`, `report.json` and `report.html` of `data`; it takes
            the place of an earlier one. None writes nothing.

    Raises:
        InputError: if the folder or the table cannot be used, or the run's own images are gone and
            `stress` needs them.
        CheckError: if the run was trained on images or groups of that folder.
    """
    from tfcnn.evaluation import extras, scoring

    opened = as_run(run)
    if data is None and output is not None:
        raise InputError("--output", "other images, that a report is written of", "none",
                         "--data FOLDER, or `tfcnn report` for the run's own")  # fmt: skip
    rules: dict[str, Any] = {
        "labels_csv": _text(labels_csv), "label_column": label_column,
        "group_regex": group_regex, "group_csv": _text(group_csv), "group_from": group_from,
        "columns": (path_column, group_column), "ignore": ignore,
    }  # fmt: skip
    with hearing(progress and stress, reporter) as hears:
        update = hears.stage(f"disturbing images for {opened.name}") if stress else None
        wanted = extras.Wanted(_text(subgroups), update)
        if data is None:
            _refuse_rules(rules)
            found = extras.of_own_split(scoring.load(opened), opened, wanted)
            return _kept(opened, found) if stress else found
        target = None if output is None else Path(output)
        return _on_other_data(opened, Path(data), target, wanted=wanted, **rules)


def _text(path: str | Path | None) -> str | None:
    return None if path is None else str(path)


def _refuse_rules(rules: dict[str, Any]) -> None:
    """Refuse rules for labels or groups of a folder where none is given."""
    if any(rule not in (None, (None, None)) for rule in rules.values()):
        expected = "a folder of images beside them"
        raise InputError("labels or groups", expected, "none", "--data FOLDER")


def _kept(run: "Run", report: "Report") -> "Report":
    """Keep a stress test in the run folder, and show it in the run's page."""
    from tfcnn.base.disk import locked
    from tfcnn.evaluation import stress
    from tfcnn.report import page

    with locked(run.path):
        stress.write(run, report.stress)
        page.write(run.path)
    return report


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


def report(run: "Run | str | Path", *, figures: str | Path | None = None) -> Path:
    """Write a run's `report.html` anew, from its folder and from its images where they still are.

    Args:
        run: a run, or its name or path.
        figures: a folder for every plot of it as SVG, PNG and CSV, as a journal asks for them;
            files of these names are replaced.

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
        path = page.write(opened.path)
    if figures is not None:
        from tfcnn.report import figure_files

        figure_files.write(as_run(opened.path), Path(figures))
    return path


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
    confidence: float | None = None,
    crossval: str | Path | None = None,
    positive: str | None = None,
) -> "Change":
    """Give a finished run another threshold, chosen on val, without training it again.

    Its `model.json`, `predictions.csv`, `report.json` and `report.html` are written anew.

    Args:
        run: a run with its predictions, or its name or path.
        sensitivity: the least share of positive images to be called positive on val, in (0, 1].
        specificity: the least share of negative images to be called negative on val, in (0, 1].
        value: the threshold itself, in [0, 1]. Give one of the three.
        confidence: promise the sensitivity or specificity, as a mean over new groups, with this
            confidence, in (0, 1); no promise if None.
        crossval: a finished cross-validation of the run's recipe, whose groups promise it; those of
            val if None.
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
            sensitivity=sensitivity, specificity=specificity, value=value, confidence=confidence,
            crossval=crossval, positive=positive,
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


def plan(run: "Run | str | Path", *, width: float = 0.02, metric: str = "accuracy") -> "Plan":
    """Say how many test groups, such as patients, an interval of a stated width would need.

    Args:
        run: a run, or its name or path; or a cross-validation, whose out-of-fold answers count.
        width: of the 95 % interval, from end to end; in (0, 1).
        metric: such as `accuracy`, `sensitivity` or `roc_auc`.

    Returns:
        The number, and how far the groups that were measured leave it open. Where no groups are
        known it counts images, and says so.

    Raises:
        InputError: if the run has no predictions or no such metric, or its spread is unknown.
    """
    from tfcnn import runs
    from tfcnn.evaluation import planning

    folder = runs.folder_of(str(run)) if isinstance(run, str | Path) else run.path
    if runs.is_crossval(folder):
        return planning.plan_of_crossval(folder, width, metric)
    return planning.plan(as_run(run), width, metric)


def label_errors(
    name: str | Path, *, top: int | None = None, blind: int | None = None
) -> "Suspects":
    """Rank the labels of a cross-validation by how little they are believed.

    Writes `labels.csv`, all of them, and `labels.html`, a page in which a person judges the
    suspects. What that saves as `corrections.csv` is for `data.corrections_csv` of a training,
    and `review` of the result sums it up.

    Args:
        name: a cross-validation, by name or path; `malaria` means `malaria-crossval`.
        top: how many suspects the page shows; None for all, up to 500.
        blind: how many images that are not suspected are mixed in, drawn at random, so that the
            reviewer's own error is measured; None for a tenth of the suspects, at least 25.

    Raises:
        InputError: if there is no such cross-validation, or its images are gone.
    """
    from tfcnn.evaluation import labels
    from tfcnn.report import label_page

    for key, count in (("top", top), ("blind", blind)):
        if count is not None and count < (1 if key == "top" else 0):
            raise InputError(key, "a number of images", str(count), f"{key}=10")
    suspects = labels.find(name)
    label_page.write(suspects, top, blind)
    return suspects
