"""How wide an interval is with the number of patients that was planned, simulated.

Run: python benchmarks/planned_width.py [--patients 60 150] [--width 0.02] [--data-sets 60]
About 2 minutes on one core by default. No data is needed: `interval_coverage.py` describes the
patients, with the sizes of the smaller release.

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
    labels, probs, groups = test_set(rng, patients, True)
    return Sample(labels, probs[0], groups, positive=1)


def widths_of(rng: np.random.Generator, patients: int, metric: str, count: int) -> list[float]:
    """Return the widths of the intervals of so many data sets."""
    widths = []
    for _ in range(count):
        (found,) = bootstrap(drawn(rng, patients), names=[metric], num_resamples=300).values()
        if found.low is not None and found.high is not None:
            widths.append(found.high - found.low)
    return widths


def main() -> None:
    parser = argparse.ArgumentParser(description="Width of intervals at the planned number.")
    parser.add_argument("--patients", type=int, nargs="+", default=[60, 150])
    parser.add_argument("--width", type=float, default=0.02)
    parser.add_argument("--data-sets", type=int, default=60)
    arguments = parser.parse_args()
    start, width = time.process_time(), arguments.width
    for patients in arguments.patients:
        rng = np.random.default_rng([SEED, patients])
        pilots = [drawn(rng, patients) for _ in range(arguments.data_sets)]
        for metric in METRICS:
            spreads = [planning.spread(pilot, metric) for pilot in pilots]
            planned = [one.needed(width) for one in spreads if not isinstance(one, str)]
            count = int(np.median(np.array(planned)))
            found = widths_of(rng, count, metric, arguments.data_sets)
            low, high = np.quantile(planned, [0.1, 0.9]).astype(int)
            print(
                f"{metric} {width:g} wide: {count:,} patients planned by the median of "
                f"{len(planned)} pilots of {patients} (8 of 10 plan {low:,} to {high:,}); there "
                f"the width is {np.mean(found) / width:.2f} of what was asked in the mean, "
                f"{np.median(found) / width:.2f} in the median",
                flush=True,
            )
    print(f"{(time.process_time() - start) / 60:.1f} minutes of processor time")


if __name__ == "__main__":
    main()
