"""Is an image like those a run was trained on? Fitted on training images and val, then applied.

Two distances are fitted on training images. One looks at the decoded pixels: how far an image's
colours, light, frame and edges lie from the usual (Mahalanobis). One looks at the network's
features: how far away the nearest training images are (Sun et al., "Out-of-distribution detection
with deep nearest neighbors", 2022). The first sees what the network was built not to see, such as
a colour that an `equalize` layer takes out. The second sees what only shapes tell.

The threshold is set on val. Val's images come from groups that the training did not see, as those
of a user do. Few groups say little about the next one, so the threshold is not val's own quantile
but the upper end of its bootstrap interval over groups: it flags fewer images than aimed for
rather than more. Fewer groups than 1 / aimed share cannot promise that share for a new one (Lee,
Barber and Willett, "Distribution-free inference with hierarchical data", 2023).

Val may hold an image of something else (a blank, a wrong file), whose score has any size. It must
not move the threshold along. So the threshold is at most what the bulk of val's scores predicts
for that quantile, if the scores have an exponential tail (the distances a power law's).
"""

import io
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tfcnn.base import records
from tfcnn.base.errors import CheckError
from tfcnn.decode import Pixels

Floats = npt.NDArray[np.float32]
Arrays = dict[str, npt.NDArray[np.floating]]

PARTS = ("pixels", "features")
NAMES = (
    "pixel_mean", "pixel_scale", "pixel_whiten", "feature_mean", "feature_axes", "neighbours",
)  # fmt: skip
REASONS = {
    "pixels": "its colours, light or edges are unlike those of the training images",
    "features": "the network finds in it what it did not find in the training images",
}
NEIGHBOUR = 5  # counted from 0: the sixth nearest of the training images kept
SINGLE_THREADED = 2**17  # multiplications; OpenBLAS takes threads from 2**18 on
GRID = 24  # about so many rows and columns of pixels are looked at
COLOUR_FLOOR = 0.003  # in shares of 255: grey is as far from faint colour as that from strong
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
CONTRAST_FLOOR = 0.01  # in shares of 255: a flat image has edges of this much

AIMED_FRACTION = 0.01
TRAIN_IMAGES = 1000  # training images looked at, of them KEPT as neighbours; 3,000 tell no more
KEPT, AXES = 500, 32
MIN_TRAIN, MIN_GROUPS = 100, 2
SCALE_FLOOR = 0.01  # of a statistic that never varies, such as the colour of grey images
VARIANCE_FLOOR = 0.03  # of the whitened axes: a small training set finds some too flat
RESAMPLES, UPPER = 200, 0.9
TAIL = (0.8, 0.95)  # quantiles that outliers do not reach
TAIL_UPPER = 0.75  # quantile, over resamples, of what these two predict
LEAST_BEYOND = 3  # scores beyond the upper of these quantiles, where val is small
OUTLIERS = 0.015  # of val: more scores than these are no outliers, and count
ROUNDING = 1e-3  # of a score; engines differ by some 1e-6


@dataclass(frozen=True)
class Domain:
    """What is usual for a run.

    Attributes:
        arrays: `pixel_mean`, `pixel_scale` `(statistics,)`, `pixel_whiten`
            `(statistics, statistics)`, `feature_mean` `(features,)`, `feature_axes`
            `(features, axes)`, `neighbours` `(kept, axes)`.
        center: the median log distance of val's images, per part.
        spread: from there to the 95 % quantile, per part: both parts then have one scale.
        threshold: of the larger of both distances on that scale; above it is out of the domain.
    """

    arrays: Arrays
    center: tuple[float, float] = (0.0, 0.0)
    spread: tuple[float, float] = (1.0, 1.0)
    threshold: float = float("inf")

    def distances(self, images: Pixels, features: Floats) -> Floats:
        """Return how far images are from the usual, on the scale of the threshold.

        Args:
            images: uint8 `(images, height, width, channels)` in [0, 255], decoded.
            features: float32 `(images, features)`, what enters the network's head.

        Returns:
            Float32 `(images, 2)`, per part.
        """
        return self.scaled(self.log_distances(images, features))

    def log_distances(self, images: Pixels, features: Floats) -> Floats:
        """Return the logs of both distances, float32 `(images, 2)`; see `distances`."""
        a = self.arrays
        pixels = (statistics(images) - a["pixel_mean"]) / a["pixel_scale"] @ a["pixel_whiten"]
        squared = np.stack([(pixels**2).mean(axis=1), self._to_neighbours(features)], axis=1)
        return np.asarray(0.5 * np.log(np.maximum(squared, 1e-12)), dtype=np.float32)

    def scaled(self, logs: Floats) -> Floats:
        """Return `log_distances` less `center`, by `spread`: float32 `(images, 2)`."""
        center, spread = (np.array(pair, dtype=np.float32) for pair in (self.center, self.spread))
        return np.asarray((logs - center) / spread)

    def outside(self, distances: Floats) -> npt.NDArray[np.bool_]:
        """Say which images are out of the domain: bool `(images,)`; NaN is."""
        return np.asarray(~(distances.max(axis=1) <= self.threshold))

    def _to_neighbours(self, features: Floats) -> Floats:
        """Return the squared distance to the sixth nearest training image kept, `(images,)`."""
        axes, neighbours = self.arrays["feature_axes"], self.arrays["neighbours"]
        points = _product(unit_length(features) - self.arrays["feature_mean"], axes)
        squared = (points**2).sum(axis=1)[:, None] + (neighbours**2).sum(axis=1)
        squared -= 2 * _product(points, neighbours.T)
        nearest = min(NEIGHBOUR, len(neighbours) - 1)
        return np.asarray(np.partition(squared, nearest, axis=1)[:, nearest], dtype=np.float32)


