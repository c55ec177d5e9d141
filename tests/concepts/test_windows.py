"""Window arithmetic against a slow count of the places a window can take."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tfcnn.concepts.windows import as_pair, output_size, pads, windows

LENGTHS = st.integers(1, 40)


@settings(deadline=None)
@given(
    size=LENGTHS, kernel_size=LENGTHS, stride=LENGTHS, padding=st.sampled_from(["valid", "same"])
)
def test_output_size_counts_the_places(size, kernel_size, stride, padding):
    if padding == "valid" and kernel_size > size:
        with pytest.raises(ValueError, match="expected at most the image's"):
            output_size(size, kernel_size, stride, padding)
        return
    before, after = pads(size, kernel_size, stride, padding)
    starts = [
        start for start in range(-before, size, stride) if start + kernel_size <= size + after
    ]
    assert output_size(size, kernel_size, stride, padding) == len(starts)
    if padding == "same":
        assert after - before in (0, 1)  # TensorFlow: the odd one goes after
        if stride == 1:
            assert len(starts) == size


def test_course_network_sizes():
    # MNIST: 28 -> 4x4 -> 25 -> 2x2/2 -> 12; malaria: 130 -> 128 -> 64 -> 62 -> 31 -> 29 -> 14.
    assert output_size(output_size(28, 4), 2, 2) == 12
    size = 130
    for _ in range(3):
        size = output_size(output_size(size, 3), 2, 2)
    assert size == 14


def test_windows_fill_only_the_padding():
    places = windows(np.zeros((2, 2)), (3, 3), (1, 1), "same", fill=7)
    assert places.shape == (2, 2, 3, 3)
    assert [int((place == 7).sum()) for place in places.reshape(4, 3, 3)] == [5, 5, 5, 5]


def test_windows_do_not_copy_the_pixels_into_each():
    places = windows(np.zeros((100, 100), np.uint8), (9, 9), (1, 1))
    assert places.base is not None
    assert places.strides == (100, 1, 100, 1)


@pytest.mark.parametrize("value", [0, -1, 1.0, "2", (1,), (1, 0), None])
def test_as_pair_refuses_what_is_no_length(value):
    with pytest.raises(ValueError, match=r"stride: expected .*; received .*; try "):
        as_pair("stride", value)


def test_as_pair_is_height_then_width():
    assert as_pair("size", (2, 3)) == (2, 3)
    assert as_pair("size", np.int64(4)) == (4, 4)
