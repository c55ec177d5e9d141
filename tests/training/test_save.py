"""What is kept of a training: the kernels it computed with, in a file that any Keras loads."""

import zipfile

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfcnn import architectures, recipes
from tfcnn.architectures import speedrun
from tfcnn.recipes import ModelSettings
from tfcnn.training import fit, form, save, twin
from tfcnn.training.layers import gelu
from tfcnn.training.train import train

NETWORK = ModelSettings(network="speedrun", options={"widths": [16, 16]})
SHAPE = (12, 12, 3)


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_the_saved_form_is_the_network_that_was_trained(policy):
    trained = form.training_form(NETWORK, SHAPE, 10, policy)
    saved = form.saved_form(NETWORK, SHAPE, 10, form.as_computed(trained.get_weights(), policy))
    for ours, theirs in zip(trained.layers, saved.layers, strict=True):
        for weight, kept in zip(ours.weights, theirs.weights, strict=True):
            is_kernel = isinstance(ours, keras.layers.Conv2D)
            dtype = ours.compute_dtype if is_kernel else "float32"
            used = keras.ops.cast(keras.ops.cast(weight, dtype), "float32")
            np.testing.assert_array_equal(kept, used)


def test_a_model_is_written_compressed_and_loads_in_keras_alone(tmp_path):
    model = form.training_form(NETWORK, SHAPE, 10, "float32")
    weights = form.as_computed(model.get_weights(), "mixed_bfloat16")
    plain = form.saved_form(NETWORK, SHAPE, 10, weights)
    save.write_keras(plain, tmp_path / "model.keras")
    with zipfile.ZipFile(tmp_path / "model.keras") as file:
        stored = {each.filename: each for each in file.infolist()}
    weights_file = stored["model.weights.h5"]
    assert weights_file.compress_size < 0.8 * weights_file.file_size
    loaded = keras.models.load_model(tmp_path / "model.keras")
    for ours, theirs in zip(loaded.get_weights(), weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_network_with_gelu_has_a_litert_twin(tmp_path):
    plain = architectures.build("speedrun", SHAPE, 10, NETWORK.options)
    images = np.random.default_rng(0).integers(0, 256, (4, *SHAPE), dtype=np.uint8)
    probs = np.asarray(plain(images.astype(np.float32)))
    assert twin.write(plain, tmp_path / "model.tflite", images, probs) is not None


@pytest.mark.skipif(bool(tf.config.list_physical_devices("GPU")), reason="for CPUs")
@pytest.mark.parametrize(
    ("policy", "tolerance"), [("float32", 1e-5), ("mixed_float16", 0.01), ("mixed_bfloat16", 0.1)]
)
def test_the_training_form_is_the_faster_one_and_the_same_network(policy, tolerance):
    keras.utils.set_random_seed(0)  # by rounding, another place of a pool may be the greatest
    trained = form.training_form(NETWORK, SHAPE, 10, policy)
    assert sum(getattr(layer, "activation", None) is gelu for layer in trained.layers) == 4
    plain = form.saved_form(NETWORK, SHAPE, 10, trained.get_weights())
    plain.get_layer("head").activation = None
    images = np.random.default_rng(0).integers(0, 256, (6, *SHAPE)).astype(np.float32)

    @tf.function(input_signature=[tf.TensorSpec((None, *SHAPE))])
    def gradients(batch):
        found = []
        for model in (trained, plain):
            with tf.GradientTape() as tape:
                logits = tf.cast(model(batch, training=True), tf.float32)
            kernels = [model.get_layer("conv1b").kernel.value, model.get_layer("head").kernel.value]
            found.append(tape.gradient(logits, kernels, tf.ones_like(logits)))
        return found

    for ours, theirs in zip(*gradients(images), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=tolerance * float(tf.norm(theirs)))


QUICK = [
    "model.network=speedrun",
    "model.options.widths=[8]",
    "train.epochs=1",
    "train.batch_size=16",
    "train.precision=float32",
    "data.image_size=16",
]


def test_start_and_checks_see_images_of_every_class(make_tree, home, tmp_path, monkeypatch):
    seen = {}

    def starting(model, images):
        seen["start"] = images

    def writing(model, path, sample, *rest, **options):
        seen["twin"] = sample
        return write(model, path, sample, *rest, **options)

    write = twin.write
    monkeypatch.setattr(speedrun, "initialize", starting)
    monkeypatch.setattr(twin, "write", writing)
    monkeypatch.setattr(fit, "START_IMAGES", 8)
    monkeypatch.setattr(save, "TWIN_IMAGES", 4)
    classes = ("high", "low")
    recipe = recipes.for_folder(make_tree(classes=classes, groups=8, per_group=8, side=16))
    train(recipes.override(recipe, QUICK), tmp_path / "run")
    assert [len(seen["start"]), len(seen["twin"])] == [8, 4]
    for images in seen.values():
        is_low = images[:, 8:].mean(axis=(1, 2, 3)) > images[:, :8].mean(axis=(1, 2, 3))
        assert np.bincount(is_low).tolist() == [len(images) // 2] * 2
