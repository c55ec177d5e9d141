"""The views of the image that a network looks at: the image itself, or flips and turns of it too.

A saved model may average over flipped views. A map of a flipped view must be flipped back before
it is added to the others, so it is found out once, on noise, how each view lies.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from tfcnn.errors import InputError
from tfcnn.explain.recording import top_inputs

__all__ = ["BACK", "find"]

Floats = npt.NDArray[np.float32]

SAME = 0.9  # correlation of noise with itself after a network's own scaling; with another flip 0


def _turned(turns: int, is_flipped: bool) -> Callable[[Floats], Floats]:
    return lambda maps: np.rot90(maps[:, :, ::-1] if is_flipped else maps, turns, axes=(1, 2))


def _back(turns: int, is_flipped: bool) -> Callable[[Floats], Floats]:
    def undo(maps: Floats) -> Floats:
        upright = np.rot90(maps, -turns, axes=(1, 2))
        return upright[:, :, ::-1] if is_flipped else upright

    return undo


KINDS = [(turns, is_flipped) for is_flipped in (False, True) for turns in range(4)]
#: for each of the eight ways a square can lie, what lays `(n, height, width)` upright again
BACK = [_back(*kind) for kind in KINDS]


def find(model: Any, calls: int) -> list[int]:
    """Find how each view of the image lies.

    Args:
        model: a keras.Model from images.
        calls: how often the layer that is looked at is called.

    Returns:
        An index of `BACK` per call.

    Raises:
        InputError: if there are several views and one is no flip or quarter turn of the image.
    """
    if calls == 1:
        return [0]
    noise = np.random.default_rng(0).uniform(0, 255, (2, *model.input_shape[1:]))
    images = noise.astype(np.float32)
    given = [inputs for inputs in top_inputs(model, images) if len(inputs) == calls]
    found = [_kind(images.mean(-1), view) for view in given[0]] if given else [None]
    if None in found:
        raise InputError(
            f"network {model.name}", "views that are flips or quarter turns of the image",
            f"{calls} others", "a network that sees the image once",
        )  # fmt: skip
    return [kind for kind in found if kind is not None]


def _kind(upright: Floats, view: Floats) -> int | None:
    if view.ndim != 4:
        return None
    for index, kind in enumerate(KINDS):
        turned = _turned(*kind)(upright)
        flat = view.mean(-1)
        if turned.shape == flat.shape and _alike(turned, flat):
            return index
    return None


def _alike(first: Floats, second: Floats) -> bool:
    pairs = zip(first, second, strict=True)
    return all(np.corrcoef(a.ravel(), b.ravel())[0, 1] > SAME for a, b in pairs)
