"""One decoder: every kind of file, one answer; every broken file, a named error."""

import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tfcnn.decode import Decoder, UnreadableImageError, open_image


def encoded(image: Image.Image, format_name: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format_name, **options)
    return buffer.getvalue()


def picture(height: int, width: int, channels: int = 3, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, channels), dtype=np.uint8)


@settings(deadline=None, max_examples=25)
@given(
    height=st.integers(1, 40),
    width=st.integers(1, 40),
    channels=st.sampled_from([1, 3]),
    fit=st.sampled_from(["stretch", "pad", "crop"]),
    size=st.tuples(st.integers(8, 40), st.integers(8, 40)),
)
def test_shape_and_type_always_fit(height, width, channels, fit, size):
    content = encoded(Image.fromarray(picture(height, width)))
    pixels = Decoder(size, channels, fit).decode(content)
    assert pixels.shape == (*size, channels)
    assert pixels.dtype == np.uint8


def test_native_size_is_untouched_and_arrays_give_what_files_give():
    pixels = picture(20, 30)
    decoder = Decoder((20, 30))
    np.testing.assert_array_equal(decoder.decode(encoded(Image.fromarray(pixels))), pixels)
    np.testing.assert_array_equal(decoder.decode(pixels), pixels)
    small = Decoder((9, 11), 1, "pad")
    np.testing.assert_array_equal(
        small.decode(pixels), small.decode(encoded(Image.fromarray(pixels)))
    )


def test_height_comes_before_width():
    assert Decoder((8, 24)).decode(encoded(Image.fromarray(picture(50, 50)))).shape == (8, 24, 3)


def test_pad_keeps_the_shape_on_black_and_crop_keeps_the_middle():
    wide = np.full((10, 30, 3), 200, np.uint8)
    padded = Decoder((30, 30), 3, "pad").decode(encoded(Image.fromarray(wide)))
    assert (padded[0] == 0).all() and (padded[-1] == 0).all() and (padded[15] == 200).all()
    wide[:, :10] = 0
    wide[:, 20:] = 0
    assert (Decoder((10, 10), 3, "crop").decode(encoded(Image.fromarray(wide))) == 200).all()


def test_shrinking_is_antialiased():
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[:, ::2] = 255
    small = Decoder((8, 8)).decode(encoded(Image.fromarray(stripes)))
    assert small.min() >= 110 and small.max() <= 145  # without it: 0 or 255


def test_transparency_is_laid_over_black():
    pixels = np.full((8, 8, 4), 255, np.uint8)
    pixels[:4, :, 3] = 0
    decoded = Decoder((8, 8)).decode(encoded(Image.fromarray(pixels)))
    assert (decoded[:4] == 0).all() and (decoded[4:] == 255).all()


def test_palette_with_transparency_is_laid_over_black():
    image = Image.new("P", (8, 8), 0)
    image.putpalette([255, 255, 255, 10, 20, 30])
    image.putpixel((0, 0), 1)
    content = encoded(image, transparency=0)
    decoded = Decoder((8, 8)).decode(content)
    assert decoded[5, 5].tolist() == [0, 0, 0] and decoded[0, 0].tolist() == [10, 20, 30]


@pytest.mark.parametrize(
    ("pixels", "transparent", "expected"),
    [
        (np.array([[[9, 200, 70], [9, 200, 71]]], np.uint8), (9, 200, 70), [9, 200, 71]),
        (np.array([[200, 100]], np.uint8), 200, [100, 100, 100]),
        (np.array([[51400, 25700]], np.uint16), 51400, [100, 100, 100]),
    ],
    ids=["colour", "grey", "16-bit grey"],
)
def test_a_transparent_colour_is_laid_over_black(pixels, transparent, expected):
    image = Image.fromarray(pixels)
    plain = Decoder((1, 2)).decode(encoded(image))
    decoded = Decoder((1, 2)).decode(encoded(image, transparency=transparent))
    assert decoded[0].tolist() == [[0, 0, 0], expected]
    assert plain[0, 0].any() and plain[0, 1].tolist() == expected


