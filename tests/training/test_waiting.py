"""What counts as waiting for input: from the request of a batch to its delivery, nothing else."""

import time

import numpy as np
import tensorflow as tf

from tfcnn.training.fit import Waiting

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
