"""`predictions.csv`: what the saved model said of each val and test image, made once."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tfcnn import runs
from tfcnn.base import atomic
from tfcnn.base.errors import InputError
from tfcnn.evaluation.sample import Sample
from tfcnn.prediction import decide
from tfcnn.runs import Run

TEXT = ("path", "split", "group")


@dataclass(frozen=True)
class Table:
    """Predictions with their truth, one row per image.

    Attributes:
        paths: str `(images,)`.
        splits: str `(images,)`.
        groups: str `(images,)`, "" where there is none.
        labels: int32 `(images,)`, the true class.
        probs: float32 `(images, classes)`, each row sums to 1.
        flags: str `(images,)`, as `Prediction.flag`; None where they were not found out.
        decisions: int `(images,)`, where not one threshold made all: each fold of a
            cross-validation has its own; else None.
    """

    paths: npt.NDArray[np.str_]
    splits: npt.NDArray[np.str_]
    groups: npt.NDArray[np.str_]
    labels: npt.NDArray[np.int32]
    probs: npt.NDArray[np.float32]
    flags: npt.NDArray[np.str_] | None = None
    decisions: npt.NDArray[np.int32] | None = None

    @property
    def known_groups(self) -> npt.NDArray[np.str_] | None:
        """The groups, or None where some image has none."""
        return self.groups if bool((self.groups != "").all()) else None

    def part(self, split: str) -> "Table":
        """Return the rows of one split."""
        return self.take(np.flatnonzero(self.splits == split))

    def take(self, rows: npt.NDArray[np.integer]) -> "Table":
        """Return some rows, in the order of their numbers `(rows,)`."""
        columns = {name: column[rows] for name, column in vars(self).items() if column is not None}
        return Table(**columns)


def sample_of(run: Run, part: Table) -> Sample:
    """Return predictions of a run, ready to be measured, by its positive class and threshold."""
    return Sample(
        part.labels,
        part.probs,
        part.known_groups,
        positive=run.positive,
        threshold=run.threshold,
        decisions=part.decisions,
        class_names=run.class_names,
    )


def write(run: Run, table: Table, folder: Path | None = None) -> None:
    """Write `predictions.csv` of a run, into its own folder if None is given."""
    names = run.class_names
    header = ["path", "split", "group", "label", "predicted"]
    header += [*(f"prob_{name}" for name in names), "decision"]
    header += ["flag"] if table.flags is not None else []
    rows = []
    for i, probs in enumerate(table.probs):
        predicted, decision = decide(probs, run.positive, run.threshold)
        rows.append(
            [
                table.paths[i],
                table.splits[i],
                table.groups[i],
                names[table.labels[i]],
                names[predicted],
                *(f"{prob:.9g}" for prob in probs),  # 9 digits give a float32 back exactly
                names[decision],
                *([] if table.flags is None else [table.flags[i]]),
            ]
        )
    target = (folder or run.path) / runs.PREDICTIONS
    atomic.write_text(target, atomic.csv_text(header, rows))


def read(run: Run) -> Table:
    """Read `predictions.csv` of a run.

    Raises:
        InputError: if the run was shipped without it, or it is none of its classes and images.
        CheckError: if it is not as it was written.
    """
    path = run.path / runs.PREDICTIONS
    if not path.exists():
        raise InputError(path, "the predictions of a run", "no such file", "--data FOLDER")
    names = run.class_names
    rows = run.predictions
    index = {name: i for i, name in enumerate(names)}
    columns = {key: np.array([row[key] for row in rows], dtype=np.str_) for key in TEXT}
    try:
        labels = np.array([index[row["label"]] for row in rows], dtype=np.int32)
        probs = np.array([[row[f"prob_{name}"] for name in names] for row in rows], np.float32)
        decided = [index[row["decision"]] for row in rows] if run.num_folds else []
        if not np.isfinite(probs).all():
            raise ValueError("a probability that is no number")
        _check_whole(run, rows)
    except (ValueError, KeyError) as error:
        raise InputError(path, "the predictions of a run", str(error), runs.HINT) from error
    return Table(
        paths=columns["path"],
        splits=columns["split"],
        groups=columns["group"],
        labels=labels,
        probs=probs.reshape(len(rows), len(index)),
        flags=np.array([row["flag"] for row in rows], dtype=np.str_)
        if rows and "flag" in rows[0]
        else None,
        decisions=np.array(decided, dtype=np.int32) if run.num_folds else None,
    )


def _check_whole(run: Run, rows: list[dict[str, str]]) -> None:
    """Refuse a table that lost rows, where no hash of it is on record to tell.

    Raises:
        ValueError: if another number of images was measured.
    """
    counts = run.report.get("counts")
    if counts and not run.is_recorded(runs.PREDICTIONS):
        measured = sum(int(count["images"]) for count in counts.values())
        if len(rows) != measured:
            raise ValueError(f"{len(rows):,} images, where {measured:,} were measured")
