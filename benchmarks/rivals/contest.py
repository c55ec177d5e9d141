"""What a program of a rival is given and prints: its options, and its metrics as JSON."""

import argparse
import json
from pathlib import Path

import numpy as np
from sklearn.metrics import roc_auc_score


def options(**defaults: object) -> argparse.Namespace:
    """Read a folder of train/, val/ and test/ with class folders, `--seed`, and more options.

    A default of False makes an option that is set by its name alone.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    for name, value in defaults.items():
        kind = {"action": "store_true"} if value is False else {"type": int, "default": value}
        parser.add_argument(f"--{name.replace('_', '-')}", **kind)
    return parser.parse_args()


def answer(labels: np.ndarray, probs: np.ndarray) -> None:
    """Print the accuracy of int labels `(n,)` and probs `(n, classes)`; of two, ROC AUC too."""
    metrics = {"accuracy": float((probs.argmax(axis=1) == labels).mean())}
    if probs.shape[1] == 2:
        metrics["auc"] = float(roc_auc_score(labels == 0, probs[:, 0]))
    print(json.dumps(metrics), flush=True)
