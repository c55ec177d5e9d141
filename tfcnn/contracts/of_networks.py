"""What every network must do, wherever its file lies."""

import functools
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from tfcnn import architectures
from tfcnn.architectures import structure
from tfcnn.base.errors import InputError

Floats = npt.NDArray[np.float32]
CLASSES = 3
MOST_EPOCHS = 100  # of 10 steps
USUAL = (32, 32)  # px, where a file does not say what is smallest
RELOAD = """
import pathlib, sys, keras, numpy as np
for path in pathlib.Path(sys.argv[1]).glob("*.keras"):
    model = keras.models.load_model(path)
    np.save(path.with_suffix(".probs.npy"), model(np.load(path.with_suffix(".npy"))))
assert "tfcnn" not in sys.modules
"""


class Candidate:
    """A network that is looked at.

    Args:
        name: of the network, or the path of its file.
        options: of its `build`; a backbone gets `weights="none"` besides.
    """

    def __init__(self, name: str, options: dict[str, Any] | None = None) -> None:
        self.name = name
        no_weights = {"weights": "none"} if architectures.is_backbone(name) else {}
        self.options: dict[str, Any] = {**(options or {}), **no_weights}

    @functools.cached_property
    def shape(self) -> tuple[int, int, int]:
        """The smallest images it takes, `(height, width, channels)`."""
        has_size = architectures.has_constant(self.name, "MIN_SIZE")
        height, width = architectures.smallest_size(self.name) if has_size else USUAL
        return height, width, architectures.part(self.name, "CHANNELS") or 3

    @functools.cached_property
    def small(self) -> Any:
        """The network for the smallest images."""
        return self.build()

    @functools.cached_property
    def other(self) -> Any:
        """The network for larger oblong images of two classes, in mixed precision."""
        height, width, channels = self.shape
        before = keras.config.dtype_policy()
        keras.config.set_dtype_policy("mixed_bfloat16")
        try:
            shape = (height + 5, width + 2, channels)
            return self._made(shape, 2)
        finally:
            keras.config.set_dtype_policy(before)

    def build(self) -> Any:
        """Return the network for the smallest images, anew."""
        keras.utils.set_random_seed(0)
        return self._made(self.shape, CLASSES)

    def _made(self, shape: tuple[int, int, int], num_classes: int) -> Any:
        model = architectures.build_unchecked(self.name, shape, num_classes, self.options)
        if len(getattr(model, "outputs", None) or ()) > 1:  # it is used without them
            model = architectures.part(self.name, "without_auxiliary")(model)
        return model

    def images(self, count: int) -> npt.NDArray[np.uint8]:
        """Return random images, uint8 `(count, height, width, channels)` in [0, 255]."""
        generator = np.random.default_rng(0)
        return generator.integers(0, 256, (count, *self.shape), dtype=np.uint8)

    def probs(self, model: Any) -> Floats:
        """Return the answers of a model for four images, float32 `(4, classes)`."""
        return np.asarray(model(self.images(4).astype(np.float32)))


def structural(check: structure.Check) -> Callable[[Candidate], str]:
    """Return what looks at the parts of a network."""
    return lambda one: check(one.small, one.shape, CLASSES)


def gives_probabilities(one: Candidate) -> str:
    """Say what is wrong with the answers."""
    rows = one.probs(one.small)
    if rows.shape != (4, CLASSES) or rows.dtype != np.float32:
        return f"{rows.dtype} of shape {rows.shape}, not float32 of shape (4, {CLASSES})"
    if not np.allclose(rows.sum(axis=1), 1, atol=1e-5) or not rows.min() >= 0:
        return f"rows such as {rows[0].tolist()}, which do not sum to 1"
    return ""


def refuses_smaller_images(one: Candidate) -> str:
    """Say which images smaller than `MIN_SIZE` it takes, or does not name the smallest for."""
    height, width, channels = one.shape
    for shape in ((height - 1, width, channels), (height, width - 1, channels)):
        try:
            architectures.build_unchecked(one.name, shape, CLASSES, one.options)
        except InputError as error:
            if f"at least {height}x{width}" not in str(error):
                return f"{error.received}, for {shape[0]}x{shape[1]} px; require_size says it"
        else:
            return f"a network for {shape[0]}x{shape[1]} px; call require_size in build"
    return ""


def takes_other_shapes(one: Candidate) -> str:
    """Say what is wrong with the network for other images and two classes."""
    height, width, channels = one.shape
    if one.other.input_shape != (None, height + 5, width + 2, channels):
        return f"a network for {one.other.input_shape[1:]}"
    outputs = one.other.output_shape
    return "" if outputs in [(None, 2), (None, 1)] else f"answers of shape {outputs}"


def only_head_pins_a_dtype(one: Candidate) -> str:
    """Say which layers that learn do not follow, or follow, the precision of the training."""
    learning = [layer for layer in one.other.layers if getattr(layer, "weights", [])]
    pinned = [layer.name for layer in learning if layer.compute_dtype != "bfloat16"]
    wanted = [structure.HEAD]
    return "" if pinned == wanted else f"float32 in {', '.join(pinned) or 'no layer'}"


