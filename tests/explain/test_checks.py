"""What is outside of a cell, and whether a map depends on what was learnt."""

import random
import subprocess
import sys

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tfcnn.architectures import build
from tfcnn.base.errors import InputError
from tfcnn.decode import Decoder
from tfcnn.explain import ModelExplainer, background, image_files, sanity_check, share_outside
from tfcnn.explain.map_checks import compare, randomised


def cell_on_black() -> np.ndarray:
    image = np.zeros((1, 20, 20, 3), np.uint8)
    image[0, 4:16, 4:16] = 180
    image[0, 8:10, 8:10] = 5  # as dark as the frame, but in the cell
    return image


def test_the_frame_is_what_is_dark_and_joined_to_the_border():
    frame = background(cell_on_black())
    expected = np.ones((1, 20, 20), bool)
    expected[0, 4:16, 4:16] = False
    np.testing.assert_array_equal(frame, expected)
    bright = np.full((2, 9, 9, 1), 200, np.uint8)
    assert not background(bright).any()
    assert background(bright[:0]).shape == (0, 9, 9)
    red = np.zeros((1, 5, 5, 3), np.uint8)
    red[..., 0] = 90  # dark in two channels only
    assert not background(red).any()


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 999), scale=st.floats(0.01, 100))
def test_shares_of_a_region_and_of_the_rest_make_one(seed, scale):
    rng = np.random.default_rng(seed)
    maps, region = rng.random((3, 6, 5)), rng.random((3, 6, 5)) < 0.4
    shares = share_outside(scale * maps, region)
    np.testing.assert_allclose(shares + share_outside(maps, ~region), 1, rtol=1e-5)
    for one, mask, share in zip(maps, region, shares, strict=True):
        assert share == pytest.approx(one[mask].sum() / one.sum(), rel=1e-5, abs=1e-7)
    np.testing.assert_allclose(share_outside(np.ones((3, 6, 5)), region), region.mean(axis=(1, 2)))


def test_an_empty_map_has_no_share_and_another_shape_is_refused():
    assert np.isnan(share_outside(np.zeros((1, 4, 4)), np.ones((1, 4, 4), bool))).all()
    with pytest.raises(InputError, match="a mask per map"):
        share_outside(np.zeros((1, 4, 4)), np.ones((1, 4, 5), bool))


def test_equal_maps_do_not_depend_on_training_and_unrelated_ones_do():
    rng = np.random.default_rng(0)
    maps = rng.random((12, 16, 16)).astype(np.float32)
    same = compare(maps, maps, (2, 2))
    assert same.rank_correlation == pytest.approx(1) and same.peak_moved_fraction == 0
    assert not same.depends_on_training and "do not rely on it" in same.sentence
    scaled = compare(maps, maps**3, (2, 2))  # ranks stay
    assert scaled.rank_correlation == pytest.approx(1)
    others = compare(maps, rng.random((12, 16, 16)).astype(np.float32), (2, 2))
    assert abs(others.rank_correlation) < 0.2 and others.peak_moved_fraction > 0.7
    assert others.depends_on_training and "depends on what was learnt" in others.sentence
    assert compare(maps, np.zeros_like(maps), (2, 2)).rank_correlation == 0


def two_squares(count: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Noise with a bright red square each; in half of the images a dull blue one, to be found.

    A network of random weights is drawn to what is bright.
    """
    rng = np.random.default_rng(seed)
    images = rng.integers(60, 120, (count, 32, 32, 3), dtype=np.uint8)
    labels, places = np.arange(count) % 2, rng.integers(2, 24, (count, 2))
    for image, label, (row, column) in zip(images, labels, places, strict=True):
        decoy_row, decoy_column = (row + 16) % 26, (column + 16) % 26
        image[decoy_row : decoy_row + 6, decoy_column : decoy_column + 6, 0] += 130
        if label:
            image[row : row + 6, column : column + 6, 0] -= 50
    return images, labels, places + 2.5


@pytest.fixture(scope="module")
def spotter() -> keras.Model:
    """A small network that has learnt to find the dull square."""
    keras.utils.set_random_seed(0)
    model = build("compact", (32, 32, 3), 2, {"widths": (8, 16)})
    images, labels, _ = two_squares(400, 1)
    model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy")
    model.fit(images.astype(np.float32), labels, epochs=8, batch_size=40, verbose=0)
    return model


@pytest.mark.parametrize("method", ["grad-cam", "layer-cam"])
def test_a_trained_network_looks_at_the_object_and_a_random_one_does_not(spotter, method):
    images, labels, middles = two_squares(60, 2)
    images, middles = images[labels == 1], middles[labels == 1]
    asked = np.ones(len(images), int)

    def hits(explainer: ModelExplainer) -> float:
        maps = explainer.maps(images, asked)
        peaks = np.stack(np.unravel_index(maps.reshape(len(maps), -1).argmax(1), (32, 32)), 1)
        reach = 3 + explainer.cell[0] / 2
        return float((np.abs(peaks - middles) <= reach).all(axis=1).mean())

    explainer = ModelExplainer(spotter, method)
    randoms = [hits(randomised(explainer, seed)) for seed in range(3)]
    assert hits(explainer) >= 0.8 and hits(explainer) >= 2 * np.mean(randoms)
    assert sanity_check(explainer, images[:16], asked[:16]).depends_on_training


def test_randomising_repeats_and_leaves_model_and_generator_alone(spotter):
    explainer = ModelExplainer(spotter)
    images, _, _ = two_squares(4, 3)
    before = [weight.copy() for weight in spotter.get_weights()]
    random.seed(11)
    expected = random.random()
    random.seed(11)
    first, again = (randomised(explainer, 7).maps(images) for _ in range(2))
    assert random.random() == expected
    np.testing.assert_array_equal(first, again)
    assert not np.allclose(first, randomised(explainer, 8).maps(images))
    for weight, kept in zip(spotter.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, kept)


def test_importing_it_is_light():
    code = "import sys, tfcnn.explain; print(*sys.modules)"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    loaded = {name.partition(".")[0] for name in result.stdout.split()}
    assert not loaded & {"tensorflow", "keras", "matplotlib", "scipy", "sklearn"}


def test_the_sanity_check_looks_at_images_of_every_folder(tmp_path):
    for name, value in (("a", 10), ("b", 200)):
        (tmp_path / name).mkdir()
        for number in range(20):
            Image.new("RGB", (16, 16), (value,) * 3).save(tmp_path / name / f"{number}.png")
    named = image_files.list_images([tmp_path])
    sample = image_files.sample(Decoder((16, 16)), named)
    assert np.bincount(sample[:, 0, 0, 0], minlength=201)[[10, 200]].tolist() == [8, 8]
    (tmp_path / "a" / "0.png").write_bytes(b"no image")
    assert len(image_files.sample(Decoder((16, 16)), named, most=40)) == 39
