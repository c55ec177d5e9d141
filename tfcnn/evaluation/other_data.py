"""Predict another labelled folder, after making sure that the run was not trained on it."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np

from tfcnn import manifest
from tfcnn.datasets import Source
from tfcnn.datasets.folder import open_folder
from tfcnn.errors import CheckError, InputError
from tfcnn.evaluation import seen
from tfcnn.evaluation.seen import Seen
from tfcnn.evaluation.table import Table
from tfcnn.inputs.cache import decoded
from tfcnn.manifest import Manifest
from tfcnn.prediction import Predictor
from tfcnn.runs import Run

__all__ = ["predict"]


def predict(
    run: Run, folder: Path, group_regex: str | None = None, group_csv: str | None = None
) -> Table:
    """Predict every image of a folder of class folders, as the split "data".

    Groups are read by the run's own regex where neither another nor a CSV is given; an empty one
    means that none are known.

    Raises:
        InputError: if its class folders are not the run's classes, or no group can be read though
            the run knows groups.
        CheckError: if an image or a group of it is in the run's train or val split.
    """
    source = _with_run_classes(open_folder(folder), run)
    known = seen.read(run)
    if group_regex is None and group_csv is None:
        group_regex = _own_regex(run, source, known)
    listed = manifest.build(
        source,
        group_regex=group_regex,
        group_csv=group_csv,
        background=run.decoder.background,
    )
    _refuse_seen(known, listed)
    images = decoded(source, listed.rows, run.decoder).images
    index = {name: i for i, name in enumerate(run.class_names)}
    probs, flags = Predictor(run).answers(images)
    return Table(
        paths=np.array([row.path for row in listed.rows], dtype=np.str_),
        splits=np.full(len(listed.rows), "data"),
        groups=np.array([row.group for row in listed.rows], dtype=np.str_),
        labels=np.array([index[row.label] for row in listed.rows], dtype=np.int32),
        probs=probs,
        flags=np.array([flag for flag, _ in flags], dtype=np.str_),
    )


def _with_run_classes(source: Source, run: Run) -> Source:
    """Match class folders to the run's classes, where need be without regard to case."""
    by_case = {name.casefold(): name for name in run.class_names}
    items = []
    for item in source.items:
        label = item.label if item.label in run.class_names else by_case.get(item.label.casefold())
        if label is None:
            raise InputError(
                source.root,
                f"class folders {', '.join(run.class_names)}",
                item.label,
                "renaming it to the class it holds",
            )
        items.append(replace(item, label=label))
    return replace(source, items=tuple(items))


def _own_regex(run: Run, source: Source, known: Seen) -> str | None:
    """Return the regex that read the run's groups, where it fits these file names too."""
    regex: str | None = run.card["data"]["group_regex"]
    if known.groups and not regex:  # a table named them: nobody can tell whether they come again
        raise InputError(
            source.root,
            f"who its {run.card['data']['nouns'][1]} are, as the run knows those it was trained on",
            "no --group-csv",
            "--group-csv with columns path,group, or --group-regex '' where all are surely others",
        )
    names = (Path(item.path).name for item in source.items)
    strange = next((name for name in names if regex and not re.search(regex, name)), None)
    if strange is not None:
        raise InputError(
            source.root,
            f"file names that the run's group regex {regex!r} matches",
            strange,
            "--group-regex with another, or with '' where no groups are known, or --group-csv",
        )
    return regex


def _refuse_seen(known: Seen, listed: Manifest) -> None:
    for row in listed.rows:
        if known.holds_image(row.pixels_sha256):
            raise CheckError(
                row.path,
                "an image the run has not seen",
                "one with the pixels of one it was trained or tuned on",
                "other images, or `tfcnn evaluate` without --data for its own test split",
            )
        if row.group in known.groups:
            raise CheckError(
                row.path,
                "a group the run has not seen",
                f"group {row.group}, on which it was trained or tuned",
                "other groups, or --group-regex where the same name means another group",
            )
