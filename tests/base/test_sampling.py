"""A few of many: every class has its part, wherever its rows lie."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tfcnn.base import sampling


@settings(deadline=None, max_examples=100)
@given(
    counts=st.lists(st.integers(1, 40), min_size=1, max_size=6),
    most=st.integers(1, 60),
)
def test_every_class_has_its_equal_part_as_far_as_its_images_go(counts, most):
    labels = np.repeat(np.arange(len(counts)), counts)  # sorted, as a manifest is
    places = sampling.evenly(labels, most)
    assert len(places) == min(most, len(labels))
    assert (np.diff(places) > 0).all()
    found = np.bincount(labels[places], minlength=len(counts))
    for here, there in zip(found, counts, strict=True):  # one that could give more has all but one
        assert here == there or here >= found.max() - 1


def test_places_come_from_all_over_a_class_and_repeat():
    labels = ["a"] * 1000 + ["b"] * 1000
    places = sampling.evenly(labels, 200)
    for part in (places[:100], places[100:] - 1000):
        assert np.histogram(part, bins=5, range=(0, 1000))[0].min() >= 10
    np.testing.assert_array_equal(places, sampling.evenly(np.array(labels), 200))


def test_all_are_taken_of_few_and_none_of_none():
    assert sampling.evenly([1, 0, 1], 64).tolist() == [0, 1, 2]
    assert sampling.evenly([], 64).tolist() == []
    assert len(sampling.evenly(np.arange(100), 7)) == 7, "more classes than places"
