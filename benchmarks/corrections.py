"""What correcting doubted labels is worth, on drawn cells of which some labels are wrong.

A cross-validation doubts labels. The truth of each doubted image, and of those drawn at random
beside them, is written as `corrections.csv`, as a person without error would judge. Networks are
trained with and without it on the same split, and scored on its test images by the true labels.

    python benchmarks/corrections.py --wrong 0.1 --seeds 0 1 2
"""

import argparse
import csv
import os
import statistics
import tempfile
from pathlib import Path

import tfcnn
from tfcnn.datasets import smears
from tfcnn.manifest.corrections import COLUMNS
from tfcnn.recipes import assignment
from tfcnn.runs import Run


def truth_of(folder: Path) -> dict[str, str]:
    """Return the true label of each image by its path below the class folders' folder."""
    with (folder / "truth.csv").open(newline="") as file:
        rows = [*csv.DictReader(file)]
    return {row["path"].removeprefix(f"{smears.IMAGES}/"): row["true_label"] for row in rows}


def judge(rows: list[dict[str, object]], truth: dict[str, str], target: Path) -> int:
    """Write the judgements of a person without error; return how many labels they change."""
    lines = []
    for row in rows:
        true, given = truth[str(row["path"])], str(row["label"])
        kind = "suspect" if row["is_suspect"] else "random"
        word, new = ("keep", "") if true == given else ("flip", true)
        lines.append([row["path"], "", given, word, new, kind, "no"])
    with target.open("w", newline="") as file:
        csv.writer(file).writerows([COLUMNS, *lines])
    return sum(line[3] == "flip" for line in lines)


def accuracy(run: Run, truth: dict[str, str]) -> float:
    """Return the share of test images whose decision is the true label."""
    rows = [row for row in run.predictions if row["split"] == "test"]
    return statistics.mean(row["decision"] == truth[row["path"]] for row in rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--wrong", type=float, default=0.1, help="share of wrong labels")
    parser.add_argument("--patients", type=int, default=60)
    parser.add_argument("--cells", type=int, default=34, help="of a patient, about")
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--settings", nargs="*", default=[], help="of the recipe smears")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as base:
        os.environ["TFCNN_HOME"] = base
        folder = Path(base) / "cells"
        smears.generate(
            folder,
            num_patients=asked.patients,
            cells_per_patient=asked.cells,
            wrong_label_fraction=asked.wrong,
        )
        truth = truth_of(folder)
        settings = [
            assignment("data.source", str(folder / smears.IMAGES)),
            "data.group_regex=^(C[0-9]+)",
            *asked.settings,
        ]
        tfcnn.crossval("smears", folds=asked.folds, settings=settings, progress=False)
        found = tfcnn.label_errors("smears")
        table = Path(base) / "corrections.csv"
        changed = judge([*found.suspected(), *found.drawn()], truth, table)
        wrong = sum(truth[row["path"]] != row["label"] for row in found.rows)
        print(f"{len(found.rows):,} images, {wrong} labels wrong, {found.count} doubted, "
              f"{changed} changed")  # fmt: skip
        print("\n".join(found.review(table).lines()))
        differences = []
        for seed in asked.seeds:
            both = []
            for name, more in (("given", []), ("corrected", [f"data.corrections_csv={table}"])):
                own = [*settings, f"train.seed={seed}", *more]
                run = tfcnn.train("smears", settings=own, run=f"{name}-{seed}", progress=False)
                both.append(accuracy(run, truth))
            differences.append(both[1] - both[0])
            print(f"seed {seed}: {both[0]:.4f} as given, {both[1]:.4f} corrected")
        spread = f", sd {statistics.stdev(differences):.4f}" if len(differences) > 1 else ""
        mean = statistics.mean(differences)
        print(f"corrected minus given, by the true labels: {mean:+.4f}{spread}")


if __name__ == "__main__":
    main()
