"""What a page must know of a network: its steps, their shapes, and what each computes with."""

import re
from typing import Any

from tfcnn.lab.inside.all_results import Converted
from tfcnn.lab.inside.steps import Step, Steps
from tfcnn.lab.inside.weights import Weights

# what the arithmetic of a layer depends on, beside its weights
SETTINGS = (
    "kernel_size", "strides", "padding", "dilation_rate", "groups", "depth_multiplier", "pool_size",
    "scale", "offset", "epsilon", "axis", "negative_slope", "max_value", "threshold", "cropping",
    "rate", "units", "filters",
)  # fmt: skip
WEIGHTS = (
    "kernel", "depthwise_kernel", "pointwise_kernel", "bias",
    "gamma", "beta", "moving_mean", "moving_variance",
)  # fmt: skip


def describe(steps: Steps, converted: Converted | None = None) -> tuple[dict[str, Any], bytes]:
    """Return a network, JSON-ready, and the weights that its file does not have as they are.

    Args:
        steps: of the network.
        converted: the network in LiteRT's format; None for a drawing without values.

    Returns:
        `image`, the shape of the input; `answer`, the place of the output; `outputs`, per place
        the name of the output of the LiteRT model; and `steps`, each with `name`, `kind`, `within`,
        `inputs`, `place`, `shape`, `parameters` (counted at the first call of a layer), `settings`,
        `activation` and `weights`.
    """
    weights = Weights(converted.content) if converted else None
    placed: dict[int, Any] = {}
    listed = []
    for step in steps.steps:
        for output, place in enumerate(step.outputs):
            entry = _entry(step, place, steps.shapes[place], output)
            entry["parameters"] = 0 if id(step.layer) in placed else _parameters(step.layer)
            if id(step.layer) not in placed:
                placed[id(step.layer)] = _weights(step.layer, weights) if weights else {}
            entry["weights"] = placed[id(step.layer)]
            listed.append(entry)
    network = {"image": list(steps.shapes[0]), "answer": steps.answer, "steps": listed}
    if converted:
        network["outputs"] = list(converted.names)
    return network, weights.rest if weights else b""


def _entry(step: Step, place: int, shape: tuple[int, ...], output: int) -> dict[str, Any]:
    layer = step.layer
    activation = getattr(layer, "activation", None)
    several = f" {output + 1}" if len(step.outputs) > 1 else ""
    return {
        "name": f"{_name(layer)}{several}",
        "kind": type(layer).__name__,
        "within": list(step.within),
        "inputs": list(step.inputs),
        "place": place,
        "shape": list(shape),
        "output": output,
        "settings": _settings(step),
        "activation": getattr(activation, "__name__", None),
    }


def _name(layer: Any) -> str:
    """Return the name of a layer; of a function of `keras.ops`, without Keras' number for it."""
    name = str(layer.name)
    return name if hasattr(layer, "weights") else re.sub(r"_\d+$", "", name)


def _settings(step: Step) -> dict[str, Any]:
    values = {name: _plain(getattr(step.layer, name, None)) for name in SETTINGS}
    found = {name: value for name, value in values.items() if value is not None}
    if type(step.layer).__name__ == "Pad":
        found["pad_width"] = _plain(step.layer.pad_width)
    return found


def _plain(value: Any) -> Any:
    """Return a number, a word, or lists of these; None for anything else."""
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return value if isinstance(value, int | float | str) and not isinstance(value, bool) else None


def _parameters(layer: Any) -> int:
    return int(layer.count_params()) if hasattr(layer, "count_params") and layer.built else 0


def _weights(layer: Any, weights: Weights) -> dict[str, Any]:
    values = {name: getattr(layer, name, None) for name in WEIGHTS}
    return {name: weights.place(value) for name, value in values.items() if value is not None}
