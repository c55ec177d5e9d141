"""A network, ready to be explained: class activation maps, filters and feature maps."""

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from tfcnn.base.errors import InputError
from tfcnn.explain import feature_layers
from tfcnn.explain.gradients import find_views, layer_outputs, logit_gradients
from tfcnn.runs import MODEL, Run, fold_name, keras_file

Floats = npt.NDArray[np.float32]
Pixels = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.integer]
Method = Literal["grad-cam", "layer-cam"]

BATCH_SIZE = 32


def grad_cam(activations: Floats, gradients: Floats) -> Floats:
    """Weigh each feature map by the mean of its gradient, and add them up.

    Where global averaging and one dense layer follow, this is the class activation map of Zhou et
    al. 2016 over the number of cells.

    Args:
        activations: float32 `(n, height, width, channels)`.
        gradients: of the class's logit with respect to them, of the same shape.

    Returns:
        float32 `(n, height, width)`, positive where the class is spoken for.

    Reference:
        Selvaraju et al., Grad-CAM: visual explanations from deep networks via gradient-based
        localization, ICCV 2017, equations 1 and 2 (the rectification is left to the caller).
    """
    weights = gradients.mean(axis=(1, 2), keepdims=True)
    summed: Floats = (weights * activations).sum(axis=-1)
    return summed


def layer_cam(activations: Floats, gradients: Floats) -> Floats:
    """Weigh each feature map at each place by its gradient there, if positive, and add them up.

    One weight per map holds only in the last layers. Place by place, maps of earlier and finer
    layers can be used too.

    Arguments and result are those of `grad_cam`.

    Reference:
        Jiang et al., LayerCAM: exploring hierarchical class activation maps for localization, IEEE
        Transactions on Image Processing 30 (2021), equations 6 to 8.
    """
    summed: Floats = (np.maximum(gradients, 0) * activations).sum(axis=-1)
    return summed


class _Settings(NamedTuple):
    """What belongs to a method.

    Attributes:
        title: its name in the literature.
        formula: from activations and gradients to maps.
        least_cells: on the shorter side of the default layer's maps; coarser ones say little of
            where (measured in docs/explain.md).
    """

    title: str
    formula: Callable[[Floats, Floats], Floats]
    least_cells: int


METHODS = {
    "grad-cam": _Settings("Grad-CAM", grad_cam, least_cells=5),
    "layer-cam": _Settings("LayerCAM", layer_cam, least_cells=10),
}


