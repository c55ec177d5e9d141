"""Is one part of the images answered worse than the rest by more than chance? Tests over groups.

Images of one group are alike, so the groups are what chance deals out. Where each group lies wholly
in one part, the parts are dealt anew among the groups, and the difference of two accuracies by its
standard error is compared with what such deals give (a studentized permutation test: Chung and
Romano, "Exact and asymptotically robust permutation tests", 2013). Where groups have images in both
parts, each such group's own difference gets a random sign (Canay, Romano and Shaikh, "Randomization
tests under an approximate symmetry assumption", 2017). Several tests are corrected by Holm's "A
simple sequentially rejective multiple test procedure" (1979).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

DEALS = 4999
AT_ONCE = 2**22  # values in memory
TIE = 1e-9  # statistics this near are equal: sums are rounded

Floats = NDArray[np.float64]
Ints = NDArray[np.integer]


def between(right: Floats, images: Floats, parts: Ints, num_parts: int, seed: int = 0) -> Floats:
    """Return for each part the chance of such a difference from the rest, if there were none.

    Args:
        right: float `(groups,)`: images of each group that are answered rightly.
        images: float `(groups,)`: its images, at least 1.
        parts: int `(groups,)` in [0, num_parts): where the group lies.
        num_parts: at least 2, none of them empty.
        seed: of the deals.

    Returns:
        Float `(num_parts,)` in (0, 1]: two-sided p values.
    """
    rng = np.random.default_rng(seed)
    observed = _studentized(right, images, parts[None], num_parts)[0]
    reached = np.ones(num_parts)
    rows = max(1, AT_ONCE // (len(parts) * num_parts))
    for start in range(0, DEALS, rows):
        count = min(rows, DEALS - start)
        deals = rng.permuted(np.tile(parts, (count, 1)), axis=1)
        statistics = _studentized(right, images, deals, num_parts)
        reached += (statistics >= observed - TIE).sum(axis=0)
    return reached / (DEALS + 1)


def _studentized(right: Floats, images: Floats, deals: Ints, num_parts: int) -> Floats:
    """Return `|difference| / standard error` of each part and its rest, `(deals, num_parts)`."""
    # of an accuracy a the squared error is the sum of (right - a images)**2 over groups, by n**2
    columns = np.stack([right, images, right**2, right * images, images**2], axis=1)
    whole = columns.sum(axis=0)
    inside = np.stack([(deals == part) @ columns for part in range(num_parts)], axis=1)
    of_part, of_rest = _share_and_error(inside), _share_and_error(whole - inside)
    difference = np.abs(of_part[0] - of_rest[0])
    error = np.sqrt(of_part[1] + of_rest[1])
    statistics: Floats = np.where(
        difference <= TIE, 0.0, difference / np.maximum(error, TIE)
    )  # where nothing varies, any difference is as large as can be
    return statistics


def _share_and_error(sums: Floats) -> tuple[Floats, Floats]:
    right, images, right_2, both, images_2 = np.moveaxis(sums, -1, 0)
    share = right / images
    squares = np.maximum(right_2 - 2 * share * both + share**2 * images_2, 0)
    return share, squares / images**2


def within(right: Ints, units: Ints, is_part: NDArray[np.bool_], seed: int = 0) -> float:
    """Return the chance of such a difference inside the groups that are in both parts.

    Args:
        right: 0 or 1, `(images,)`.
        units: int `(images,)`: the group of each.
        is_part: bool `(images,)`: whether it is in the part; the others are the rest.
        seed: of the signs.

    Returns:
        A two-sided p value in (0, 1]; 1 where no group is in both.
    """
    size = int(units.max()) + 1
    counts = [np.bincount(units[rows], minlength=size) for rows in (is_part, ~is_part)]
    hits = [np.bincount(units[rows], right[rows], size) for rows in (is_part, ~is_part)]
    both = (counts[0] > 0) & (counts[1] > 0)
    if not both.any():
        return 1.0
    (n, m), (h, k) = ([one[both] for one in pair] for pair in (counts, hits))
    terms = (h / n - k / m) * n * m / (n + m)  # each group counts by what it can tell
    rng = np.random.default_rng(seed)
    reached = 1
    rows = max(1, AT_ONCE // len(terms))
    for start in range(0, DEALS, rows):
        signs = rng.choice([-1.0, 1.0], (min(rows, DEALS - start), len(terms)))
        reached += int((np.abs(signs @ terms) >= abs(terms.sum()) - TIE).sum())
    return reached / (DEALS + 1)


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p values corrected for their number, in the same order, each at most 1."""
    order = np.argsort(p_values, kind="stable")
    factors = len(p_values) - np.arange(len(p_values))
    raised = np.maximum.accumulate(np.asarray(p_values, dtype=np.float64)[order] * factors)
    corrected = np.empty(len(p_values))
    corrected[order] = np.minimum(raised, 1)
    result: list[float] = corrected.tolist()
    return result
