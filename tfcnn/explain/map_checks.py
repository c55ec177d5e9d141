"""Two checks of maps: do they depend on what was learnt, and do they lie on the object?

With new random weights a map must differ: some methods only redraw the edges of the image,
whatever the weights are (Adebayo et al., Sanity checks for saliency maps, NeurIPS 2018). And a
network that looks outside of the object has learnt the frame.
"""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tfcnn.base.errors import InputError
from tfcnn.explain.explainer import ModelExplainer, has_numbers

Floats = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

MOST_CORRELATION = 0.5  # of ranks, on average over the images
LEAST_MOVED = 0.5  # share of the images whose peak is elsewhere
DARKEST = 16  # of 255: black, and what scaling an image leaves of it; stained cells are over 60


@dataclass(frozen=True)
class Sanity:
    """Maps of a trained network beside those of the same network with random weights.

    Attributes:
        rank_correlation: Spearman's, over an image's pixels, mean over images and random networks.
        peak_moved_fraction: of the images, how many peaks are over one cell of the map away.
        images: how many were compared.
    """

    rank_correlation: float
    peak_moved_fraction: float
    images: int

    @property
    def depends_on_training(self) -> bool:
        """Whether random weights change the maps."""
        return self.rank_correlation < MOST_CORRELATION and self.peak_moved_fraction >= LEAST_MOVED

    @property
    def sentence(self) -> str:
        """The finding in one line."""
        figures = (
            f"with random weights {100 * self.peak_moved_fraction:.0f} % of the peaks move and "
            f"the rank correlation is {self.rank_correlation:.2f}"
        )
        if self.depends_on_training:
            return f"The map depends on what was learnt: {figures}."
        return f"The map hardly depends on what was learnt, do not rely on it: {figures}."

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON-ready values."""
        return {**asdict(self), "depends_on_training": self.depends_on_training}


def sanity_check(
    explainer: ModelExplainer, images: npt.NDArray[np.uint8], classes: Any = None, seeds: int = 3
) -> Sanity | None:
    """Compare the maps of some images with those of networks of random weights.

    Args:
        explainer: of the trained network.
        images: uint8 `(n, height, width, channels)`, at least one; 8 to 32 are enough.
        classes: int `(n,)`; the classes that the trained network predicts if None.
        seeds: how many random networks.

    Returns:
        What changed, averaged over the random networks, which are asked for the same classes;
        None where the network gives no number for any of the images, which do not count.
    """
    maps, logits = explainer.maps_and_logits(images, classes)
    classes = logits.argmax(axis=1) if classes is None else classes
    usable = has_numbers(maps, logits)
    if not usable.any():
        return None
    images, maps, classes = images[usable], maps[usable], classes[usable]
    results = [
        compare(maps, randomised(explainer, seed).maps(images, classes), explainer.cell)
        for seed in range(seeds)
    ]
    return Sanity(
        float(np.mean([one.rank_correlation for one in results])),
        float(np.mean([one.peak_moved_fraction for one in results])),
        len(images),
    )


def randomised(explainer: ModelExplainer, seed: int = 0) -> ModelExplainer:
    """Return the same method at the same layer of the same network, newly initialised."""
    import keras

    with _seeded(seed):
        model = keras.models.clone_model(explainer.model)
    return ModelExplainer(model, explainer.method, explainer.layer)


def compare(maps: Floats, others: Floats, cell: tuple[float, float]) -> Sanity:
    """Compare two sets of maps of the same images.

    Args:
        maps: float32 `(n, height, width)`.
        others: of the same shape.
        cell: `(height, width)` in px that a peak must move, along either axis, to count.

    Returns:
        The comparison. A map that is the same everywhere has no ranks: its correlation counts 0.
    """
    ranks = [_correlation(a, b) for a, b in zip(maps, others, strict=True)]
    moved = np.abs(_peaks(maps) - _peaks(others)) > np.asarray(cell)
    return Sanity(float(np.mean(ranks)), float(moved.any(axis=1).mean()), len(maps))


def _correlation(first: Floats, second: Floats) -> float:
    from scipy import stats

    if np.ptp(first) == 0 or np.ptp(second) == 0:
        return 0.0
    return float(stats.spearmanr(first, second, axis=None).statistic)


def _peaks(maps: Floats) -> npt.NDArray[np.intp]:
    """Return int `(n, 2)`: row and column of each map's highest value, the first of equals."""
    flat = maps.reshape(len(maps), -1).argmax(axis=1)
    return np.stack(np.unravel_index(flat, maps.shape[1:]), axis=1)


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Let Keras draw its initial weights from a seed, and leave Python's generator as it was."""
    state = random.getstate()
    random.seed(seed)
    try:
        yield
    finally:
        random.setstate(state)


def background(images: npt.NDArray[np.uint8], darkest: int = DARKEST) -> Mask:
    """Find the dark frame around an object: dark pixels joined to the image's border.

    Args:
        images: uint8 `(n, height, width, channels)` in [0, 255].
        darkest: a pixel is dark where no channel is over this.

    Returns:
        bool `(n, height, width)`, all False for an image without a dark border.
    """
    from scipy import ndimage

    dark = images.max(axis=-1) <= darkest
    border = np.ones(images.shape[1:3], bool)
    border[1:-1, 1:-1] = False
    frames = [ndimage.binary_propagation(part & border, mask=part) for part in dark]
    return np.stack(frames) if frames else np.asarray(dark)


def share_outside(maps: npt.NDArray[np.floating[Any]], outside: Mask) -> Floats:
    """Return the share of each map's mass that lies in a region.

    Args:
        maps: float `(n, height, width)`, at least 0.
        outside: bool `(n, height, width)`, True outside of what should be looked at, such as
            `background(images)` or the complement of a known mask.

    Returns:
        float32 `(n,)` in [0, 1]; NaN for a map that is 0 everywhere.

    Raises:
        InputError: if the shapes differ.
    """
    if maps.shape != outside.shape:
        raise InputError("outside", f"shape {maps.shape}", f"{outside.shape}", "a mask per map")
    mass = maps.sum(axis=(1, 2))
    in_region = np.where(outside, maps, 0).sum(axis=(1, 2))
    shares = np.full(len(maps), np.nan, np.float32)
    np.divide(in_region, mass, out=shares, where=mass > 0, casting="same_kind")
    return shares