class ModelExplainer:
    """A Keras model, ready to be explained.

    Args:
        model: Sequential or functional, with nested models or without, new or loaded; from images
            `(n, height, width, channels)` in [0, 255] to probabilities by a softmax or a sigmoid.
        method: `layer-cam`, or `grad-cam`, which needs a deep and so a coarse layer.
        layer: the name of the layer whose maps are used. By default the deepest with at least 5
            cells on the shorter side for `grad-cam`, and 10 for `layer-cam`.

    Attributes:
        layer: the name of the layer used.
        cell: `(height, width)` of one cell of its maps, in px of the image.

    Raises:
        InputError: if the network has no convolution, no such layer, or another end.
    """

    def __init__(self, model: Any, method: Method = "layer-cam", layer: str | None = None) -> None:
        if method not in METHODS:
            raise InputError("method", f"one of {', '.join(METHODS)}", repr(method), "layer-cam")
        self.model = model
        self.method = method
        self._formula = METHODS[method].formula
        stage = (
            feature_layers.find(model, layer)
            if layer
            else feature_layers.choose(model, METHODS[method].least_cells)
        )
        self._stage = stage
        self.layer = stage.name
        self.cell = stage.grid.step
        self.shape: tuple[int, int, int] = tuple(model.input_shape[1:])
        calls, _, logits = logit_gradients(
            model, stage.layer, np.zeros((1, *self.shape), np.float32), None
        )
        self.num_classes = logits.shape[1]
        self._views = find_views(model, len(calls))

    def maps(self, images: Pixels, classes: Ints | None = None) -> Floats:
        """Return where the network sees evidence for a class.

        Args:
            images: uint8 `(n, height, width, channels)` in [0, 255], of the model's input size.
            classes: int `(n,)`, the class to explain per image; the predicted one if None.

        Returns:
            float32 `(n, height, width)` in [0, 1], 1 at the strongest place of each image; all 0
            where nothing speaks for the class.

        Raises:
            InputError: if shapes or classes do not fit the model.
        """
        return self.maps_and_logits(images, classes)[0]

    def maps_and_logits(self, images: Pixels, classes: Ints | None = None) -> tuple[Floats, Floats]:
        """Return the maps, and the logits `(n, classes)` that the model gives."""
        self._check(images, classes)
        parts = []
        for start in range(0, len(images), BATCH_SIZE):
            part = slice(start, start + BATCH_SIZE)
            parts.append(self._batch(images[part], None if classes is None else classes[part]))
        if not parts:
            return np.zeros((0, *self.shape[:2]), np.float32), np.zeros(
                (0, self.num_classes), np.float32
            )
        return np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts])

    def probs(self, logits: Floats) -> Floats:
        """Return the probabilities `(n, classes)` of logits that `maps_and_logits` gave."""
        from scipy import special

        # a sigmoid's logits are (-z, z): its probability is that of a softmax over half of them
        scale = 0.5 if self.model.output_shape[-1] == 1 else 1.0
        probs: Floats = special.softmax(scale * logits, axis=1)
        return probs

    def _batch(self, images: Pixels, classes: Ints | None) -> tuple[Floats, Floats]:
        stage = self._stage
        activations, slopes, logits = logit_gradients(self.model, stage.layer, images, classes)
        total = np.zeros(images.shape[:3], np.float32)
        for view, activation, slope in zip(self._views, activations, slopes, strict=True):
            # each view's map is laid upright before they are added; the sum is rectified
            total += view.upright(self._formula(activation, slope), stage.grid, self.shape[:2])
        positive = np.maximum(total, 0)
        highest = positive.max(axis=(1, 2), keepdims=True)
        return np.divide(positive, highest, out=positive, where=highest > 0), logits

    def _check(self, images: Pixels, classes: Ints | None) -> None:
        if images.ndim != 4 or images.shape[1:] != self.shape:
            size = "x".join(map(str, self.shape))
            received = "x".join(map(str, images.shape))
            raise InputError("images", f"shape nx{size}", received, "images of that size")
        if classes is None:
            return
        if np.shape(classes) != (len(images),) or not np.issubdtype(
            np.asarray(classes).dtype, np.integer
        ):
            raise InputError(
                "classes", f"{len(images)} whole numbers, one per image",
                f"{np.asarray(classes).dtype} of shape {np.shape(classes)}", "classes=None",
            )  # fmt: skip
        if len(images) and not 0 <= min(classes) <= max(classes) < self.num_classes:
            raise InputError("classes", f"numbers in 0..{self.num_classes - 1}",
                             f"{min(classes)}..{max(classes)}", "classes=None")  # fmt: skip


def has_numbers(maps: Floats, logits: Floats) -> npt.NDArray[np.bool_]:
    """Return for which images map and logits are numbers, not NaN or infinity: bool `(n,)`.

    Args:
        maps: float32 `(n, height, width)`.
        logits: float32 `(n, classes)`.
    """
    numbers = [np.isfinite(maps.reshape(len(maps), -1)), np.isfinite(logits)]
    return np.asarray(np.concatenate(numbers, axis=1).all(axis=1))


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
        if run.num_folds:
            raise InputError(
                run.path, "a run of one network", f"the mean of {run.num_folds} networks",
                f"one of its runs, such as {run.path / fold_name(0)}",
            )  # fmt: skip
        if not run.is_recorded(MODEL):
            raise InputError(
                run.path, "a model.keras, whose gradients explain it", "none", "training it again"
            )
        super().__init__(keras_file.load(run.model_path), method, layer)
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
        stage = feature_layers.find(model, layer)
    else:
        feature_layers.worth_showing(model)  # a network without convolutions is refused for that
        stage = next(one for one in feature_layers.stages(model) if one.is_convolution)
    kernel = getattr(stage.layer, "kernel", None)
    if kernel is None:
        raise InputError(f"layer {layer!r}", "a convolution", type(stage.layer).__name__, "conv1")
    return stage.name, np.asarray(kernel, np.float32)


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
        size = "x".join(map(str, model.input_shape[1:]))
        received = "x".join(map(str, image.shape))
        raise InputError("image", size, received, "an image of that size")
    named = [feature_layers.find(model, name) for name in layers or []]
    stages = named or feature_layers.worth_showing(model)
    outputs = layer_outputs(model, [stage.layer for stage in stages], image)
    return {stage.name: maps for stage, maps in zip(stages, outputs, strict=True)}
