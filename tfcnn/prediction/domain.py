"""Is an image like those a run was trained on? NumPy only, as every prediction asks.

Two distances, fitted by `evaluation.domain` on training images. One on the decoded pixels: how far
an image's colours, light, frame and edges lie from the usual (Mahalanobis). One on the network's
features: how far the nearest training images are (Sun et al., "Out-of-distribution detection with
deep nearest neighbors", 2022). The first sees what the network was built not to see, such as a
colour that an `equalize` layer takes out; the second what only shapes tell.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tfcnn.base import records
from tfcnn.base.errors import CheckError
from tfcnn.decode import Pixels

__all__ = ["PARTS", "Arrays", "Domain", "load", "statistics"]

Floats = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]
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

    def outside(self, distances: Floats) -> Bools:
        """Say which images are out of the domain: bool `(images,)`; NaN is."""
        found: Bools = ~(distances.max(axis=1) <= self.threshold)
        return found

    def _to_neighbours(self, features: Floats) -> Floats:
        """Return the squared distance to the sixth nearest training image kept, `(images,)`."""
        axes, kept = self.arrays["feature_axes"], self.arrays["neighbours"]
        placed = _product(unit_length(features) - self.arrays["feature_mean"], axes)
        squared = (placed**2).sum(axis=1)[:, None] + (kept**2).sum(axis=1)
        squared -= 2 * _product(placed, kept.T)
        nearest = min(NEIGHBOUR, len(kept) - 1)
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
    found = records.read_arrays(path, NAMES, "a run's domain", hint)
    try:
        arrays: Arrays = {name: array.astype(np.float32) for name, array in found.items()}
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
    found = [
        means, spreads, np.sort(values, axis=2)[:, :, places],
        np.log(across + down + CONTRAST_FLOOR), curved / (across + CONTRAST_FLOOR),
    ]  # fmt: skip
    if channels == 3:
        hues = values[:, ::2] - values[:, 1:2]  # red and blue, against green
        strengths = hues.std(axis=2), np.abs(hues).mean(axis=2)
        found += [hues.mean(axis=2), *(np.log(strength + COLOUR_FLOOR) for strength in strengths)]
    flat: Floats = np.concatenate([part.reshape(count, -1) for part in found], axis=1)
    return flat


def _zones(rows: int, columns: int) -> Floats:
    """Return weights of the middle, the ring about it and the corners, `(rows x columns, 3)`."""
    down, across = (2 * (np.arange(n) - (n - 1) / 2) / n for n in (rows, columns))
    radius = np.hypot(down[:, None], across).ravel()
    zones = np.stack([radius < 0.5, (radius >= 0.5) & (radius < 0.9), radius >= 1.1], axis=1)
    weights: Floats = zones.astype(np.float32) / zones.sum(axis=0, dtype=np.float32)
    return weights
