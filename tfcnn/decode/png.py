"""PNG: its 16-bit colours, of which Pillow keeps 8 bits, and its pixels without its metadata.

Chunks, filters and interlacing: W3C, PNG Specification (Third Edition).
"""

import io
import struct
import sys
import zlib
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from tfcnn.decode import effort, limits, pillow, tiff
from tfcnn.decode.samples import FULL, Deep, Samples, blocks, by_blocks, upright

SIGNATURE = b"\x89PNG\r\n\x1a\n"
CHANNELS = {2: 3, 4: 2, 6: 4}  # of the colour types of which Pillow keeps 8 bits
CHANNEL_BYTES = 9  # of memory at its peak, for each sample of a pixel
Bytes = npt.NDArray[np.uint8]
BULK_BYTES = 2**24  # a larger file is mostly text, where it is not a large image
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
    channels, (width, height) = CHANNELS[content[25]], struct.unpack_from(">II", content, 16)
    limits.claim((height, width), CHANNEL_BYTES * channels, len(content))
    with pillow.header(io.BytesIO(content), ("PNG",)) as image:
        orientation = tiff.exif_orientation(image)
    data = b"".join(body for name, body in _chunks(content) if name == b"IDAT")
    transparent = next((body for name, body in _chunks(content) if name == b"tRNS"), b"")
    samples = _samples(content, data, channels)
    if transparent:
        clear = np.frombuffer(transparent, ">u2")
        samples = by_blocks(height, width * 4, lambda rows: _with_alpha(samples[rows], clear))
    return Deep(upright(samples, orientation))


def size(content: bytes) -> tuple[int, int] | None:
    """Return `(height, width)` of an image that is not too large, or None where it is not said."""
    if content[12:16] != b"IHDR":
        return None
    width, height = struct.unpack_from(">II", content, 16)
    limits.refuse((height, width), 1, 0)
    return height, width


def is_deep(content: bytes) -> bool:
    """Say whether an image is of 16 bits."""
    return content[12:16] == b"IHDR" and content[24] == 16


def _samples(content: bytes, data: bytes, channels: int) -> Samples:
    """Return the samples of packed data, `(height, width, channels)`."""
    width, height = struct.unpack_from(">II", content, 16)
    pixels = np.empty((height, width, 2 * channels), np.uint8)
    if channels == 2:
        _read_into(pixels, content, [data])
        return _swapped(pixels)
    rows = _unpacked(content, data, 2 * channels)
    for half in range(2):
        part = pixels[..., half * channels : (half + 1) * channels]
        _read_into(part, content, list(_half(rows, half, 2 * channels)))
    return _swapped(pixels)


def _swapped(pixels: Bytes) -> Samples:
    """Return bytes of which the first is the higher one as numbers, in place."""
    samples = pixels.view(np.uint16)
    return samples.byteswap(inplace=True) if sys.byteorder == "little" else samples


def _with_alpha(samples: Samples, clear: npt.NDArray[np.uint16]) -> Samples:
    is_clear = (samples == clear).all(axis=2, keepdims=True)
    return np.concatenate([samples, np.where(is_clear, 0, FULL).astype(np.uint16)], axis=2)


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
    return b"".join([SIGNATURE, *(part for one in kept for part in _chunk(*one))])


def without_bulk(content: bytes) -> bytes:
    """Return a large file without its metadata, where these are more than its pixels.

    Pillow reads all metadata into memory, several times over.
    """
    if len(content) < BULK_BYTES:
        return content
    data_bytes = sum(len(body) for name, body in _chunks(content) if name == b"IDAT")
    return content if 2 * data_bytes > len(content) else without_metadata(content)


def _chunks(content: bytes) -> Iterator[tuple[bytes, memoryview]]:
    """Yield names and bodies up to the end of the image; a body may lack its end.

    Raises:
        ValueError: if what pixels depend on is damaged.
        NotReadError: if there are too many.
    """
    at, name, whole = len(SIGNATURE), b"", memoryview(content)
    parts = effort.Parts()
    while at + 8 <= len(content) and name != b"IEND":
        parts.count()
        length, name = struct.unpack_from(">I4s", content, at)
        body = whole[at + 8 : at + 8 + length]
        at += 12 + length
        is_needed = name[0] < ord("a") or name == b"tRNS"
        if is_needed and at <= len(content):
            (checksum,) = struct.unpack_from(">I", content, at - 4)
            if checksum != zlib.crc32(body, zlib.crc32(name)):
                raise ValueError(f"its chunk {name.decode('latin-1')} is damaged")
        yield name, body


def _chunk(name: bytes, body: bytes | memoryview) -> tuple[bytes | memoryview, ...]:
    """Return the parts of a chunk, which are to be joined."""
    checksum = zlib.crc32(body, zlib.crc32(name))
    return struct.pack(">I", len(body)), name, body, struct.pack(">I", checksum)


def _read_into(pixels: Bytes, content: bytes, data: Sequence[bytes]) -> None:
    """Read packed data as those of an 8-bit image of so many channels as `pixels` has."""
    header = content[16:24] + bytes([8, COLOUR_TYPES[pixels.shape[2]]]) + content[26:29]
    parts = [(b"IHDR", header), *((b"IDAT", part) for part in data), (b"IEND", b"")]
    chunks = [part for one in parts for part in _chunk(*one)]
    pillow.values(b"".join([SIGNATURE, *chunks]), "PNG", pixels)


def _unpacked(content: bytes, data: bytes, pixel_bytes: int) -> list[Bytes]:
    """Return the filtered rows of each pass, `(height, 1 + bytes)`: the first byte is the filter's.

    Raises:
        ValueError: if there are too few.
    """
    width, height = struct.unpack_from(">II", content, 16)
    passes = PASSES if content[28] else ((0, 0, 1, 1),)
    sizes = [(-(-(width - x) // dx), -(-(height - y) // dy)) for x, y, dx, dy in passes]
    shapes = [(down, 1 + across * pixel_bytes) for across, down in sizes if across > 0 and down > 0]
    length = sum(down * row_bytes for down, row_bytes in shapes)
    rows = np.frombuffer(zlib.decompressobj().decompress(data, length), np.uint8)
    if len(rows) < length:
        raise ValueError("its pixels end too early")
    ends = np.cumsum([down * row_bytes for down, row_bytes in shapes])
    parts = np.split(rows, ends[:-1])
    return [part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)]


def _half(passes: Sequence[Bytes], half: int, pixel_bytes: int) -> Iterator[bytes]:
    """Yield, packed, the first or the second half of the bytes of each pixel of filtered rows."""
    packer = zlib.compressobj(0)
    for part in passes:
        for rows in blocks(*part.shape):
            filtered = part[rows]
            pixels = filtered[:, 1:].reshape(len(filtered), -1, 2, pixel_bytes // 2)[:, :, half]
            half_rows = np.concatenate([filtered[:, :1], pixels.reshape(len(filtered), -1)], axis=1)
            yield packer.compress(half_rows.tobytes())
    yield packer.flush()
