"""A network as a flat list of steps: models inside it are opened, shared layers are called again.

A saved model may hold other models, call one of them several times (each time on another view of
the image), and branch. A page shows what is computed, one step after the other. So each call of a
layer is a step here, and each step names the steps whose results it takes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tfcnn.base.errors import InputError

IMAGE = 0  # the place of the model's input


@dataclass(frozen=True)
class Step:
    """One call of a layer, or of a function of `keras.ops`.

    Attributes:
        node: Keras' record of the call.
        inputs: places of the results that it takes, in the order of `node.input_tensors`.
        outputs: places of its results.
        within: names of the models that it is part of, the outermost left out, with the number of
            the call where a model is called several times: `("trunk", "2")`.
    """

    node: Any
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    within: tuple[str, ...]

    @property
    def layer(self) -> Any:
        """The layer, or the operation, that is called."""
        return self.node.operation


@dataclass(frozen=True)
class Steps:
    """The steps of a network, each after those that it needs.

    Attributes:
        steps: the calls.
        shapes: of each result, without the axis of images; the image's own at `IMAGE`.
        answer: place of the network's output.
    """

    steps: tuple[Step, ...]
    shapes: tuple[tuple[int, ...], ...]
    answer: int

    def compute(self, images: Any) -> list[Any]:
        """Return every result, in the order of places.

        Args:
            images: a float32 tensor `(n, height, width, channels)` in [0, 255].
        """
        import tensorflow as tf

        values: list[Any] = [images]
        for step in self.steps:
            tensors = zip(step.node.input_tensors, step.inputs, strict=True)
            arguments, options = step.node.arguments.fill_in(
                {id(tensor): values[place] for tensor, place in tensors}
            )
            values += tf.nest.flatten(step.layer(*arguments, **options))
        return values


def steps_of(model: Any) -> Steps:
    """Return the steps of a network.

    Args:
        model: a keras.Model with one input and one output, Sequential or functional.

    Raises:
        InputError: if it is another kind of model, or a result has no fixed shape.
    """
    if len(getattr(model, "inputs", None) or ()) != 1 or len(model.outputs) != 1:
        raise InputError(
            f"network {getattr(model, 'name', model)}",
            "a Sequential or functional model with one input and one output",
            type(model).__name__,
            "keras.Model(inputs, outputs)",
        )
    walk = _Walk(tuple(model.inputs[0].shape[1:]))
    (answer,) = walk.through(model, [IMAGE], ())
    for place, shape in enumerate(walk.shapes):
        if not all(isinstance(side, int) for side in shape):
            raise InputError(
                f"network {model.name}", "layers whose results have a fixed shape",
                f"{shape} of result {place}", "a keras.Input of a fixed size",
            )  # fmt: skip
    return Steps(tuple(walk.steps), tuple(walk.shapes), answer)


class _Walk:
    """One pass over the calls of a model, and of the models inside it."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.steps: list[Step] = []
        self.shapes: list[tuple[int, ...]] = [shape]

    def through(self, model: Any, inputs: Sequence[int], within: tuple[str, ...]) -> list[int]:
        """Add the steps of a model to the list; return the places of its outputs."""
        tensors = zip(model.inputs, inputs, strict=True)
        places = {id(tensor): place for tensor, place in tensors}
        nodes = [node for node in _nodes(model) if node.input_tensors]
        inner = [node.operation for node in nodes if _is_model(node.operation)]
        calls: dict[int, int] = {}
        for node in nodes:
            layer = node.operation
            taken = [places[id(tensor)] for tensor in node.input_tensors]
            if _is_model(layer):
                calls[id(layer)] = call = calls.get(id(layer), 0) + 1
                number = (str(call),) if inner.count(layer) > 1 else ()
                given = self.through(layer, taken, (*within, str(layer.name), *number))
            else:
                given = self._add(node, taken, within)
            places |= {id(t): place for t, place in zip(node.outputs, given, strict=True)}
        return [places[id(tensor)] for tensor in model.outputs]

    def _add(self, node: Any, taken: list[int], within: tuple[str, ...]) -> list[int]:
        first = len(self.shapes)
        self.shapes += [tuple(tensor.shape[1:]) for tensor in node.outputs]
        given = list(range(first, len(self.shapes)))
        self.steps.append(Step(node, tuple(taken), tuple(given), within))
        return given


def _is_model(layer: Any) -> bool:
    return hasattr(layer, "layers") and bool(getattr(layer, "inputs", None))


def _nodes(model: Any) -> list[Any]:
    """Return the calls that make up a model, each after those that it needs."""
    import keras

    by_depth = keras.Model(model.inputs, model.outputs)._nodes_by_depth  # a Sequential has none
    return [node for depth in sorted(by_depth, reverse=True) for node in by_depth[depth]]
