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
from tfcnn.prediction import Predictor
from tfcnn.training import strategy

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
    assert record["precision"] == strategy.precision(precision)
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
