"""How often is a subgroup called different where none is? And how often is a real one found?

Groups of the sizes that the NIH malaria set has are drawn; each has an error rate of its own. Four
columns, which say nothing of the errors, make 2, 3, 4 and 5 subgroups: 13 comparisons. With
`--points`, the accuracy of one of the two subgroups of the first column is lower by so many. With
`--within`, each image gets a value by itself, so that all groups have several.

    python benchmarks/subgroups.py --groups 21 60 --runs 1000
"""

import argparse

import numpy as np

from tfcnn.evaluation import permutation

PARTS = (2, 3, 4, 5)
MEAN, SPREAD = 0.93, 0.06  # of the accuracy of a group
SIZE_LOG_MEAN, SIZE_LOG_SD = 3.5, 1.1


def inside(rng: np.random.Generator, count: int) -> tuple[bool, bool]:
    """Return the same as `simulate`, where each image has a value by itself."""
    images, accuracy = draw(rng, count)
    units = np.repeat(np.arange(count), images.astype(int))
    right = (rng.random(len(units)) < accuracy[units]).astype(np.int64)
    p_values = []
    for parts in PARTS:
        places = rng.integers(0, parts, len(units))
        asked = range(1 if parts == 2 else parts)
        p_values += [permutation.within(right, units, places == part) for part in asked]
    called = np.array(permutation.holm(p_values)) <= 0.05
    return bool(called.any()), bool(called[0])


def draw(rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the images and the accuracy of each group."""
    images = np.ceil(rng.lognormal(SIZE_LOG_MEAN, SIZE_LOG_SD, count)).clip(1, 700)
    concentration = MEAN * (1 - MEAN) / SPREAD**2 - 1
    return images, rng.beta(MEAN * concentration, (1 - MEAN) * concentration, count)


def simulate(rng: np.random.Generator, count: int, points: float) -> tuple[bool, bool]:
    """Return whether any subgroup, and whether the first, is called different."""
    images, accuracy = draw(rng, count)
    columns = [rng.permutation(np.arange(count) % parts) for parts in PARTS]
    accuracy = np.clip(accuracy - points / 100 * (columns[0] == 0), 0, 1)
    right = rng.binomial(images.astype(int), accuracy).astype(float)
    p_values = []
    for parts, places in zip(PARTS, columns, strict=True):
        found = permutation.between(right, images, places, parts, seed=int(rng.integers(2**31)))
        p_values += found[: 1 if parts == 2 else parts].tolist()
    called = np.array(permutation.holm(p_values)) <= 0.05
    return bool(called.any()), bool(called[0])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--groups", type=int, nargs="+", default=[21, 60, 150])
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--points", type=float, default=0.0)
    parser.add_argument("--within", action="store_true")
    parser.add_argument("--deals", type=int, default=999, help="tfcnn itself uses 4,999")
    arguments = parser.parse_args()
    permutation.DEALS = arguments.deals
    for count in arguments.groups:
        rng = np.random.default_rng(count)
        rows = [
            inside(rng, count) if arguments.within else simulate(rng, count, arguments.points)
            for _ in range(arguments.runs)
        ]
        found = np.array(rows).mean(axis=0)
        noise = 1.96 * np.sqrt(found[0] * (1 - found[0]) / arguments.runs)
        print(f"{count} groups: any called different {found[0]:.3f} +- {noise:.3f}, "
              f"the first {found[1]:.3f}", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
