"""`predictions.csv`: what the saved model said of each val and test image, made once."""

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tfcnn import atomic
from tfcnn.errors import InputError
from tfcnn.prediction import decide
from tfcnn.runs import Run

__all__ = ["Table", "read", "write"]

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
    """

    paths: npt.NDArray[np.str_]
    splits: npt.NDArray[np.str_]
    groups: npt.NDArray[np.str_]
    labels: npt.NDArray[np.int32]
    probs: npt.NDArray[np.float32]
    flags: npt.NDArray[np.str_] | None = None

    @property
    def known_groups(self) -> npt.NDArray[np.str_] | None:
        """The groups, or None where some image has none."""
        return self.groups if bool((self.groups != "").all()) else None

    def part(self, split: str) -> "Table":
        """Return the rows of one split."""
        return self.take(np.flatnonzero(self.splits == split))

    def take(self, rows: npt.NDArray[np.integer]) -> "Table":
        """Return some rows, in the order of their numbers `(rows,)`."""
        found = {name: column[rows] for name, column in vars(self).items() if column is not None}
        return Table(**found)


def write(run: Run, table: Table) -> None:
    """Write `predictions.csv` of a run."""
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
    atomic.write_text(run.path / "predictions.csv", atomic.csv_text(header, rows))


def read(run: Run) -> Table:
    """Read `predictions.csv` of a run.

    Raises:
        InputError: if the run was shipped without it.
    """
    path: Path = run.path / "predictions.csv"
    if not path.exists():
        raise InputError(path, "the predictions of a run", "no such file", "--data FOLDER")
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    index = {name: i for i, name in enumerate(run.class_names)}
    probs = [[row[f"prob_{name}"] for name in run.class_names] for row in rows]
    columns = {key: np.array([row[key] for row in rows], dtype=np.str_) for key in TEXT}
    return Table(
        paths=columns["path"],
        splits=columns["split"],
        groups=columns["group"],
        labels=np.array([index[row["label"]] for row in rows], dtype=np.int32),
        probs=np.array(probs, dtype=np.float32).reshape(len(rows), len(index)),
        flags=np.array([row["flag"] for row in rows], dtype=np.str_)
        if rows and "flag" in rows[0]
        else None,
    )
