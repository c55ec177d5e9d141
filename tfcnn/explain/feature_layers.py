"""Which layers of a network make feature maps, and where in the image their cells lie.

A map enlarged as if it covered the whole image is wrong where convolutions have no padding: the
last map of LeNet-5 would lie up to 5 of 32 px beside what it saw. So the centre of each cell is
followed through kernels, strides and padding (Araujo, Norris and Sim, Computing receptive fields
of convolutional neural networks, Distill, 2019, section "Alignment").
"""

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tfcnn.base.errors import InputError

Floats = npt.NDArray[np.float32]

CONVOLUTIONS = ("Conv2D", "DepthwiseConv2D", "SeparableConv2D", "Conv2DTranspose")
POOLS = ("MaxPooling2D", "AveragePooling2D")


@dataclass(frozen=True)
class Grid:
    """The cells of a feature map, in px of the image; pairs are `(height, width)`.

    Attributes:
        start: position of the first cell's centre; the first pixel's centre is at 0.
        step: from one cell's centre to the next.
    """

    start: tuple[float, float]
    step: tuple[float, float]


@dataclass(frozen=True)
class Stage:
    """A layer of a network whose output is a stack of feature maps.

    Attributes:
        layer: the Keras layer.
        size: `(height, width)` of its maps, in cells.
        grid: where the cells lie in the image.
        has_learnt: whether a convolution comes before it, or it is one.
        is_whole: whether all that the network sees passes through it: no branch goes round it.
    """

    layer: Any
    size: tuple[int, int]
    grid: Grid
    has_learnt: bool
    is_whole: bool

    @property
    def name(self) -> str:
        """The layer's name."""
        return str(self.layer.name)

    @property
    def is_convolution(self) -> bool:
        """Whether it is a convolution whose kernels can be looked at."""
        return _is_convolution(self.layer) and hasattr(self.layer, "kernel")

    @property
    def is_finished(self) -> bool:
        """Whether its maps are finished features: whole, rectified, not pooled afterwards.

        Grad-CAM's authors look at rectified maps (conv5_3 of VGG, not its pool5). Convolutions and
        normalisations without activation are on the way to one.
        """
        kind = type(self.layer).__name__
        if not self.has_learnt or not self.is_whole or kind in POOLS or "Padding" in kind:
            return False
        activation = getattr(self.layer, "activation", None)
        is_linear = getattr(activation, "__name__", "linear") == "linear"
        return kind == "PReLU" or not self.layer.weights or not is_linear


def stages(model: Any) -> list[Stage]:
    """List every layer that makes feature maps, in the order of computation, nested models too.

    Args:
        model: a keras.Model, Sequential or functional, from images to classes.

    Raises:
        InputError: if it is neither.
    """
    if not getattr(model, "inputs", None):
        raise InputError(
            f"network {model.name}", "a Sequential or functional model", type(model).__name__,
            "keras.Model(inputs, outputs)",
        )  # fmt: skip
    return _Walk(model, Grid((0.0, 0.0), (1.0, 1.0)), has_learnt=False, is_whole=True).stages


def worth_showing(model: Any) -> list[Stage]:
    """List the layers whose maps are worth looking at.

    Raises:
        InputError: if the network has no convolution.
    """
    learnt = [stage for stage in stages(model) if stage.has_learnt]
    if not learnt:
        raise InputError(
            f"network {model.name}", "a network with convolutions", "none: it has no map to show",
            "another run, such as one of the network compact",
        )  # fmt: skip
    return [stage for stage in learnt if stage.is_finished] or learnt


def choose(model: Any, least_cells: int) -> Stage:
    """Return the deepest layer whose maps have at least that many cells on their shorter side.

    If no layer has as many, return the one that comes nearest.

    Raises:
        InputError: if the network has no convolution.
    """
    # max takes the first of equals: the deepest
    return max(reversed(worth_showing(model)), key=lambda stage: min(min(stage.size), least_cells))


