"""Golden pixels: what a model sees of every format, mode and `fit` is pinned, value for value.

A model is served through this decoder. If another version of Pillow, another filter or another
formula for grey gave other values, every model trained before would see other images. So where
one of these tests fails, `tfcnn.inputs.cache.VERSION` is raised and the change told, or the change
is undone.
"""

import base64
import hashlib

import numpy as np
import pytest
from picture_files import deep_png, encoded, tiff
from PIL import Image, features

from tfcnn.decode import Decoder

HEIGHT, WIDTH = 12, 16
DOWN, ACROSS = np.mgrid[:HEIGHT, :WIDTH]
PIXELS = np.dstack([ACROSS * 16, DOWN * 21, ACROSS * DOWN * 7 % 256]).astype(np.uint8)
ALPHA = (255 - DOWN * 15).astype(np.uint8)
DEEP = PIXELS.astype(np.uint16) * 251 + 77
IMAGE = Image.fromarray(PIXELS)
GREY = np.asarray(IMAGE.convert("L"))
SIZES = (HEIGHT, WIDTH), (5, 7), (7, 4), (30, 21), (20, 45)  # as it is, smaller twice, larger twice

# what an encoder once wrote, so that decoding alone is tested
STORED = {
    "JPEG": (
        "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAYEBQYFBAYGBQYHBwYIChAKCgkJChQODwwQFxQYGBcUFhYaHSUfGhsj"
        "HBYWICwgIyYnKSopGR8tMC0oMCUoKSj/2wBDAQcHBwoIChMKChMoGhYaKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgo"
        "KCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCj/wAARCAAMABADASIAAhEBAxEB/8QAHwAAAQUBAQEBAQEAAAAAAAAA"
        "AAECAwQFBgcICQoL/8QAtRAAAgEDAwIEAwUFBAQAAAF9AQIDAAQRBRIhMUEGE1FhByJxFDKBkaEII0KxwRVS0fAk"
        "M2JyggkKFhcYGRolJicoKSo0NTY3ODk6Q0RFRkdISUpTVFVWV1hZWmNkZWZnaGlqc3R1dnd4eXqDhIWGh4iJipKT"
        "lJWWl5iZmqKjpKWmp6ipqrKztLW2t7i5usLDxMXGx8jJytLT1NXW19jZ2uHi4+Tl5ufo6erx8vP09fb3+Pn6/8QA"
        "HwEAAwEBAQEBAQEBAQAAAAAAAAECAwQFBgcICQoL/8QAtREAAgECBAQDBAcFBAQAAQJ3AAECAxEEBSExBhJBUQdh"
        "cRMiMoEIFEKRobHBCSMzUvAVYnLRChYkNOEl8RcYGRomJygpKjU2Nzg5OkNERUZHSElKU1RVVldYWVpjZGVmZ2hp"
        "anN0dXZ3eHl6goOEhYaHiImKkpOUlZaXmJmaoqOkpaanqKmqsrO0tba3uLm6wsPExcbHyMnK0tPU1dbX2Nna4uPk"
        "5ebn6Onq8vP09fb3+Pn6/9oADAMBAAIRAxEAPwDy/QPBaugZ4wFHU4rudJ8Gx4XbbjPbcMk/gK7zRNNthbwnywcA"
        "tg+oHFdrpOnW7b9yZxt/EnH+NedVzSFKjFcmrWrstfd5uu3Tbr9xzcL8S121uf/Z"
    ),
    "JPEG progressive 4:2:0": (
        "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAA0JCgsKCA0LCgsODg0PEyAVExISEyccHhcgLikxMC4pLSwzOko+MzZG"
        "NywtQFdBRkxOUlNSMj5aYVpQYEpRUk//2wBDAQ4ODhMREyYVFSZPNS01T09PT09PT09PT09PT09PT09PT09PT09P"
        "T09PT09PT09PT09PT09PT09PT09PT09PT0//wgARCAAMABADASIAAhEBAxEB/8QAFQABAQAAAAAAAAAAAAAAAAAA"
        "BAX/xAAVAQEBAAAAAAAAAAAAAAAAAAACA//aAAwDAQACEAMQAAABmOayQ//EABgQAQADAQAAAAAAAAAAAAAAAAIA"
        "AQMR/9oACAEBAAEFAhjDjAa4TU//xAAWEQEBAQAAAAAAAAAAAAAAAAAEAAL/2gAIAQMBAT8BKnV//8QAFhEBAQEA"
        "AAAAAAAAAAAAAAAAAQAD/9oACAECAQE/AXUC/8QAFhAAAwAAAAAAAAAAAAAAAAAAABAx/9oACAEBAAY/AiP/xAAY"
        "EAEAAwEAAAAAAAAAAAAAAAAAAREhUf/aAAgBAQABPyHvCIoMbH//2gAMAwEAAgADAAAAEL//xAAWEQADAAAAAAAA"
        "AAAAAAAAAAAAARH/2gAIAQMBAT8QqR//xAAYEQACAwAAAAAAAAAAAAAAAAABEQAh4f/aAAgBAgEBPxABCvHP/8QA"
        "GxABAAICAwAAAAAAAAAAAAAAAQAhEYExUWH/2gAIAQEAAT8QBM0Slg75dQfiWLsdT//Z"
    ),
    "JPEG grey": (
        "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAoHBwgHBgoICAgLCgoLDhgQDg0NDh0VFhEYIx8lJCIfIiEmKzcvJik0"
        "KSEiMEExNDk7Pj4+JS5ESUM8SDc9Pjv/wAALCAAMABABAREA/8QAHwAAAQUBAQEBAQEAAAAAAAAAAAECAwQFBgcI"
        "CQoL/8QAtRAAAgEDAwIEAwUFBAQAAAF9AQIDAAQRBRIhMUEGE1FhByJxFDKBkaEII0KxwRVS0fAkM2JyggkKFhcY"
        "GRolJicoKSo0NTY3ODk6Q0RFRkdISUpTVFVWV1hZWmNkZWZnaGlqc3R1dnd4eXqDhIWGh4iJipKTlJWWl5iZmqKj"
        "pKWmp6ipqrKztLW2t7i5usLDxMXGx8jJytLT1NXW19jZ2uHi4+Tl5ufo6erx8vP09fb3+Pn6/9oACAEBAAA/AOP0"
        "3w0GUMyYA74rorPw2mBiEe2RyfwrpLCygEKfJ0BP5V0FlZwndlc4xX//2Q=="
    ),
    "JPEG CMYK": (
        "/9j/7gAOQWRvYmUAZAAAAAAA/9sAQwAGBAUGBQQGBgUGBwcGCAoQCgoJCQoUDg8MEBcUGBgXFBYWGh0lHxobIxwW"
        "FiAsICMmJykqKRkfLTAtKDAlKCko/8AAFAgADAAQBEMRAE0RAFkRAEsRAP/EAB8AAAEFAQEBAQEBAAAAAAAAAAAB"
        "AgMEBQYHCAkKC//EALUQAAIBAwMCBAMFBQQEAAABfQECAwAEEQUSITFBBhNRYQcicRQygZGhCCNCscEVUtHwJDNi"
        "coIJChYXGBkaJSYnKCkqNDU2Nzg5OkNERUZHSElKU1RVVldYWVpjZGVmZ2hpanN0dXZ3eHl6g4SFhoeIiYqSk5SV"
        "lpeYmZqio6Slpqeoqaqys7S1tre4ubrCw8TFxsfIycrS09TV1tfY2drh4uPk5ebn6Onq8fLz9PX29/j5+v/aAA4E"
        "QwBNAFkASwAAPwDx/wCG3/LL8K82/wCFZf8ATD9K83+F/wAP9O1nRn1bWnit9OgQSTTSDhR0HA5JJIAAySSAASRX"
        "1TX1X8Nv+WX4Uf8ACsv+mH6V2v8AwiXh1YYhYeGLZJZNskEeoAzXVyhRuBbREbMupUSNJs4wSCeCvlT4bf8ALL8K"
        "+vf7A0//AJ41H4TYWnw28NSiOKaOG1vtT8mVAUkmt4UMZY/ewPMcEAjO72GCvqv4bf8ALL8KP7A0/wD541eiuZ9S"
        "/wCEq+3S+f5H2BzvjQ+bJL5P7x+Pm2ed8qf6seXH8h28lf/Z"
    ),
    "WebP": (
        "UklGRm4AAABXRUJQVlA4IGIAAADQAQCdASoQAAwAAsBMJbACdAEOtfmPAAD++JToUYLawK3Ikf/o5WRxpZOKti0B"
        "+sUPgygNpHSq3pzrRn/HJLf3gLfz4MtyeL9/U8Eu11J4X8NvMfy//GtJ6/7XLE37F5aAAA=="
    ),
    "AVIF": (
        "AAAAIGZ0eXBhdmlmAAAAAGF2aWZtaWYxbWlhZk1BMUIAAADrbWV0YQAAAAAAAAAhaGRscgAAAAAAAAAAcGljdAAA"
        "AAAAAAAAAAAAAAAAAAAOcGl0bQAAAAAAAQAAAB5pbG9jAAAAAEQAAAEAAQAAAAEAAAETAAAAawAAAChpaW5mAAAA"
        "AAABAAAAGmluZmUCAAAAAAEAAGF2MDFDb2xvcgAAAABqaXBycAAAAEtpcGNvAAAAFGlzcGUAAAAAAAAAEAAAAAwA"
        "AAAQcGl4aQAAAAADCAgIAAAADGF2MUOBAAwAAAAAE2NvbHJuY2x4AAEADQAGgAAAABdpcG1hAAAAAAAAAAEAAQQB"
        "AoMEAAAAc21kYXQSAAoJGAz+2iAhoNCAMlwXh4eGIYSSSSZQAAAIOtOek7KUJw+2coKWKJaQDPAhBhLK+r2OkUoH"
        "opz4DS2uz16qhuXl0GnkhDHRDGEqBH92pwoHX96LrzZDC+gO9qhUABLQLZUUxihR9+2B5g=="
    ),
    "JPEG 2000": (
        "AAAADGpQICANCocKAAAAFGZ0eXBqcDIgAAAAAGpwMiAAAAAtanAyaAAAABZpaGRyAAAADAAAABAAAwcHAAAAAAAP"
        "Y29scgEAAAAAABAAAAF6anAyY/9P/1EALwAAAAAAEAAAAAwAAAAAAAAAAAAAABAAAAAMAAAAAAAAAAAAAwcBAQcB"
        "AQcBAf9SAAwAAAABAAMEBAAB/1wADUBASEhQSEhQSEhQ/2QAJQABQ3JlYXRlZCBieSBPcGVuSlBFRyB2ZXJzaW9u"
        "IDIuNS40/5AACgAAAAAA+QAB/5PfgCAJVu+734AoBpE6zn/fgCgHl8LjQ8faBgANAgWgPhCACH/H2gsfaBw+0DAL"
        "hl2jtgtevwwoucPqBAAb9KULofUBgAy/NcfaGT8A+fmHgBTPxfAlmKWS+MLqrxwG5iHWC/GAIjHV+ctQvxNP7Fyp"
        "bL7iBhv/QQEMz8HzhAA2nSifoPnDAECOAL+Ql8faOz8CCfmMgCSDak9Rj08+wPpzsCnKLNNIINRXuvdaOCYYTXBP"
        "M9/dYvRlpwvlW+KLfBwEdck1N5BuOEJYWkvb13awh383Yh6BC/r+yZbzYUq7GEkDHYRizBRAP4UL/9k="
    ),
    "HEIC": (
        "AAAAHGZ0eXBoZWljAAAAAG1pZjFoZWljbWlhZgAAAXxtZXRhAAAAAAAAACFoZGxyAAAAAAAAAABwaWN0AAAAAAAA"
        "AAAAAAAAAAAAACJpbG9jAAAAAERAAAEAAQAAAAABoAABAAAAAAAAADIAAAAjaWluZgAAAAAAAQAAABVpbmZlAgAA"
        "AAABAABodmMxAAAAAA5waXRtAAAAAAABAAAA/GlwcnAAAADcaXBjbwAAAHVodmNDAQNwAAAAkAAAAAAAHvAA/P34"
        "+AAADwNgAAEAGEABDAH//wNwAAADAJAAAAMAAAMAHroCQGEAAQApQgEBA3AAAAMAkAAAAwAAAwAeoCCBBZbqrprm"
        "4CGgwIAAAAyAAAADAIRiAAEABkQBwXPBiQAAABNjb2xybmNseAABAA0ABoAAAAAUaXNwZQAAAAAAAABAAAAAQAAA"
        "AChjbGFwAAAAEAAAAAEAAAAMAAAAAf///9AAAAAC////zAAAAAIAAAAQcGl4aQAAAAADCAgIAAAAGGlwbWEAAAAA"
        "AAAAAQABBYECAwWEAAAAOm1kYXQAAAAuKAGvGSFeskDvaVn0Cxxj9Eog0toDSuQ0wJzqQNUN3bdBOQlAtB1hwkKz"
        "DVtlYA=="
    ),
}


