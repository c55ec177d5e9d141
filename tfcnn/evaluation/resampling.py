"""Metrics on resamples of groups and with groups left out, and the spread that both show."""

from collections import deque
from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from tfcnn.base import threads
from tfcnn.evaluation.metrics import values
from tfcnn.evaluation.sample import Sample

__all__ = ["Measured", "leave_one_out", "measure", "resample"]

Floats = NDArray[np.floating]

ROWS_AT_ONCE = 32  # 32 resamples of 30,000 images are 4 MiB: they stay in the cache
MAX_THREADS = 4  # drawing the resamples, which is one by one, then takes as long as the rest
MAX_BLOCKS = 400  # groups are left out one by one up to here, in blocks beyond
MIN_FREEDOM = 2.0  # t of one degree is 12.7: an interval that says nothing
MAX_UNDEFINED_FRACTION = 0.05  # of resamples; beyond it those left would be a selection


@dataclass(frozen=True)
class Measured:
    """One metric, or one difference of a metric, with all its resampled values.

    Attributes:
        point: the value of the data as they are; NaN where undefined.
        resampled: float array, shape `(resamples,)`; NaN where undefined.
        left_out: float array, shape `(groups,)`: the value without each group; None where each
            unit is one image.
        num_units: groups, or images where there are no groups.
    """

    point: float
    resampled: Floats
    left_out: Floats | None
    num_units: int

    def __sub__(self, other: "Measured") -> "Measured":
        left_out = None
        if self.left_out is not None and other.left_out is not None:
            left_out = self.left_out - other.left_out
        point, resampled = self.point - other.point, self.resampled - other.resampled
        return Measured(point, resampled, left_out, self.num_units)

    def why_no_spread(self) -> str:
        """Return why the resamples give no interval, or an empty string where they do."""
        if self.num_units < 2:
            unit = "image" if self.left_out is None else "group"
            return f"one {unit} only: nothing can be said of others"
        if self.left_out is not None and np.isnan(self.left_out).any():
            return "rests on one group, without which it is undefined"
        undefined = float(np.isnan(self.resampled).mean())
        if undefined > MAX_UNDEFINED_FRACTION:
            return f"undefined in {100 * undefined:.0f} % of resamples, as too few images count"
        if np.nanstd(self.resampled) <= 1e-6 * abs(self.point):
            return f"every resample gives {self.point:.3g}: nothing shows how it varies"
        return ""

    def freedom(self, *, is_difference: bool = False) -> float:
        """Return the degrees of freedom of the standard deviation, at least 2.

        For a metric, the number of groups that carry its variance, `c = (sum d**2)**2 / sum d**4`
        with d the change when a group is left out. For a difference, which leans to neither side,
        about twice that: `2 c / (1 - c / groups)`, the variance of a variance by its kurtosis.
        With images as units, their number less 1, as an image is right or wrong by itself.
        """
        most = self.num_units - 1.0
        if self.left_out is None:
            return most
        change = (self.left_out - self.point) ** 2
        if not change.any():
            return MIN_FREEDOM
        carrying = float(change.sum() ** 2 / (change**2).sum())
        if is_difference:
            carrying = 2 * carrying / max(1 - carrying / len(change), 1e-9)
        return max(min(carrying, most), MIN_FREEDOM)

    def half_width(self, confidence: float, *, is_difference: bool = False) -> float:
        """Return t times the corrected standard deviation, on the metric's own scale."""
        from scipy.special import stdtrit  # scipy.stats takes half a second to import

        freedom = self.freedom(is_difference=is_difference)
        deviation = np.nanstd(self.resampled) * np.sqrt(self.num_units / (self.num_units - 1))
        return float(stdtrit(freedom, (1 + confidence) / 2) * deviation)


def measure(
    sample: Sample, *, num_resamples: int, seed: int, names: Collection[str] | None = None
) -> dict[str, Measured]:
    """Return metrics with their resampled values.

    Args:
        sample: the predictions.
        num_resamples: how many.
        seed: the same seed and number of units draw the same resamples, whatever the predictions.
        names: the metrics wanted; all that apply if None.

    Returns:
        For each metric a `Measured`.
    """
    points = values(sample, np.ones((1, sample.num_units)), names)
    resampled = resample(sample, num_resamples=num_resamples, seed=seed, names=names)
    left_out = leave_one_out(sample, names)
    return {
        name: Measured(float(point[0]), resampled[name], left_out.get(name), sample.num_units)
        for name, point in points.items()
    }


def resample(
    sample: Sample, *, num_resamples: int, seed: int, names: Collection[str] | None = None
) -> dict[str, Floats]:
    """Return metrics on resamples of groups (images), drawn with replacement, as many as there are.

    Args:
        sample: the predictions.
        num_resamples: how many.
        seed: the same seed and number of units draw the same resamples, whatever the predictions.
        names: the metrics wanted; all that apply if None.

    Returns:
        For each metric a float array, shape `(num_resamples,)`; NaN where it is undefined.
    """
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    rng = np.random.default_rng(seed)
    draws = _draws(rng, sample.num_units, num_resamples)
    # NumPy lets go of the interpreter; threads of BLAS inside these would only wait for each other
    workers = min(MAX_THREADS, threads.cores())
    with threadpool_limits(1, "blas"), ThreadPoolExecutor(workers) as pool:
        first = islice(draws, workers)
        waiting = deque(pool.submit(values, sample, weights, names) for weights in first)
        chunks = []
        while waiting:
            chunks.append(waiting.popleft().result())
            waiting.extend(pool.submit(values, sample, more, names) for more in islice(draws, 1))
    return {name: np.concatenate([chunk[name] for chunk in chunks]) for name in chunks[0]}


def leave_one_out(sample: Sample, names: Collection[str] | None = None) -> dict[str, Floats]:
    """Return metrics with each group left out in turn; nothing where each unit is one image.

    Args:
        sample: the predictions.
        names: the metrics wanted; all that apply if None.

    Returns:
        For each metric a float array, shape `(groups,)`; beyond 400 groups, of 400 blocks of them.
    """
    if sample.num_units == len(sample.labels):
        return {}
    blocks = min(sample.num_units, MAX_BLOCKS)
    block = np.arange(sample.num_units) % blocks
    chunks = [
        values(sample, (block != rows[:, None]).astype(np.float64), names)
        for rows in np.array_split(np.arange(blocks), -(-blocks // ROWS_AT_ONCE))
    ]
    return {name: np.concatenate([chunk[name] for chunk in chunks]) for name in chunks[0]}


def _draws(rng: np.random.Generator, num_units: int, num_resamples: int) -> Iterator[Floats]:
    """Yield how often each unit is drawn, float32 `(rows, num_units)`, a few rows at a time.

    In memory a unit's rows lie side by side, as `Ranking` sums them.
    """
    for start in range(0, num_resamples, ROWS_AT_ONCE):
        rows = min(ROWS_AT_ONCE, num_resamples - start)
        drawn = rng.integers(0, num_units, (rows, num_units))
        counts = np.empty((rows, num_units), dtype=np.float32)
        for row, units in enumerate(drawn):  # one row's counts stay in the cache
            counts[row] = np.bincount(units, minlength=num_units)
        yield np.asfortranarray(counts)
