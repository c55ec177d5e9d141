"""ROC AUC and PR AUC under weights: sorted once, then summed for many resamples at a time.

Weights lie in memory unit by unit, each with its value in every resample side by side, so that a
sum over sorted images is a sparse product whose inner loop runs over resamples.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Ranking"]

Floats = NDArray[np.floating]
Ints = NDArray[np.integer]

BLOCK = 64  # rows of 32 float32: 8 KiB


class Ranking:
    """How the scores order the positives among the negatives, ties included.

    A unit is what a resample draws as a whole: a group, or an image where there are no groups.

    Args:
        scores: float array, shape `(n,)`: higher means more likely positive.
        is_positive: bool array, shape `(n,)`.
        units: int array, shape `(n,)`, values in [0, num_units).
        num_units: how many units a weight vector has.
    """

    def __init__(self, scores: Floats, is_positive: NDArray[np.bool_], units: Ints, num_units: int):
        self.num_units = num_units
        order = np.argsort(-scores, kind="stable")
        positives, negatives = order[is_positive[order]], order[~is_positive[order]]
        self._positive_units, self._negative_units = units[positives], units[negatives]
        high, low = -scores[positives], -scores[negatives]  # both ascending
        # For each positive, how many negatives score above it, and how many above it or alike
        above = np.searchsorted(low, high, side="left")
        above_or_tied = np.searchsorted(low, high, side="right")
        # Only at these numbers of negatives is their weight asked for
        cuts = np.unique(np.concatenate([above, above_or_tied]))
        self._segments = np.searchsorted(cuts, np.arange(len(low)), side="right")
        self._num_cuts = len(cuts)
        self._called = np.searchsorted(cuts, above_or_tied)
        # Positives between the same negatives stand in one run
        places = np.stack([np.searchsorted(cuts, above), self._called])
        ends, self._runs = np.unique(places, axis=1, return_inverse=True)
        self._run_above, self._run_called = ends
        self._last_tied = np.searchsorted(high, high, side="right") - 1
        self._are_positives_distinct = bool((np.diff(high) > 0).all())
        self._matrices: dict[tuple[str, np.dtype[Any]], Any] = {}

    def roc_auc(self, weights: Floats) -> Floats:
        """Return the weighted share of (positive, negative) pairs in the right order, ties half.

        Args:
            weights: float array, shape `(rows, num_units)`, not negative; float32 or float64.
                Fastest where `weights.T` is contiguous.

        Returns:
            Float64 array, shape `(rows,)`, in [0, 1]; NaN where a row has one class only.

        Reference:
            Hanley and McNeil, "The meaning and use of the area under a ROC curve" (1982).
        """
        by_unit = np.ascontiguousarray(weights.T)
        own = self._per_run(by_unit.dtype) @ by_unit
        own *= self._wrongly_above(self._cumulated_negatives(by_unit))
        wrong = own.sum(axis=0, dtype=np.float64)
        right = 1 - wrong / (self._sum(weights, True) * self._sum(weights, False))
        return np.asarray(right)

    def average_precision(self, weights: Floats) -> Floats:
        """Return the area under the precision-recall curve as a sum of steps, no interpolation.

        Args:
            weights: as `roc_auc`. In float32, counts are exact below 2**24 and the shares carry a
                relative error of about 1e-7.

        Returns:
            Float64 array, shape `(rows,)`, in [0, 1]; NaN where a row has no positive.

        Reference:
            Davis and Goadrich, "The relationship between precision-recall and ROC curves" (2006);
            the same sum as scikit-learn's `average_precision_score`.
        """
        by_unit = np.ascontiguousarray(weights.T)
        own = np.take(by_unit, self._positive_units, axis=0)  # twice as fast as an index
        true = _cumulated(own.copy())
        if not self._are_positives_distinct:
            true = np.take(true, self._last_tied, axis=0)
        called = np.take(self._cumulated_negatives(by_unit), self._called, axis=0)
        called += true
        # Where nothing is called, the positive itself has weight 0: any denominator will do
        np.divide(true, np.maximum(called, 1e-30, out=called), out=called)
        called *= own
        return np.asarray(called.sum(axis=0, dtype=np.float64) / self._sum(weights, True))

    def _sum(self, weights: Floats, positive: bool) -> Floats:
        units = self._positive_units if positive else self._negative_units
        counts = np.bincount(units, minlength=self.num_units).astype(weights.dtype)
        return np.asarray(weights @ counts, dtype=np.float64)

    def _cumulated_negatives(self, by_unit: Floats) -> Floats:
        """Return the weight of the negatives above each cut, `(cuts, rows)`."""
        return _cumulated(self._per_segment(by_unit.dtype) @ by_unit)

    def _wrongly_above(self, cumulated: Floats) -> Floats:
        """Return the weight of negatives above each run of positives, ties half, `(runs, rows)`."""
        above: Floats = np.take(cumulated, self._run_called, axis=0)
        if (self._run_above != self._run_called).any():
            above += np.take(cumulated, self._run_above, axis=0)
            above /= 2
        return above

    def _per_run(self, dtype: np.dtype[Any]) -> Any:
        """Positives of each unit in each run: sparse `(runs, num_units)`."""
        if ("run", dtype) not in self._matrices:
            shape = len(self._run_called), self.num_units
            made = _counts(self._runs, self._positive_units, shape, dtype)
            self._matrices["run", dtype] = made
        return self._matrices["run", dtype]

    def _per_segment(self, dtype: np.dtype[Any]) -> Any:
        """Negatives of each unit from one cut to the next: sparse `(cuts, num_units)`."""
        if ("segment", dtype) not in self._matrices:
            asked = self._segments < self._num_cuts  # those below every positive are in no sum
            columns, shape = self._negative_units[asked], (self._num_cuts, self.num_units)
            made = _counts(self._segments[asked], columns, shape, dtype)
            self._matrices["segment", dtype] = made
        return self._matrices["segment", dtype]


def _cumulated(rows: Floats) -> Floats:
    """Sum rows from the first up to each, in place, a block that fits the cache at a time."""
    whole = len(rows) // BLOCK * BLOCK
    blocks, rest = rows[:whole].reshape(-1, BLOCK, rows.shape[1]), rows[whole:]
    for part in (blocks, rest):
        np.cumsum(part, axis=-2, out=part)
    before = np.cumsum(blocks[:, -1], axis=0)
    blocks[1:] += before[:-1, None]
    if whole:
        rest += before[-1]
    return rows


def _counts(rows: Ints, columns: Ints, shape: tuple[int, int], dtype: np.dtype[Any]) -> Any:
    """Count pairs of a row and a column, as a sparse matrix."""
    from scipy.sparse import csr_array

    ones = np.ones(len(rows), dtype=dtype)
    return csr_array((ones, (rows, columns)), shape=shape)
