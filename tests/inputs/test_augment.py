"""The draws: their quality, that they depend on nothing else, and what the exact changes do."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from tfcnn.base.errors import InputError
from tfcnn.inputs import augment, geometry
from tfcnn.recipes import Augment

INDICES = np.arange(4000)


def changed(images, chosen, **parameters):
    """Change images by these parameters, not by random ones."""
    batch, height, width, channels = images.shape
    nothing = augment.draw(Augment(), (height, width, channels), 0, 0, np.arange(batch))
    full = {key: np.full(batch, value) for key, value in parameters.items() if key != "gains"}
    if "gains" in parameters:
        full["gains"] = np.tile(parameters["gains"], (batch, 1))
    done = augment.compose(
        chosen, (height, width, channels), augment.Parameters(**{**vars(nothing), **full})
    )
    turned = geometry.dihedral_batch(images, np.arange(batch), done.turns, done.flipped)
    return np.asarray(augment.change(turned, done.matrices, done.colours, chosen))


@pytest.fixture
def noise():
    rng = np.random.default_rng(3)
    return rng.integers(0, 256, (5, 12, 12, 3), dtype=np.uint8)


def test_uniforms_are_uniform():
    uniforms = augment.uniforms(seed=0, epoch=0, indices=INDICES, num=len(augment.KINDS))
    assert uniforms.dtype == np.float64
    assert uniforms.min() >= 0 and uniforms.max() < 1
    for column in uniforms.T:
        assert stats.kstest(column, "uniform").pvalue > 1e-3


def test_uniforms_of_neighbours_are_unrelated():
    num = len(augment.KINDS)
    columns = [
        augment.uniforms(seed, epoch, INDICES + first, num)
        for seed, epoch, first in [(0, 0, 0), (0, 1, 0), (1, 0, 0), (0, 0, 1)]
    ]
    correlations = np.corrcoef(np.concatenate(columns, axis=1).T)
    others = correlations[~np.eye(len(correlations), dtype=bool)]
    # 4,000 draws: the spread of a correlation of unrelated columns is 1 / sqrt(4000) = .016
    assert np.abs(others).max() < 5 / np.sqrt(len(INDICES))
    assert others.std() == pytest.approx(1 / np.sqrt(len(INDICES)), rel=0.1)


@settings(deadline=None, max_examples=30)
@given(
    seed=st.integers(0, 2**31 - 1),
    epoch=st.integers(0, 10_000),
    batch=st.permutations(range(20)),
    num=st.integers(1, 18),
)
def test_uniforms_depend_on_the_image_and_not_on_its_batch(seed, epoch, batch, num):
    whole = augment.uniforms(seed, epoch, np.arange(20), num)
    np.testing.assert_array_equal(augment.uniforms(seed, epoch, np.array(batch), num), whole[batch])
    more = augment.uniforms(seed, epoch, np.arange(20), num + 1)  # a kind added later
    np.testing.assert_array_equal(more[:, :num], whole)


def test_uniforms_are_a_chain_of_splitmix64():
    def mix(x):  # the paper's next(), in Python's integers
        x = (x + 0x9E3779B97F4A7C15) % 2**64
        x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9 % 2**64
        x = (x ^ x >> 27) * 0x94D049BB133111EB % 2**64
        return x ^ x >> 31

    assert mix(0) == 0xE220A8397B1DCDAF  # the first output that is published for seed 0
    uniforms = augment.uniforms(seed=7, epoch=2, indices=np.array([5, 6]), num=2)
    for row, index in zip(uniforms, (5, 6), strict=True):
        state = mix(mix(mix(7) + 2) + index)
        assert row.tolist() == [(mix(state + i) >> 11) / 2**53 for i in range(2)]


def test_every_epoch_has_another_order_of_the_same_images():
    orders = [augment.permutation(seed=1, epoch=epoch, count=50) for epoch in range(3)]
    assert all(sorted(order) == list(range(50)) for order in orders)
    assert len({tuple(order) for order in orders}) == 3
    np.testing.assert_array_equal(orders[1], augment.permutation(seed=1, epoch=1, count=50))


UNIFORM = {
    "rotation_degrees": (Augment(rotation_degrees=30), -30, 30),
    "shift_height": (Augment(shift_height=0.25), -5, 5),
    "shift_width": (Augment(shift_width=0.25), -8, 8),
    "shear_degrees": (Augment(shear_degrees=10), -10, 10),
    "zoom_height": (Augment(zoom=(0.8, 1.4)), 0.8, 1.4),
    "zoom_width": (Augment(zoom=(0.8, 1.4)), 0.8, 1.4),
    "channel_shift": (Augment(channel_shift=0.2), -51, 51),
    "contrast": (Augment(contrast=0.3), 0.7, 1.3),
    "brightness": (Augment(brightness=0.1), 0.9, 1.1),
}


@pytest.mark.parametrize("name", UNIFORM)
def test_ranges_are_filled_evenly(name):
    chosen, low, high = UNIFORM[name]
    values = getattr(augment.draw(chosen, (20, 32, 3), 0, 0, INDICES), name)
    assert stats.kstest(values, "uniform", args=(low, high - low)).pvalue > 1e-3


def test_shifts_from_one_on_are_in_pixels():
    parameters = augment.draw(
        Augment(shift_height=1.0, shift_width=3.5), (20, 32, 3), 0, 0, INDICES
    )
    assert stats.kstest(parameters.shift_height, "uniform", args=(-1, 2)).pvalue > 1e-3
    assert stats.kstest(parameters.shift_width, "uniform", args=(-3.5, 7)).pvalue > 1e-3


def test_shifts_are_picked_from_a_list_with_a_random_sign():
    chosen = Augment(shift_height=(2, 5), shift_width=(0.25, 0.5))
    parameters = augment.draw(chosen, (20, 32, 3), 0, 0, INDICES)
    for values, expected in [
        (parameters.shift_height, [-5, -2, 2, 5]),
        (parameters.shift_width, [-16, -8, 8, 16]),
    ]:
        shifts, counts = np.unique(values, return_counts=True)
        assert shifts.tolist() == expected
        assert stats.chisquare(counts).pvalue > 1e-3


@pytest.mark.parametrize(
    ("chosen", "sizes"),
    [
        ((-3.0, -2.0), [2, 3]),
        ((-3.0, 0.5), [0.5, 3]),
        ((-1.0,), [1]),
        ((-0.5, -0.25), [8, 16]),
        ((-0.5, 0.25), [8, 16]),
    ],
)
def test_a_list_of_shifts_is_in_pixels_by_its_largest_size_whatever_the_sign(chosen, sizes):
    values = augment.draw(Augment(shift_width=chosen), (20, 32, 3), 0, 0, INDICES).shift_width
    assert np.unique(values).tolist() == [*(-size for size in reversed(sizes)), *sizes]


def test_quarter_turns_and_flips_are_evenly_likely():
    chosen = Augment(rotate90=True, flip_horizontal=True, flip_vertical=True)
    parameters = augment.draw(chosen, (8, 8, 3), 0, 0, INDICES)
    kinds = parameters.turns * 4 + parameters.flip_vertical * 2 + parameters.flip_horizontal
    assert stats.chisquare(np.bincount(kinds, minlength=16)).pvalue > 1e-3
    none = augment.draw(Augment(), (8, 8, 3), 0, 0, INDICES)
    assert not none.turns.any() and not none.flip_vertical.any() and not none.flip_horizontal.any()


def test_turns_and_flips_copy_every_pixel(noise):
    for turns in range(4):
        for flip_height in (False, True):
            for flip_width in (False, True):
                result = changed(
                    noise, Augment(), turns=turns,
                    flip_vertical=flip_height, flip_horizontal=flip_width,
                )  # fmt: skip
                expected = np.rot90(noise, turns, axes=(1, 2))
                expected = np.flip(expected, 1) if flip_height else expected
                expected = np.flip(expected, 2) if flip_width else expected
                np.testing.assert_array_equal(result, expected)


@pytest.mark.parametrize("channels", [1, 3])
def test_turns_copy_images_that_lie_apart_in_memory(channels):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (6, 9, 14, 4), dtype=np.uint8)[::2, :, ::2, :channels]
    copied = geometry.dihedral_batch(
        images, np.array([2, 0]), np.array([0, 2]), np.zeros((2, 2), bool)
    )
    np.testing.assert_array_equal(copied, [images[2], images[0, ::-1, ::-1]])


def test_quarter_turns_want_square_images():
    augment.check(Augment(rotate90=True), (8, 8))
    augment.check(Augment(), (8, 9))
    with pytest.raises(InputError, match=r"rotate90.*8 x 9 px"):
        augment.check(Augment(rotate90=True), (8, 9))


def test_flips_come_after_the_affine_map(noise):
    chosen = Augment(rotation_degrees=20, shift_height=0.2, shift_width=0.2, shear_degrees=5)
    parameters = {"rotation_degrees": 17.0, "shift_height": 1.5, "shift_width": -2.25}
    plain = changed(noise, chosen, shear_degrees=4.0, **parameters)
    flipped = changed(
        noise, chosen, shear_degrees=4.0, flip_horizontal=True, flip_vertical=True, **parameters
    )
    np.testing.assert_allclose(flipped, plain[:, ::-1, ::-1], atol=2e-3)


def test_shifts_move_the_picture_along_the_side_they_name(noise):
    up = changed(noise, Augment(shift_height=2), shift_height=2.0)
    np.testing.assert_array_equal(up[:, :-2], noise[:, 2:])
    left = changed(noise, Augment(shift_width=3), shift_width=3.0)
    np.testing.assert_array_equal(left[:, :, :-3], noise[:, :, 3:])


def test_a_small_turn_goes_the_way_of_a_quarter_turn(noise):
    quarter = changed(noise, Augment(rotation_degrees=90), rotation_degrees=90.0)
    np.testing.assert_allclose(quarter, np.rot90(noise, axes=(1, 2)), atol=1e-3)


def test_oblong_images_turn_about_their_centre():
    image = np.random.default_rng(0).integers(0, 256, (2, 9, 15, 1), dtype=np.uint8)
    half = changed(image, Augment(rotation_degrees=180), rotation_degrees=180.0)
    np.testing.assert_allclose(half, image[:, ::-1, ::-1], atol=1e-3)


def test_colours_are_what_they_say(noise):
    gains = np.array([1.05, 0.9, 1.1])
    result = changed(noise, Augment(brightness=0.2, channel_gain=0.1), brightness=1.2, gains=gains)
    expected = np.clip(noise * (1.2 * gains), 0, 255)
    np.testing.assert_allclose(result, expected, rtol=1e-6)
    mean = noise.mean(axis=(1, 2), keepdims=True)
    result = changed(noise, Augment(contrast=0.5), contrast=1.5)
    np.testing.assert_allclose(
        result, np.clip(mean + 1.5 * (noise - mean), 0, 255), rtol=1e-4, atol=1e-3
    )


def test_a_channel_shift_stays_between_the_darkest_and_the_brightest():
    images = np.random.default_rng(0).integers(40, 200, (4, 6, 6, 3), dtype=np.uint8)
    result = changed(images, Augment(channel_shift=0.5), channel_shift=100.0)
    for image, shifted in zip(images, result, strict=True):
        np.testing.assert_array_equal(shifted, np.minimum(image + 100.0, image.max()))


def test_without_settings_pixels_stay_as_they_are(noise):
    result = changed(noise, Augment())
    assert result.dtype == np.float32
    np.testing.assert_array_equal(result, noise)


def test_alternating_flips_show_both_sides_equally_often():
    chosen = Augment(flip_horizontal="alternating", flip_vertical=True)
    parameters = [augment.draw(chosen, (8, 8, 3), 0, epoch, INDICES) for epoch in range(4)]
    first = parameters[0].flip_horizontal
    assert 0.45 < first.mean() < 0.55
    for epoch, one in enumerate(parameters):
        np.testing.assert_array_equal(one.flip_horizontal, first ^ (epoch % 2 == 1))
    assert 0.45 < (parameters[0].flip_vertical == parameters[1].flip_vertical).mean() < 0.55


@pytest.mark.parametrize(
    ("chosen", "words"),
    [
        ({}, "none"),
        (
            {"flip_horizontal": True, "brightness": 0.1},
            "mirrored left-right half of the time; brightness ±10 %",
        ),
        ({"flip_horizontal": "alternating"}, "mirrored left-right every other epoch"),
        (
            {"flip_vertical": True, "rotate90": True},
            "mirrored upside down half of the time; turned by 0 to 3 quarter turns",
        ),
        (
            {"rotation_degrees": 15, "shear_degrees": 0.5},
            "turned by up to ±15°; leaned by up to ±0.5°",
        ),
        ({"shift_height": 0.1}, "moved up or down by up to ±10 %"),
        ({"shift_height": 0.1, "like_keras": True}, "moved left or right by up to ±10 %"),
        ({"shift_width": (0.0, 1.0, 1.0, 2.0)}, "moved left or right by 0, 1 or 2 px"),
        ({"shift_width": (0.0,)}, "none"),
        ({"shift_width": (-3.0, -2.0)}, "moved left or right by 3 or 2 px"),
        (
            {"brightness": (-0.2, 0.2), "like_keras": True},
            "brightness -20 to 20 % (black where negative)",
        ),
        ({"zoom": (0.8, 1.2)}, "80 to 120 % of the scene shown"),
        ({"brightness": (0.5, 1.5)}, "brightness 50 to 150 %"),
        (
            {"contrast": 0.2, "channel_gain": 0.05, "channel_shift": 0.1},
            "all pixels ±25.5 of 255; contrast ±20 %; each channel ±5 %",
        ),
    ],
)
def test_what_is_done_is_said_in_words(chosen, words):
    assert augment.describe(Augment(**chosen)) == words
