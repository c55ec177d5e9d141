"""Fit what is usual for a run: distances on training images, the threshold on val.

Val's images come from groups (patients) that the training did not see, as those of a user do. Few
patients say little about the next one's stain, so the threshold is not val's own quantile but the
upper end of its bootstrap interval over patients: it flags somewhat less than aimed for rather
than more.

Val may hold an image of something else (a blank, a wrong file), whose score has any size. It must
not move the threshold along. So the threshold is at most what the bulk of val's scores foretells
for that quantile, if the scores have an exponential tail (the distances a power law's).

Fewer patients than 1 / aimed share cannot promise that share for a new one (Lee, Barber and
Willett, "Distribution-free inference with hierarchical data", 2023).
"""

import io
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tfcnn.decode import Pixels
from tfcnn.prediction.domain import Domain, statistics, unit_length

__all__ = ["AIMED_FRACTION", "TRAIN_IMAGES", "Fitted", "calibrate", "fit", "to_bytes"]

Floats = NDArray[np.floating]

AIMED_FRACTION = 0.01
TRAIN_IMAGES = 1000  # training images looked at, of them KEPT as neighbours; 3,000 tell no more
KEPT, AXES = 500, 32
MIN_TRAIN, MIN_GROUPS = 100, 2
SCALE_FLOOR = 0.01  # of a statistic that never varies, such as the colour of grey images
VARIANCE_FLOOR = 0.03  # of the whitened axes: a small training set finds some too flat
RESAMPLES, UPPER = 200, 0.9
TAIL = (0.8, 0.95)  # quantiles that outliers do not reach
TAIL_UPPER = 0.75  # quantile, over resamples, of what these two foretell
LEAST_BEYOND = 3  # scores beyond the upper of these quantiles, where val is small
OUTLIERS = 0.015  # of val: more scores than these are no outliers, and count
ROUNDING = 1e-3  # of a score; engines differ by some 1e-6


@dataclass(frozen=True)
class Fitted:
    """A domain with its threshold, or None, and what `model.json` says of it.

    Attributes:
        domain: None where val is too small to set a threshold.
        settings: its numbers for the decision, and how they were found; None without a domain.
        reason: how the threshold was set, or why there is none.
    """

    domain: Domain | None
    settings: dict[str, Any] | None
    reason: str


