"""Where in the image the cells of a feature map lie, and how its values are spread over pixels.

A map enlarged as if it covered the whole image is wrong where convolutions have no padding: the
last map of LeNet-5 would lie up to 5 of 32 px beside what it saw. So the centre of each cell is
followed through kernels, strides and padding (Araujo, Norris and Sim, Computing receptive fields
of convolutional neural networks, Distill, 2019, section "Alignment").
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Grid", "after", "enlarge"]

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Grid:
    """The cells of a feature map, in px of the image; pairs are `(height, width)`.

    Attributes:
        start: position of the first cell's centre; the first pixel's centre is at 0.
        step: from one cell's centre to the next.
    """

    start: tuple[float, float]
    step: tuple[float, float]


def after(layer: Any, before: Grid, size: tuple[int, int], new_size: tuple[int, int]) -> Grid:
    """Follow a grid through one layer.

    Args:
        layer: a Keras layer or operation.
        before: the grid of its input.
        size: `(height, width)` of its input, in cells.
        new_size: `(height, width)` of its output.

    Returns:
        The grid of its output. A layer of unknown kind leaves it as it is where the size stays,
        and else covers evenly what it covered before.
    """
    axes = [
        _axis(layer, axis, before.start[axis], before.step[axis], size[axis], new_size[axis])
        for axis in (0, 1)
    ]
    return Grid((axes[0][0], axes[1][0]), (axes[0][1], axes[1][1]))


def enlarge(maps: Floats, grid: Grid, size: tuple[int, int]) -> Floats:
    """Interpolate feature maps to the pixels of the image, bilinearly between cells' centres.

    Args:
        maps: float32 `(n, height, width)`, one value per cell.
        grid: where the cells lie.
        size: `(height, width)` of the image in px.

    Returns:
        float32 `(n, *size)`; beyond the outermost centres the value of the nearest cell.
    """
    rows, columns = (
        _weights(grid.start[axis], grid.step[axis], maps.shape[axis + 1], size[axis])
        for axis in (0, 1)
    )
    enlarged: Floats = (rows @ maps @ columns.T).astype(np.float32)
    return enlarged


def _weights(start: float, step: float, cells: int, pixels: int) -> Floats:
    """Return float32 `(pixels, cells)`: each cell's share of each pixel, rows summing to 1."""
    centres = start + step * np.arange(cells)
    columns = [np.interp(np.arange(pixels), centres, row) for row in np.eye(cells)]
    return np.stack(columns, axis=1).astype(np.float32)


def _axis(
    layer: Any, axis: int, start: float, step: float, size: int, new_size: int
) -> tuple[float, float]:
    margin = getattr(layer, "padding", None) if "Padding" in type(layer).__name__ else None
    if margin is not None:
        return start - margin[axis][0] * step, step
    if type(layer).__name__ == "Cropping2D":
        return start + layer.cropping[axis][0] * step, step
    kernel, stride, padding = _window(layer, axis)
    if kernel is None:
        if size == new_size:
            return start, step
        wider = step * size / new_size
        return start + (wider - step) / 2, wider
    before = max((new_size - 1) * stride + kernel - size, 0) // 2 if padding == "same" else 0
    return start + step * ((kernel - 1) / 2 - before), step * stride


def _window(layer: Any, axis: int) -> tuple[int | None, int, str]:
    """Return `(kernel, stride, padding)` of a convolution or a pooling layer along one axis."""
    kind = type(layer).__name__
    if kind in ("MaxPooling2D", "AveragePooling2D"):
        return layer.pool_size[axis], layer.strides[axis], layer.padding
    if kind in ("Conv2D", "DepthwiseConv2D", "SeparableConv2D"):
        kernel = (layer.kernel_size[axis] - 1) * layer.dilation_rate[axis] + 1
        return kernel, layer.strides[axis], layer.padding
    return None, 1, ""
