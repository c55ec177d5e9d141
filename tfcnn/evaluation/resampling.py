"""Any statistic of weighted units, computed anew on resamples of them and without each of them."""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from tfcnn.base import threads

Floats = NDArray[np.floating]
# weights `(rows, units)` give per name an array whose first axis has as many rows
Statistic = Callable[[Floats], dict[str, Floats]]

ROWS_AT_ONCE = 32  # 32 resamples of 30,000 images are 4 MiB: they stay in the cache
MAX_THREADS = 4  # drawing the resamples, which is one by one, then takes as long as the rest
MAX_BLOCKS = 400  # units are left out one by one up to here, in blocks beyond


def resampled(
    statistic: Statistic, num_units: int, num_resamples: int, seed: int
) -> dict[str, Floats]:
    """Return a statistic on resamples of units, drawn with replacement, as many as there are.

    Args:
        statistic: of float32 weights `(rows, num_units)`: how often each unit counts.
        num_units: groups, or images where there are no groups.
        num_resamples: how many.
        seed: the same seed and number of units draw the same resamples.

    Returns:
        For each name an array whose first axis is `num_resamples`.
    """
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    draws = _draws(np.random.default_rng(seed), num_units, num_resamples)
    # NumPy lets go of the interpreter; threads of BLAS inside these would only wait for each other
    workers = min(MAX_THREADS, threads.cores())
    with threadpool_limits(1, "blas"), ThreadPoolExecutor(workers) as pool:
        first = islice(draws, workers)
        waiting = deque(pool.submit(statistic, weights) for weights in first)
        chunks = []
        while waiting:
            chunks.append(waiting.popleft().result())
            waiting.extend(pool.submit(statistic, more) for more in islice(draws, 1))
    return _joined(chunks)


def left_out(statistic: Statistic, num_units: int) -> dict[str, Floats]:
    """Return a statistic with each unit left out in turn.

    Args:
        statistic: of float64 weights `(rows, num_units)`.
        num_units: how many.

    Returns:
        For each name an array whose first axis is `num_units`; beyond 400 units, 400, the number
        of blocks that are left out.
    """
    blocks = min(num_units, MAX_BLOCKS)
    block = np.arange(num_units) % blocks
    parts = np.array_split(np.arange(blocks), -(-blocks // ROWS_AT_ONCE))
    return _joined([statistic((block != rows[:, None]).astype(np.float64)) for rows in parts])


def _joined(chunks: list[dict[str, Floats]]) -> dict[str, Floats]:
    return {name: np.concatenate([chunk[name] for chunk in chunks]) for name in chunks[0]}


def _draws(rng: np.random.Generator, num_units: int, num_resamples: int) -> Iterator[Floats]:
    """Yield how often each unit is drawn, float32 `(rows, num_units)`, a few rows at a time.

    In memory a unit's rows lie side by side, as `Ranking` sums them.
    """
    for start in range(0, num_resamples, ROWS_AT_ONCE):
        rows = min(ROWS_AT_ONCE, num_resamples - start)
        draws = rng.integers(0, num_units, (rows, num_units))
        counts = np.empty((rows, num_units), dtype=np.float32)
        for row, units in enumerate(draws):  # one row's counts stay in the cache
            counts[row] = np.bincount(units, minlength=num_units)
        yield np.asfortranarray(counts)
