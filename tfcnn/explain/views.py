"""The views of the image that a network looks at: itself, or also flipped, turned and shifted.

A saved model may average over several views. A map of a view must be laid back before it is added
to the others, so it is found out once, on noise, how each view lies: of a model trained here as
well as of any other.
"""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from tfcnn.base.errors import InputError
from tfcnn.explain.grid import Grid, enlarge
from tfcnn.explain.recording import top_inputs

__all__ = ["View", "find"]

Floats = npt.NDArray[np.float32]

SAME = 0.9  # correlation of noise with itself after a network's own scaling; with another flip 0
MOST_SHIFT = 1 / 8  # of a side: what leaves the view at one edge is not seen, and not searched for
KINDS = [(turns, is_flipped) for is_flipped in (False, True) for turns in range(4)]


class View(NamedTuple):
    """How a view lies: mirrored left to right or not, then turned, then shifted.

    Attributes:
        turns: quarter turns to the left, 0 to 3.
        is_flipped: whether it is mirrored.
        shift: `(down, across)` in px.
    """

    turns: int = 0
    is_flipped: bool = False
    shift: tuple[int, int] = (0, 0)

    def upright(self, maps: Floats, grid: Grid, size: tuple[int, int]) -> Floats:
        """Enlarge feature maps of the view to the image, and lay them as the image lies.

        Args:
            maps: float32 `(n, height, width)`, one value per cell.
            grid: where the cells would lie if the view were the image itself.
            size: `(height, width)` of the image in px.

        Returns:
            float32 `(n, *size)`.
        """
        (down, across), (top, left) = self.shift, grid.start
        placed = enlarge(maps, Grid((top - down, left - across), grid.step), size)
        turned = np.rot90(placed, -self.turns, axes=(1, 2))
        return turned[:, :, ::-1] if self.is_flipped else turned


def find(model: Any, calls: int) -> list[View]:
    """Find how each view of the image lies.

    Args:
        model: a keras.Model from images.
        calls: how often the layer that is looked at is called.

    Raises:
        InputError: if there are several views and one is another image than the given one, flipped,
            turned by quarter turns or shifted by a few px.
    """
    if calls == 1:
        return [View()]
    noise = np.random.default_rng(0).uniform(0, 255, (2, *model.input_shape[1:]))
    images = noise.astype(np.float32)
    given = [inputs for inputs in top_inputs(model, images) if len(inputs) == calls]
    found = [_view(images.mean(-1), view) for view in given[0]] if given else [None]
    if None in found:
        raise InputError(
            f"network {model.name}",
            "views that are flips or quarter turns of the image, shifted by a few px at most",
            f"{calls} others", "a network that sees the image once",
        )  # fmt: skip
    return [view for view in found if view is not None]


def _view(upright: Floats, seen: Floats) -> View | None:
    if seen.ndim != 4:
        return None
    flat = seen.mean(-1)
    for turns, is_flipped in KINDS:
        turned = np.rot90(upright[:, :, ::-1] if is_flipped else upright, turns, axes=(1, 2))
        if turned.shape != flat.shape:
            continue
        shift = _shift(turned[0], flat[0])
        if _is_small(shift, flat.shape[1:]) and _alike(turned, flat, shift):
            return View(turns, is_flipped, shift)
    return None


def _shift(first: Floats, second: Floats) -> tuple[int, int]:
    """Return by how many px, down and across, the second picture is most like the first."""
    spectra = [np.fft.fft2(picture - picture.mean()) for picture in (first, second)]
    likeness = np.fft.ifft2(spectra[1] * spectra[0].conj()).real
    place = np.unravel_index(int(likeness.argmax()), likeness.shape)
    down, across = (
        int(at) - (side if at > side // 2 else 0)
        for at, side in zip(place, likeness.shape, strict=True)
    )
    return down, across


def _is_small(shift: tuple[int, int], size: tuple[int, ...]) -> bool:
    return all(abs(moved) <= MOST_SHIFT * side for moved, side in zip(shift, size, strict=True))


def _alike(first: Floats, second: Floats, shift: tuple[int, int]) -> bool:
    """Say whether pictures `(n, height, width)` are alike where they overlap."""
    for axis, moved in enumerate(shift, start=1):
        side = first.shape[axis]
        first = first.take(range(max(-moved, 0), side - max(moved, 0)), axis)
        second = second.take(range(max(moved, 0), side - max(-moved, 0)), axis)
    pairs = zip(first, second, strict=True)
    return all(np.corrcoef(a.ravel(), b.ravel())[0, 1] > SAME for a, b in pairs)
