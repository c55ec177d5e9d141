"""What both pipelines promise, whichever vocabulary the recipe uses."""

import hashlib
import subprocess
import sys
import time

import numpy as np
import pytest
import tensorflow as tf

from tfcnn.base.errors import InputError
from tfcnn.inputs import augment, pipeline, tfdata
from tfcnn.recipes import Augment, InputSettings

# SciPy 1: Keras reaches for a name that SciPy 2 is to drop
pytestmark = pytest.mark.filterwarnings("ignore:Please import `affine_transform`")

# changes that leave a flat image flat, so that its number can be read from its pixels
OURS = {"flip_horizontal": True, "rotate90": True, "rotation_degrees": 20, "zoom": (0.9, 1.1)}
KERAS = {"vertical_flip": True, "rotation_range": 20, "width_shift_range": 3, "shear_range": 5}
FLAT = {
    "tfdata, augment": InputSettings(pipeline="tfdata", augment=OURS),
    "tfdata, generator": InputSettings(pipeline="tfdata", generator=KERAS),
    "generator, augment": InputSettings(pipeline="generator", augment=OURS),
    "generator, generator": InputSettings(pipeline="generator", generator=KERAS),
    "generator, none": InputSettings(pipeline="generator"),
}
COLOURS = {"brightness": 0.5, "channel_gain": 0.3, "contrast": 0.3, "channel_shift": 0.3}
STRONG = {
    "tfdata": InputSettings(augment={**OURS, **COLOURS, "fill_mode": "wrap"}),
    "generator": InputSettings(
        pipeline="generator", augment={**OURS, **COLOURS, "fill_mode": "wrap"}
    ),
    "generator, Keras' words": InputSettings(
        pipeline="generator",
        generator={
            **KERAS, "brightness_range": [0.2, 1.8], "channel_shift_range": 90, "zoom_range": 0.5,
            "fill_mode": "constant", "cval": 250, "rescale": 1 / 255,
        },
    ),
}  # fmt: skip
COUNT, SIZE, SEED = 29, 8, 5
ROWS = np.array([i for i in range(40) if i % 4 != 1][:COUNT])


@pytest.fixture(scope="module")
def flat():
    """40 images, each of one colour: its number and 200."""
    images = np.zeros((40, 10, 10, 3), np.uint8)
    images[..., 0] = np.arange(40)[:, np.newaxis, np.newaxis]
    images[..., 1] = 200
    return images


@pytest.fixture(scope="module")
def noise():
    return np.random.default_rng(0).integers(0, 256, (40, 10, 10, 3), dtype=np.uint8)


LABELS = (np.arange(40) % 7).astype(np.int32)


def epochs_of(settings, images, first_epoch=0, epochs=3, seed=SEED, rows=ROWS, size=SIZE):
    """Return `(images, labels)` of every epoch: lists of batches."""
    batches = list(
        pipeline.training(
            settings, images, LABELS, rows, batch_size=size, seed=seed,
            first_epoch=first_epoch, epochs=epochs,
        ).as_numpy_iterator()
    )  # fmt: skip
    steps = tfdata.steps_per_epoch(len(rows), min(size, len(rows)))
    assert len(batches) == steps * (epochs - first_epoch)
    return [batches[i : i + steps] for i in range(0, len(batches), steps)]


def numbers_of(epoch):
    """Read the images' numbers from their pixels."""
    for images, _ in epoch:
        assert np.ptp(images, axis=(1, 2)).max() < 0.01
        np.testing.assert_allclose(images[..., 1], 200, atol=0.01)
    return np.concatenate([np.rint(images[:, 0, 0, 0]).astype(int) for images, _ in epoch])


@pytest.mark.parametrize("settings", STRONG.values(), ids=STRONG)
@pytest.mark.parametrize("channels", [1, 3])
def test_batches_are_float32_pixels_and_int32_labels(settings, channels, noise):
    images = noise[..., :channels]
    dataset = pipeline.training(
        settings, images, LABELS, ROWS, batch_size=SIZE, seed=0, first_epoch=0, epochs=1
    )
    assert dataset.element_spec == (
        tf.TensorSpec((SIZE, 10, 10, channels), tf.float32),
        tf.TensorSpec((SIZE,), tf.int32),
    )
    for batch, labels in dataset.as_numpy_iterator():
        assert batch.dtype == np.float32 and labels.dtype == np.int32
        assert batch.min() >= 0 and batch.max() <= 255 and batch.max() > 100


