"""The slides' kernels: their numbers, and what each does to a picture whose answer is known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import correlate

from tfcnn.concepts.kernels import KERNELS, SLIDE_FILTER, SLIDE_IMAGE, apply_kernel


def test_blur_is_the_slides():
    printed = [[0.0625, 0.125, 0.0625], [0.125, 0.25, 0.125], [0.0625, 0.125, 0.0625]]
    assert KERNELS["blur"].tolist() == printed


def test_slide_image_is_the_printed_one():
    assert SLIDE_IMAGE.shape == (6, 6)
    assert (SLIDE_IMAGE == 1).sum() == 12
    assert (SLIDE_IMAGE[2:4, 2:4] == -1).all()
    assert not SLIDE_IMAGE[[0, -1]].any()
    assert not SLIDE_IMAGE[:, [0, -1]].any()
    assert SLIDE_FILTER.tolist() == [[0, 0, 0], [0, -1, 1], [0, 1, -1]]


@pytest.mark.parametrize("name", sorted(KERNELS))
def test_flat_areas_keep_their_brightness_or_go_black(name):
    flat = np.full((5, 5), 100, np.uint8)
    brightness = 100 if name in ("identity", "blur", "sharpen", "emboss") else 0
    assert (apply_kernel(flat, KERNELS[name]) == brightness).all()


@pytest.mark.parametrize(("name", "turns"), [("left", 0), ("bottom", 1), ("right", 2), ("top", 3)])
def test_a_sobel_kernel_answers_where_its_side_is_brighter(name, turns):
    edge = np.zeros((6, 6), np.uint8)
    edge[:, :3] = 50  # bright on the left, then turned counter-clockwise
    edge = np.rot90(edge, turns)
    assert apply_kernel(edge, KERNELS[f"sobel_{name}"]).max() == 200
    others = {"left", "right", "top", "bottom"} - {name}
    assert all(apply_kernel(edge, KERNELS[f"sobel_{other}"]).max() == 0 for other in others)


@settings(deadline=None, max_examples=40)
@given(
    name=st.sampled_from(sorted(KERNELS)),
    channels=st.sampled_from([None, 1, 3, 4]),
    dtype=st.sampled_from([np.uint8, np.uint16]),
    stride=st.integers(1, 3),
    seed=st.integers(0, 2**32 - 1),
)
def test_pixels_equal_scipy_rounded_and_clipped(name, channels, dtype, stride, seed):
    top = np.iinfo(dtype).max
    shape = (7, 9) if channels is None else (7, 9, channels)
    image = np.random.default_rng(seed).integers(0, top, shape, dtype, endpoint=True)
    kernel = KERNELS[name] if channels is None else KERNELS[name][:, :, np.newaxis]
    whole = correlate(image.astype(np.float64), kernel, mode="constant")[1:-1:stride, 1:-1:stride]
    result = apply_kernel(image, KERNELS[name], stride)
    assert result.dtype == dtype
    np.testing.assert_array_equal(result, np.clip(np.rint(whole), 0, top))


def test_floats_are_left_as_they_come():
    result = apply_kernel(SLIDE_IMAGE, KERNELS["outline"])
    assert result.dtype == np.float64
    assert result.min() < -1


def test_identity_changes_nothing():
    image = np.random.default_rng(0).integers(0, 256, (5, 4, 3), dtype=np.uint8)
    assert (apply_kernel(image, KERNELS["identity"], padding="same") == image).all()


def test_constants_cannot_be_changed_by_accident():
    with pytest.raises(ValueError, match=r"read-only"):
        KERNELS["blur"][0, 0] = 1


def test_kernels_with_channels_are_refused():
    with pytest.raises(ValueError, match=r"expected .*; received .*; try convolve2d"):
        apply_kernel(np.ones((4, 4, 3)), np.ones((3, 3, 3)))
