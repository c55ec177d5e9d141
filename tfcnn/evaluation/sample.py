"""Predictions checked, summed per unit and ranked, ready to be weighed: what metrics need.

A unit is what a resample draws as a whole: a group, or an image where there are no groups. Weights
lie in memory unit by unit, each with its value in every resample side by side, so that a sum over
sorted images is a sparse product whose inner loop runs over resamples.
"""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tfcnn.base.errors import InputError

Floats = NDArray[np.floating]
Ints = NDArray[np.integer]

ECE_BINS = 15  # equal width, as Guo et al., "On calibration of modern neural networks" (2017)
SMALLEST_PROB = 1e-12  # the log loss of a certain error stays finite
SUM_TOLERANCE = 1e-3  # what a row of float16 or rounded CSV probabilities may miss 1 by
BLOCK = 64  # rows of 32 float32: 8 KiB


class Ranking:
    """How the scores order the positives among the negatives, ties included.

    It is sorted once, and then summed for many resamples at a time.

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
            self._matrices["run", dtype] = _counts(self._runs, self._positive_units, shape, dtype)
        return self._matrices["run", dtype]

    def _per_segment(self, dtype: np.dtype[Any]) -> Any:
        """Negatives of each unit from one cut to the next: sparse `(cuts, num_units)`."""
        if ("segment", dtype) not in self._matrices:
            # those below every positive are in no sum
            is_summed = self._segments < self._num_cuts
            columns, shape = self._negative_units[is_summed], (self._num_cuts, self.num_units)
            matrix = _counts(self._segments[is_summed], columns, shape, dtype)
            self._matrices["segment", dtype] = matrix
        return self._matrices["segment", dtype]


class Sample:
    """Predictions of one split, with everything a metric needs summed per unit.

    Args:
        labels: int array, shape `(n,)`, values in [0, num_classes).
        probs: float array, shape `(n, num_classes)`, in [0, 1], rows summing to 1; two columns
            for two classes.
        groups: strings, shape `(n,)`: the patient, slide or video of each image; or None.
        positive: index of the positive class of two, or None.
        threshold: in [0, 1]; with a positive, the decision is positive from it upwards.
        decisions: int array, shape `(n,)`: where there is a positive, the decision of each image
            if not one threshold made all; or None.
        class_names: names for messages, in the order of the columns; their indices if None.

    Attributes:
        units: int array, shape `(n,)`, values in [0, num_units).
        unit_names: the groups' names, sorted; empty where there are no groups.

    Raises:
        InputError: if shapes disagree, nothing was predicted, a label has no column, a
            probability is NaN, infinite or outside [0, 1], or a row does not sum to 1.
    """

    def __init__(
        self,
        labels: ArrayLike,
        probs: ArrayLike,
        groups: ArrayLike | Sequence[str] | None = None,
        *,
        positive: int | None = None,
        threshold: float = 0.5,
        decisions: Ints | None = None,
        class_names: Sequence[str] | None = None,
    ) -> None:
        self.probs = _checked_probs(probs)
        self.labels = _checked_labels(labels, *self.probs.shape)
        self.num_classes = self.probs.shape[1]
        self.positive = _checked_positive(positive, self.num_classes)
        self.threshold = _checked_threshold(threshold)
        self._decisions = decisions
        self.class_names = list(class_names or map(str, range(self.num_classes)))
        self.is_grouped = groups is not None
        self.unit_names, self.units = _units(groups, len(self.labels))
        self.num_units = len(self.unit_names) if self.is_grouped else len(self.labels)
        self.predicted: Ints = self.probs.argmax(axis=1)
        self._in_type: dict[np.dtype[np.floating], Floats] = {}

    @property
    def decision(self) -> Ints:
        """Int array, shape `(n,)`: the threshold rule with a positive, else `predicted`."""
        if self.positive is None:
            return self.predicted
        if self._decisions is not None:
            return self._decisions
        called = self.probs[:, self.positive] >= self.threshold
        return np.where(called, self.positive, 1 - self.positive)

    @cached_property
    def rankings(self) -> list[Ranking]:
        """One ranking of the positive; without one, one of each class against the rest."""
        classes = range(self.num_classes) if self.positive is None else [self.positive]
        return [
            Ranking(self.probs[:, k], self.labels == k, self.units, self.num_units) for k in classes
        ]

    def totals(self, weights: Floats) -> dict[str, Floats]:
        """Sum every column over the images, each counted as often as its unit weighs.

        Args:
            weights: float array, shape `(rows, num_units)`.

        Returns:
            For each name a float array, shape `(rows, columns)`: `images`, `right` (predicted is
            the label) one column; `label`, `decision`, `hit` (both) one per class; `brier`,
            `log_loss` (sums) one; `gap` (hit minus confidence) one per ECE bin.
        """
        rows = (weights @ self._stacked_as(weights.dtype)).astype(np.float64)
        return {name: rows[:, columns] for name, columns in self._columns.items()}

    def _stacked_as(self, dtype: np.dtype[np.floating]) -> Floats:
        """Return the columns in a type; in float32 counts below 2**24 stay exact, sums to 1e-6."""
        if dtype not in self._in_type:
            self._in_type[dtype] = self._stacked.astype(dtype)
        return self._in_type[dtype]

    @cached_property
    def per_unit(self) -> dict[str, Floats]:
        """The columns of `totals` for each unit by itself, shape `(num_units, columns)`."""
        return {name: self._stacked[:, columns] for name, columns in self._columns.items()}

    @cached_property
    def _columns(self) -> dict[str, slice]:
        ends = np.cumsum([values.shape[1] for values in self._per_image.values()]).tolist()
        starts = [0, *ends[:-1]]
        return dict(zip(self._per_image, map(slice, starts, ends), strict=True))

    @cached_property
    def _stacked(self) -> Floats:
        stacked = np.concatenate(list(self._per_image.values()), axis=1, dtype=np.float64)
        if not self.is_grouped:
            return stacked
        sums = [np.bincount(self.units, column, self.num_units) for column in stacked.T]
        return np.stack(sums, axis=1)

    @cached_property
    def _per_image(self) -> dict[str, NDArray[np.generic]]:
        one_hot = np.eye(self.num_classes)
        label, decision = one_hot[self.labels], one_hot[self.decision]
        confidence, hit = confidence_and_hit(self.labels, self.probs, self.positive)
        bins = np.minimum((confidence * ECE_BINS).astype(np.int64), ECE_BINS - 1)
        of_label = self.probs[np.arange(len(self.labels)), self.labels].clip(SMALLEST_PROB)
        # Two classes count the same error in both columns: half the sum is Brier's (p - y)**2
        scale = 0.5 if self.num_classes == 2 else 1.0
        return {
            "images": np.ones((len(self.labels), 1)),
            "right": (self.predicted == self.labels)[:, None],
            "label": label,
            "decision": decision,
            "hit": label * decision,
            "recalled": label * one_hot[self.predicted],
            "brier": scale * ((self.probs - label) ** 2).sum(axis=1, keepdims=True),
            "log_loss": -np.log(of_label)[:, None],
            "gap": np.eye(ECE_BINS)[bins] * (hit - confidence)[:, None],
        }


def confidence_and_hit(
    labels: Ints, probs: Floats, positive: int | None
) -> tuple[Floats, NDArray[np.bool_]]:
    """Return what calibration compares: a stated probability and whether the event came true.

    Args:
        labels: int array, shape `(n,)`.
        probs: float array, shape `(n, num_classes)`.
        positive: with it, the event is "this image is positive" (Naeini et al. 2015), as that is
            the probability the threshold cuts; without it, "the most probable class is right"
            (Guo et al. 2017).

    Returns:
        Two arrays of shape `(n,)`: float in [0, 1], and bool.
    """
    if positive is not None:
        return probs[:, positive], labels == positive
    return probs.max(axis=1), probs.argmax(axis=1) == labels


def _checked_probs(probs: ArrayLike) -> Floats:
    array = np.asarray(probs, dtype=np.float64)
    if array.ndim != 2 or array.shape[1] < 2:
        raise InputError("probs", "shape (n, num_classes >= 2)", str(array.shape), "two columns")
    if not len(array):
        raise InputError("probs", "at least one prediction", "none", "a split that has images")
    wrong = ~(np.isfinite(array) & (array >= -1e-6) & (array <= 1 + 1e-6)).all(axis=1)
    wrong |= ~(np.abs(array.sum(axis=1) - 1) <= SUM_TOLERANCE)
    if wrong.any():
        first = int(np.flatnonzero(wrong)[0])
        raise InputError(
            f"probs, row {first}",
            "finite probabilities in [0, 1] that sum to 1",
            f"{array[first].tolist()} ({int(wrong.sum())} such rows of {len(array)})",
            "checking the model: NaN comes from a training run that diverged",
        )
    return array.clip(0, 1)


def _checked_labels(labels: ArrayLike, num_images: int, num_classes: int) -> Ints:
    array = np.asarray(labels)
    if array.shape != (num_images,) or not np.issubdtype(array.dtype, np.integer):
        raise InputError(
            "labels",
            f"an int array of shape ({num_images},)",
            f"{array.dtype} of shape {array.shape}",
            "one class index per row of probs",
        )
    if array.min() < 0 or array.max() >= num_classes:
        raise InputError(
            "labels",
            f"indices in [0, {num_classes})",
            f"{array.min()} to {array.max()}",
            "the class order the model was trained with",
        )
    return array.astype(np.int64)


def _checked_positive(positive: int | None, num_classes: int) -> int | None:
    if positive is None or (num_classes == 2 and positive in (0, 1)):
        return positive
    raise InputError(
        "positive",
        "0 or 1, with two classes",
        f"{positive} with {num_classes} classes",
        "None where there is no positive class",
    )


def _checked_threshold(threshold: float) -> float:
    if 0 <= threshold <= 1:
        return float(threshold)
    raise InputError("threshold", "a number in [0, 1]", str(threshold), "0.5")


def _units(groups: ArrayLike | None, num_images: int) -> tuple[list[str], Ints]:
    if groups is None:
        return [], np.arange(num_images)
    array = np.asarray(groups, dtype=np.object_)
    missing = sum(name is None or name == "" for name in array.flat)
    if array.shape != (num_images,) or missing:
        raise InputError(
            "groups",
            f"{num_images} names, none of them empty",
            f"shape {array.shape}, {missing} empty",
            "None where no groups are known",
        )
    names, units = np.unique(array.astype(np.str_), return_inverse=True)
    return names.tolist(), units


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