@pytest.mark.parametrize("settings", FLAT.values(), ids=FLAT)
def test_every_training_image_once_an_epoch(settings, flat):
    left_over = []
    for epoch in epochs_of(settings, flat):
        numbers = numbers_of(epoch)
        assert len(numbers) == COUNT // SIZE * SIZE == len(set(numbers))
        assert set(numbers) <= set(ROWS)
        np.testing.assert_array_equal(np.concatenate([y for _, y in epoch]), LABELS[numbers])
        left_over.append(frozenset(ROWS) - set(numbers))
    assert len(set(left_over)) > 1


@pytest.mark.parametrize("settings", FLAT.values(), ids=FLAT)
def test_fewer_images_than_a_batch_make_one_batch(settings, flat):
    for epoch in epochs_of(settings, flat, rows=ROWS[:3]):
        assert sorted(numbers_of(epoch)) == sorted(ROWS[:3])


def test_both_pipelines_take_images_in_the_same_order(flat):
    orders = [
        [numbers_of(epoch).tolist() for epoch in epochs_of(settings, flat)]
        for settings in FLAT.values()
    ]
    assert all(order == orders[0] for order in orders)


@pytest.mark.parametrize("settings", STRONG.values(), ids=STRONG)
def test_a_resume_sees_what_an_uninterrupted_run_sees(settings, noise):
    whole = epochs_of(settings, noise, epochs=4)
    for first_epoch in (1, 3):
        rest = epochs_of(settings, noise, first_epoch=first_epoch, epochs=4)
        for expected, again in zip(whole[first_epoch:], rest, strict=True):
            for (images, labels), (same_images, same_labels) in zip(expected, again, strict=True):
                np.testing.assert_array_equal(images, same_images)
                np.testing.assert_array_equal(labels, same_labels)


@pytest.mark.parametrize("settings", STRONG.values(), ids=STRONG)
def test_an_image_is_changed_otherwise_in_every_epoch_and_run(settings, noise):
    one = ROWS[:1]
    batches = [
        epoch[0][0]
        for seed in (0, 1)
        for epoch in epochs_of(settings, noise, seed=seed, rows=one, epochs=3)
    ]
    for i in range(len(batches)):
        for j in range(i):
            assert np.abs(batches[i] - batches[j]).mean() > 1


@pytest.mark.parametrize("settings", STRONG.values(), ids=STRONG)
def test_a_change_does_not_depend_on_the_rest_of_the_batch(settings, noise):
    def by_label(size):
        pairs = [
            (int(label), image)
            for images, labels in epochs_of(settings, noise, epochs=1, size=size, rows=ROWS[:6])[0]
            for image, label in zip(images, labels, strict=True)
        ]
        return dict(pairs)

    small, large = by_label(2), by_label(6)
    assert small.keys() == large.keys()
    for label, image in small.items():
        np.testing.assert_allclose(image, large[label], atol=1e-3)


def digest(settings):
    images = np.random.default_rng(0).integers(0, 256, (40, 10, 10, 3), dtype=np.uint8)
    content = hashlib.sha256()
    for epoch in epochs_of(settings, images, epochs=2):
        for batch, labels in epoch:
            content.update(batch.tobytes())
            content.update(labels.tobytes())
    return content.hexdigest()


def test_another_process_makes_the_same_batches_and_ends_at_once():
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import test_contract as contract\n"
        "for settings in contract.STRONG.values(): print(contract.digest(settings), flush=True)"
    )
    folder = __file__.rpartition("/")[0]
    process = subprocess.Popen(
        [sys.executable, "-c", code, folder], stdout=subprocess.PIPE, text=True
    )
    again = [process.stdout.readline().strip() for _ in STRONG]
    start = time.monotonic()
    process.wait(timeout=60)
    # the iterators of ImageDataGenerator kept a process alive for 48 s
    assert time.monotonic() - start < 20
    assert again == [digest(settings) for settings in STRONG.values()]


@pytest.mark.parametrize("size", [1, 7, 29, 64])
def test_val_is_in_order_and_complete(flat, size):
    batches = list(tfdata.in_order(flat, LABELS, ROWS, size).as_numpy_iterator())
    images = np.concatenate([images for images, _ in batches])
    assert images.dtype == np.float32
    np.testing.assert_array_equal(images, flat[ROWS])
    np.testing.assert_array_equal(np.concatenate([y for _, y in batches]), LABELS[ROWS])


@pytest.mark.parametrize("settings", FLAT.values(), ids=FLAT)
def test_images_may_stay_on_disk(settings, flat, tmp_path):
    np.save(tmp_path / "images.npy", flat)
    mapped = np.load(tmp_path / "images.npy", mmap_mode="r")
    for (images, _), (expected, _) in zip(
        epochs_of(settings, mapped, epochs=1)[0], epochs_of(settings, flat, epochs=1)[0],
        strict=True,
    ):  # fmt: skip
        np.testing.assert_array_equal(images, expected)


