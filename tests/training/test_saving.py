"""What is kept of a training: the kernels it computed with, in a file that any Keras loads."""

import zipfile

import keras
import numpy as np
import pytest

from tfcnn.recipe import ModelSettings
from tfcnn.training import form, saving

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
    saving.write_keras(plain, tmp_path / "model.keras")
    with zipfile.ZipFile(tmp_path / "model.keras") as file:
        stored = {each.filename: each for each in file.infolist()}
    weights_file = stored["model.weights.h5"]
    assert weights_file.compress_size < 0.8 * weights_file.file_size
    loaded = keras.models.load_model(tmp_path / "model.keras")
    for ours, theirs in zip(loaded.get_weights(), weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)
