"""A file is what its first bytes say, whatever its name."""

import io
import zipfile

import numpy as np
import pytest
from PIL import Image, UnidentifiedImageError

from tfcnn.decode import kind_of, pillow

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"


def encoded(format_name: str) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (16, 16), (10, 200, 30)).save(buffer, format_name)
    return buffer.getvalue()


def zipped() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a.txt", "a")
    return buffer.getvalue()


def array() -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.zeros(3))
    return buffer.getvalue()


def boxes(brand: bytes, *compatible: bytes) -> bytes:
    body = b"ftyp" + brand + bytes(4) + b"".join(compatible)
    return (len(body) + 4).to_bytes(4, "big") + body + bytes(range(100))


@pytest.mark.parametrize(
    "name",
    [
        "PNG",
        "JPEG",
        "WEBP",
        "TIFF",
        "BMP",
        "GIF",
        "PPM",
        "JPEG2000",
        "AVIF",
        "EPS",
        "ICO",
        "PCX",
        "SGI",
        "DDS",
        "QOI",
        "ICNS",
    ],
)
def test_pictures_are_pictures_whether_we_read_them_or_not(name):
    Image.init()
    if name not in Image.SAVE:
        pytest.skip("this Pillow does not write it")
    assert kind_of(encoded(name)).is_picture


OTHERS = {
    "Git LFS pointer": POINTER,
    "git-annex": b"../../.git/annex/objects/x1/2f/SHA256E-s9--ab.jpg/SHA256E-s9--ab.jpg",
    "HTML": b"\n<!DOCTYPE html><html><body>Sign in</body></html>",
    "XML": b"<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>",
    "JSON": b'{"message": "Not Found"}',
    "text": "Größe;Farbe\n1;2\n".encode(),
    "text file": "a,b".encode("utf-16"),
    "0 bytes": b"",
    "zero bytes": bytes(2000),
    "zip": zipped(),
    "gzip": b"\x1f\x8b\x08\0" + bytes(range(9)),
    "PDF": b"%PDF-1.7\n",
    "video": boxes(b"isom", b"mp41"),
    "tar": bytes([97]) + bytes(256) + b"ustar\0" + bytes(200),
    "AppleDouble": b"\0\x05\x16\x07\0\x02\0\0",
    "NumPy": array(),
}


@pytest.mark.parametrize("part", OTHERS)
def test_what_is_no_picture_is_named(part):
    kind = kind_of(OTHERS[part])
    assert part in kind.name and not kind.is_picture


FOREIGN = {
    "HEIC": boxes(b"heic", b"mif1", b"heic"),
    "HEIC image": boxes(b"mif1", b"mif1", b"heic"),
    "AVIF": boxes(b"mif1", b"mif1", b"avif", b"miaf"),
    "DICOM": bytes(128) + b"DICM" + bytes(40),
    "NIfTI": (348).to_bytes(4, "little") + bytes(340) + b"n+1\0",
    "PSD": b"8BPS\0\1",
    "EPS": b"%!PS-Adobe-3.0 EPSF-3.0\n",
    "SVG": b"<?xml version='1.0'?>\n<!-- drawn -->\n<svg xmlns='x'/>",
    "raw": b"II*\0\x10\0\0\0CR\2\0",
    "camera's raw file": boxes(b"crx ", b"isom"),
    "JPEG XL": b"\xff\x0a\xfa\x1f",
}


@pytest.mark.parametrize("part", FOREIGN)
def test_foreign_pictures_are_named_and_are_pictures(part):
    kind = kind_of(FOREIGN[part])
    assert part in kind.name and kind.is_picture


@pytest.mark.parametrize("text", [b"BM is short for bone marrow", b"P1 and P2", b"\x07\x99\x13"])
def test_a_short_mark_alone_makes_no_picture(text):
    kind = kind_of(text)
    assert not (kind and kind.is_picture)


@pytest.mark.parametrize("length", [12, 16, 40, 52, 56, 64, 108, 124])
def test_a_bitmap_is_known_by_each_length_that_its_header_may_have(length):
    kind = kind_of(b"BM" + bytes(12) + length.to_bytes(4, "little"))
    assert kind is kind_of(encoded("BMP"))


@pytest.mark.parametrize("begins", [b"<!-- a page --><html>", b"<!-- a part --><body>"])
def test_a_page_is_known_where_it_begins_with_something_else(begins):
    assert kind_of(begins) is kind_of(OTHERS["HTML"])


def test_a_format_that_this_pillow_cannot_read_is_not_tried(monkeypatch):
    for accept in (lambda _: "its library is not there", lambda _: False):
        opens = (lambda *_: pytest.fail("tried"), accept)
        monkeypatch.setitem(Image.OPEN, "PNG", opens)
        with pytest.raises(UnidentifiedImageError):
            pillow.header(io.BytesIO(bytes(16)), ("PNG",))
