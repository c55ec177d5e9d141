"""What is more than 8 bits deep, signed, or counted from white: every value against its truth."""

import base64
import itertools
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from picture_files import SIGNATURE, chunk, deep_png, encoded, tiff
from PIL import Image

from tfcnn.decode import (
    HEAD_BYTES,
    Decoder,
    UnreadableImageError,
    formats,
    histogram_of_16_bits,
    kind_of,
    open_image,
    png,
    read_size,
)

SHAPE = 21, 37


def drawn(channels, most=65535, kind=np.uint16):
    random = np.random.default_rng(channels)
    return random.integers(0, most, (*SHAPE, channels), endpoint=True).astype(kind)


def decoded(content, channels=3):
    return Decoder(SHAPE, channels).decode(content)


LAYOUTS = {
    "strips": {},
    "deflated": {"deflated": True},
    "differences": {"deflated": True, "predicted": True},
    "tiles": {"tile": (16, 16)},
    "tiled differences": {"tile": (16, 32), "deflated": True, "predicted": True},
    "big": {"big": True},
}
KINDS = {  # photometry, channels, extra, planar
    "grey": (1, 1, (), False),
    "grey and alpha": (1, 2, (2,), False),
    "RGB": (2, 3, (), False),
    "planes": (2, 3, (), True),
    "RGBA": (2, 4, (2,), False),
    "RGB and another": (2, 4, (0,), False),
}


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("kind", KINDS)
def test_tiffs_of_16_bits_give_their_values(kind, layout, order):
    photometry, channels, extra, planar = KINDS[kind]
    samples = drawn(channels)
    content = tiff(samples, photometry, order=order, extra=extra, planar=planar, **LAYOUTS[layout])
    opened = open_image(content)
    seen = samples[..., : 3 if extra == (0,) else channels]
    np.testing.assert_array_equal(opened.samples, seen)
    shown = np.asarray(opened.image.convert("LA" if channels == 2 else opened.image.mode))
    np.testing.assert_array_equal(shown.reshape(seen.shape), np.round(seen / 257))
    assert bool(opened.remarks) == (extra == (0,))  # a channel that is not read is said


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.uint32])
def test_where_0_is_white_a_tiff_is_inverted(kind, order):
    samples = drawn(1, 255 if kind is np.uint8 else 65535, kind)
    from_white, from_black = (decoded(tiff(samples, i, order=order), 1) for i in (0, 1))
    np.testing.assert_array_equal(from_white, 255 - from_black)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_alpha_is_not_inverted(kind):
    samples = drawn(2, 255 if kind is np.uint8 else 65535, kind)
    whole = open_image(tiff(samples, 0, extra=(2,))).samples.astype(int)
    of_black = open_image(tiff(samples.astype(np.uint16), 1, extra=(2,))).samples.astype(int)
    factor = 257 if kind is np.uint8 else 1
    np.testing.assert_array_equal(whole[..., 0], 65535 - factor * of_black[..., 0])
    np.testing.assert_array_equal(whole[..., 1], factor * of_black[..., 1])


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("extra", [(2,), (0,), (0, 0), (2, 0)])
@pytest.mark.parametrize("colours", [1, 3])
def test_other_channels_of_8_bits_may_lie_in_planes(colours, extra, layout, order):
    samples = drawn(colours + len(extra), 255, np.uint8)
    content = tiff(samples, colours // 2 + 1, extra=extra, order=order, planar=True,
                   **LAYOUTS[layout])  # fmt: skip
    opened = open_image(content)
    picture = np.asarray(opened.image)
    if extra[0] == 2:
        np.testing.assert_array_equal(picture[..., 3], samples[..., colours])
    np.testing.assert_array_equal(
        picture.reshape(*SHAPE, -1)[..., :colours], samples[..., :colours]
    )
    assert len(opened.remarks) == (0 in extra)


