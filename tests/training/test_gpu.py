"""On a GPU: whole trainings in every precision and on two replicas, answering as a processor does.

Left out where nothing is said; with a GPU: pytest -m gpu
"""

import json
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfcnn
from tfcnn.inputs import tfdata
from tfcnn.inputs.resident import Resident, device_for
from tfcnn.prediction import Predictor
from tfcnn.recipes import Augment
from tfcnn.training.precision import choices

pytestmark = pytest.mark.gpu
SETTINGS = ("train.epochs=8",)
TWO_REPLICAS = """
import tensorflow as tf
half = tf.config.LogicalDeviceConfiguration(memory_limit=4096)
tf.config.set_logical_device_configuration(tf.config.list_physical_devices("GPU")[0], [half, half])
import tfcnn
tfcnn.train("digits", run="two", settings=["train.epochs=8"])
"""


def accuracy_of(run):
    return json.loads((run.path / "report.json").read_text())["splits"]["test"]["accuracy"]["value"]


@pytest.mark.parametrize("precision", ["auto", "float32", "mixed_float16", "mixed_bfloat16"])
def test_a_network_learns_on_the_gpu(precision):
    run = tfcnn.train("digits", settings=[*SETTINGS, f"train.precision={precision}"])
    record = run.card["record"]
    assert any("GPU" in device for device in record["devices"])
    assert record["precision"] == choices(precision)[0]
    assert accuracy_of(run) > 0.93


def test_the_saved_model_answers_alike_on_gpu_and_processor():
    run = tfcnn.train("digits", settings=SETTINGS)
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (64, *run.decoder.shape), np.uint8)
    model = keras.saving.load_model(run.path / "model.keras", compile=False)
    with tf.device("/GPU:0"):
        on_gpu = model(tf.cast(images, tf.float32)).numpy()
    on_processor, _ = Predictor(run).probs_and_features(images)
    np.testing.assert_allclose(on_gpu, on_processor, atol=0.01)  # a GPU multiplies in TF32


def test_images_on_the_card_make_the_batches_of_the_processor():
    settings = Augment(rotate90=True, flip_horizontal=True, shear_degrees=9, channel_gain=0.2)
    rng, rows = np.random.default_rng(0), np.arange(40)
    images, labels = rng.integers(0, 256, (40, 24, 24, 3), np.uint8), (rows % 2).astype(np.int32)
    numbers = {"batch_size": 8, "seed": 1, "first_epoch": 0, "epochs": 2}
    there = Resident(images, rows, settings, device_for(images, 40))
    load = tf.function(there.load, autograph=False)
    batches = there.training(labels, rows, **numbers)
    expected = tfdata.training(images, labels, rows, settings, **numbers)
    for (drawn, _), (theirs, _) in zip(batches, expected, strict=True):
        mine = load(drawn)
        assert "GPU" in mine.device
        np.testing.assert_allclose(mine, theirs, atol=0.05)


def test_a_deterministic_training_gives_the_same_weights_twice():
    # as a process each: op determinism cannot be turned off again
    code = "import tfcnn; tfcnn.train('digits', run='{}', settings=[{!r}, {!r}])"
    weights = []
    for name in ("one", "two"):
        words = code.format(name, "train.epochs=3", "train.deterministic=true")
        subprocess.run([sys.executable, "-c", words], check=True)
        model = keras.saving.load_model(tfcnn.load(name).path / "model.keras", compile=False)
        weights.append(model.get_weights())
    for one, two in zip(*weights, strict=True):
        np.testing.assert_array_equal(one, two)


def test_two_replicas_train_one_network():
    subprocess.run([sys.executable, "-c", TWO_REPLICAS], check=True)
    run = tfcnn.load("two")
    assert sum("GPU" in device for device in run.card["record"]["devices"]) == 2
    assert accuracy_of(run) > 0.93