def test_the_generator_pipeline_is_keras_own(noise):
    arguments = {**KERAS, "zoom_range": [0.5, 1.5], "brightness_range": [0.5, 1.5]}
    keras = tf.keras.preprocessing.image.ImageDataGenerator(**arguments)
    uniforms = augment.uniforms(SEED, 1, np.arange(40), len(augment.KINDS))
    seeds = (uniforms[:, augment.KINDS.index("generator")] * 2**32).astype(np.int64)
    labels = np.arange(40, dtype=np.int32)  # every image's number
    settings = InputSettings(pipeline="generator", generator=arguments)
    batches = pipeline.training(
        settings, noise, labels, ROWS, batch_size=SIZE, seed=SEED, first_epoch=1, epochs=2
    )
    for batch, numbers in batches.as_numpy_iterator():
        for image, number in zip(batch, numbers, strict=True):
            original = noise[number].astype(np.float32)
            expected = keras.random_transform(original, seed=int(seeds[number]))
            np.testing.assert_array_equal(image, expected)


def test_numpys_own_random_numbers_and_the_batches_leave_each_other_alone(noise):
    settings = STRONG["generator, Keras' words"]
    alone = [pair for epoch in epochs_of(settings, noise, epochs=5) for pair in epoch]
    np.random.seed(3)  # noqa: NPY002
    expected = np.random.random((len(alone), 2000))  # noqa: NPY002
    np.random.seed(3)  # noqa: NPY002
    batches = pipeline.training(
        settings, noise, LABELS, ROWS, batch_size=SIZE, seed=SEED, first_epoch=0, epochs=5
    )
    for i, (images, _) in enumerate(batches.as_numpy_iterator()):
        np.testing.assert_array_equal(images, alone[i][0])
        # meanwhile the next batches are made
        uniforms = [np.random.random() for _ in range(2000)]  # noqa: NPY002
        np.testing.assert_array_equal(uniforms, expected[i])


def test_keras_takes_the_batches(noise):
    import keras

    model = keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(7)])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("sgd", loss)
    batches = pipeline.training(
        STRONG["generator"], noise, LABELS, ROWS, batch_size=SIZE, seed=0, first_epoch=0, epochs=2
    )
    history = model.fit(batches, steps_per_epoch=COUNT // SIZE, epochs=2, shuffle=False, verbose=0)
    assert len(history.history["loss"]) == 2


def test_what_cannot_be_had_is_refused_before_work_starts():
    pipeline.check(InputSettings(augment={"rotate90": True}), (8, 8))
    with pytest.raises(InputError, match="rotate90"):
        pipeline.check(InputSettings(augment={"rotate90": True}), (8, 9))
    for name in ("tfdata", "generator"):
        with pytest.raises(InputError, match="zca_whitening"):
            pipeline.check(InputSettings(pipeline=name, generator={"zca_whitening": True}), (8, 8))


def test_augmentation_is_said_alike_whichever_way_it_is_asked_for():
    for settings in (
        InputSettings(augment=Augment(flip_vertical=True)),
        InputSettings(generator={"vertical_flip": True}),
        InputSettings(pipeline="generator", generator={"vertical_flip": True}),
    ):
        assert pipeline.describe(settings) == "mirrored upside down half of the time"


def test_the_generator_cannot_alternate():
    settings = InputSettings(pipeline="generator", augment=Augment(flip_vertical="alternating"))
    with pytest.raises(InputError, match=r"inputs\.augment\.flip_vertical: .*alternating"):
        pipeline.check(settings, (16, 16))


def test_changes_are_said_once():
    with pytest.raises(ValueError, match=r"received both; try augment"):
        InputSettings(augment=OURS, generator=KERAS)
    assert InputSettings(augment="none", generator=KERAS).generator == KERAS


@pytest.mark.parametrize("name", ["tfdata", "generator"])
def test_a_shift_moves_along_the_side_it_names_in_both_pipelines(name, noise):
    settings = InputSettings(pipeline=name, augment={"shift_height": [3], "fill_mode": "reflect"})
    labels = np.arange(40, dtype=np.int32)  # every image's number
    batches = pipeline.training(
        settings, noise, labels, ROWS, batch_size=COUNT, seed=0, first_epoch=0, epochs=1
    )
    up = 0
    for images, numbers in batches.as_numpy_iterator():
        for image, number in zip(images, numbers, strict=True):
            moved_up = np.array_equal(image[:-3], noise[number, 3:])
            assert moved_up or np.array_equal(image[3:], noise[number, :-3])
            up += moved_up
    assert 0 < up < COUNT
