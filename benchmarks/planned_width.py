"""How wide an interval is with the number of patients that was planned, simulated.

Run: python benchmarks/planned_width.py [--patients 60] [--widths 0.03 0.02] [--data-sets 100]
About 3 minutes on one core by default. No data is needed: `interval_coverage.py` describes the
patients.

Pilots of so many patients each plan how many an interval of a width needs. With the number that
they plan in the middle (the median), data sets are drawn anew, and the mean width of their
intervals is compared with the width that was asked for.
"""

import argparse
import time

import numpy as np
from interval_coverage import SEED, test_set

from tfcnn.evaluation import planning
from tfcnn.evaluation.intervals import bootstrap
from tfcnn.evaluation.sample import Sample

METRICS = ("accuracy", "sensitivity")


def drawn(rng: np.random.Generator, patients: int) -> Sample:
    labels, probs, groups = test_set(rng, patients, False)
    return Sample(labels, probs[0], groups, positive=1)


def main() -> None:
    parser = argparse.ArgumentParser(description="Width of intervals at the planned number.")
    parser.add_argument("--patients", type=int, default=60)
    parser.add_argument("--widths", type=float, nargs="+", default=[0.03, 0.02])
    parser.add_argument("--data-sets", type=int, default=100)
    arguments = parser.parse_args()
    start = time.process_time()
    rng = np.random.default_rng([SEED, arguments.patients])
    pilots = [drawn(rng, arguments.patients) for _ in range(arguments.data_sets)]
    for metric in METRICS:
        spreads = [planning.spread(pilot, metric) for pilot in pilots]
        for width in arguments.widths:
            planned = np.array([one.needed(width) for one in spreads if not isinstance(one, str)])
            count = int(np.median(planned))
            widths = []
            for _ in range(arguments.data_sets):
                (found,) = bootstrap(drawn(rng, count), names=[metric], num_resamples=300).values()
                if found.low is not None and found.high is not None:
                    widths.append(found.high - found.low)
            low, high = np.quantile(planned, [0.1, 0.9]).astype(int)
            print(
                f"{metric} {width:g} wide: {count:,} patients planned by the median of "
                f"{len(planned)} pilots of {arguments.patients} (8 of 10 plan {low:,} to "
                f"{high:,}); mean width {np.mean(widths):.4f}, {np.mean(widths) / width:.2f} of "
                "what was asked",
                flush=True,
            )
    print(f"{(time.process_time() - start) / 60:.1f} minutes of processor time")


if __name__ == "__main__":
    main()
