"""Which images each process and each device gets, where several train together."""

import numpy as np
import pytest

from tfcnn.inputs import pipeline, tfdata
from tfcnn.inputs.tfdata import Share
from tfcnn.recipes import InputSettings

COUNT, SIZE, EPOCHS = 29, 12, 2
LABELS = np.arange(40, dtype=np.int32)
ROWS = np.arange(COUNT) + 5
SETTINGS = InputSettings(augment={"flip_horizontal": True, "brightness": 0.3})


@pytest.fixture(scope="module")
def noise():
    return np.random.default_rng(0).integers(0, 256, (40, 8, 8, 1), dtype=np.uint8)


def train(noise, share):
    batches = pipeline.training(
        SETTINGS, noise, LABELS, ROWS,
        batch_size=SIZE, seed=3, first_epoch=0, epochs=EPOCHS, share=share,
    )  # fmt: skip
    return list(batches.as_numpy_iterator())


@pytest.mark.parametrize("of", [2, 3, 4])
def test_the_shares_of_train_are_the_batches_of_one_process(noise, of):
    whole = train(noise, tfdata.WHOLE)
    shares = [train(noise, Share(i, 1, of)) for i in range(of)]
    assert {len(share) for share in shares} == {len(whole)}
    for step, (images, labels) in enumerate(whole):
        parts = [share[step] for share in shares]
        assert {len(part[1]) for part in parts} == {SIZE // of}
        np.testing.assert_array_equal(np.concatenate([part[1] for part in parts]), labels)
        np.testing.assert_array_equal(np.concatenate([part[0] for part in parts]), images)


def test_two_devices_of_a_process_get_a_batch_each(noise):
    both, first, second = (train(noise, Share(*one)) for one in ((2, 2, 4), (2, 1, 4), (3, 1, 4)))
    expected = [batch for pair in zip(first, second, strict=True) for batch in pair]
    assert [list(labels) for _, labels in both] == [list(labels) for _, labels in expected]


@pytest.mark.parametrize(("size", "of"), [(12, 2), (12, 4), (7, 3), (28, 2), (64, 4)])
def test_the_shares_of_val_hold_every_image_once(noise, size, of):
    steps = tfdata.in_order_steps(COUNT, size)
    found = []
    for i in range(of):
        batches = tfdata.in_order(noise, LABELS, ROWS, size, Share(i, 1, of)).take(steps)
        sizes = []
        for images, labels in batches.as_numpy_iterator():
            np.testing.assert_array_equal(images, noise[labels])
            sizes.append(len(labels))
            found += list(labels)
        assert len(sizes) == steps and min(sizes) > 0, "a device without images gives no number"
    assert sorted(found) == list(ROWS)


def test_fewer_val_images_than_devices_are_all_counted_by_each(noise):
    for i in range(4):
        batches = tfdata.in_order(noise, LABELS, ROWS[:3], 2, Share(i, 1, 4))
        steps = tfdata.in_order_steps(3, 2)
        labels = [list(y) for _, y in batches.take(steps).as_numpy_iterator()]
        assert all(one == list(ROWS[:3]) for one in labels) and len(labels) == steps