def test_differences_are_summed_up_whatever_packs_them():
    samples = drawn(1, 255, np.uint8)
    differences = np.diff(samples[..., 0], axis=1, prepend=np.uint8(0))
    packed = np.insert(differences, 0, SHAPE[1] - 1, axis=1)  # PackBits: so many bytes as they are
    tags = {tag: (4, 1, struct.pack("<I", value)) for tag, value in
            ((256, SHAPE[1]), (259, 32773), (317, 2))}  # fmt: skip
    content = tiff(packed[..., np.newaxis], 1, tags=tags)
    np.testing.assert_array_equal(decoded(content, 1), samples)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_what_is_not_packed_holds_no_differences(kind):
    """As libtiff has it: some programs leave the tag behind."""
    samples = drawn(1, 255, kind)
    plain, tagged = (
        decoded(tiff(samples, 1, tags={317: (4, 1, struct.pack("<I", value))}), 1)
        for value in (1, 2)
    )
    np.testing.assert_array_equal(tagged, plain)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_a_volume_in_one_image_is_not_taken_for_a_picture(kind):
    tags = {32997: (4, 1, struct.pack("<I", 3))}
    with pytest.raises(UnreadableImageError, match="a TIFF volume of 3 slices"):
        open_image(tiff(drawn(1, 255, kind), 1, tags=tags))


@pytest.mark.parametrize("photometry", [0, 1])
def test_bits_are_black_or_white_as_the_tag_says(photometry):
    """Pillow reads these; that it does so rightly is pinned."""
    bits = np.random.default_rng(0).integers(0, 2, (9, 16))
    packed = np.packbits(bits, axis=1)[..., np.newaxis]
    tags = {tag: (4, 1, struct.pack("<I", value)) for tag, value in ((256, 16), (258, 1))}
    decoded = Decoder((9, 16), 1).decode(tiff(packed, photometry, tags=tags))[..., 0]
    np.testing.assert_array_equal(decoded, 255 * (bits if photometry else 1 - bits))


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("bits", [10, 12, 14])
def test_the_largest_value_of_few_bits_is_white(bits, channels):
    values = np.random.default_rng(0).integers(0, 2**bits, (6, 8, channels))
    values[0, 0], values[0, 1] = 0, 2**bits - 1
    each = values.reshape(6, -1, 1) >> np.arange(bits)[::-1] & 1
    packed = np.packbits(each.reshape(6, -1), axis=1)[..., np.newaxis]
    tags = {
        256: (4, 1, struct.pack("<I", 8)), 277: (4, 1, struct.pack("<I", channels)),
        258: (4, channels, struct.pack("<I", bits) * channels),
    }  # fmt: skip
    content = tiff(packed, 2 if channels == 3 else 1, tags=tags)
    pixels = Decoder((6, 8), channels).decode(content)
    np.testing.assert_allclose(pixels, values / (2**bits - 1) * 255, atol=0.51)
    assert pixels[0, 0].max() == 0 and pixels[0, 1].min() == 255


def test_ink_of_16_bits_is_subtracted():
    ink = drawn(4).astype(float)
    expected = (65535 - ink[..., :3]) * (65535 - ink[..., 3:]) / 65535 / 257
    pixels = decoded(tiff(ink.astype(np.uint16), 5))
    np.testing.assert_allclose(pixels, expected, atol=0.51)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_premultiplied_colours_are_divided_by_their_alpha(kind):
    full = np.iinfo(kind).max
    straight, alpha = drawn(3, full, kind), drawn(1, full, kind) // 2 + full // 2
    multiplied = np.round(straight.astype(float) * alpha / full).astype(kind)
    both = [tiff(np.dstack([colours, alpha]), 2, extra=(extra,))
            for colours, extra in ((multiplied, 1), (straight, 2))]  # fmt: skip
    found = [np.asarray(open_image(content).image).astype(int) for content in both]
    assert np.abs(found[0] - found[1]).max() <= 2


@pytest.mark.parametrize("kind", [np.int8, np.int16, np.int32])
def test_what_is_below_0_has_no_shade(kind):
    samples = drawn(1, 100, kind)
    light = decoded(tiff(samples, 1), 1).astype(float)
    full = 255 if kind is np.int8 else 65535
    np.testing.assert_allclose(light, samples / full * 255, atol=0.51)
    samples[3, 4] = -1
    with pytest.raises(UnreadableImageError, match=r"below 0.*try scaling them"):
        decoded(tiff(samples, 1))


