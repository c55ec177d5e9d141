"""Samples of more than 8 bits; Pillow often gives only 8 of these bits."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.uint16]
Number = TypeVar("Number", bound=np.generic)
SCALED = "scaling them to 16-bit whole numbers, 0 to 65535"
FULL = 65535  # white, and wholly opaque
ACROSS_DOWN = ((2, 3, 6, 7), (3, 4, 7, 8))  # values of EXIF's orientation that flip an image
BLOCK_VALUES = 2**20


class NotReadError(ValueError):
    """A sound file of a layout that is not read; `hint` says what to do about it."""

    def __init__(self, reason: str, hint: str = "saving it as 8-bit or 16-bit PNG") -> None:
        super().__init__(reason)
        self.hint = hint


@dataclass(frozen=True)
class Deep:
    """What an image file holds, at full depth.

    Attributes:
        samples: uint16 `(height, width, 1 | 2 | 3 | 4)`, upright: grey or RGB in [0, 65535] with
            0 for black, then alpha if there is any. The colours are not multiplied by alpha.
        unread: how many channels of the file are neither colour nor alpha, and are left out.
    """

    samples: Samples
    unread: int = 0


def upright(samples: Samples, orientation: int) -> Samples:
    """Return samples that lie in one of EXIF's eight ways as they are to be seen."""
    if orientation in (5, 6, 7, 8):
        samples = samples.swapaxes(0, 1)
    across, down = (slice(None, None, -1 if orientation in way else 1) for way in ACROSS_DOWN)
    return np.ascontiguousarray(samples[down, across])


def blocks(height: int, row_values: int) -> Iterator[slice]:
    """Yield the rows of an image, so many at a time as hold about a million values."""
    step = max(1, BLOCK_VALUES // max(1, row_values))
    for top in range(0, height, step):
        yield slice(top, min(top + step, height))


def by_blocks(
    height: int, row_values: int, compute: Callable[[slice], npt.NDArray[Number]]
) -> npt.NDArray[Number]:
    """Compute an array some rows at a time, so that what lies between takes little memory.

    Args:
        height: how many rows it has, at least 1.
        row_values: how many values of a row are in memory while it is computed.
        compute: returns some rows of it.
    """
    rows, *others = blocks(height, row_values)
    first = compute(rows)
    if not others:
        return first
    whole = np.empty((height, *first.shape[1:]), first.dtype)
    whole[rows] = first
    for rows in others:
        whole[rows] = compute(rows)
    return whole
