"""The decoder in the page gives the very pixels that THE decoder gives."""

import io
import struct
import zlib
from typing import Any

import numpy as np
import pytest
from page_parts import (
    call,
    chunk,
    damaged,
    exif,
    in_text,
    random_photograph,
    random_png,
    several,
    spoilt,
)
from PIL import Image

from tfcnn.decode import Decoder, UnreadableImageError, kinds, open_image
from tfcnn.export.page import page_settings, probes

DECODE = """
  const { decodePng, modelPixels } = await module("decode");
  return value.map(({ file, decoder }) => {
    try {
      return textOf(modelPixels(decodePng(bytesOf(file)).image, decoder));
    } catch (error) {
      if (!error.reason) throw error;
      return { reason: error.reason };
    }
  });
"""
RESIZE = """
  const { fitted } = await module("fit");
  return value.map(({ width, height, channels, pixels, decoder }) => {
    const image = { width, height, channels, data: bytesOf(pixels) };
    return textOf(fitted(image, decoder).data);
  });
"""
MANY = pytest.mark.parametrize("count", [400, pytest.param(3000, marks=pytest.mark.slow)])
MAY_BEGIN_DOWN = page_settings.begins_with_the_vertical_pass()


def settings(decoder: Decoder) -> dict[str, Any]:
    own = {**decoder.to_dict(), "background": decoder.background}
    return {**own, "may_begin_down": MAY_BEGIN_DOWN}


def some_decoder(rng: np.random.Generator, most: int = 20, **options: Any) -> Decoder:
    height, width = map(int, rng.integers(1, most, 2))
    background = str(rng.choice(["black", "white"]))
    return Decoder((height, width), int(rng.choice([1, 3])), background=background, **options)


def same(pixels: Any, answer: Any) -> bool:
    return isinstance(answer, str) and in_text(pixels.tobytes()) == answer


@MANY
@pytest.mark.parametrize("fit", ["stretch", "pad", "crop"])
def test_resizing_is_pillows_at_random_sizes(opened, fit, count):
    rng = np.random.default_rng([count, len(fit)])
    cases, expected = [], []
    for _ in range(count):
        decoder = some_decoder(rng, 64, fit=fit)
        height, width = (int(side) for side in np.exp(rng.uniform(0, np.log(160), 2)))
        image = rng.integers(0, 256, (height, width, decoder.channels), dtype=np.uint8)
        if rng.random() < 0.3:  # steep edges
            image = (image > 127).astype(np.uint8) * 255
        expected.append(decoder.decode(image))
        size = {"width": width, "height": height, "channels": decoder.channels}
        cases.append({**size, "pixels": in_text(image.tobytes()), "decoder": settings(decoder)})
    answers = call(opened, RESIZE, cases)
    pairs = zip(expected, answers, strict=True)
    others = [case["decoder"] for case, pair in zip(cases, pairs, strict=True) if not same(*pair)]
    assert not others


def test_both_orders_of_resizing_are_known(opened):
    """Pillow 13 begins with the vertical pass of a tall image, earlier ones do not."""
    image = np.random.default_rng(0).integers(0, 256, (64, 8), dtype=np.uint8)
    bilinear, whole = Image.Resampling.BILINEAR, Image.fromarray(image)
    down_first = whole.resize((8, 9), bilinear).resize((5, 9), bilinear)
    across_first = whole.resize((5, 64), bilinear).resize((5, 9), bilinear)
    case = {"width": 8, "height": 64, "channels": 1, "pixels": in_text(image.tobytes())}
    for may_begin_down, expected in ((True, down_first), (False, across_first)):
        decoder = {**settings(Decoder((9, 5), 1)), "may_begin_down": may_begin_down}
        answer = call(opened, RESIZE, [{**case, "decoder": decoder}])
        assert answer == [in_text(np.asarray(expected).tobytes())]
    assert down_first.tobytes() != across_first.tobytes()


def decoded(opened: Any, contents: list[bytes], decoders: list[Decoder]) -> list[Any]:
    cases = [
        {"file": in_text(content), "decoder": settings(decoder)}
        for content, decoder in zip(contents, decoders, strict=True)
    ]
    return call(opened, DECODE, cases)


@MANY
def test_pngs_of_every_layout_have_the_same_pixels(opened, count):
    rng = np.random.default_rng(count)
    contents = [random_png(rng) for _ in range(count)]
    decoders = [some_decoder(rng) for _ in contents]
    answers = decoded(opened, contents, decoders)
    for content, decoder, answer in zip(contents, decoders, answers, strict=True):
        assert same(decoder.decode(content), answer), (content[16:29].hex(), answer)


@MANY
def test_a_damaged_png_is_refused_or_has_the_same_pixels(opened, count):
    rng = np.random.default_rng(count)
    contents = [damaged(random_png(rng), rng) for _ in range(count)]
    decoders = [some_decoder(rng) for _ in contents]
    equal = 0
    for content, decoder, answer in zip(
        contents, decoders, decoded(opened, contents, decoders), strict=True
    ):
        try:
            pixels = decoder.decode(content)
        except UnreadableImageError:
            assert "reason" in answer, "tfcnn refuses it"
            continue
        equal += same(pixels, answer)
        assert "reason" in answer or same(pixels, answer), content
    assert equal > 0.05 * len(contents), "the page refuses nearly all"


