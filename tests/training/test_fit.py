"""What a fit measures and logs: waiting is from a batch's request to its delivery, nothing else."""

import subprocess
import sys
import time

import numpy as np
import pytest
import tensorflow as tf
from conftest import NARROW, Heard

import tfcnn
from tfcnn.training import fit
from tfcnn.training.batches import Waiting

SLOW = 0.05  # seconds that a batch takes
BATCHES = 6


def slow_batches() -> tf.data.Dataset:
    def wait(number: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        def sleep(value: np.ndarray) -> np.ndarray:
            time.sleep(SLOW)
            return value

        return tf.numpy_function(sleep, [number], tf.int64), number

    return tf.data.Dataset.range(BATCHES).map(wait)


def test_a_slow_input_is_waited_for_and_arrives_in_order():
    waiting = Waiting()
    start = time.perf_counter()
    found = [int(images) for images, _ in waiting.measured(slow_batches())]
    assert found == list(range(BATCHES))
    assert BATCHES * SLOW <= waiting.seconds <= time.perf_counter() - start


def test_a_slow_step_is_no_waiting():
    waiting = Waiting()
    ready = tf.data.Dataset.range(3).map(lambda number: (number, number))
    for _ in waiting.measured(ready):
        time.sleep(0.5)
    assert waiting.seconds < 0.75, "half of the steps' time"


PREFETCHED = """
import sys, time
import numpy as np
import tensorflow as tf
from tfcnn.inputs import tfdata
from tfcnn.recipes import Augment
from tfcnn.training.batches import Waiting

tf.config.experimental.enable_op_determinism()  # as a run does
slow, images = float(sys.argv[1]), np.zeros((8, 4, 4, 1), np.uint8)

def late(batch, epoch, indices):
    time.sleep(slow)
    return batch.astype(np.float32)

batches = tfdata.training(
    images, np.arange(8, dtype=np.int32), np.arange(8), Augment(), batch_size=1, seed=0,
    first_epoch=0, epochs=2, transform=late,
)
waiting = Waiting()
for _ in waiting.measured(batches):
    time.sleep(2 * slow)
print(waiting.seconds)
"""


def test_the_next_batch_is_made_while_a_step_computes():
    command = [sys.executable, "-c", PREFETCHED, str(SLOW)]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert float(result.stdout) < 0.5 * 16 * SLOW, "half of what making 16 batches takes"


@pytest.mark.parametrize("absent", ["tensorboard", "tensorboard.plugins.scalar.summary_v2"])
def test_without_it_a_training_ends_and_says_how_to_get_it(make_tree, monkeypatch, absent):
    for name in [name for name in sys.modules if name.startswith(absent)]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, absent, None)
    heard = Heard()
    run = tfcnn.train(make_tree(), settings=[*NARROW, "train.epochs=1"], reporter=heard)
    assert not (run.path / "logs").exists() and (run.path / "history.csv").exists()
    (said,) = [note for note in heard.notes if "TensorBoard" in note]
    assert said.endswith("it is not installed; for them: pip install tensorboard")


def test_one_that_does_not_start_is_named(monkeypatch, tmp_path):
    def broken(name):
        raise TypeError("Descriptors cannot be created directly")

    monkeypatch.setattr(fit.importlib, "import_module", broken)
    heard = Heard()
    assert fit.tensorboard_callbacks(tmp_path, heard) == []
    assert "does not start (Descriptors cannot" in heard.notes[0]
