"""Sampling through affine maps, against SciPy."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from tfcnn.inputs import geometry

# the weight of a pixel is right to about 1e-6 of a side of 20 px; of 255 that is 5e-3 at most
TOLERANCE = 5e-3


def by_scipy(images, matrices, mode, value):
    """Read each channel with SciPy, whose coordinates are (y, x)."""
    exchanged = matrices[:, [1, 0, 2]][:, :, [1, 0, 2]]
    results = [
        ndimage.affine_transform(
            image[..., channel].astype(np.float32), matrix[:2, :2], matrix[:2, 2],
            order=1, mode=mode, cval=value,
        )
        for image, matrix in zip(images, exchanged, strict=True)
        for channel in range(images.shape[3])
    ]  # fmt: skip
    batch, height, width, channels = images.shape
    return np.stack(results).reshape(batch, channels, height, width).transpose(0, 2, 3, 1)


@pytest.mark.parametrize("mode", ["nearest", "reflect", "wrap", "constant"])
@settings(deadline=None, max_examples=40)
@given(
    height=st.integers(1, 20),
    width=st.integers(1, 20),
    channels=st.integers(1, 3),
    seed=st.integers(0, 2**32 - 1),
)
def test_reads_as_scipy_does(mode, height, width, channels, seed):
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (3, height, width, channels), dtype=np.uint8)
    matrices = np.tile(np.eye(3), (3, 1, 1))
    matrices[:, :2, :2] = rng.uniform(-2, 2, (3, 2, 2))
    matrices[:, :2, 2] = rng.uniform(-3, 3, (3, 2)) * [width, height]
    matrices = matrices.astype(np.float32)  # both get the same numbers
    expected = by_scipy(images, matrices.astype(np.float64), mode, 77.0)
    result = np.asarray(geometry.resample(images.astype(np.float32), matrices, mode, 77.0))
    assert result.dtype == np.float32
    off = np.abs(result - expected) > TOLERANCE * np.maximum(1, np.abs(matrices).max())
    # a place within 1e-5 px of an edge may fall on either side of it
    assert off.sum() <= (channels if mode in ("wrap", "constant") else 0)


@pytest.mark.parametrize("mode", ["nearest", "reflect", "wrap"])
@pytest.mark.parametrize("shape", [(1, 1), (1, 6), (6, 1)], ids=str)
def test_a_side_of_one_pixel_is_repeated(mode, shape):
    images = np.arange(shape[0] * shape[1], dtype=np.float32).reshape(1, *shape, 1)
    matrices = np.eye(3, dtype=np.float32)[np.newaxis].copy()
    matrices[0, :2, 2] = [0 if side > 1 else 2.5 for side in shape[::-1]]
    np.testing.assert_array_equal(geometry.resample(images, matrices, mode, 0.0), images)


@pytest.mark.parametrize("mode", ["nearest", "reflect", "wrap", "constant"])
@pytest.mark.parametrize("shift", range(-15, 16))
def test_whole_shifts_are_exact_at_every_edge(mode, shift):
    images = np.arange(7 * 5, dtype=np.uint8).reshape(1, 7, 5, 1)
    matrices = np.eye(3, dtype=np.float32)[np.newaxis].copy()
    matrices[0, :2, 2] = shift, -shift
    result = np.asarray(geometry.resample(images.astype(np.float32), matrices, mode, 99.0))
    np.testing.assert_array_equal(result, by_scipy(images, matrices, mode, 99.0))


def test_a_flat_area_stays_flat():
    images = np.full((1, 11, 11, 3), 201, np.uint8)
    one = {"zoom_x": 1.13, "zoom_y": 0.9, "rotation_degrees": 7.7, "shear_degrees": 3.3}
    values = {**one, "shift_x": 1, "shift_y": 2}
    parameters = {name: np.array([value]) for name, value in values.items()}
    turned = geometry.affine_matrices((5, 5), **parameters)
    for mode in ("nearest", "reflect", "wrap"):
        result = geometry.resample(images.astype(np.float32), turned.astype(np.float32), mode, 0.0)
        np.testing.assert_allclose(result, 201, rtol=0, atol=3e-5)


def test_every_turn_and_flip_of_a_batch_is_that_of_its_image():
    images = np.random.default_rng(0).integers(0, 256, (16, 6, 6, 3), dtype=np.uint8)
    turns, flips = np.repeat(np.arange(4), 4), np.array([(0, 0), (0, 1), (1, 0), (1, 1)] * 4, bool)
    changed = geometry.dihedral_batch(images, np.arange(16), turns, flips)
    for image, one, turn, flip in zip(images, changed, turns, flips, strict=True):
        np.testing.assert_array_equal(one, geometry.dihedral(image, turn, *flip))
