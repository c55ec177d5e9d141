"""What every network must do, whichever file it is in: a new file is covered at once."""

import functools
import importlib
import subprocess
import sys

import keras
import numpy as np
import pytest

from tfcnn.architectures import build, is_backbone, names
from tfcnn.base.errors import InputError

CLASSES = 3
# no weights on a test machine, or the same work as without
OPTIONS = {name: {"weights": None} for name in names() if is_backbone(name)}
# over 5 s on one core
SLOW_TO_TRAIN = {"alexnet", "efficientnet_lite", "googlenet", "lenet5", "pretrained", "resnet"}

every_network = pytest.mark.parametrize("name", names())


def smallest_shape(name: str) -> tuple[int, int, int]:
    module = importlib.import_module(f"tfcnn.architectures.{name}")
    return (*module.MIN_SIZE, getattr(module, "CHANNELS", 3))


def images(name: str, count: int) -> np.ndarray:
    generator = np.random.default_rng(0)
    return generator.integers(0, 256, (count, *smallest_shape(name)), dtype=np.uint8)


def build_small(name: str) -> keras.Model:
    keras.utils.set_random_seed(0)
    return build(name, smallest_shape(name), CLASSES, OPTIONS.get(name))


@functools.cache
def small(name: str) -> keras.Model:
    return build_small(name)


@functools.cache
def other(name: str) -> keras.Model:
    """Build for larger oblong images of two classes in mixed precision."""
    height, width, channels = smallest_shape(name)
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        return build(name, (height + 5, width + 2, channels), 2, OPTIONS.get(name))
    finally:
        keras.config.set_dtype_policy(before)


def probs(model: keras.Model, name: str) -> np.ndarray:
    return np.asarray(model(images(name, 4).astype(np.float32)))


@every_network
def test_gives_one_row_of_probabilities_per_image(name):
    rows = probs(small(name), name)
    assert rows.shape == (4, CLASSES)
    assert rows.dtype == np.float32
    np.testing.assert_allclose(rows.sum(axis=1), 1, atol=1e-5)
    assert rows.min() >= 0


@every_network
def test_pixels_are_scaled_first_and_the_last_layer_is_a_dense_head_on_a_vector(name):
    model = small(name)
    assert model.inputs[0].name == "image"
    order = [layer.name for layer in model.layers]
    learning = [layer.name for layer in model.layers if getattr(layer, "weights", [])]
    assert isinstance(model.get_layer("rescale"), keras.layers.Rescaling)
    assert order.index("rescale") < order.index(learning[0])
    head = model.layers[-1]
    assert (head.name, type(head), head.units) == ("head", keras.layers.Dense, CLASSES)
    assert len(head.input.shape) == 2
    assert model.outputs[0] is head.output


@every_network
def test_is_made_of_plain_keras_layers(name):
    kinds = {type(layer) for layer in small(name).layers}
    assert all(kind.__module__.startswith("keras.src.") for kind in kinds)
    assert keras.layers.Lambda not in kinds


@every_network
def test_refuses_smaller_images_and_names_the_smallest(name):
    height, width, channels = smallest_shape(name)
    for shape in [(height - 1, width, channels), (height, width - 1, channels)]:
        with pytest.raises(InputError, match=f"at least {height}x{width}"):
            build(name, shape, CLASSES, OPTIONS.get(name))


@every_network
def test_takes_images_of_other_shapes(name):
    height, width, channels = smallest_shape(name)
    model = other(name)
    assert model.input_shape == (None, height + 5, width + 2, channels)
    assert model.output_shape in [(None, 2), (None, 1)]


@every_network
def test_of_the_layers_that_learn_only_the_head_pins_a_dtype(name):
    pinned = [
        layer.name
        for layer in other(name).layers
        if getattr(layer, "weights", []) and layer.compute_dtype != "bfloat16"
    ]
    assert pinned == ["head"]


class StandIn(keras.layers.BatchNormalization):
    """What the trainer puts in place of batch normalisation, as far as a network can tell."""


def swap(layer):
    kind = StandIn if isinstance(layer, keras.layers.BatchNormalization) else type(layer)
    return kind.from_config(layer.get_config())


@every_network
def test_survives_cloning_with_other_layers(name):
    model = small(name)
    clone = keras.models.clone_model(model, clone_function=swap)
    clone.set_weights(model.get_weights())
    assert not any(type(layer) is keras.layers.BatchNormalization for layer in clone.layers)
    np.testing.assert_array_equal(probs(clone, name), probs(model, name))


@pytest.fixture(scope="module")
def reloaded(tmp_path_factory) -> dict[str, np.ndarray]:
    """Predictions of every network, saved and loaded in one fresh process without tfcnn."""
    folder = tmp_path_factory.mktemp("saved")
    for name in names():
        small(name).save(folder / f"{name}.keras")
        np.save(folder / f"{name}.npy", images(name, 4).astype(np.float32))
    program = (
        "import pathlib, sys, keras, numpy as np\n"
        "for path in pathlib.Path(sys.argv[1]).glob('*.keras'):\n"
        "    model = keras.models.load_model(path)\n"
        "    np.save(path.with_suffix('.probs.npy'), model(np.load(path.with_suffix('.npy'))))\n"
        "assert 'tfcnn' not in sys.modules\n"
    )
    command = [sys.executable, "-c", program, str(folder)]
    subprocess.run(command, check=True, capture_output=True)
    return {name: np.load(folder / f"{name}.probs.npy") for name in names()}


@every_network
def test_predicts_the_same_after_reload_in_a_fresh_process(name, reloaded):
    np.testing.assert_allclose(reloaded[name], probs(small(name), name), atol=1e-6)


class StopNearZero(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        self.model.stop_training = logs["loss"] < 0.05


def learn_by_heart(model: keras.Model, name: str, repeats: int = 10) -> list[float]:
    """Fit 16 images, the brighter the later their class, until the loss is near zero.

    One epoch shows them `repeats` times: an epoch costs more than a step of these sizes.
    """
    labels = np.arange(16) % model.output_shape[-1]
    noise = images(name, 16) % 64
    batch = noise + (64 * labels).astype(np.uint8)[:, None, None, None]
    model.compile(keras.optimizers.Adam(2e-3), "sparse_categorical_crossentropy")
    stop = StopNearZero()
    fitted = model.fit(
        np.tile(batch, (repeats, 1, 1, 1)),
        np.tile(labels, repeats),
        batch_size=16,
        shuffle=False,
        epochs=30,
        verbose=0,
        callbacks=[stop],
    )
    return fitted.history["loss"]


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[pytest.mark.slow] * (n in SLOW_TO_TRAIN)) for n in names()]
)
def test_learns_16_images_by_heart(name):
    losses = learn_by_heart(build_small(name), name)
    assert losses[-1] < 0.05