@pytest.mark.parametrize(
    ("kind", "value", "why"),
    [
        (np.float32, 0.5, "floating-point"),
        (np.float64, 0.5, "floating-point"),
        (np.float16, 0.5, "floating-point"),
        (np.complex64, 1, "no whole numbers"),
        (np.uint64, 1, "64 bits"),
        (np.uint32, 65536, "outside the 16-bit range"),
    ],
)
@pytest.mark.parametrize("order", "<>")
def test_numbers_of_unknown_range_are_refused_by_name(kind, value, why, order):
    content = tiff(np.full((4, 5, 1), value, kind), 1, order=order)
    with pytest.raises(UnreadableImageError, match=f"x.tif: expected.*{why}.*try scaling them"):
        Decoder((4, 5)).decode(content, "x.tif")


def test_layouts_that_are_not_read_are_named():
    with pytest.raises(
        UnreadableImageError, match=r"16-bit samples of a palette.*try saving it as"
    ):
        open_image(tiff(drawn(1), 3))
    with pytest.raises(UnreadableImageError, match="16-bit samples of Lab"):
        open_image(tiff(drawn(3), 8))


def test_other_channels_beside_grey_are_said():
    for kind, channels in itertools.product((np.uint8, np.uint16), (2, 3)):
        samples = drawn(channels, np.iinfo(kind).max, kind)
        opened = open_image(tiff(samples, 1, extra=(0,) * (channels - 1)))
        assert opened.remarks == (
            f"channels that are neither colour nor alpha, which are not read: {channels - 1}",
        )
        first = samples[..., 0] if kind is np.uint8 else np.round(samples[..., 0] / 257)
        np.testing.assert_array_equal(np.asarray(opened.image), first)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_tiffs_are_turned_at_every_depth(orientation, kind):
    samples = np.arange(24, dtype=kind).reshape(4, 6, 1) * (10 if kind is np.uint8 else 2570)
    exif = Image.Exif()
    exif[0x0112] = orientation
    png = open_image(encoded(np.round(samples[..., 0] / (257 if kind is np.uint16 else 1))
                             .astype(np.uint8), exif=exif))  # fmt: skip
    opened = open_image(tiff(samples, 1, orientation=orientation))
    np.testing.assert_array_equal(np.asarray(opened.image), np.asarray(png.image))
    if opened.samples is not None:
        assert opened.samples.shape[:2] == opened.image.size[::-1]