def fit(images: Pixels, features: Floats) -> Domain | None:
    """Fit both distances to training images; the threshold is still open.

    Args:
        images: uint8 `(images, height, width, channels)`: decoded training images.
        features: float32 `(images, features)`: theirs, from the saved model.

    Returns:
        None for fewer than 100 images, or features that are not finite.
    """
    if len(images) < MIN_TRAIN or not np.isfinite(features).all():
        return None
    parts = np.array_split(np.arange(len(images)), -(-len(images) // 256))
    found = np.concatenate([statistics(np.asarray(images[part])) for part in parts])
    mean, scale = found.mean(axis=0), found.std(axis=0) + SCALE_FLOOR
    variances, axes = np.linalg.eigh(np.cov(((found - mean) / scale).T))
    arrays = {
        "pixel_mean": mean,
        "pixel_scale": scale,
        "pixel_whiten": axes / np.sqrt(np.maximum(variances, VARIANCE_FLOOR)),
        **_neighbours(unit_length(features)),
    }
    return Domain({name: array.astype(np.float32) for name, array in arrays.items()})


def _neighbours(features: Floats) -> dict[str, Floats]:
    """Place training images on the main axes of their features, half whitened, and keep some."""
    from sklearn.decomposition import PCA

    found = PCA(min(AXES, *features.shape), random_state=0).fit(features)
    variances = np.maximum(found.explained_variance_, 1e-4 * found.explained_variance_[0] + 1e-12)
    axes = found.components_.T / variances**0.25
    rows = np.random.default_rng(0).permutation(len(features))[:KEPT]
    placed = (features[np.sort(rows)] - found.mean_) @ axes
    # float16 halves the file; the distances are then those of what is stored
    return {"feature_mean": found.mean_, "feature_axes": axes, "neighbours": np.float16(placed)}


def calibrate(
    domain: Domain | None, logs: Floats | None, groups: NDArray[np.str_] | None
) -> Fitted:
    """Set the threshold on val.

    Args:
        domain: as `fit` returned it, with no threshold yet.
        logs: float32 `(images, 2)`: that domain's `log_distances` of val.
        groups: str `(images,)`, val's, or None where none are known.

    Returns:
        The domain, complete; None where val is too small: 1 % of fewer than 99 images is none.
    """
    if domain is None or logs is None or not np.isfinite(logs).all():
        return Fitted(None, None, f"not fitted: fewer than {MIN_TRAIN} usable training images")
    least = round(1 / AIMED_FRACTION) - 1
    if len(logs) < least:
        return Fitted(None, None, f"not fitted: {len(logs)} val images, {least} are needed")
    names = None if groups is None else np.unique(groups)
    if names is not None and len(names) < MIN_GROUPS:
        return Fitted(None, None, "not fitted: all val images come from one group")
    center = np.median(logs, axis=0)
    spread = np.maximum(np.quantile(logs, 0.95, axis=0) - center, 1e-3)
    whole = replace(
        domain,
        center=(float(center[0]), float(center[1])),
        spread=(float(spread[0]), float(spread[1])),
    )
    scores = whole.scaled(logs).max(axis=1)
    whole = replace(whole, threshold=_threshold(scores, groups))
    flagged = float((scores > whole.threshold).mean())
    of = "" if names is None else f" of {len(names)} groups"
    settings = {
        "aimed_fraction": AIMED_FRACTION,
        "val_flagged_fraction": flagged,
        "val_images": len(scores),
        "val_groups": 0 if names is None else len(names),
        "center": list(whole.center),
        "spread": list(whole.spread),
        "threshold": whole.threshold,
    }
    return Fitted(
        whole,
        settings,
        f"{AIMED_FRACTION:.0%} aimed for, as an upper bound, on {len(scores):,} val images{of}: "
        f"{flagged:.1%} of them are flagged",
    )


def _threshold(scores: Floats, groups: NDArray[np.str_] | None) -> float:
    """Return the 90 % upper bound, over resampled groups, of the 99 % quantile of val's scores.

    At most what the tail of the bulk foretells: a few scores of any size hardly move it.
    """
    ordered, found = _quantiles(scores, groups)
    bound, foretold = float(np.quantile(found[:, 2], UPPER)), _foretold(found, len(scores))
    least = float(ordered[-1 - max(1, int(OUTLIERS * len(ordered)))])
    wanted = max(min(bound, foretold), least)
    # most often the score of an image, which another engine rounds otherwise: a step beyond it
    above = ordered[ordered > wanted + ROUNDING]
    midway = (wanted + float(above[0])) / 2 if len(above) else wanted + ROUNDING
    return _apart(ordered, min(midway, max(foretold, wanted + ROUNDING)))


def _quantiles(scores: Floats, groups: NDArray[np.str_] | None) -> tuple[Floats, Floats]:
    """Return the ordered scores, and of each resample of groups three quantiles.

    Returns:
        Float `(images,)`, and `(RESAMPLES, 3)`: two below the tail, and the one aimed for.
    """
    rng = np.random.default_rng(0)
    units = np.arange(len(scores)) if groups is None else np.unique(groups, return_inverse=True)[1]
    order = np.argsort(scores)
    ordered, units = scores[order], units[order]
    count = int(units.max()) + 1
    shares = np.array([*_tail(len(scores)), 1 - AIMED_FRACTION])
    found = []
    for _ in range(RESAMPLES):
        drawn = np.bincount(rng.integers(0, count, count), minlength=count)[units]
        up_to = np.cumsum(drawn)
        wanted = np.searchsorted(up_to, shares * up_to[-1])
        found.append(ordered[np.minimum(wanted, len(ordered) - 1)])
    return ordered, np.array(found)


def _tail(count: int) -> tuple[float, float]:
    """Return the two quantiles that the tail is foretold from, of so many scores."""
    return TAIL[0], max(min(TAIL[1], 1 - LEAST_BEYOND / count), 0.9)


def _foretold(found: Floats, count: int) -> float:
    """Return the upper bound of the quantile aimed for, from two below it.

    Beyond the lower one an exponential tail has `quantile(1 - p) = lower + scale log(p_lower / p)`
    (Weissman, "Estimation of parameters and large quantiles based on the k largest observations",
    1978, in logs).
    """
    low, high = _tail(count)
    steps = np.log((1 - low) / AIMED_FRACTION) / np.log((1 - low) / (1 - high))
    return float(np.quantile(found[:, 0] + steps * (found[:, 1] - found[:, 0]), TAIL_UPPER))


def _apart(ordered: Floats, wanted: float) -> float:
    """Return a threshold from `wanted` upwards that is no image's score, nor near one."""
    for score in ordered[ordered > wanted - ROUNDING / 2]:
        if score - wanted >= ROUNDING / 2:
            break
        wanted = float(score) + ROUNDING / 2
    return wanted


def to_bytes(domain: Domain) -> bytes:
    """Return the content of `domain.npz`; the same domain gives the same bytes."""
    arrays = {
        name: array.astype(np.float16 if name == "neighbours" else np.float32)
        for name, array in domain.arrays.items()
    }
    stream = io.BytesIO()
    np.savez_compressed(stream, **arrays)  # type: ignore[arg-type]
    return stream.getvalue()
