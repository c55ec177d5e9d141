"""The folder of a cross-validation: the names of its files, and how each is read.

models/<name>-crossval/ recipe.toml  splits/fold-<i>.csv  fold-<i>/  predictions.csv
summary.json  labels.csv  labels.html  DONE

It is a run, too: model.json, model.keras, model.tflite, domain.npz, split.csv, report.json and
report.html are those of the mean of its folds.
"""

from pathlib import Path
from typing import Any

from tfcnn.base import records
from tfcnn.base.errors import CheckError, InputError
from tfcnn.runs.run import PREDICTIONS

SPLITS, SUMMARY, LABELS, LABELS_PAGE = "splits", "summary.json", "labels.csv", "labels.html"
CROSSVAL_HINT = "the folder as it was written, or `tfcnn crossval` again"
LABEL_COLUMNS = ("rank", "path", "group", "label", "suggested", "prob_label", "is_suspect")


def is_crossval(folder: Path) -> bool:
    """Say whether a folder is a cross-validation: a folder of runs, one per fold."""
    return fold_split(folder, 0).exists()


def fold_name(number: int) -> str:
    """Return the name of a fold, counted from 0: that of its run's folder."""
    return f"fold-{number}"


def fold_split(folder: Path, number: int) -> Path:
    """Return the path of a fold's split, as a cross-validation was begun with it."""
    return folder / SPLITS / f"{fold_name(number)}.csv"


def count_folds(folder: Path) -> int:
    """Return how many folds a cross-validation was begun with; 0 where none was begun."""
    return len(list((folder / SPLITS).glob("fold-*.csv")))


def read_summary(folder: Path) -> dict[str, Any]:
    """Return the content of `summary.json` of a finished cross-validation.

    Raises:
        InputError: if it is no such file.
        CheckError: if it is not as it was written.
    """
    path, what = folder / SUMMARY, "the summary of a cross-validation"
    content = records.read_json(path, what, CROSSVAL_HINT)
    records.check_seal(content, path, what, CROSSVAL_HINT)  # one of an earlier tfcnn is not
    return content


def read_out_of_fold(folder: Path) -> list[dict[str, str]]:
    """Return the rows of `predictions.csv` of a finished cross-validation.

    Raises:
        InputError: if it is no such file.
        CheckError: if it is not as it was written.
    """
    path, what = folder / PREDICTIONS, "the predictions of a cross-validation"
    rows = records.read_rows(path, what, CROSSVAL_HINT, ("path", "group", "label"))
    has_summary = (folder / SUMMARY).exists()
    recorded = read_summary(folder).get("sha256", {}).get(path.name) if has_summary else None
    if recorded is not None and records.sha256_of(path) != recorded:
        raise CheckError(path, f"{what}, as they were written", "others", CROSSVAL_HINT)
    return rows


def read_labels(folder: Path) -> list[dict[str, str]]:
    """Return the rows of `labels.csv`: the images, least believed label first.

    Raises:
        InputError: if it is no such file.
    """
    path, hint = folder / LABELS, "`tfcnn labels`"
    rows = records.read_rows(path, "ranked labels", hint, LABEL_COLUMNS)
    for row in rows:
        if not row["rank"].isdecimal():
            raise InputError(path, "a whole number as rank", repr(row["rank"]), hint)
    return rows