def _product(
    rows: npt.NDArray[np.floating], matrix: npt.NDArray[np.floating]
) -> npt.NDArray[np.floating]:
    """Multiply a few rows at a time: OpenBLAS would start threads that wait beside the model's."""
    step = max(1, SINGLE_THREADED // matrix.size)
    parts = [rows[start : start + step] @ matrix for start in range(0, len(rows), step)]
    return np.concatenate(parts)


def unit_length(features: Floats) -> Floats:
    """Return features `(images, features)`, each image's divided by their Euclidean length."""
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    return np.asarray(features / np.maximum(lengths, 1e-9), dtype=np.float32)


def reason(distances: Floats) -> str:
    """Say of one image out of the domain, float `(2,)`, by which part."""
    return REASONS[PARTS[int(np.argmax(distances))]]


def load(path: Path, settings: dict[str, Any]) -> Domain:
    """Read a run's `domain.npz`, whose numbers for the decision are in its `model.json`.

    Raises:
        InputError: if it cannot be read.
        CheckError: if it is not such a file, or `model.json` lacks these numbers.
    """
    hint = "the run as it was written"
    stored = records.read_arrays(path, NAMES, "a run's domain", hint)
    try:
        arrays: Arrays = {name: array.astype(np.float32) for name, array in stored.items()}
        center, spread = (tuple(map(float, settings[key])) for key in ("center", "spread"))
        return Domain(
            arrays, (center[0], center[1]), (spread[0], spread[1]), float(settings["threshold"])
        )
    except (KeyError, ValueError, IndexError, TypeError) as error:
        raise CheckError(path, "a run's domain", str(error), hint) from error


def statistics(images: Pixels) -> Floats:
    """Return what is usual or not about an image's pixels, whatever the network sees.

    Per channel: mean and spread in the middle, in a ring about it and in the corners (a cell's
    frame), five quantiles, log strength of edges, and curvature per edge, which noise has most
    of; for colour images red and blue against green, their mean, spread and strength. Quarter
    turns and mirroring change next to nothing of it.

    Args:
        images: uint8 `(images, height, width, channels)` in [0, 255], at least 8 px a side.

    Returns:
        Float32 `(images, statistics)`: 13 per channel, and 6 for colour.
    """
    count, height, width, channels = images.shape
    step = max(1, min(height, width) // GRID)

    def grid(down: int, across: int) -> Floats:
        """Every so manieth pixel, shifted: `(images, channels, pixels)` in [0, 1]."""
        rows = slice(down, height - 2 + down, step)
        part = images[:, rows, across : width - 2 + across : step].transpose(0, 3, 1, 2)
        return part.reshape(count, channels, -1).astype(np.float32) / np.float32(255)

    values, right = grid(0, 0), grid(0, 1)
    across = np.abs(right - values).mean(axis=2)
    down = np.abs(grid(1, 0) - values).mean(axis=2)
    curved = np.abs(grid(0, 2) + values - 2 * right).mean(axis=2)
    zones = _zones(-(-(height - 2) // step), -(-(width - 2) // step))
    means = values @ zones
    spreads = np.sqrt(np.maximum((values**2) @ zones - means**2, 0))
    places = [round(share * (values.shape[2] - 1)) for share in QUANTILES]
    parts = [
        means, spreads, np.sort(values, axis=2)[:, :, places],
        np.log(across + down + CONTRAST_FLOOR), curved / (across + CONTRAST_FLOOR),
    ]  # fmt: skip
    if channels == 3:
        hues = values[:, ::2] - values[:, 1:2]  # red and blue, against green
        strengths = hues.std(axis=2), np.abs(hues).mean(axis=2)
        parts += [hues.mean(axis=2), *(np.log(strength + COLOUR_FLOOR) for strength in strengths)]
    return np.concatenate([part.reshape(count, -1) for part in parts], axis=1)


def _zones(rows: int, columns: int) -> Floats:
    """Return weights of the middle, the ring about it and the corners, `(rows x columns, 3)`."""
    down, across = (2 * (np.arange(n) - (n - 1) / 2) / n for n in (rows, columns))
    radius = np.hypot(down[:, None], across).ravel()
    zones = np.stack([radius < 0.5, (radius >= 0.5) & (radius < 0.9), radius >= 1.1], axis=1)
    weights: Floats = zones.astype(np.float32) / zones.sum(axis=0, dtype=np.float32)
    return weights


@dataclass(frozen=True)
class DomainFit:
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
    values = np.concatenate([statistics(np.asarray(images[part])) for part in parts])
    mean, scale = values.mean(axis=0), values.std(axis=0) + SCALE_FLOOR
    variances, axes = np.linalg.eigh(np.cov(((values - mean) / scale).T))
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

    pca = PCA(min(AXES, *features.shape), random_state=0).fit(features)
    variances = np.maximum(pca.explained_variance_, 1e-4 * pca.explained_variance_[0] + 1e-12)
    axes = pca.components_.T / variances**0.25
    rows = np.random.default_rng(0).permutation(len(features))[:KEPT]
    points = (features[np.sort(rows)] - pca.mean_) @ axes
    # float16 halves the file; the distances are then those of what is stored
    return {"feature_mean": pca.mean_, "feature_axes": axes, "neighbours": np.float16(points)}


def calibrate(
    domain: Domain | None, logs: Floats | None, groups: npt.NDArray[np.str_] | None
) -> DomainFit:
    """Set the threshold on val.

    Args:
        domain: as `fit` returned it, with no threshold yet.
        logs: float32 `(images, 2)`: that domain's `log_distances` of val.
        groups: str `(images,)`, val's, or None where none are known.

    Returns:
        The domain, complete; None where val is too small: 1 % of fewer than 99 images is none.
    """
    if domain is None or logs is None or not np.isfinite(logs).all():
        return DomainFit(None, None, f"not fitted: fewer than {MIN_TRAIN} usable training images")
    least = round(1 / AIMED_FRACTION) - 1
    if len(logs) < least:
        return DomainFit(None, None, f"not fitted: {len(logs)} val images, {least} are needed")
    names = None if groups is None else np.unique(groups)
    if names is not None and len(names) < MIN_GROUPS:
        return DomainFit(None, None, "not fitted: all val images come from one group")
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
    return DomainFit(
        whole,
        settings,
        f"{AIMED_FRACTION:.0%} aimed for, as an upper bound, on {len(scores):,} val images{of}: "
        f"{flagged:.1%} of them are flagged",
    )


def _threshold(scores: Floats, groups: npt.NDArray[np.str_] | None) -> float:
    """Return the 90 % upper bound, over resampled groups, of the 99 % quantile of val's scores.

    At most what the tail of the bulk predicts: a few scores of any size hardly move it.
    """
    ordered, quantiles = _quantiles(scores, groups)
    bound = float(np.quantile(quantiles[:, 2], UPPER))
    predicted = _predicted(quantiles, len(scores))
    least = float(ordered[-1 - max(1, int(OUTLIERS * len(ordered)))])
    threshold = max(min(bound, predicted), least)
    # most often the score of an image, which another engine rounds otherwise: a step beyond it
    above = ordered[ordered > threshold + ROUNDING]
    midway = (threshold + float(above[0])) / 2 if len(above) else threshold + ROUNDING
    return _apart(ordered, min(midway, max(predicted, threshold + ROUNDING)))


def _quantiles(scores: Floats, groups: npt.NDArray[np.str_] | None) -> tuple[Floats, Floats]:
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
    quantiles = []
    for _ in range(RESAMPLES):
        weights = np.bincount(rng.integers(0, count, count), minlength=count)[units]
        up_to = np.cumsum(weights)
        quantiles.append(ordered[np.searchsorted(up_to, shares * up_to[-1])])
    return ordered, np.array(quantiles)


def _tail(count: int) -> tuple[float, float]:
    """Return the two quantiles that the tail is predicted from, of so many scores."""
    return TAIL[0], max(min(TAIL[1], 1 - LEAST_BEYOND / count), 0.9)


def _predicted(quantiles: Floats, count: int) -> float:
    """Return the upper bound of the quantile aimed for, from two below it.

    Beyond the lower one an exponential tail has `quantile(1 - p) = lower + scale log(p_lower / p)`
    (Weissman, "Estimation of parameters and large quantiles based on the k largest observations",
    1978, in logs).
    """
    low, high = _tail(count)
    low_value, high_value = quantiles[:, 0], quantiles[:, 1]
    steps = np.log((1 - low) / AIMED_FRACTION) / np.log((1 - low) / (1 - high))
    return float(np.quantile(low_value + steps * (high_value - low_value), TAIL_UPPER))


def _apart(ordered: Floats, threshold: float) -> float:
    """Return a threshold from `threshold` upwards that is no image's score, nor near one."""
    for score in ordered[ordered > threshold - ROUNDING / 2]:
        if score - threshold >= ROUNDING / 2:
            break
        threshold = float(score) + ROUNDING / 2
    return threshold


def to_bytes(domain: Domain) -> bytes:
    """Return the content of `domain.npz`; the same domain gives the same bytes."""
    arrays = {
        name: array.astype(np.float16 if name == "neighbours" else np.float32)
        for name, array in domain.arrays.items()
    }
    stream = io.BytesIO()
    np.savez_compressed(stream, **arrays)  # type: ignore[arg-type]
    return stream.getvalue()
