"""Metadata never make a sound image unreadable, and damaged pixels are never taken for sound."""

import io
import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest
from picture_files import chunk, deep_png, encoded, tiff
from PIL import Image, features

from tfcnn import decode
from tfcnn.decode import Decoder, UnreadableImageError, formats, open_image, png, read_size

# Pillow warns of what is passed over here
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning")
PIXELS = np.random.default_rng(0).integers(0, 256, (24, 30, 3), dtype=np.uint8)
LOSSLESS = {"PNG": {}, "WEBP": {"lossless": True}, "JPEG": {"quality": 100, "subsampling": 0}}
BIG = bytes(5_000_000)  # of a text or a profile, more than Pillow takes


def exif(order="<", orientation=6, kind=3, denominator=1):
    """Return EXIF data with an orientation, two fractions, and entries that point nowhere."""
    letter = {1: "B", 3: "H", 4: "I"}[kind]
    fraction = struct.pack(f"{order}II", 72, denominator)
    entries = [
        (0x10F, 2, 300, struct.pack(f"{order}I", 9999)),
        (0x112, kind, 1, struct.pack(order + letter, orientation)),
        (0x11A, 5, 1, struct.pack(f"{order}I", 74)),
        (0x11B, 10, 1, struct.pack(f"{order}I", 74)),
        (0x8769, 4, 1, struct.pack(f"{order}I", 60000)),
    ]
    body = b"".join(
        struct.pack(f"{order}HHI", tag, kind, count) + value.ljust(4, b"\0")
        for tag, kind, count, value in entries
    )
    head = (b"II" if order == "<" else b"MM") + struct.pack(f"{order}HI", 42, 8)
    return head + struct.pack(f"{order}H", len(entries)) + body + bytes(4) + fraction


@pytest.mark.parametrize("format_name", LOSSLESS)
@pytest.mark.parametrize("denominator", [0, 1])
@pytest.mark.parametrize("kind", [1, 3, 4])
@pytest.mark.parametrize("order", "<>")
def test_odd_exif_data_still_say_which_way_is_up(format_name, order, kind, denominator):
    data = exif(order, 6, kind, denominator)
    if format_name == "PNG":  # as it is, for Pillow rewrites it
        whole = encoded(PIXELS)
        content = whole[:33] + chunk(b"eXIf", data) + whole[33:]
    else:
        whole = encoded(PIXELS, format_name, **LOSSLESS[format_name])
        content = encoded(PIXELS, format_name, exif=b"Exif\0\0" + data, **LOSSLESS[format_name])
    upright = np.rot90(np.asarray(open_image(whole).image), -1)
    np.testing.assert_array_equal(np.asarray(open_image(content).image), upright)


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_an_orientation_that_is_none_is_upright(orientation):
    content = encoded(PIXELS, exif=b"Exif\0\0" + exif(orientation=orientation))
    np.testing.assert_array_equal(Decoder((24, 30)).decode(content), PIXELS)


CHUNKS = {
    "packed text": chunk(b"zTXt", b"a\0\0" + zlib.compress(BIG)),
    "packed international text": chunk(b"iTXt", b"a\0\1\0\0\0" + zlib.compress(BIG)),
    "large text": chunk(b"tEXt", b"a\0" + BIG),
    "much text": b"".join(chunk(b"tEXt", b"a\0" + bytes(900_000)) for _ in range(90)),
    "text that cannot be unpacked": chunk(b"zTXt", b"a\0\0zzzz"),
    "text packed otherwise": chunk(b"zTXt", b"a\0\7zzzz"),
    "text cut short": chunk(b"iTXt", b"a"),
    "text of another checksum": chunk(b"tEXt", b"a\0b", 5),
    "profile": chunk(b"iCCP", b"a\0\0zzzz"),
    "large profile": chunk(b"iCCP", b"a\0\0" + zlib.compress(BIG)),
    "gamma of another checksum": chunk(b"gAMA", b"\0\0\0\0", 5),
    "short gamma": chunk(b"gAMA", b"\0"),
    "short resolution": chunk(b"pHYs", b"\0"),
    "short chromaticities": chunk(b"cHRM", b"\0"),
    "empty colour space": chunk(b"sRGB", b""),
    "exif": chunk(b"eXIf", b"nonsense"),
    "short animation": chunk(b"acTL", b"\0"),
    "unknown": chunk(b"prVt", b"a", 5),
}