def made() -> dict[str, bytes]:
    """Return files without loss, which hold the same values whoever writes them."""
    palette = IMAGE.quantize(16, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    rgba = Image.fromarray(np.dstack([PIXELS, ALPHA]))
    return {
        "PNG 1": encoded(Image.fromarray(GREY > 100)),
        "PNG L": encoded(GREY),
        "PNG LA": encoded(rgba.convert("LA")),
        "PNG P": encoded(palette),
        "PNG P and transparency": encoded(palette, transparency=3),
        "PNG RGB": encoded(PIXELS),
        "PNG RGB and transparency": encoded(PIXELS, transparency=(0, 0, 0)),
        "PNG RGBA": encoded(rgba),
        "PNG grey of 16 bits": encoded(DEEP[..., 0]),
        "PNG LA of 16 bits": deep_png(np.dstack([DEEP[..., 0], ALPHA.astype(np.uint16) * 257])),
        "PNG RGB of 16 bits": deep_png(DEEP, interlaced=True),
        "PNG RGBA of 16 bits": deep_png(np.dstack([DEEP, ALPHA.astype(np.uint16) * 257])),
        "TIFF L": tiff(GREY[..., np.newaxis], 1, deflated=True),
        "TIFF L from white": tiff(GREY[..., np.newaxis], 0),
        "TIFF RGB in tiles": tiff(PIXELS, 2, tile=(16, 16)),
        "TIFF grey of 16 bits": tiff(DEEP[..., :1], 1, order=">"),
        "TIFF grey of 16 bits from white": tiff(DEEP[..., :1], 0, deflated=True, predicted=True),
        "TIFF RGB of 16 bits": tiff(DEEP, 2, planar=True),
        "TIFF CMYK": tiff(np.dstack([PIXELS, GREY // 4]), 5),
        "TIFF CMYK of 16 bits": tiff(np.dstack([DEEP, DEEP[..., 0] // 4]), 5),
        "TIFF Lab": tiff(PIXELS, 8),
        "BMP": encoded(PIXELS, "BMP"),
        "GIF": encoded(palette, "GIF"),
        "PPM": encoded(PIXELS, "PPM"),
        "PGM": encoded(GREY, "PPM"),
        "WebP without loss": encoded(rgba, "WEBP", lossless=True, exact=True),
        "JPEG 2000 without loss": encoded(PIXELS, "JPEG2000"),
    }


# the first digits of a sha256 of the pixels in grey and in colour, at each of SIZES
GOLDEN = {
    "JPEG": "ce134c1de8 9a17c64510 5bd59224fd",
    "JPEG progressive 4:2:0": "066653e9df a2cc060582 4131ba446a",
    "JPEG grey": "122555317c 1a447ae6fd 6dfc4e3214",
    "JPEG CMYK": "77dca96089 0b00389278 664dae002d",
    "WebP": "c754323603 9a9f2e5071 d779636343",
    "AVIF": "1777d4e029 8c480c9642 607f938d23",
    "JPEG 2000": "2a47a23908 f7b3ff7699 66dbca7398",
    "HEIC": "c68b0073ac b6629f276c a93ec11b76",
    "PNG 1": "4c910f2ceb 91f1ce1d97 bd45a60469",
    "PNG L": "16103e6dd9 60c9ad5b93 37f7c79e9b",
    "PNG LA": "18595bca2f 0f58925bf6 5a401596ab",
    "PNG P": "ebef40d8f9 b2304f14a3 7b04fe4279",
    "PNG P and transparency": "6b982e66ac aede8c6f05 ecabcdd6c3",
    "PNG RGB": "2a47a23908 f7b3ff7699 66dbca7398",
    "PNG RGB and transparency": "2a47a23908 f7b3ff7699 66dbca7398",
    "PNG RGBA": "55fb40bd3e cb7b651784 8459a5c2e4",
    "PNG grey of 16 bits": "83a5bf575d 7759e3018d 46372233e3",
    "PNG LA of 16 bits": "650f0defe2 410a345a62 9abf089f15",
    "PNG RGB of 16 bits": "3a22d22e7c de5e351c03 1218a8dcad",
    "PNG RGBA of 16 bits": "d853cca228 097862bef3 87c5317aea",
    "TIFF L": "16103e6dd9 60c9ad5b93 37f7c79e9b",
    "TIFF L from white": "e35f3e13a2 17e81fd761 55dd58fca4",
    "TIFF RGB in tiles": "2a47a23908 f7b3ff7699 66dbca7398",
    "TIFF grey of 16 bits": "83a5bf575d 7759e3018d 46372233e3",
    "TIFF grey of 16 bits from white": "867006a487 e95d0a0b71 86732db4e6",
    "TIFF RGB of 16 bits": "3a22d22e7c de5e351c03 1218a8dcad",
    "TIFF CMYK": "0335c6d748 e47b03a467 82909f6c05",
    "TIFF CMYK of 16 bits": "91ac125b4b 99a082f10e 8458bf253c",
    "TIFF Lab": "b4c0cafa04 673c366457 3857c7ca62",
    "BMP": "2a47a23908 f7b3ff7699 66dbca7398",
    "GIF": "ebef40d8f9 b2304f14a3 7b04fe4279",
    "PPM": "2a47a23908 f7b3ff7699 66dbca7398",
    "PGM": "16103e6dd9 60c9ad5b93 37f7c79e9b",
    "WebP without loss": "55fb40bd3e cb7b651784 8459a5c2e4",
    "JPEG 2000 without loss": "2a47a23908 f7b3ff7699 66dbca7398",
}
NEEDS = {"AVIF": "avif", "HEIC": "heif"}
FITS = ("stretch", "pad", "crop")


def digest(content: bytes, fit: str, sizes: tuple[tuple[int, int], ...] = SIZES) -> str:
    found = hashlib.sha256()
    for size in sizes:
        for channels in (1, 3):
            found.update(Decoder(size, channels, fit).decode(content).tobytes())
    return found.hexdigest()[:10]


@pytest.mark.parametrize("name", GOLDEN)
def test_pixels_are_what_they_were(name):
    if name == "HEIC":
        pytest.importorskip("pillow_heif")
    if name == "AVIF" and not features.check("avif"):
        pytest.skip("this Pillow was built without AVIF")
    content = base64.b64decode(STORED[name]) if name in STORED else made()[name]
    assert [digest(content, fit) for fit in FITS] == GOLDEN[name].split()


def test_every_file_is_pinned():
    assert set(GOLDEN) == {*STORED, *made()}


# by hand: where it halves, a triangle of two pixels to each side: (.75 * 40 + .25 * 80) / 1.75 = 29
RAMP = np.array([[0, 40, 80, 120]] * 4, np.uint8)


@pytest.mark.parametrize(
    ("fit", "size", "expected"),
    [
        ("stretch", (4, 2), [29, 91]),
        ("stretch", (4, 8), [0, 10, 30, 50, 70, 90, 110, 120]),
        ("pad", (4, 6), [0, 0, 40, 80, 120, 0]),
        ("pad", (2, 4), [0, 29, 91, 0]),
        ("crop", (4, 2), [40, 80]),
        ("crop", (4, 8), [0, 10, 30, 50, 70, 90, 110, 120]),
    ],
)
def test_resizing_is_bilinear_and_antialiased(fit, size, expected):
    for content in (RAMP, encoded(RAMP), encoded(RAMP.astype(np.uint16) * 257)):
        pixels = Decoder(size, 1, fit).decode(content)[..., 0]
        assert pixels[1].tolist() == expected


def test_grey_is_the_luma_of_itu_r_601():
    colours = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255], [10, 200, 90]]], np.uint8)
    grey = Decoder((1, 4), 1).decode(encoded(colours))[0, :, 0]
    assert grey.tolist() == [76, 150, 29, 131]  # .299, .587 and .114, rounded