def find(model: Any, name: str) -> Stage:
    """Return the layer of that name.

    Raises:
        InputError: if there is none, or it makes no feature maps, or several have the name.
    """
    usual = worth_showing(model)  # a network without convolutions is refused for that
    matches = [stage for stage in stages(model) if stage.name == name]
    if len(matches) == 1:
        return matches[0]
    names = ", ".join(dict.fromkeys(stage.name for stage in usual))
    received = f"{len(matches)} of them" if matches else "no such layer"
    raise InputError(f"layer {name!r}", f"a layer with feature maps, such as {names}", received,
                     usual[-1].name)  # fmt: skip


class _Walk:
    """One pass over a model's layers in the order of computation."""

    def __init__(self, model: Any, grid: Grid | None, has_learnt: bool, is_whole: bool) -> None:
        self._stages: dict[int, list[Stage]] = {}
        self._is_whole, self._grid, self._size = is_whole, grid, _size(model.inputs[0])
        self._learnt = {id(tensor): has_learnt for tensor in model.inputs}
        self._grids = {id(tensor): grid for tensor in model.inputs}
        nodes = _nodes(model)
        calls = Counter(id(node.operation) for node in nodes)
        # how often each tensor is still needed; one that nobody needs any more is dead
        left = Counter(id(tensor) for node in nodes for tensor in node.input_tensors)
        left.update(id(tensor) for tensor in model.outputs)
        live = set(self._learnt)
        for node in nodes:
            if not node.input_tensors:
                continue
            left.subtract(id(tensor) for tensor in node.input_tensors)
            live = {key for key in live if left[key]} | {id(tensor) for tensor in node.outputs}
            # a layer called several times sees several views of the image
            is_shared = calls[id(node.operation)] > 1
            self._visit(node, is_alone=len(live) == 1 or is_shared, is_shared=is_shared)
        self.stages = [stage for group in self._stages.values() for stage in group]
        self.grid = self._grids.get(id(model.outputs[0]))
        self.has_learnt = self._learnt[id(model.outputs[0])]

    def _visit(self, node: Any, *, is_alone: bool, is_shared: bool) -> None:
        layer, inputs = node.operation, node.input_tensors
        is_whole = self._is_whole and is_alone
        grid = _mean([self._grids.get(id(tensor)) for tensor in inputs])
        if is_shared and _size(inputs[0]) == self._size:
            grid = (
                self._grid
            )  # the first view may be a shifted one: `find_views` measures by how much
        learnt = any(self._learnt[id(tensor)] for tensor in inputs) or _is_convolution(layer)
        inner = None
        if hasattr(layer, "layers"):
            inner = _Walk(layer, grid, learnt, is_whole)
            self._stages.setdefault(id(layer), inner.stages)
            learnt = inner.has_learnt
        for tensor in node.outputs:
            self._learnt[id(tensor)] = learnt
            size, new_size = _size(inputs[0]), _size(tensor)
            if inner:
                self._grids[id(tensor)] = inner.grid
            elif grid and size and new_size:
                new_grid = self._grids[id(tensor)] = after(layer, grid, size, new_size)
                if hasattr(layer, "weights"):
                    stage = Stage(layer, new_size, new_grid, learnt, is_whole)
                    self._stages.setdefault(id(layer), [stage])


def _mean(grids: list[Grid | None]) -> Grid | None:
    """Return where joined maps lie: branches with other kernels differ by parts of a cell."""
    joined = [grid for grid in grids if grid]
    if not joined:
        return None
    start = [sum(grid.start[axis] for grid in joined) / len(joined) for axis in (0, 1)]
    return Grid((start[0], start[1]), joined[0].step)


def _nodes(model: Any) -> list[Any]:
    """Return the calls of layers that make up a model, each after those that it needs."""
    import keras

    by_depth = keras.Model(model.inputs, model.outputs)._nodes_by_depth  # a Sequential has none
    return [node for depth in sorted(by_depth, reverse=True) for node in by_depth[depth]]


def _is_convolution(layer: Any) -> bool:
    return type(layer).__name__ in CONVOLUTIONS


def _size(tensor: Any) -> tuple[int, int] | None:
    """Return `(height, width)` of a stack of maps, or None for what is no such stack."""
    shape = tuple(tensor.shape)
    return (shape[1], shape[2]) if len(shape) == 4 and all(shape[1:3]) else None


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
