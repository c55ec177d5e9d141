"""What no layer could be given is refused in one line, and small integers do not wrap around."""

import numpy as np
import pytest

from tfcnn.concepts.convolution import connections, convolve1d
from tfcnn.concepts.dense import relu, softmax
from tfcnn.concepts.dropout import dropout
from tfcnn.concepts.kernels import apply_kernel
from tfcnn.concepts.parameters import (
    convolution_parameters,
    dense_parameters,
    network_parameters,
)
from tfcnn.concepts.pooling import removed_fraction
from tfcnn.concepts.windows import as_image

GENERATOR = np.random.default_rng(0)
GREY = np.full((3, 3), 200, np.uint8)


@pytest.mark.parametrize(
    ("call", "subject"),
    [
        (lambda: dense_parameters(-3, 2), "inputs"),
        (lambda: dense_parameters(3, 2.5), "units"),
        (lambda: convolution_parameters(3, -1, 1), "in_channels"),
        (lambda: convolution_parameters(3, 1, 0), "filters"),
        (lambda: network_parameters([784, -10]), "units"),
        (lambda: network_parameters(784), "sizes"),
        (lambda: network_parameters([784]), "sizes"),
        (lambda: removed_fraction(padding="x"), "padding"),
        (lambda: removed_fraction(image_size=(5, 5, 3)), "image_size"),
        (lambda: connections(0, [1]), "length"),
        (lambda: connections(4, [[1, 2]]), "kernel"),
        (lambda: convolve1d(["a"], [1]), "signal"),
        (lambda: convolve1d([1, 2], [True]), "filters"),
        (lambda: as_image([[1, 2], [3]]), "image"),
        (lambda: relu(["a"]), "values"),
        (lambda: softmax([]), "logits"),
        (lambda: softmax(1.0), "logits"),
        (lambda: dropout([1.0], "a", GENERATOR), "rate"),
        (lambda: dropout([1.0], 0.5, 0), "generator"),
        (lambda: dropout([None], 0.5, GENERATOR), "inputs"),
        (lambda: apply_kernel(GREY, np.full((3, 3), np.nan)), "kernel"),
        (lambda: apply_kernel(GREY, [[1e308, 1e308], [-1e308, -1e308]]), "kernel"),
    ],
)
def test_it_is_said_in_one_line(call, subject):
    with pytest.raises(ValueError, match=rf"^{subject}: expected .*; received .*; try ") as raised:
        call()
    assert "\n" not in str(raised.value)


def test_small_integers_count_as_large_ones():
    assert network_parameters(np.array([784, 120, 84, 10], np.uint16)) == 105_214
    assert dense_parameters(np.uint8(200), np.uint8(200)) == 40_200
    assert dense_parameters(np.int32(100_000), np.int32(100_000)) == 10_000_100_000