@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("size", [SHAPE, (1, 1), (3, 2), (9, 1)])
def test_pngs_of_16_bits_give_their_values(channels, interlaced, size):
    samples = np.random.default_rng(1).integers(0, 65536, (*size, channels)).astype(np.uint16)
    smooth = (np.cumsum(samples // 99, axis=0) % 65536).astype(np.uint16)
    for values in (samples, smooth):
        opened = open_image(deep_png(values, interlaced))
        np.testing.assert_array_equal(opened.samples, values)


def test_one_colour_of_16_bits_is_transparent():
    samples = drawn(3)
    opened = open_image(deep_png(samples, transparent=samples[4, 5]))
    assert opened.samples[4, 5, 3] == 0 and opened.samples[5, 4, 3] == 65535
    np.testing.assert_array_equal(opened.samples[..., :3], samples)


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_one_shade_of_few_bits_is_transparent(bits):
    """Pillow scales the pixels and not the shade."""
    row = np.tile(np.arange(2**bits), 8)
    each = row[:, np.newaxis] >> np.arange(bits)[::-1] & 1
    header = struct.pack(">II", len(row), 1) + bytes([bits, 0, 0, 0, 0])
    data = zlib.compress(b"\0" + np.packbits(each.ravel()).tobytes())
    for clear in range(2**bits):
        parts = {b"IHDR": header, b"tRNS": bytes([0, clear]), b"IDAT": data, b"IEND": b""}
        content = SIGNATURE + b"".join(chunk(*part) for part in parts.items())
        pixels = np.asarray(open_image(content).image)[0]
        np.testing.assert_array_equal(pixels[:, 3] == 0, row == clear)
        np.testing.assert_array_equal(pixels[:, 0], row * 255 // (2**bits - 1))


@pytest.mark.parametrize("most", [300, 4095, 65535])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("plain", [False, True])
def test_pnms_are_scaled_by_their_greatest_value(most, channels, plain):
    values = drawn(channels, most)
    number = {(1, False): 5, (1, True): 2, (3, False): 6, (3, True): 3}[channels, plain]
    head = f"P{number}\n# a comment\n{SHAPE[1]} {SHAPE[0]}\n{most}\n".encode()
    body = " ".join(map(str, values.ravel())).encode() if plain else values.astype(">u2").tobytes()
    opened = open_image(head + body)
    np.testing.assert_allclose(opened.samples, values / most * 65535, atol=0.51)


def test_deep_jpeg_2000s_are_scaled():
    values = drawn(1)[..., 0]
    pixels = decoded(encoded(values, "JPEG2000"), 1)[..., 0]
    np.testing.assert_array_equal(pixels, np.round(values / 257))


# the upper half black, the lower white: Pillow 13 makes both black
MISREAD = {
    "12-bit colours": (
        "0000CYEU2`4GM<}0000KW^{RQYH%_j00000YH%_j0000jYH%`W0000MX=r3}0000W0000W00RpL0000001sntY;pkr"
        "000005C8xH2x@RLWB*V8Q2;Lh00000AOHXWAOHXW0000000000AOHXWAOHXW000000009E0RamE0Sf^E|55-900001"
        "0RjXB00IA8017~0XlQU~XmI~z03`qcLvm$dbY)~9VtF7>aAj^vP(?=|c4cyNX>V>IGA=bPH2;tQ3IG5A004>r0soWV"
        ";V=<UQyAOu(<)m+Y0ihGoq{D4U2{Mq_v(<LDCKFTK34G&l((JEpaP&H?o&j4%4m<dO%eAgqCVv`N8F}}`;^fia+)LV"
        "Q$&5rXpew^r}!8E0My5e_W*DqB$ytt>jTa`RT}3*T<B|@fPka<2LNYks^vcfe}I7h*#"
    ),
    "9-bit grey": (
        "0000CYEU2`4GM<}0000KW^{RQYH%_j00000YH%_j0000jYH%`W0000MX=r3}0000W0000W009UG0000001sntY;pkr"
        "000005dZ)H-)e9&WB*V8Q2;3b00000AOHXWAOHXW0000000000AOHXWAOHXW00000000390RjI~01N;C009631Oxy9"
        "|6BkHKuAzfSWr+{|6~9q00BdCWnpw>WFTUBAWv{*Zc0!^M<8}(a&u{KZXhx)H7+#&kN^q*00000X8-~Jli!)Z5l~YY"
        "+wjvWTS95hhozl@B@|tAKqL3+kfA8$X{A0^@e!1_oz9>Fpd;>6M19I=kGV||_bH-3r{*F6)W?hW0B|8Bm>#j~1I|5E"
        "qwod*XKJeDKLh{S"
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", MISREAD)
def test_jpeg_2000s_that_pillow_turns_black_are_refused(what):
    content = base64.b85decode(MISREAD[what])
    with pytest.raises(UnreadableImageError, match=f"{what}.*16-bit PNG"):
        open_image(content)
    assert histogram_of_16_bits(content) is None


def test_signed_jpeg_2000s_have_no_black():
    content = bytearray(encoded(drawn(1)[..., 0], "JPEG2000"))
    content[content.find(b"\xff\x4f\xff\x51") + 42] |= 0x80
    with pytest.raises(UnreadableImageError, match="signed samples"):
        open_image(bytes(content))


@pytest.mark.parametrize("deflated", [False, True])
@pytest.mark.parametrize("share", [0.3, 0.6])
def test_deep_files_that_end_early_are_unreadable(deflated, share):
    samples = drawn(3)
    whole = tiff(samples, 2, deflated=deflated)
    cut = whole[: int(len(whole) * share)]
    png = deep_png(samples)
    for content in (cut, png[: int(len(png) * share)]):
        with pytest.raises(UnreadableImageError):
            open_image(content)


def test_values_are_counted_where_there_are_more_than_8_bits():
    samples = drawn(4)
    for content in (tiff(samples, 2, extra=(2,)), deep_png(samples)):
        counts = histogram_of_16_bits(content)
        np.testing.assert_array_equal(
            counts, np.bincount(samples[..., :3].ravel(), minlength=65536)
        )
    grey = encoded(samples[..., 0])
    assert histogram_of_16_bits(grey).sum() == samples[..., 0].size
    for content in (encoded(drawn(3, 255, np.uint8)), b"", b"no image", samples[..., 0]):
        assert histogram_of_16_bits(content) is None


LARGE = np.random.default_rng(0).integers(0, 65536, (9, 14, 4)).astype(np.uint16)
WHOLE = [
    tiff(LARGE[..., :3], 2),
    tiff(LARGE[..., :1], 0, deflated=True, predicted=True),
    tiff(LARGE, 2, extra=(1,), tile=(16, 16), order=">"),
    tiff(LARGE[..., :1], 1, big=True, pages=3),
    tiff(LARGE, 5, planar=True),
    deep_png(LARGE),
    deep_png(LARGE[..., :3], interlaced=True),
    b"P6 14 9 65535\n" + LARGE[..., :3].tobytes(),
]


@settings(deadline=None, max_examples=150)
@given(
    st.sampled_from(range(len(WHOLE))),
    st.lists(st.tuples(st.integers(-400, 400), st.integers(0, 255)), max_size=4),
)
def test_damage_at_any_place_is_one_kind_of_error(number, changes):
    content = bytearray(WHOLE[number])
    for place, value in changes:
        content[place % len(content)] = value
    try:
        assert Decoder((8, 8)).decode(bytes(content)).shape == (8, 8, 3)
    except UnreadableImageError as error:
        assert "; try " in error.reason


@pytest.mark.parametrize("order", "<>")
def test_a_cameras_raw_file_is_not_taken_for_its_preview(order):
    preview = drawn(3, 255, np.uint8)
    one = (4, 1, struct.pack(f"{order}I", 1))
    for tags in ({254: one, 330: one}, {50706: (1, 4, b"\1\4\0\0")}, {262: (3, 1, SENSOR[order])}):
        with pytest.raises(UnreadableImageError, match=r"camera's raw file; try developing"):
            open_image(tiff(preview, 2, order=order, tags=tags))
    with pytest.raises(UnreadableImageError, match="first image is a thumbnail"):
        open_image(tiff(preview, 2, order=order, pages=2, tags={254: one}))


SENSOR = {order: struct.pack(f"{order}H", 32803) for order in "<>"}


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.uint32])
@pytest.mark.parametrize("orientation", [1, 6])
def test_the_size_is_read_of_every_layout(tmp_path, kind, order, orientation):
    path = tmp_path / "x.tif"
    path.write_bytes(tiff(drawn(1, 255, kind), 1, order=order, orientation=orientation))
    assert read_size(path) == (SHAPE if orientation == 1 else SHAPE[::-1])
    assert read_size(path) == open_image(path.read_bytes()).image.size[::-1]


def test_the_size_of_a_long_file_is_read_from_its_beginning(tmp_path):
    path = tmp_path / "x.png"
    for format_name in ("PNG", "JPEG"):
        path.write_bytes(encoded(drawn(3, 255, np.uint8), format_name) + bytes(HEAD_BYTES))
        assert read_size(path) == SHAPE


def test_a_jpeg_holds_8_bits():
    content = encoded(drawn(3, 255, np.uint8), "JPEG")
    assert formats.is_deep(content, kind_of(content)) is False


def test_only_the_header_of_a_png_says_its_depth():
    content = deep_png(drawn(1))
    assert png.is_deep(content) and not png.is_deep(content.replace(b"IHDR", b"JHDR"))
