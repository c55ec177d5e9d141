"""How often a promised threshold fails on new patients, simulated: the reason for `guarantee`.

Run: python benchmarks/promise.py [--simulations 1000] [--patients 16 80 150]
About 2 minutes on one core by default. No data is needed: `interval_coverage.py` describes the
patients, a quarter of whom have no positive image and say nothing of sensitivity.

Each simulation draws patients, chooses the highest threshold that promises a mean sensitivity per
patient of .95 with confidence .9, and looks up the true mean at that threshold, on 100,000 other
patients. The promise may be broken in at most 10 of 100; the standard error is .9 points at 1,000.
Beside it the threshold that reaches .95 of these patients' images, which promises nothing.
"""

import argparse
import time

import numpy as np
from interval_coverage import SEED, TRUE_PARTS, TRUE_PATIENTS, test_set
from numpy.typing import NDArray

from tfcnn.evaluation import rules
from tfcnn.evaluation.sample import Sample
from tfcnn.recipes import Guarantee

Floats = NDArray[np.floating]
GRID = np.linspace(0, 1, 2001)  # of thresholds at which the truth is known


def true_sensitivity() -> Floats:
    """Return the mean sensitivity per patient at each threshold of `GRID`, `(2001,)`."""
    rng, parts = np.random.default_rng(SEED), []
    for _ in range(TRUE_PARTS):
        labels, probs, groups = test_set(rng, TRUE_PATIENTS, False)
        is_positive = labels == 1
        units = np.unique(groups[is_positive], return_inverse=True)[1]
        weights = 1 / np.bincount(units)[units]  # each patient counts alike
        steps = np.searchsorted(GRID, probs[0][is_positive, 1], side="right")
        found = np.bincount(steps, weights, len(GRID) + 1)[::-1].cumsum()[::-1][1:]
        parts.append(found / (units.max() + 1))
    return np.asarray(np.mean(parts, axis=0))


def main() -> None:
    parser = argparse.ArgumentParser(description="How often a promised threshold fails.")
    parser.add_argument("--simulations", type=int, default=1000)
    parser.add_argument("--patients", type=int, nargs="+", default=[16, 80, 150])
    parser.add_argument("--sensitivity", type=float, default=0.95)
    parser.add_argument("--confidence", type=float, default=0.9)
    arguments = parser.parse_args()
    start, truth = time.process_time(), true_sensitivity()
    wish = Guarantee(sensitivity=arguments.sensitivity, confidence=arguments.confidence)
    for patients in arguments.patients:
        rng = np.random.default_rng([SEED, patients])
        refused, broken, plain, specificity, reason = 0, [], [], [], ""
        for _ in range(arguments.simulations):
            labels, probs, groups = test_set(rng, patients, False)
            point = rules.promise_threshold(labels, probs[0], groups, 1, wish, unit="patients")
            usual = rules.choose_threshold(labels, probs[0], 1, sensitivity=wish.share)
            plain.append(np.interp(usual.threshold, GRID, truth) < wish.share)
            if not point.is_reached:
                refused, reason = refused + 1, point.reason
                continue
            broken.append(np.interp(point.threshold, GRID, truth) < wish.share)
            sample = Sample(labels, probs[0], groups, positive=1, threshold=point.threshold)
            specificity.append((sample.decision[labels == 0] == 0).mean())
        made = len(broken)
        print(f"{patients} patients: {made:,} promises of {arguments.simulations:,}", end="; ")
        if made:
            print(
                f"broken {sum(broken)} ({sum(broken) / arguments.simulations:.3f}), "
                f"specificity {np.mean(specificity):.3f}",
                end="; ",
            )
        print(f"the threshold that promises nothing falls short in {np.mean(plain):.3f}")
        if reason:
            print(f"  refused {refused:,}, the last one: {reason}", flush=True)
    print(f"{(time.process_time() - start) / 60:.1f} minutes of processor time")


if __name__ == "__main__":
    main()