XMP = b'XML:com.adobe.xmp\0<x tiff:Orientation="%d"/>'
SIX, NONE, ODD = exif(6), exif(0), exif(6)[:16] + b"\0\xdd" + exif(6)[18:]  # the last: a count
XMP_SEGMENT = b'http://ns.adobe.com/xap/1.0/\0<x tiff:Orientation="%d"/>'
LIES = {
    "EXIF data": ([(b"eXIf", SIX)], True),
    "EXIF data and XMP": ([(b"eXIf", SIX), (b"tEXt", XMP % 3)], True),
    "EXIF data of no known value": ([(b"eXIf", NONE)], True),
    "EXIF data of no known value, and XMP": ([(b"eXIf", NONE), (b"tEXt", XMP % 3)], True),
    "no EXIF data": ([(b"eXIf", b"none")], True),
    "no EXIF data, and XMP": ([(b"eXIf", b"none"), (b"tEXt", XMP % 3)], False),
    "a wrong count": ([(b"eXIf", ODD)], False),
    "an entry that lies outside": ([(b"eXIf", several(6))], True),
    "an entry that lies outside, and XMP": ([(b"eXIf", several(0)), (b"tEXt", XMP % 3)], False),
    "EXIF data within EXIF data": ([(b"eXIf", b"Exif\0\0" + SIX)], True),
    "EXIF data within EXIF data, and an entry that lies outside": (
        [(b"eXIf", b"Exif\0\0" + several(6))],
        False,
    ),
    "XMP and a text packed in no known way": (
        [(b"tEXt", XMP % 3), (b"zTXt", b"a\0\1" + zlib.compress(b"x"))],
        False,
    ),
    "cut short": ([(b"eXIf", SIX[:20])], False),
    "two of them": ([(b"eXIf", SIX), (b"eXIf", exif(3))], False),
    "XMP and a broken colour profile": ([(b"tEXt", XMP % 3), (b"iCCP", b"x\0\1")], False),
    "XMP of which no end was packed": (
        [(b"zTXt", b"XML:com.adobe.xmp\0\0" + zlib.compress(XMP[18:] % 3)[:-2])],
        False,
    ),
}


@pytest.mark.parametrize("name", LIES)
def test_how_a_png_lies_is_read_alike_or_said_not_to_be_known(opened, name):
    chunks, is_read = LIES[name]
    file = io.BytesIO()
    Image.fromarray(np.arange(24, dtype=np.uint8).reshape(4, 6)).save(file, "PNG")
    content = file.getvalue()
    content = content[:33] + b"".join(chunk(*one) for one in chunks) + content[33:]
    decoder = Decoder((4, 4), 1)
    (answer,) = decoded(opened, [content], [decoder])
    if is_read:
        assert same(decoder.decode(content), answer)
    else:
        assert "which side is up" in answer["reason"]


def test_what_stands_behind_the_pixels_or_in_no_standard_is_not_guessed(opened):
    file = io.BytesIO()
    Image.fromarray(np.arange(24, dtype=np.uint8).reshape(4, 6)).save(file, "PNG")
    content = file.getvalue()
    late = content[:-12] + chunk(b"eXIf", SIX) + chunk(b"gAMA", b"") + content[-12:]
    third = content[:8] + chunk(b"IHDR", content[16:28] + b"\2") + content[33:]
    answers = decoded(opened, [late, third], [Decoder((4, 4), 1)] * 2)
    assert "which side is up" in answers[0]["reason"]
    assert "its header is of no known layout" in answers[1]["reason"]


