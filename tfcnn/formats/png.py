"""PNG: its 16-bit colours, of which Pillow keeps 8 bits, and its pixels without its metadata.

Chunks, filters and interlacing: W3C, PNG Specification (Third Edition).
"""

import io
import struct
import zlib
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from PIL import Image

from tfcnn.formats.exif import orientation
from tfcnn.formats.samples import FULL, Deep, upright

__all__ = ["deep", "white", "without_metadata"]

SIGNATURE = b"\x89PNG\r\n\x1a\n"
CHANNELS = {2: 3, 4: 2, 6: 4}  # of the colour types of which Pillow keeps 8 bits
COLOUR_TYPES = {3: 2, 4: 6}  # the colour type that has so many channels
# left, top, step across and step down of the seven passes of an interlaced image
PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2),
          (0, 1, 1, 2))  # fmt: skip


def deep(content: bytes) -> Deep | None:
    """Return the samples of a 16-bit image in colour or with alpha, or None for another image.

    A filter works on bytes, and on those of the same place in each pixel alone. So the bytes of
    16-bit pixels are read as the channels of 8-bit images.

    Raises:
        ValueError: if it is broken.
    """
    if content[12:16] != b"IHDR" or content[24] != 16 or content[25] not in CHANNELS:
        return None
    channels = CHANNELS[content[25]]
    with Image.open(io.BytesIO(content), formats=["PNG"]) as image:  # refuses what is too large
        way = orientation(image)
    chunks = list(_chunks(content))
    data = b"".join(body for name, body in chunks if name == b"IDAT")
    parts = [data] if channels == 2 else _halves(content, data, 2 * channels)
    each = 2 * channels // len(parts)
    pixels = np.concatenate([_eight_bit(content, each, part) for part in parts], axis=2)
    samples = pixels.view(">u2").astype(np.uint16)
    transparent = dict(chunks).get(b"tRNS")
    if transparent:
        is_clear = (samples == np.frombuffer(transparent, ">u2")).all(axis=2, keepdims=True)
        samples = np.concatenate([samples, np.where(is_clear, 0, FULL).astype(np.uint16)], axis=2)
    return Deep(upright(samples, way))


def white(content: bytes) -> int:
    """Return the value of white in a grey image of up to 8 bits, which Pillow makes 255."""
    return 2 ** content[24] - 1 if content[12:16] == b"IHDR" and content[25] == 0 else 255


def without_metadata(content: bytes) -> bytes:
    """Return the image with those chunks only that its pixels depend on."""
    kept = [
        (name, body)
        for name, body in _chunks(content)
        if name[0] < ord("a") or name in (b"tRNS", b"eXIf")
    ]
    return SIGNATURE + b"".join(_chunk(name, body) for name, body in kept)


def _chunks(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield names and bodies up to the end of the image; a body may lack its end.

    Raises:
        ValueError: if what pixels depend on is damaged.
    """
    at, name = len(SIGNATURE), b""
    while at + 8 <= len(content) and name != b"IEND":
        length, name = struct.unpack_from(">I4s", content, at)
        body = content[at + 8 : at + 8 + length]
        at += 12 + length
        is_needed = name[0] < ord("a") or name == b"tRNS"
        if is_needed and at <= len(content):
            (checksum,) = struct.unpack_from(">I", content, at - 4)
            if checksum != zlib.crc32(name + body):
                raise ValueError(f"its chunk {name.decode('latin-1')} is damaged")
        yield name, body


def _chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def _eight_bit(content: bytes, channels: int, data: bytes) -> npt.NDArray[np.uint8]:
    """Return the pixels of packed data as those of an 8-bit image of so many channels."""
    header = content[16:24] + bytes([8, COLOUR_TYPES[channels]]) + content[26:29]
    parts = ((b"IHDR", header), (b"IDAT", data), (b"IEND", b""))
    file = io.BytesIO(SIGNATURE + b"".join(_chunk(name, body) for name, body in parts))
    with Image.open(file, formats=["PNG"]) as image:
        return np.asarray(image)


def _halves(content: bytes, data: bytes, pixel_bytes: int) -> list[bytes]:
    """Divide filtered rows in two: the first and the second half of the bytes of each pixel."""
    width, height = struct.unpack_from(">II", content, 16)
    passes = PASSES if content[28] else ((0, 0, 1, 1),)
    sizes = [(-(-(width - x) // dx), -(-(height - y) // dy)) for x, y, dx, dy in passes]
    sizes = [(across, down) for across, down in sizes if across > 0 and down > 0]
    length = sum(down * (1 + across * pixel_bytes) for across, down in sizes)
    rows = np.frombuffer(zlib.decompressobj().decompress(data, length), np.uint8)
    if len(rows) < length:
        raise ValueError("its pixels end too early")
    halves: tuple[list[bytes], list[bytes]] = ([], [])
    at = 0
    for across, down in sizes:
        size = down * (1 + across * pixel_bytes)
        part = rows[at : at + size].reshape(down, -1)
        pixels = part[:, 1:].reshape(down, across, 2, pixel_bytes // 2)
        for half, found in enumerate(halves):
            half_row = pixels[:, :, half].reshape(down, -1)
            found.append(np.concatenate([part[:, :1], half_row], axis=1).tobytes())
        at += size
    return [zlib.compress(b"".join(half), 0) for half in halves]
