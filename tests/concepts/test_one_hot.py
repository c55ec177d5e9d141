"""One-hot rows against Keras, and the slides' label of a 4."""

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfcnn.concepts.one_hot import one_hot


def test_slide_label():
    assert one_hot(4, 10).tolist() == [0, 0, 0, 0, 1, 0, 0, 0, 0, 0]


@given(labels=st.lists(st.integers(0, 9), min_size=1, max_size=20), more=st.integers(1, 3))
def test_equals_keras(labels, more):
    num_classes = max(labels) + more
    rows = one_hot(labels, num_classes)
    np.testing.assert_array_equal(rows, keras.utils.to_categorical(labels, num_classes))
    assert rows.argmax(axis=1).tolist() == labels


def test_a_column_of_labels_as_cifar10_has_them():
    column = np.array([[6], [9], [0]], np.uint8)
    rows = one_hot(column, 10)
    np.testing.assert_array_equal(rows, keras.utils.to_categorical(column, 10))
    assert rows.shape == (3, 10)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (10, "from 0 to 9; received 10; try num_classes=11"),
        (-1, "from 0 to 9; received -1; try labels counted from 0"),
        ([0, 11, 12], "from 0 to 9; received 11; try num_classes=13"),
        (1.0, r"from 0 to 9; received float64; try labels.astype\(int\)"),
        ("4", "expected real numbers; received <U1"),
        (np.arange(60_000).reshape(-1, 1), "received 10; try num_classes=60000"),
    ],
)
def test_labels_outside_the_classes_are_refused(labels, message):
    with pytest.raises(ValueError, match=message) as raised:
        one_hot(labels, 10)
    assert "\n" not in str(raised.value) and len(str(raised.value)) < 150


@pytest.mark.parametrize("num_classes", [0, 3.0, None])
def test_a_number_of_classes_is_a_whole_one(num_classes):
    with pytest.raises(ValueError, match="num_classes: expected a whole number from 1; received"):
        one_hot(0, num_classes)
