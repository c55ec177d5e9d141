"""Pictures are the same where all that their files hold is, at every depth."""

import hashlib

import numpy as np
import pytest
from picture_files import deep_png, encoded, tiff
from PIL import Image

from tfcnn import manifest
from tfcnn.datasets.folder import open_folder
from tfcnn.decode import open_image
from tfcnn.manifest.rows import DIM_NOTE, hash_pixels

PIXELS = np.random.default_rng(0).integers(0, 256, (10, 14, 3), dtype=np.uint8)
# of an image of 4 x 2 px that holds 0 to 23, by the version that the shipped models were made with
PINNED = "2dd6db4ff2d56da7096c7d1d56eeb26e5e59be687979c613f513ddf76afd77b6"
DARK = np.random.default_rng(0).integers(0, 4096, (16, 16, 4)).astype(np.uint16)


def of(content):
    return hash_pixels(open_image(content))


def as_before(pixels):
    """Return the hash that the shipped models' `seen.npz` hold: of size and RGB values."""
    height, width = pixels.shape[:2]
    return hashlib.sha256(f"({width}, {height})".encode() + pixels.tobytes()).hexdigest()


@pytest.mark.parametrize("format_name", ["PNG", "BMP", "TIFF", "PPM", "WEBP", "pixels"])
def test_pictures_of_8_bits_keep_their_hash(format_name):
    options = {"lossless": True} if format_name == "WEBP" else {}
    content = PIXELS if format_name == "pixels" else encoded(PIXELS, format_name, **options)
    assert of(content) == as_before(PIXELS)
    grey = PIXELS[..., 0]
    three = np.dstack([grey] * 3)
    content = grey if format_name == "pixels" else encoded(grey, format_name, **options)
    assert of(content) == of(three) == as_before(three)


def test_a_hash_that_was_written_before_is_found_again():
    pixels = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    assert of(encoded(pixels)) == PINNED


def test_a_palette_and_opaque_pixels_are_the_same_picture():
    few = Image.fromarray(PIXELS).quantize(8, dither=Image.Dither.NONE)
    colours = np.asarray(few.convert("RGB"))
    assert of(encoded(few)) == of(encoded(few, "GIF")) == as_before(colours)
    opaque = np.dstack([colours, np.full((10, 14), 255, np.uint8)])
    assert of(encoded(opaque)) == of(opaque) == as_before(colours)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_dark_pictures_of_16_bits_differ(channels):
    """In 8 bits one hot pixel is all that is left of both."""
    first = DARK[..., :channels] // 32
    second = first[::-1].copy()
    for samples in (first, second):
        samples[3, 3] = 65535
        samples[..., 3:] = 65535
    photometry, extra = (1, 2)[channels > 2], (2,) * (channels % 2 == 0)
    files = [deep_png, lambda samples: tiff(samples, photometry, extra=extra)]
    hashes = [[of(write(samples)) for write in files] for samples in (first, second)]
    assert hashes[0][0] == hashes[0][1] != hashes[1][0] == hashes[1][1]


def test_grey_of_16_bits_saved_as_rgb_is_the_same_picture():
    grey = DARK[..., :1]
    three = np.repeat(grey, 3, axis=2)
    hashes = {of(deep_png(grey)), of(deep_png(three)), of(tiff(grey, 1)), of(tiff(three, 2))}
    assert len(hashes) == 1
    assert of(tiff(65535 - grey, 0)) in hashes and of(tiff(grey, 0)) not in hashes


def test_8_bits_saved_as_16_are_the_same_picture():
    assert of(deep_png(PIXELS.astype(np.uint16) * 257)) == as_before(PIXELS)


def test_drawings_of_one_ink_differ_by_their_opacity():
    first, second = np.zeros((2, 9, 9, 4), np.uint8)
    first[2:5, 2:5, 3] = second[4:7, 4:7, 3] = 255
    assert of(encoded(first)) != of(encoded(second))
    unseen = first.copy()
    unseen[unseen[..., 3] == 0] = (9, 8, 7, 0)  # some programs keep colours that no one sees
    assert of(encoded(unseen)) == of(encoded(first))


@pytest.mark.parametrize("channels", [1, 3])
def test_distinct_dark_pictures_are_not_in_two_classes_at_once(tmp_path, channels):
    random = np.random.default_rng(channels)
    for label in ("a", "b"):
        (tmp_path / label).mkdir()
        for i in range(10):
            samples = random.integers(0, 90, (16, 16, channels)).astype(np.uint16)
            samples[5, 5] = 65535
            (tmp_path / label / f"{i}.png").write_bytes(deep_png(samples))
    data = manifest.build(open_folder(tmp_path))
    assert not data.copies()
    assert data.notes == (DIM_NOTE,)  # which one hot pixel does not hide


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize(("most", "is_dim"), [(255, True), (4095, True), (20_000, False)])
@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_a_dark_set_is_one_whatever_its_channels(tmp_path, channels, most, is_dim, suffix):
    random = np.random.default_rng(0)
    for label in ("a", "b"):
        (tmp_path / label).mkdir()
        for i in range(4):
            samples = random.integers(0, most, (12, 12, channels)).astype(np.uint16)
            if channels % 2 == 0:
                samples[..., -1] = 65535  # opaque: alpha is no light
            photometry, extra = (1, 2)[channels > 2], (2,) * (channels % 2 == 0)
            content = tiff(samples, photometry, extra=extra) if suffix == ".tif" else None
            (tmp_path / label / f"{i}{suffix}").write_bytes(content or deep_png(samples))
    notes = manifest.build(open_folder(tmp_path)).notes
    assert notes == ((DIM_NOTE,) if is_dim else ())


def test_one_row_of_16_bits_is_enough(monkeypatch):
    monkeypatch.setattr("tfcnn.decode.samples.BLOCK_VALUES", PIXELS[0].size)  # a row at a time
    deep = PIXELS.astype(np.uint16) * 257
    before = of(deep_png(deep))
    deep[0] ^= 1
    assert of(deep_png(deep)) != before


def test_grey_with_opacity_saved_as_rgba_is_the_same_picture():
    two = DARK[..., :2]
    assert of(deep_png(two)) == of(deep_png(two[..., [0, 0, 0, 1]]))
