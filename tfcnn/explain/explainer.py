"""A run, ready to be explained."""

from typing import Any

import numpy as np
import numpy.typing as npt

from tfcnn.base import quiet
from tfcnn.base.errors import InputError
from tfcnn.explain import recording, structure
from tfcnn.explain.cam import Method, ModelExplainer
from tfcnn.runs import MODEL, Run

__all__ = ["Explainer", "feature_maps", "filters"]

Floats = npt.NDArray[np.float32]
Pixels = npt.NDArray[np.uint8]


class Explainer(ModelExplainer):
    """The saved model of a run, ready to be explained.

    Args:
        run: an opened run.
        method: see `ModelExplainer`.
        layer: see `ModelExplainer`.

    Raises:
        InputError: if the run has no `model.keras`, or its network no convolution or no such layer.
        CheckError: if `model.keras` is not the file that was measured.

    Example:
        >>> Explainer(tfcnn.load("malaria")).maps(images)  # doctest: +SKIP
    """

    def __init__(self, run: Run, method: Method = "layer-cam", layer: str | None = None) -> None:
        if not run.is_recorded(MODEL):
            raise InputError(
                run.path, "a model.keras, whose gradients explain it", "none", "training it again"
            )
        path = run.file(MODEL)
        quiet.load_tensorflow()
        import keras

        super().__init__(keras.saving.load_model(path, compile=False), method, layer)
        self.run = run

    @property
    def thing(self) -> str:
        """What the images show, in one word: "cell", or "object" where they may show anything."""
        images: str = self.run.card["data"]["nouns"][0]
        return "object" if images == "images" else images.removesuffix("s")


def filters(model: Any, layer: str | None = None) -> tuple[str, Floats]:
    """Return the kernels of a convolution, the first one by default.

    Args:
        model: a keras.Model.
        layer: the name of a convolution.

    Returns:
        The layer's name, and float32 `(kernel_height, kernel_width, in_channels, filters)`.

    Raises:
        InputError: if there is no such convolution.
    """
    if layer:
        found = structure.find(model, layer)
    else:
        structure.shown(model)  # a network without convolutions is refused for that
        found = next(stage for stage in structure.stages(model) if stage.is_convolution)
    kernel = getattr(found.layer, "kernel", None)
    if kernel is None:
        raise InputError(f"layer {layer!r}", "a convolution", type(found.layer).__name__, "conv1")
    return found.name, np.asarray(kernel, np.float32)


def feature_maps(model: Any, image: Pixels, layers: list[str] | None = None) -> dict[str, Floats]:
    """Return what layers make of one image.

    Args:
        model: a keras.Model.
        image: uint8 `(height, width, channels)` in [0, 255], of the model's input size.
        layers: names; by default those whose maps are finished features, in order.

    Returns:
        Per layer float32 `(height, width, channels)`.

    Raises:
        InputError: if there is no such layer, or the image is of another size.
    """
    if image.shape != tuple(model.input_shape[1:]):
        wanted = "x".join(map(str, model.input_shape[1:]))
        received = "x".join(map(str, image.shape))
        raise InputError("image", wanted, received, "an image of that size")
    names = layers or []
    found = [structure.find(model, name) for name in names] or structure.shown(model)
    answers = recording.outputs(model, [stage.layer for stage in found], image)
    return {stage.name: maps for stage, maps in zip(found, answers, strict=True)}
