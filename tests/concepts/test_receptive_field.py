"""The receptive field against a count of the pixels that do change one output."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tfcnn.concepts.convolution import convolve1d
from tfcnn.concepts.receptive_field import receptive_field

LAYERS = st.lists(st.tuples(st.integers(1, 4), st.integers(1, 3)), max_size=4)


def reach(layers, length=125):
    """How far apart the first and the last input lie that change the first output."""
    inputs = np.eye(length)
    for kernel, stride in layers:
        inputs = np.stack([convolve1d(row, np.ones(kernel), stride) for row in inputs])
    changed = np.flatnonzero(inputs[:, 0])
    return changed[-1] - changed[0] + 1


@settings(deadline=None, max_examples=25)
@given(layers=LAYERS)
def test_field_reaches_from_the_first_to_the_last_pixel_that_counts(layers):
    assert receptive_field(layers) == reach(layers)


def test_known_stacks():
    assert receptive_field([]) == 1
    assert receptive_field([(3, 1), (3, 1)]) == 5  # two 3x3 see as much as one 5x5
    assert receptive_field([(4, 1), (2, 2), (4, 1), (2, 2)]) == 13  # the course's CIFAR-10 network


@pytest.mark.parametrize("layers", [[(0, 1)], [(3, 0)], [(3, 1, 1)], [(1.5, 1)]])
def test_layers_of_no_length_are_refused(layers):
    with pytest.raises(ValueError, match=r"layers: expected .*; received .*; try "):
        receptive_field(layers)
