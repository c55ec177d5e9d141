"""How much of a map lies outside of the object: a network that looks there has learnt the frame."""

from typing import Any

import numpy as np
import numpy.typing as npt

from tfcnn.base.errors import InputError

__all__ = ["DARKEST", "background", "share_outside"]

Floats = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

DARKEST = 16  # of 255: black, and what scaling an image leaves of it; stained cells are over 60


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
    found: Mask = np.stack(frames) if frames else dark
    return found


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
