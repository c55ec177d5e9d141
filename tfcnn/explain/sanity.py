"""Whether a map depends on what was learnt: the same network with new random weights must differ.

Adebayo et al., Sanity checks for saliency maps, NeurIPS 2018: some methods only redraw the edges
of the image, whatever the weights are.
"""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tfcnn.explain.cam import ModelExplainer, answered

__all__ = ["Sanity", "check", "compare", "randomised"]

Floats = npt.NDArray[np.float32]

MOST_CORRELATION = 0.5  # of ranks, on average over the images
LEAST_MOVED = 0.5  # share of the images whose peak is elsewhere


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


def check(
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
    asked = logits.argmax(axis=1) if classes is None else classes
    usable = answered(maps, logits)
    if not usable.any():
        return None
    images, maps, asked = images[usable], maps[usable], asked[usable]
    found = [
        compare(maps, randomised(explainer, seed).maps(images, asked), explainer.cell)
        for seed in range(seeds)
    ]
    return Sanity(
        float(np.mean([one.rank_correlation for one in found])),
        float(np.mean([one.peak_moved_fraction for one in found])),
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
