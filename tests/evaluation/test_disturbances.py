"""The nine disturbances: each does what it says, in three strengths, the same each time."""

import numpy as np
import pytest
from scipy import ndimage

from tfcnn.evaluation.disturbances import KINDS, SEVERITIES, STAIN, disc, disturb, kinds_for

BY_NAME = {kind.name: kind for kind in KINDS}


def picture(height=40, width=40, channels=3):
    """A smooth field with a bright square, and colours that differ."""
    rows, columns = np.mgrid[:height, :width]
    field = 90 + 40 * np.sin(rows / 5) + 30 * np.cos(columns / 4)
    field[height // 3 : height // 2, width // 3 : width // 2] = 200
    return np.stack([field * (1 - 0.2 * c) for c in range(channels)], axis=2).astype(np.uint8)


def after(name, severity=3, image=None, seed=0, file="a.png"):
    image = picture() if image is None else image
    return disturb(image, BY_NAME[name], severity, seed, file)


def distance(image, other):
    return float(np.abs(image.astype(float) - other.astype(float)).mean())


def test_there_are_nine_kinds_of_three_rising_strengths():
    names = ["blur", "defocus", "brightness", "contrast", "stain", "jpeg", "noise", "scale",
             "border"]  # fmt: skip
    assert [kind.name for kind in KINDS] == names and SEVERITIES == (1, 2, 3)
    assert [kind.name for kind in kinds_for(1)] == [name for name in names if name != STAIN]
    assert kinds_for(3) == KINDS


@pytest.mark.parametrize("name", BY_NAME)
@pytest.mark.parametrize("shape", [(40, 40, 3), (24, 60, 3), (28, 28, 1)])
def test_a_stronger_one_changes_more(name, shape):
    if BY_NAME[name] not in kinds_for(shape[2]):
        return
    image = picture(*shape)
    before = image.copy()
    changed = [after(name, severity, image) for severity in SEVERITIES]
    assert all(one.shape == image.shape and one.dtype == np.uint8 for one in changed)
    costs = [distance(image, one) for one in changed]
    assert 0 < costs[0] < costs[1] < costs[2]
    assert np.array_equal(image, before)


@pytest.mark.parametrize("name", BY_NAME)
def test_the_same_arguments_give_the_same_pixels(name):
    assert np.array_equal(after(name), after(name))


@pytest.mark.parametrize("name", ["noise", "stain", "brightness", "contrast"])
def test_chance_differs_by_image_and_by_seed(name):
    ways = {after(name, file=f"{i}.png").tobytes() for i in range(20)}
    others = {after(name, seed=seed).tobytes() for seed in range(20)}
    assert min(len(ways), len(others)) >= 2  # a sign has two values


def test_chance_is_the_same_at_all_strengths():
    grey = np.full((32, 32, 3), 128, dtype=np.uint8)
    weak, strong = (after("noise", s, grey).astype(float) - 128 for s in (1, 2))
    assert np.corrcoef(weak.ravel(), strong.ravel())[0, 1] > 0.99


def test_noise_has_the_stated_deviation():
    grey = np.full((200, 200, 3), 128, dtype=np.uint8)
    for severity, share in zip(SEVERITIES, (0.02, 0.05, 0.1), strict=True):
        noise = after("noise", severity, grey).astype(float) - 128
        assert noise.std() == pytest.approx(255 * share, rel=0.03) and abs(noise.mean()) < 0.5


def test_a_stain_multiplies_channels_and_never_all_alike():
    grey = np.full((8, 8, 3), 100, dtype=np.uint8)
    seen = set()
    for i in range(60):
        gains = after("stain", 2, grey, file=str(i))[0, 0] / 100
        assert set(np.round(gains, 2)) == {0.8, 1.2}
        seen.add(tuple(gains))
    assert len(seen) == 6


def test_brightness_and_contrast_go_both_ways_by_the_stated_share():
    grey = np.full((8, 8, 3), 100, dtype=np.uint8)
    assert {int(after("brightness", 2, grey, file=str(i))[0, 0, 0]) for i in range(20)} == {80, 120}
    two = np.full((8, 8, 3), 80, dtype=np.uint8)
    two[:, 4:] = 120
    spans = {int(np.ptp(after("contrast", 2, two, file=str(i)))) for i in range(20)}
    assert spans == {28, 52}


def test_blur_is_a_gaussian_of_the_stated_width():
    image = picture(80, 80)
    expected = ndimage.gaussian_filter(
        image.astype(float), (0.04 * 80, 0.04 * 80, 0), mode="nearest"
    )
    assert distance(after("blur", 3, image), expected) < 1.5  # Pillow's is three boxes


def test_defocus_is_a_convolution_with_a_disc():
    image = picture(50, 50)
    kernel = disc(0.1 * 50)
    expected = ndimage.convolve(image.astype(float), kernel[..., None], mode="nearest")
    assert np.abs(after("defocus", 3, image) - expected).max() <= 0.51


@pytest.mark.parametrize("radius", [1.0, 2.5, 7.2])
def test_a_disc_covers_its_area(radius):
    kernel = disc(radius)
    assert kernel.sum() == pytest.approx(1) and np.allclose(kernel, kernel.T)
    area = 1 / kernel.max()  # a pixel that is wholly covered
    assert area == pytest.approx(np.pi * radius**2, rel=0.08)


def test_the_smallest_disc_is_the_pixel():
    assert disc(0.3).max() == 1


def test_scale_loses_what_is_finer_than_its_pixels():
    stripes = np.zeros((64, 64, 3), dtype=np.uint8)
    stripes[:, ::2] = 255
    assert np.ptp(after("scale", 3, stripes)[8:-8, 8:-8]) < 40
    assert np.ptp(after("scale", 1, stripes)[8:-8, 8:-8]) > 40


def test_a_border_is_black_and_as_wide_as_stated():
    white = np.full((100, 100, 3), 255, dtype=np.uint8)
    framed = after("border", 3, white)
    # of 140 px, of which 20 on each side are black, 100 are made: 14.3 on each side
    assert (
        not framed[:13].any() and not framed[:, -13:].any() and framed[17:-17, 17:-17].min() == 255
    )


def test_jpeg_is_pillows_own():
    import io

    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(picture()).save(file, "JPEG", quality=15)
    assert np.array_equal(after("jpeg"), np.asarray(Image.open(file)))