@pytest.mark.parametrize("after_pixels", [False, True])
@pytest.mark.parametrize("name", CHUNKS)
def test_pngs_are_read_whatever_is_beside_the_pixels(name, after_pixels):
    for whole, samples in ((encoded(PIXELS), None), (deep_png(PIXELS.astype(np.uint16)), PIXELS)):
        place = len(whole) - 12 if after_pixels else 33
        opened = open_image(whole[:place] + CHUNKS[name] + whole[place:])
        if samples is None:
            np.testing.assert_array_equal(np.asarray(opened.image), PIXELS)
        else:
            np.testing.assert_array_equal(opened.samples, samples)


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
@pytest.mark.parametrize(
    "tags",
    [
        {282: (5, 1, struct.pack("<II", 72, 0)), 283: (10, 1, struct.pack("<ii", -72, 0))},
        {282: (2, 4, b"abc\0"), 283: (2, 4, b"abc\0")},
        {34675: (7, 100, struct.pack("<I", 1 << 30))},
        {34665: (4, 1, struct.pack("<I", 1 << 29))},
        {34665: (4, 1, struct.pack("<I", 8))},
        {270: (2, 500_000, struct.pack("<I", 100))},
        {50000: (99, 5, b"abcd")},
        {34853: (4, 1, struct.pack("<I", 9))},
    ],
    ids=["fractions", "text", "profile", "exif", "loop", "description", "type", "gps"],
)
def test_tiffs_are_read_whatever_other_tags_say(tags, kind, order):
    samples = PIXELS.astype(kind)
    opened = open_image(tiff(samples, 2, order=order, orientation=6, tags=tags))
    found = opened.image if opened.samples is None else opened.samples
    np.testing.assert_array_equal(np.asarray(found), np.rot90(samples, -1))


@pytest.mark.parametrize("code", [0xE0, 0xE1, 0xE2, 0xED, 0xEE, 0xEF, 0xFE])
@pytest.mark.parametrize(
    "start", [b"JFIF\0", b"ICC_PROFILE\0", b"Photoshop 3.0\08BIM", b"MPF\0II*\0", b"Adobe", b""]
)
def test_jpegs_are_read_whatever_programs_added(code, start):
    whole = encoded(PIXELS, "JPEG", exif=b"Exif\0\0" + exif())
    expected = np.asarray(open_image(whole).image)
    for length in range(12):
        body = start + bytes(length)
        segment = struct.pack(">BBH", 0xFF, code, len(body) + 2) + body
        if code == 0xEE and start == b"Adobe" and length >= 7:
            continue  # a sound one, which says of what kind the colours are
        found = open_image(whole[:2] + segment + whole[2:]).image
        np.testing.assert_array_equal(np.asarray(found), expected)


@pytest.mark.parametrize("code", [0xE2, 0xEF, 0xFE])
def test_what_programs_added_to_a_jpeg_is_left_out(code):
    whole = encoded(PIXELS, "JPEG")
    segment = struct.pack(">BBH", 0xFF, code, 6) + b"more"
    bare = formats.without_metadata(whole[:2] + segment + whole[2:], decode.kind_of(whole))
    assert bare == whole


def test_webps_are_read_whatever_follows_the_pixels():
    whole = encoded(PIXELS, "WEBP", lossless=True, xmp=b"<x/>", icc_profile=b"none")
    place = whole.index(b"XMP ")
    content = whole[: place + 4] + struct.pack("<I", 2**30) + whole[place + 8 :]
    np.testing.assert_array_equal(np.asarray(open_image(content).image), PIXELS)


@pytest.mark.parametrize("share", [0.2, 0.5, 0.9])
@pytest.mark.parametrize("format_name", ["PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF", "PPM"])
def test_pixels_that_are_cut_short_stay_unreadable(format_name, share):
    options = {"compression": "tiff_lzw"} if format_name == "TIFF" else {}
    whole = encoded(PIXELS, format_name, **options)
    with pytest.raises(UnreadableImageError, match=r"damaged|header") as caught:
        open_image(whole[: int(len(whole) * share)], "x")
    assert format_name in str(caught.value).replace("PNM", "PPM").upper()
    assert "BytesIO" not in str(caught.value)