@pytest.mark.parametrize("background", ["black", "white"])
def test_every_opacity_of_every_shade_is_laid_over_the_background_as_pillow_does(
    opened, background
):
    shade, alpha = np.mgrid[:256, :256].astype(np.uint8)
    image = np.stack([shade, 255 - shade, shade // 2, alpha], axis=2)
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG")
    decoder = Decoder((256, 256), 3, background=background)
    (answer,) = decoded(opened, [file.getvalue()], [decoder])
    assert same(decoder.decode(image), answer)


def test_photographs_are_exact_in_this_browser_or_known_not_to_be(opened):
    """In Chromium no probe fails, and a photograph lies as its EXIF data say."""
    pictures = probes.probes()
    body = """
      const { openBrowserDecoder } = await module("browser");
      const probes = value.probes.map((probe) => ({ ...probe, bytes: bytesOf(probe.base64) }));
      const { failed, decode } = await openBrowserDecoder(probes);
      const { image, isExact } = await decode(bytesOf(value.file), { name: "a JPEG image" });
      return { failed: [...failed], isExact, pixels: textOf(image.data) };
    """
    rng = np.random.default_rng(0)
    picture = Image.fromarray(rng.integers(0, 256, (9, 13, 3), dtype=np.uint8).repeat(8, axis=0))
    lies = Image.Exif()
    lies[274] = 6
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=90, exif=lies)
    answer = call(opened, body, {"probes": pictures, "file": in_text(file.getvalue())})
    assert answer["failed"] == [] and answer["isExact"]
    assert same(Decoder((13, 72)).decode(file.getvalue()), answer["pixels"])
    pictures[0]["crc"] ^= 1
    answer = call(opened, body, {"probes": pictures, "file": in_text(file.getvalue())})
    assert answer["failed"] == ["a JPEG image"] and not answer["isExact"]


def test_a_jpeg_that_tfcnn_reads_at_a_part_of_its_size_is_not_called_exact(opened):
    body = """
      const { decode } = await module("decode");
      const byBrowser = async () => ({ image: value.image, remark: "", isExact: true });
      const answers = [];
      for (const decoder of value.decoders) {
        const settings = { kinds: value.kinds, decoder };
        answers.push((await decode(bytesOf(value.file), settings, byBrowser)).isExact);
      }
      return answers;
    """
    file = io.BytesIO()
    Image.new("RGB", (80, 60)).save(file, "JPEG")
    sizes = [(15, 20), (16, 20), (15, 21)]
    decoders = [{"image_size": size, "version": 2} for size in sizes]
    decoders.append({"image_size": sizes[0]})
    value = {
        "file": in_text(file.getvalue()),
        "image": {"width": 80, "height": 60},
        "decoders": decoders,
        "kinds": [page_settings._kind(start, kind) for start, kind in kinds.STARTS],
    }
    assert call(opened, body, value) == [False, True, True, True]
    for size, is_whole in zip(sizes, [False, True, True], strict=True):
        assert (open_image(file.getvalue(), least=Decoder(size).least).reduced is None) is is_whole


PHOTOGRAPHS = """
  const { openBrowserDecoder } = await module("browser");
  const probes = value.probes.map((probe) => ({ ...probe, bytes: bytesOf(probe.base64) }));
  const { decode } = await openBrowserDecoder(probes);
  const answers = [];
  for (const { file, name } of value.files) {
    try {
      const { image, isExact } = await decode(bytesOf(file), { name });
      answers.push({ pixels: textOf(image.data), isExact });
    } catch (error) {
      if (!error.reason) throw error;
      answers.push({ reason: error.reason });
    }
  }
  return answers;
"""


@pytest.mark.parametrize("count", [160, pytest.param(2000, marks=pytest.mark.slow)])
def test_a_damaged_photograph_is_refused_or_has_the_same_pixels(opened, count):
    """Or is flagged: the browser and Pillow have decoders of their own."""
    rng = np.random.default_rng(count)
    names = [str(rng.choice(["a JPEG image", "a WebP image"], p=[0.8, 0.2])) for _ in range(count)]
    contents = [random_photograph(name, rng) for name in names]
    contents[count // 3 :] = [spoilt(content, rng) for content in contents[count // 3 :]]
    files = [{"file": in_text(c), "name": n} for c, n in zip(contents, names, strict=True)]
    answers = call(opened, PHOTOGRAPHS, {"probes": probes.probes(), "files": files})
    equal = 0
    for content, answer in zip(contents, answers, strict=True):
        try:
            image = open_image(content).flat().convert("RGB")
        except UnreadableImageError:
            assert "reason" in answer, "tfcnn refuses it"
            continue
        equal += same(np.asarray(image), answer.get("pixels"))
        is_told = "reason" in answer or not answer["isExact"]
        assert is_told or same(np.asarray(image), answer["pixels"]), content
    assert equal > count // 3, "sound ones are among them"


TURNS = {
    "XMP": ([XMP_SEGMENT % 6], True),
    "two segments of EXIF data": ([b"Exif\0\0" + SIX[:20], b"Exif\0\0" + SIX[20:]], True),
    "EXIF data and XMP": ([b"Exif\0\0" + SIX, XMP_SEGMENT % 3], True),
    "a wrong count": ([b"Exif\0\0" + ODD], False),
    "no EXIF data, and XMP": ([b"Exif\0\0none", XMP_SEGMENT % 3], False),
    "two of XMP": ([XMP_SEGMENT % 6, XMP_SEGMENT % 3], False),
    "EXIF data within EXIF data": ([b"Exif\0\0Exif\0\0" + SIX], False),
}


@pytest.mark.parametrize("name", TURNS)
def test_how_a_photograph_lies_is_read_alike_or_said_not_to_be_known(opened, name):
    segments, is_read = TURNS[name]
    file = io.BytesIO()
    Image.fromarray(np.arange(24, dtype=np.uint8).reshape(4, 6)).save(file, "JPEG")
    content = file.getvalue()
    parts = [b"\xff\xe1" + struct.pack(">H", len(one) + 2) + one for one in segments]
    content = content[:20] + b"".join(parts) + content[20:]
    files = [{"file": in_text(content), "name": "a JPEG image"}]
    (answer,) = call(opened, PHOTOGRAPHS, {"probes": [], "files": files})
    if is_read:
        assert same(np.asarray(open_image(content).flat().convert("RGB")), answer["pixels"])
    else:
        assert "which side is up" in answer["reason"]
