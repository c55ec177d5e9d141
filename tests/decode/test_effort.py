"""A small file that asks for hours of work is refused in seconds, and named."""

import io
import struct
import time
import zlib
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from tfcnn.decode import Decoder, UnreadableImageError, effort, open_image, opening


def saved(form: str, mode: str = "RGB", side: int = 40, **options: object) -> bytes:
    file = io.BytesIO()
    Image.new(mode, (side, side), 7).save(file, form, **options)
    return file.getvalue()


JPEG, PNG, WEBP, GIF = (saved(form) for form in ("JPEG", "PNG", "WEBP", "GIF"))
DRAWN = saved("JPEG", "L", 2000, progressive=True)
LAST = slice(DRAWN.rindex(effort.SCAN), DRAWN.rindex(b"\xff\xd9"))


def scans(count: int, between: bytes = b"") -> bytes:
    """Return a JPEG of 4 megapixels with so many more scans."""
    return DRAWN[: LAST.start] + (between + DRAWN[LAST]) * count + DRAWN[LAST.stop :]


def png_chunks(count: int) -> bytes:
    chunk = struct.pack(">I4sI", 0, b"abCd", zlib.crc32(b"abCd"))
    return PNG[:33] + chunk * count + PNG[33:]


def webp_chunks(count: int, cut: int = 0) -> bytes:
    body = b"VP8X" + struct.pack("<IB3x", 10, 0) + b"\x27\0\0" * 2 + b"ALPH\0\0\0\0" * count
    body += WEBP[12 : len(WEBP) - cut]
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WEBP" + body


def gif_comment(count: int) -> bytes:
    start = 13 + 3 * 2 ** ((GIF[10] & 7) + 1)
    return GIF[:start] + b"\x21\xfe" + b"\1a" * count + b"\0" + GIF[start:]


MANY, FEW = 20_000, 2  # parts, where at most 1,000 are allowed
LONG: dict[str, Callable[[int], bytes]] = {
    "comments.jpg": lambda count: JPEG[:2] + b"\xff\xfe\0\2" * count + JPEG[2:],
    "chunks.png": png_chunks,
    "comment.gif": gif_comment,
    "pnm": lambda count: b"P6 " + b"#\n" * count + b"40 40 255\n" + bytes(4800),
}


@pytest.fixture
def low(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(effort, "MOST_READS", 1000)
    monkeypatch.setattr(effort, "MOST_PARTS", 1000)


@pytest.mark.parametrize("name", LONG)
def test_a_file_of_many_parts_is_cut_and_named(name: str, low: None) -> None:
    assert Decoder((8, 8)).decode(LONG[name](FEW), name).shape == (8, 8, 3)
    with pytest.raises(UnreadableImageError, match=r"made to take long: over 1,000 reads") as info:
        open_image(LONG[name](MANY), name)
    assert str(info.value).startswith(f"{name}: expected") and "\n" not in str(info.value)


def test_the_size_of_such_a_file_is_not_read_either(low: None, tmp_path) -> None:
    path = tmp_path / "comments.jpg"
    path.write_bytes(LONG[path.name](MANY))
    with path.open("rb") as file, pytest.raises(ValueError, match="made to take long"):
        opening.size(file, opening.kinds.kind_of(JPEG))


@pytest.mark.parametrize("make", [
    lambda: webp_chunks(2000, cut=20),
    lambda: JPEG[:2] + b"\xff\xdd\0\2" * 2000 + b"\xff\xda",
    lambda: opening.png.SIGNATURE + struct.pack(">I4sI", 0, b"IDAT", 0x35AF061E) * 2000,
])  # fmt: skip
def test_parts_of_a_broken_file_are_counted(make: Callable[[], bytes], low: None) -> None:
    reduced = {b"RIFF": "WEBP", b"\xff\xd8\xff\xdd": "JPEG", b"\x89PNG": "PNG"}[make()[:4]]
    kind = next(k for _, k in opening.kinds.STARTS if k.pillow == reduced) if reduced != "WEBP" \
        else opening.kinds.RIFF[b"WEBP"]  # fmt: skip
    with pytest.raises(ValueError, match="over 1,000 parts"):
        opening.formats.without_metadata(make(), kind)


def test_parts_are_joined_once() -> None:
    """To join them one by one took 5 s for 1.6 MB, and four times that for twice the size."""
    content, begin = webp_chunks(400_000, cut=20), time.process_time()
    with pytest.raises(UnreadableImageError):
        open_image(content)
    assert time.process_time() - begin < 3


def test_a_jpeg_drawn_over_and_over_is_refused_and_a_hundred_times_is_not(monkeypatch) -> None:
    own = DRAWN.count(effort.SCAN)
    assert open_image(scans(1 + effort.MOST_SCANS - own)).image.size == (2000, 2000)
    begin = time.process_time()
    for between in (b"", b"\xff\xfe\0\4\xff\xd9", b"\xff\xff", b"\xff\1"):
        with pytest.raises(UnreadableImageError, match=r"made to take long: over 100 scans"):
            open_image(scans(2 + effort.MOST_SCANS - own, between))
    assert time.process_time() - begin < 1


def test_what_follows_a_jpeg_is_not_counted() -> None:
    """A telephone puts a video behind a picture: it holds a scan's marker by chance."""
    assert open_image(JPEG + effort.SCAN * 500).image.size == (40, 40)
    comment = b"\xff\xfe" + struct.pack(">H", 2 + 1000) + effort.SCAN * 500
    assert open_image(JPEG[:2] + comment + JPEG[2:]).image.size == (40, 40)


def test_a_decode_that_takes_too_long_is_cut(monkeypatch) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (300, 300, 3), np.uint8)
    for form in ("JPEG", "PNG"):
        file = io.BytesIO()
        Image.fromarray(noise).save(file, form)
        assert open_image(file.getvalue())
        with monkeypatch.context() as patch:
            patch.setattr(effort, "MOST_SECONDS", -1.0)
            with pytest.raises(UnreadableImageError, match="over -1 s to decode"):
                open_image(file.getvalue())


def test_the_time_is_of_this_thread_alone(monkeypatch) -> None:
    """On a busy machine an image takes longer, and is read all the same."""
    monkeypatch.setattr(effort, "MOST_SECONDS", 5.0)
    monkeypatch.setattr(time, "monotonic", lambda: 1e9)
    monkeypatch.setattr(time, "process_time", lambda: 1e9)
    assert open_image(PNG)


def test_as_many_parts_as_are_allowed_are_counted(monkeypatch):
    monkeypatch.setattr(effort, "MOST_PARTS", 3)
    parts = effort.Parts()
    for _ in range(3):
        parts.count()
    with pytest.raises(ValueError, match="over 3 parts"):
        parts.count()
