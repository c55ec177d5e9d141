"""ROC AUC and PR AUC under weights: sorted once, then summed for many resamples at a time."""

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

__all__ = ["Ranking"]

Floats = NDArray[np.floating]
Ints = NDArray[np.integer]

# Up to here, the areas of all resamples come from a units x units matrix of pair counts (8 MiB)
MAX_PAIRED_UNITS = 1024
ROWS_AT_ONCE = 32  # 32 resamples of 30,000 float32 weights are 4 MiB: they stay in the cache


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
        self._above = np.searchsorted(low, high, side="left")
        self._above_or_tied = np.searchsorted(low, high, side="right")
        self._last_tied = np.searchsorted(high, high, side="right") - 1
        self._are_classes_tied = bool((self._above != self._above_or_tied).any())
        self._are_positives_distinct = bool((np.diff(high) > 0).all())

    def roc_auc(self, weights: Floats) -> Floats:
        """Return the weighted share of (positive, negative) pairs in the right order, ties half.

        With P[g, h] the number of such pairs between the positives of unit g and the negatives of
        unit h, this is `w P w / (sum of positives x sum of negatives)`.

        Args:
            weights: float array, shape `(rows, num_units)`, not negative.

        Returns:
            Float array, shape `(rows,)`, in [0, 1]; NaN where a row has one class only.

        Reference:
            Hanley and McNeil, "The meaning and use of the area under a ROC curve" (1982).
        """
        if self.num_units <= MAX_PAIRED_UNITS:
            wrong = ((weights @ self._wrong_pairs) * weights).sum(axis=1)
        else:
            own = np.take(weights, self._positive_units, axis=1)
            wrong = np.einsum("ij,ij->i", own, self._wrongly_above(weights))
        right = 1 - wrong / (self._sum(weights, True) * self._sum(weights, False))
        return np.asarray(right)

    def average_precision(self, weights: Floats) -> Floats:
        """Return the area under the precision-recall curve as a sum of steps, no interpolation.

        Args:
            weights: float array, shape `(rows, num_units)`, not negative. In float32, counts are
                exact below 2**24 and the shares carry a relative error of about 1e-7.

        Returns:
            Float array, shape `(rows,)`, in [0, 1]; NaN where a row has no positive.

        Reference:
            Davis and Goadrich, "The relationship between precision-recall and ROC curves" (2006);
            the same sum as scikit-learn's `average_precision_score`.
        """
        own = np.take(weights, self._positive_units, axis=1)
        true = np.cumsum(own, axis=1)
        total = own.sum(axis=1)
        if not self._are_positives_distinct:
            true = np.take(true, self._last_tied, axis=1)
        called = np.take(self._cumulated_negatives(weights), self._above_or_tied, axis=1)
        called += true
        # Where nothing is called, the positive itself has weight 0: any denominator will do
        np.divide(true, np.maximum(called, 1e-30, out=called), out=called)
        return np.asarray(np.einsum("ij,ij->i", own, called) / total)

    def _sum(self, weights: Floats, positive: bool) -> Floats:
        units = self._positive_units if positive else self._negative_units
        return weights @ np.bincount(units, minlength=self.num_units).astype(weights.dtype)

    def _cumulated_negatives(self, weights: Floats) -> Floats:
        drawn = np.take(weights, self._negative_units, axis=1)
        cumulated = np.zeros((len(weights), drawn.shape[1] + 1), weights.dtype)
        np.cumsum(drawn, axis=1, out=cumulated[:, 1:])
        return cumulated

    def _wrongly_above(self, weights: Floats) -> Floats:
        """Return the weight of negatives above each positive, ties half; `(rows, positives)`."""
        cumulated = self._cumulated_negatives(weights)
        above = np.take(cumulated, self._above_or_tied, axis=1)
        if self._are_classes_tied:
            above += np.take(cumulated, self._above, axis=1)
            above /= 2
        return above

    @cached_property
    def _wrong_pairs(self) -> Floats:
        """Wrongly ordered pairs, ties half: `(unit of the negative, unit of the positive)`."""
        identity = np.eye(self.num_units)
        pairs = np.zeros((self.num_units, self.num_units))
        for start in range(0, self.num_units, ROWS_AT_ONCE):
            above = self._wrongly_above(identity[start : start + ROWS_AT_ONCE])
            for row, counts in enumerate(above, start):
                pairs[row] = np.bincount(self._positive_units, counts, self.num_units)
        return pairs
