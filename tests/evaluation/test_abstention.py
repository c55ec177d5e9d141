import numpy as np
import pytest

from tfcnn.base.errors import InputError
from tfcnn.evaluation.rules import choose_band
from tfcnn.prediction import abstains


def drawn(num_classes=2, count=2000, seed=0):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, num_classes, count)
    logits = rng.normal(size=(count, num_classes)) + 1.5 * np.eye(num_classes)[labels]
    probs = np.exp(logits)
    return labels, probs / probs.sum(axis=1, keepdims=True)


def left(labels, probs, positive, threshold, found):
    """The share unanswered and the accuracy of the decisions of the others, counted anew."""
    without = abstains(probs, (found.low, found.high), positive)
    decided = probs.argmax(axis=1)
    if positive is not None:
        decided = np.where(probs[:, positive] >= threshold, positive, 1 - positive)
    return without.mean(), (decided == labels)[~without].mean()


@pytest.mark.parametrize(
    ("classes", "positive", "threshold"), [(2, 1, 0.3), (2, None, 0.5), (5, None, 0.5)]
)
def test_a_fraction_of_val_is_left_unanswered(classes, positive, threshold):
    labels, probs = drawn(classes)
    found = choose_band(labels, probs, positive, threshold, fraction=0.1)
    share, accuracy = left(labels, probs, positive, threshold, found)
    assert 0.095 <= share <= 0.1
    assert (
        accuracy
        > left(
            labels,
            probs,
            positive,
            threshold,
            choose_band(labels, probs, positive, threshold, fraction=0.01),
        )[1]
    )
    assert f"accuracy {accuracy:.3f}" in found.reason
    if positive is not None:
        assert found.low < threshold < found.high


@pytest.mark.parametrize(("classes", "positive"), [(2, 0), (3, None), (10, None)])
def test_an_accuracy_is_reached_with_the_smallest_band(classes, positive):
    labels, probs = drawn(classes)
    plain = (probs.argmax(axis=1) == labels).mean()
    wish = plain + 0.05
    found = choose_band(labels, probs, positive, accuracy=wish)
    share, accuracy = left(labels, probs, positive, 0.5, found)
    assert accuracy >= wish and share <= 0.5
    smaller = choose_band(labels, probs, positive, fraction=max(share - 0.01, 0.001))
    assert left(labels, probs, positive, 0.5, smaller)[1] < wish


def test_no_wish_no_band():
    assert choose_band(*drawn(), 1).band is None and choose_band(*drawn(), 1).reason == "off"
    found = choose_band(*drawn(), 1, fraction=0.1)
    assert found.band == {"low": found.low, "high": found.high}


def test_what_cannot_be_had_is_said():
    labels, probs = drawn()
    found = choose_band(1 - labels, probs, 1, accuracy=0.99)
    assert found.band is None and "cannot be had: at best" in found.reason
    alike = np.full((len(labels), 2), 0.5)
    found = choose_band(labels, alike, 1, 0.4, fraction=0.1)
    assert found.band is None and "asks for no band" in found.reason
    found = choose_band(labels, np.eye(2)[labels], 1, accuracy=0.9)
    assert found.band is None and "without a band" in found.reason


def test_the_ends_of_the_range_and_bad_wishes():
    labels, probs = drawn(count=50)
    for threshold in (0.0, 1.0):
        found = choose_band(labels, probs, 1, threshold, fraction=0.2)
        assert 0 <= found.low <= found.high <= 1
    for wishes in ({"fraction": 0.0}, {"accuracy": 1.5}, {"fraction": 0.1, "accuracy": 0.9}):
        with pytest.raises(InputError):
            choose_band(labels, probs, 1, **wishes)


def test_the_band_is_half_open_and_of_the_right_probability():
    probs = np.array([[0.8, 0.2], [0.6, 0.4], [0.4, 0.6]])
    assert abstains(probs, (0.4, 0.6), 1).tolist() == [False, True, False]
    assert abstains(probs, (0.4, 0.61), 1).tolist() == [False, True, True]
    assert abstains(probs, (0.0, 0.7), None).tolist() == [False, True, True]
    assert not abstains(probs, None, 1).any()
