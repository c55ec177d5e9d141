"""How good the mean of a cross-validation's folds is on images that none of them saw.

    tfcnn crossval smears --folds 3
    python benchmarks/fold_mean.py models/smears-crossval other_cells/

It prints log loss, accuracy and flagged share of each fold and of their mean. The log loss of the
mean cannot be above the mean of the folds' (Jensen's inequality): if it is, this ends with 1.
"""

import sys
from pathlib import Path

import numpy as np

import tfcnn
from tfcnn import runs
from tfcnn.evaluation import other_data
from tfcnn.evaluation.table import Table
from tfcnn.prediction import OUT_OF_DOMAIN

SMALLEST = 1e-12


def log_loss(table: Table) -> float:
    """Return the mean negative log of the probability of the label, in nats."""
    own = table.probs[np.arange(len(table.labels)), table.labels]
    return float(-np.log(np.maximum(own, SMALLEST)).mean())


def main() -> None:
    """Print a line per fold, and one of their mean."""
    folder, images = Path(sys.argv[1]), Path(sys.argv[2])
    losses = []
    names = [runs.fold_name(i) for i in range(runs.count_folds(folder))]
    for name in (*names, "."):
        table = other_data.evaluate(tfcnn.load(folder / name), images).table
        right = float((table.probs.argmax(axis=1) == table.labels).mean())
        flagged = float((table.flags == OUT_OF_DOMAIN).mean())
        losses.append(log_loss(table))
        title = "mean" if name == "." else name
        print(f"{title:8} log loss {losses[-1]:.4f}  accuracy {right:.4f}  flagged {flagged:.4f}")
    if losses[-1] > np.mean(losses[:-1]):
        sys.exit("the mean has more log loss than its folds on average")


if __name__ == "__main__":
    main()