def test_a_transparent_colour_of_sixteen_bits_is_laid_over_black():
    """By hand, as Pillow writes none: a colour whose low bytes are those of white."""
    colours = [(0x80FF, 0x20FF, 0x40FF), (0xFFFF,) * 3]
    parts = {
        b"IHDR": struct.pack(">IIBBBBB", 2, 1, 16, 2, 0, 0, 0),
        b"tRNS": struct.pack(">3H", *colours[0]),
        b"IDAT": zlib.compress(b"\0" + struct.pack(">6H", *colours[0], *colours[1])),
        b"IEND": b"",
    }
    content = b"\x89PNG\r\n\x1a\n"
    for name, data in parts.items():
        crc = struct.pack(">I", zlib.crc32(name + data))
        content += struct.pack(">I", len(data)) + name + data + crc
    assert Decoder((1, 2)).decode(content)[0].tolist() == [[0, 0, 0], [255, 255, 255]]


def test_sixteen_bits_are_scaled_not_clipped():
    ramp = np.linspace(0, 65535, 64).astype(np.uint16).reshape(8, 8)
    decoded = Decoder((8, 8), 1).decode(encoded(Image.fromarray(ramp)))
    np.testing.assert_array_equal(decoded[..., 0], np.round(ramp / 257))


def test_exif_orientation_is_applied():
    pixels = picture(8, 16)
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees to the right
    content = encoded(Image.fromarray(pixels), exif=exif)
    decoded = Decoder((16, 8)).decode(content)
    np.testing.assert_array_equal(decoded, np.rot90(pixels, -1))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr"])
def test_every_mode_decodes(mode):
    image = Image.fromarray(picture(12, 12)).convert(mode)
    content = encoded(image, "TIFF" if mode in ("CMYK", "YCbCr") else "PNG")
    assert Decoder((12, 12)).decode(content).shape == (12, 12, 3)


@pytest.mark.parametrize("format_name", ["JPEG", "WEBP", "GIF", "BMP", "TIFF", "PPM"])
def test_every_format_decodes(format_name):
    content = encoded(Image.fromarray(picture(12, 12)), format_name)
    assert Decoder((12, 12)).decode(content).shape == (12, 12, 3)


def _png_with_bad_crc() -> bytes:
    content = bytearray(encoded(Image.fromarray(picture(32, 32))))
    content[-20] ^= 0xFF
    return bytes(content)


def _bomb() -> bytes:
    header = struct.pack(">IIBBBBB", 60000, 60000, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", 13) + b"IHDR" + header
    crc = struct.pack(">I", zlib.crc32(b"IHDR" + header))
    return b"\x89PNG\r\n\x1a\n" + chunk + crc


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"just text",
        encoded(Image.fromarray(picture(32, 32)))[:200],
        encoded(Image.fromarray(picture(32, 32)), "JPEG")[:300],
        _png_with_bad_crc(),
        _bomb(),
    ],
    ids=["empty", "text", "cut png", "cut jpeg", "bad crc", "bomb"],
)
def test_broken_files_are_named(content):
    with pytest.raises(UnreadableImageError) as caught:
        Decoder((8, 8)).decode(content, "folder/name.png")
    message = str(caught.value)
    assert message.startswith("folder/name.png: expected") and "\n" not in message
    assert "BytesIO" not in message


@settings(deadline=None, max_examples=60)
@given(st.binary(max_size=200), st.integers(0, 300))
def test_garbage_never_raises_anything_else(garbage, position):
    content = bytearray(encoded(Image.fromarray(picture(16, 16))))
    position %= len(content)
    content[position : position + len(garbage)] = garbage
    try:
        assert Decoder((8, 8)).decode(bytes(content)).shape == (8, 8, 3)
    except UnreadableImageError as error:
        assert error.reason


def test_settings_survive_json():
    decoder = Decoder((30, 40), 1, "pad")
    assert Decoder.from_dict(decoder.to_dict()) == decoder


def test_open_image_keeps_grey():
    assert open_image(encoded(Image.new("L", (3, 3)))).image.mode == "L"