def test_a_damaged_tiff_says_nothing_of_its_own(capfd):
    """Libtiff writes what it misses to standard error, beside what we say of the file."""
    content = bytearray(encoded(PIXELS, "TIFF", compression="tiff_lzw"))
    content[len(content) // 3 : len(content) // 2] = bytes(len(content) // 2 - len(content) // 3)
    with pytest.raises(UnreadableImageError, match="damaged"):
        open_image(bytes(content))
    assert capfd.readouterr().err == ""


def test_of_many_channels_pillow_says_nothing_of_its_own(tmp_path):
    """In a process of its own: here pytest hears all logs."""
    path = tmp_path / "spectrum.tif"
    path.write_bytes(tiff(np.zeros((5, 4, 8), np.uint8), 1, extra=(0,) * 7))
    code = (
        "import sys, pathlib; from tfcnn.decode import open_image; "
        "print(*open_image(pathlib.Path(sys.argv[1]).read_bytes()).remarks)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == (
        "channels that are neither colour nor alpha, which are not read: 7"
    )
    assert done.stderr == ""


def test_a_damaged_needed_chunk_stays_unreadable():
    whole = bytearray(encoded(PIXELS))
    whole[60] ^= 1
    with pytest.raises(UnreadableImageError, match="damaged or cut short"):
        open_image(bytes(whole))


FOREIGN = ["EPS", "ICO", "PCX", "SGI", "DDS", "QOI", "TGA", "IM", "MSP", "SPIDER", "ICNS", "PALM"]


@pytest.mark.parametrize("format_name", FOREIGN)
def test_other_formats_are_never_opened(format_name, tmp_path, monkeypatch):
    image = Image.fromarray(PIXELS)
    mode = {"MSP": "1", "PALM": "P", "SPIDER": "F"}.get(format_name, "RGB")
    Image.init()
    if format_name not in Image.SAVE:
        pytest.skip("this Pillow does not write it")
    content = encoded(image.convert(mode), format_name)
    name = format_name.upper()
    if name in Image.OPEN:
        refused = (lambda *_: pytest.fail(f"opened {name}"), Image.OPEN[name][1])
        monkeypatch.setitem(Image.OPEN, name, refused)
    (tmp_path / "x").write_bytes(content)
    assert read_size(tmp_path / "x") is None
    with pytest.raises(UnreadableImageError) as caught:
        open_image(content, "x")
    assert "try" in str(caught.value) and "viewer" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "received", "hint"),
    [
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n",
            "Git LFS",
            "`git lfs pull`",
        ),
        (b"<!DOCTYPE html><html>", "web page", "fetching the image again"),
        (b"", "0 bytes", "fetching it again"),
        (bytes(100), "zero bytes", "fetching it again"),
        (bytes(128) + b"DICM" + bytes(30), "DICOM", "converting it to 16-bit PNG"),
        (b"PK\x03\x04" + bytes(30), "zip", "unpacking it"),
        (b"\0\0\0\x18ftypmp42" + bytes(30), "video", "saving its frames"),
        (b"%PDF-1.7", "PDF", "saving its pages"),
        (b"\x8f\x91nothing known", "no image format", "saving it as PNG"),
    ],
)
def test_an_error_says_what_the_file_is_and_what_to_do(content, received, hint):
    with pytest.raises(UnreadableImageError) as caught:
        open_image(content, "folder/x.jpg")
    message = str(caught.value)
    assert message.startswith("folder/x.jpg: expected an image that can be read; received ")
    assert received in message and f"try {hint}" in message
    assert caught.value.reason in message


HEIC = b"\0\0\0\x1cftypheic\0\0\0\0mif1heicmiaf" + bytes(60)


def test_heic_names_the_extra_where_it_is_not_installed(monkeypatch):
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(UnreadableImageError, match=r"HEIC.*try pip install 'tfcnn\[heif\]'"):
        open_image(HEIC)


def test_heic_is_read_where_the_extra_is_installed():
    heif = pytest.importorskip("pillow_heif")
    file = io.BytesIO()
    smooth = np.add.outer(np.arange(48), np.arange(64)).astype(np.uint8)
    heif.from_pillow(Image.fromarray(np.dstack([smooth] * 3))).save(file, quality=95)
    pixels = Decoder((48, 64), 1).decode(file.getvalue())[..., 0]
    assert np.abs(pixels.astype(int) - smooth).max() <= 6
    with pytest.raises(UnreadableImageError, match="HEIC"):
        open_image(HEIC)


def test_avif_is_read_by_content_whatever_brand_comes_first():
    if not features.check("avif"):
        pytest.skip("this Pillow was built without AVIF")
    content = bytearray(encoded(PIXELS, "AVIF"))
    assert content[8:12] == b"avif"
    content[8:12] = b"mif1"
    assert decode.kind_of(bytes(content)).name == "an AVIF image"


def test_only_a_png_that_is_mostly_metadata_is_read_without_them(monkeypatch):
    whole = encoded(PIXELS)
    monkeypatch.setattr(png, "BULK_BYTES", len(whole))
    assert png.without_bulk(whole) is whole
    assert (
        png.without_bulk(whole[:33] + chunk(b"tEXt", bytes(2 * len(whole))) + whole[33:]) == whole
    )
