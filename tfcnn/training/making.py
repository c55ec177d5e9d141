"""How a model came about: what its card and its report say of that, besides what is measured."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tfcnn import architectures
from tfcnn.training.choose import Chosen


@dataclass(frozen=True)
class Making:
    """How a model came about.

    Attributes:
        network: of `model.json`: its name, its options, what it began from.
        facts: of `report.json`: epochs, times, what was not tried.
        precision: the dtype policy it learnt with; "" where that is not known.
        features: float32 `(images, features)` of all images, where they are known.
        has_features: whether the head takes features.
        remarks: what a reader must know of the model.
    """

    network: dict[str, Any]
    facts: dict[str, Any]
    precision: str
    features: npt.NDArray[np.float32] | None = None
    has_features: bool = True
    remarks: tuple[str, ...] = ()


def of_training(chosen: Chosen) -> Making:
    """Return how a model came about that was trained by a recipe."""
    prepared, state = chosen.prepared, chosen.state
    seconds = state.train_seconds
    waiting = [row["waiting_fraction"] for row in state.history]
    trained = len(prepared.rows["train"]) * len(state.history)
    facts = {
        "train_seconds": seconds,
        "train_cpu_seconds": state.train_cpu_seconds,
        "images_per_second": trained / seconds if trained else None,
        "waiting_fraction": float(np.mean(waiting)) if waiting else None,
        "epochs": len(state.history),
        "continues": state.continues,
        "head": state.head,
        "not_tried": list(chosen.left_out),
    }
    return Making(_network(chosen), facts, state.precision, chosen.trained.features)


def _network(chosen: Chosen) -> dict[str, Any]:
    model = chosen.prepared.recipe.model
    weights = architectures.weights(model.network, model.options)
    content: dict[str, Any] = {"name": Path(model.network).name, "options": model.options}
    content |= {"start": model.start, "tries": [asdict(one) for one in chosen.tries]}
    if weights is not None:
        origin = architectures.part(model.network, "ORIGIN")
        content["origin"] = origin if weights == "imagenet" and origin else weights
    return content
