"""The remedy for Keras 3 over several processes, and the day on which it can go."""

import json
import socket
import subprocess
import sys

from tfcnn.training import keras_mend

AS_KERAS_IS = """
import sys
import keras, numpy as np, tensorflow as tf
strategy = tf.distribute.MultiWorkerMirroredStrategy()
with strategy.scope():
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile(optimizer="sgd", loss="mse", metrics=["mae"])
images, labels = np.zeros((4, 2), np.float32), np.zeros((4, 1), np.float32)
data = tf.data.Dataset.from_tensor_slices((images, labels)).batch(2)
try:
    model.fit(data, verbose=0)
except ValueError as error:
    sys.exit(7)
"""


def test_keras_does_not_train_over_several_processes_yet():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    cluster = {"worker": [f"127.0.0.1:{port}"]}
    config = json.dumps({"cluster": cluster, "task": {"type": "worker", "index": 0}})
    result = subprocess.run(
        [sys.executable, "-c", AS_KERAS_IS],
        env={"TF_CONFIG": config, "CUDA_VISIBLE_DEVICES": "", "PATH": "/usr/bin:/bin"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    fails = result.returncode == 7
    assert fails == keras_mend.is_needed(), (
        "Keras changed: see whether tests/training/test_multi_worker.py passes without "
        f"training/keras_mend.py, and set MENDED_IN there\n{result.stderr[-2000:]}"
    )
