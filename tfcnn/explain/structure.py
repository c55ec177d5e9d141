"""Which layers of a network make feature maps, and which of them to look at."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

from tfcnn.base.errors import InputError
from tfcnn.explain.grid import Grid, after

__all__ = ["Stage", "choose", "find", "shown", "stages"]

CONVOLUTIONS = ("Conv2D", "DepthwiseConv2D", "SeparableConv2D", "Conv2DTranspose")
POOLS = ("MaxPooling2D", "AveragePooling2D")


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
    def is_shown(self) -> bool:
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


def shown(model: Any) -> list[Stage]:
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
    return [stage for stage in learnt if stage.is_shown] or learnt


def choose(model: Any, least_cells: int) -> Stage:
    """Return the deepest layer whose maps have at least that many cells on their shorter side.

    Where none has as many, the one that comes nearest to it.

    Raises:
        InputError: if the network has no convolution.
    """
    found = shown(model)
    sides = [min(min(stage.size), least_cells) for stage in found]
    return next(
        stage
        for stage, side in zip(reversed(found), reversed(sides), strict=True)
        if side == max(sides)
    )


def find(model: Any, name: str) -> Stage:
    """Return the layer of that name.

    Raises:
        InputError: if there is none, or it makes no feature maps, or several have the name.
    """
    known = shown(model)  # a network without convolutions is refused for that
    found = [stage for stage in stages(model) if stage.name == name]
    if len(found) == 1:
        return found[0]
    names = ", ".join(dict.fromkeys(stage.name for stage in known))
    received = f"{len(found)} of them" if found else "no such layer"
    raise InputError(f"layer {name!r}", f"a layer with feature maps, such as {names}", received,
                     known[-1].name)  # fmt: skip


class _Walk:
    """One pass over a model's layers in the order of computation."""

    def __init__(self, model: Any, grid: Grid | None, has_learnt: bool, is_whole: bool) -> None:
        self.found: dict[int, list[Stage]] = {}
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
        self.stages = [stage for group in self.found.values() for stage in group]
        self.grid = self._grids.get(id(model.outputs[0]))
        self.has_learnt = self._learnt[id(model.outputs[0])]

    def _visit(self, node: Any, *, is_alone: bool, is_shared: bool) -> None:
        layer, inputs = node.operation, node.input_tensors
        is_whole = self._is_whole and is_alone
        grid = _mean([self._grids.get(id(tensor)) for tensor in inputs])
        if is_shared and _size(inputs[0]) == self._size:
            grid = self._grid  # the first view may be a shifted one: `views` finds by how much
        learnt = any(self._learnt[id(tensor)] for tensor in inputs) or _is_convolution(layer)
        inner = None
        if hasattr(layer, "layers"):
            inner = _Walk(layer, grid, learnt, is_whole)
            self.found.setdefault(id(layer), inner.stages)
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
                    self.found.setdefault(id(layer), [stage])


def _mean(grids: list[Grid | None]) -> Grid | None:
    """Return where joined maps lie: branches with other kernels differ by parts of a cell."""
    known = [grid for grid in grids if grid]
    if not known:
        return None
    start = [sum(grid.start[axis] for grid in known) / len(known) for axis in (0, 1)]
    return Grid((start[0], start[1]), known[0].step)


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
