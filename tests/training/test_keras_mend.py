"""The remedy for Keras 3 over several processes, and the day on which it can go."""

import os
import subprocess
import sys

import pytest

from tfcnn.training import keras_mend

# one process that takes itself for one of several: Keras then reduces as over several
PROGRAM = """
import sys
import keras, numpy as np, tensorflow as tf
strategy = tf.distribute.MultiWorkerMirroredStrategy()
strategy.extended._in_multi_worker_mode = lambda: True
images, labels = np.zeros((4, 2), np.float32), np.zeros((4, 1), np.float32)
with strategy.scope():
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile(optimizer="sgd", loss="mse", metrics=["mae"])
    model.optimizer.build(model.trainable_variables)
if sys.argv[1] == "mended":
    from tfcnn.training import keras_mend
    keras_mend.mend_strategy(strategy)
    keras_mend.build(model, images[:2], labels[:2])
data = tf.data.Dataset.from_tensor_slices((images, labels)).batch(2)
try:
    model.fit(data, verbose=0)
except ValueError:
    sys.exit(7)
"""


@pytest.mark.parametrize("how", ["as Keras is", pytest.param("mended", marks=pytest.mark.slow)])
def test_keras_does_not_train_over_several_processes_yet(how):
    environment = {key: value for key, value in os.environ.items() if key != "TF_CONFIG"}
    result = subprocess.run(
        [sys.executable, "-c", PROGRAM, how],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert result.returncode in (0, 7), result.stderr[-2000:]
    fails = result.returncode == 7
    assert fails == (how != "mended" and keras_mend.is_needed()), (
        "Keras changed: see whether tests/training/test_multi_worker.py passes without "
        f"training/keras_mend.py, and set MENDED_IN there\n{result.stderr[-2000:]}"
    )


@pytest.mark.parametrize(
    ("mended_in", "is_needed"), [(None, True), ((3, 0), False), ((99, 0), True)]
)
def test_it_is_left_out_from_the_version_that_needs_it_no_more(mended_in, is_needed, monkeypatch):
    monkeypatch.setattr(keras_mend, "MENDED_IN", mended_in)
    assert keras_mend.is_needed() is is_needed

    class Strategy:
        def reduce(self, *_):
            return None

    strategy = Strategy()
    keras_mend.mend_strategy(strategy)
    assert ("reduce" in vars(strategy)) is is_needed