class StandIn(keras.layers.BatchNormalization):  # type: ignore[misc]
    """What the trainer puts in place of batch normalisation, as far as a network can tell."""


def survives_cloning(one: Candidate) -> str:
    """Say what is lost where a training exchanges layers."""

    def swap(layer: Any) -> Any:
        is_norm = isinstance(layer, keras.layers.BatchNormalization)
        return (StandIn if is_norm else type(layer)).from_config(layer.get_config())

    clone = keras.models.clone_model(one.small, clone_function=swap)
    clone.set_weights(one.small.get_weights())
    if any(type(layer) is keras.layers.BatchNormalization for layer in clone.layers):
        return "batch normalisation that cannot be exchanged"
    same = np.array_equal(one.probs(clone), one.probs(one.small))
    return "" if same else "other answers"


def predicts_the_same_elsewhere(one: Candidate) -> str:
    """Say how the answers differ where Keras alone loads the saved network, in safe mode."""
    with tempfile.TemporaryDirectory() as folder:
        save(one, Path(folder) / "it.keras")
        return difference(one, reloaded(Path(folder))["it"])


def save(one: Candidate, path: Path) -> None:
    """Write the network, and four images beside it, for `reloaded`."""
    one.small.save(path)
    np.save(path.with_suffix(".npy"), one.images(4).astype(np.float32))


def reloaded(folder: Path) -> dict[str, Floats]:
    """Return the answers of each network in a folder, from one fresh process without tfcnn.

    Raises:
        InputError: if one cannot be loaded.
    """
    command = [sys.executable, "-c", RELOAD, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["nothing"])[-1]
        raise InputError(folder, "models that Keras loads", said[:300], "plain Keras layers")
    return {path.stem: np.load(path.with_suffix(".probs.npy")) for path in folder.glob("*.keras")}


def difference(one: Candidate, probs: Floats) -> str:
    """Say how far answers are from those of the network here."""
    largest = float(np.abs(probs - one.probs(one.small)).max())
    return "" if largest <= 1e-6 else f"a difference of {largest:.2g}"


class StopNearZero(keras.callbacks.Callback):  # type: ignore[misc]
    """Ends a training once it has learnt its images."""

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Stop where next to nothing is lost."""
        self.model.stop_training = logs["loss"] < 0.05


def losses_by_heart(one: Candidate, model: Any, repeats: int = 10) -> list[float]:
    """Fit 16 images, the brighter the later their class, until the loss is near zero.

    One epoch shows them `repeats` times: an epoch costs more than a step of these sizes.
    """
    labels = np.arange(16) % model.output_shape[-1]
    noise = one.images(16) % 64
    batch = noise + (64 * labels).astype(np.uint8)[:, None, None, None]
    model.compile(keras.optimizers.Adam(2e-3), "sparse_categorical_crossentropy")
    fitted = model.fit(
        np.tile(batch, (repeats, 1, 1, 1)),
        np.tile(labels, repeats),
        batch_size=16,
        shuffle=False,
        epochs=MOST_EPOCHS,
        verbose=0,
        callbacks=[StopNearZero()],
    )
    return list(fitted.history["loss"])


def learns_by_heart(one: Candidate) -> str:
    """Say how much is lost on 16 images after many steps."""
    loss = losses_by_heart(one, one.build())[-1]
    return "" if loss < 0.05 else f"a loss of {loss:.3f} after {10 * MOST_EPOCHS:,} steps"


STRUCTURE = tuple((text, structural(check)) for text, check in structure.CHECKS)
BEHAVIOUR: tuple[tuple[str, Callable[[Candidate], str]], ...] = (
    ("gives a row of probabilities for each image", gives_probabilities),
    ("takes larger and oblong images, and two classes", takes_other_shapes),
    ("computes in the precision of the training, only its head in float32", only_head_pins_a_dtype),
    ("gives the same answers with exchanged layers", survives_cloning),
)
SIZE = ("refuses images smaller than MIN_SIZE, and names it", refuses_smaller_images)
ELSEWHERE = ("gives the same answers where Keras alone loads it", predicts_the_same_elsewhere)
BY_HEART = ("learns 16 images by heart", learns_by_heart)


def of(name: str, options: dict[str, Any]) -> list[tuple[str, Callable[[], str]]]:
    """Return the promises of one network, each with what tells why it is not kept.

    Args:
        name: of the network, or the path of its file.
        options: of its `build`.
    """
    one = Candidate(name, options)
    size = [SIZE] if architectures.has_constant(name, "MIN_SIZE") else []
    promises = [*STRUCTURE, *BEHAVIOUR, *size, ELSEWHERE, BY_HEART]
    return [(text, functools.partial(check, one)) for text, check in promises]
