"""How often the bands of the curves hold the truth, point by point, simulated with patients.

Run: python benchmarks/curve_coverage.py [--data-sets 400] [--groups 60]
About 4 minutes on one core by default. No data is needed: `interval_coverage.py` describes the
patients. "True" is the mean of the same curves over 25 x 4,000 patients. The standard error of a
coverage is 1.1 points at 400 data sets.
"""

import argparse
import time

import numpy as np
from interval_coverage import SEED, TRUE_PARTS, TRUE_PATIENTS, test_set

from tfcnn.evaluation import curves
from tfcnn.evaluation.sample import Sample

# per curve: its column, that of its points, and the points that are shown
SHOWN = {
    "roc": ("sensitivity", "false_positive_rate", (0.01, 0.02, 0.05, 0.1, 0.2, 0.3)),
    "precision_recall": ("ppv", "sensitivity", (0.5, 0.7, 0.8, 0.9, 0.95, 0.98)),
    "net_benefit": ("net_benefit", "threshold", (0.02, 0.1, 0.3, 0.5, 0.7, 0.9)),
}


def measured(num_groups: int, rng: np.random.Generator) -> dict[str, dict[str, list[float | None]]]:
    labels, probs, groups = test_set(rng, num_groups, False)
    return curves.measure(Sample(labels, probs[0], groups, positive=1))


def truth() -> dict[str, np.ndarray]:
    """Return each curve of very many patients, without a band."""
    resamples, curves.NUM_RESAMPLES = curves.NUM_RESAMPLES, 1
    rng = np.random.default_rng(SEED)
    try:
        parts = [measured(TRUE_PATIENTS, rng) for _ in range(TRUE_PARTS)]
    finally:
        curves.NUM_RESAMPLES = resamples
    return {
        name: np.mean([np.array(part[name][column], dtype=float) for part in parts], axis=0)
        for name, (column, *_) in SHOWN.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="Simulated coverage of the bands of curves.")
    parser.add_argument("--groups", type=int, nargs="+", default=[60])
    parser.add_argument("--data-sets", type=int, default=400)
    arguments = parser.parse_args()
    start, true = time.process_time(), truth()
    for num_groups in arguments.groups:
        rng = np.random.default_rng([SEED, num_groups])
        held: dict[str, list[np.ndarray]] = {name: [] for name in SHOWN}
        for _ in range(arguments.data_sets):
            found = measured(num_groups, rng)
            for name in SHOWN:
                low, high = (np.array(found[name][end], dtype=float) for end in ("low", "high"))
                inside = (low <= true[name]) & (true[name] <= high)
                held[name].append(np.where(np.isnan(low), np.nan, inside))
        print(f"{num_groups} patients, {arguments.data_sets} data sets: coverage of 95 % bands")
        for name, (_, column, points) in SHOWN.items():
            share = np.nanmean(held[name], axis=0)
            at = np.array(found[name][column], dtype=float)
            cells = (f"{share[np.abs(at - point).argmin()]:.3f} at {point}" for point in points)
            print(f"{name:17}" + "   ".join(cells), flush=True)
    print(f"{(time.process_time() - start) / 60:.1f} minutes of processor time")


if __name__ == "__main__":
    main()
