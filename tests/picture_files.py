"""Image files made by hand, of layouts that Pillow does not write."""

import io
import struct
import zlib

import numpy as np
from PIL import Image

SIGNATURE = b"\x89PNG\r\n\x1a\n"
PASSES = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2),
          (0, 1, 1, 2)]  # fmt: skip


def encoded(image, format_name="PNG", **options):
    """Return the file that Pillow writes of an image or its pixels."""
    buffer = io.BytesIO()
    image = Image.fromarray(image) if isinstance(image, np.ndarray) else image
    image.save(buffer, format_name, **options)
    return buffer.getvalue()


def chunk(name, body, checksum=None):
    checksum = zlib.crc32(name + body) if checksum is None else checksum
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", checksum)


def deep_png(samples, interlaced=False, transparent=None, extra=b""):
    """Return a 16-bit PNG of `(height, width, 1 to 4)`; its rows take turns at the five filters."""
    height, width, channels = samples.shape
    header = struct.pack(">II", width, height)
    header += bytes([16, {1: 0, 2: 4, 3: 2, 4: 6}[channels], 0, 0, interlaced])
    passes = PASSES if interlaced else [(0, 0, 1, 1)]
    parts = [samples[y::down, x::across] for x, y, across, down in passes]
    data = b"".join(_filtered(part, 2 * channels) for part in parts if part.size)
    clear = b"" if transparent is None else chunk(b"tRNS", np.array(transparent, ">u2").tobytes())
    return (
        SIGNATURE + chunk(b"IHDR", header) + clear + extra
        + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")
    )  # fmt: skip


def _filtered(samples, pixel_bytes):
    rows = samples.astype(">u2").reshape(len(samples), -1).view(np.uint8).astype(int)
    found, above = b"", np.zeros(rows.shape[1], int)
    for number, row in enumerate(rows):
        left = np.concatenate([np.zeros(pixel_bytes, int), row[:-pixel_bytes]])
        corner = np.concatenate([np.zeros(pixel_bytes, int), above[:-pixel_bytes]])
        guess = left + above - corner
        apart = np.abs(np.stack([guess - left, guess - above, guess - corner]))
        paeth = np.choose(apart.argmin(axis=0), [left, above, corner])
        less = [0, left, above, (left + above) // 2, paeth][number % 5]
        found += bytes([number % 5]) + ((row - less) % 256).astype(np.uint8).tobytes()
        above = row
    return found


def tiff(
    samples, photometry, *, order="<", extra=(), deflated=False, predicted=False, planar=False,
    tile=None, orientation=1, pages=1, big=False, tags=None,
):  # fmt: skip
    """Return a TIFF of `(height, width, channels)`; each page is the same.

    Args:
        samples: of any type of whole or real numbers.
        photometry: 0 white is 0, 1 black is 0, 2 RGB, 5 CMYK, 8 Lab.
        order: `<` or `>`.
        extra: the kind of each channel that is no colour: 0 unknown, 1 premultiplied, 2 alpha.
        deflated: whether the samples are packed.
        predicted: whether each is written as its difference from the one to the left.
        planar: whether each channel lies by itself.
        tile: `(height, width)`, multiples of 16, or None for strips of three rows.
        orientation: of EXIF.
        pages: how many.
        big: whether it is a BigTIFF.
        tags: others, or instead: by number `(type, count, bytes)`.
    """
    height, width, channels = samples.shape
    planes = [samples[..., [i]] for i in range(channels)] if planar else [samples]
    blocks = [block for plane in planes for block in _blocks(plane, tile)]
    blocks = [_packed(block, order, deflated, predicted) for block in blocks]
    kind = {"u": 1, "i": 2, "f": 3, "c": 6}[samples.dtype.kind]
    found = {
        256: [width], 257: [height], 258: [8 * samples.itemsize] * channels,
        259: [8 if deflated else 1], 262: [photometry], 274: [orientation], 277: [channels],
        284: [2 if planar else 1], 317: [2 if predicted else 1], 339: [kind] * channels,
    }  # fmt: skip
    if extra:
        found[338] = list(extra)
    place = "Q" if big else "I"
    content = bytearray(16)
    offsets = []
    for block in blocks:
        offsets.append(len(content))
        content += block + b"\0" * (len(block) % 2)
    sizes = list(map(len, blocks))
    found |= {322: [tile[1]], 323: [tile[0]], 324: offsets, 325: sizes} if tile else {}
    found |= {} if tile else {273: offsets, 278: [3], 279: sizes}
    entries = {tag: (4, len(v), struct.pack(f"{order}{len(v)}I", *v)) for tag, v in found.items()}
    entries |= tags or {}
    link = 8 if big else 4
    for _ in range(pages):
        struct.pack_into(order + place, content, link, len(content))
        link = _add_page(content, entries, order, place)
    struct.pack_into(f"{order}2sH", content, 0, b"II" if order == "<" else b"MM", 43 if big else 42)
    if big:
        struct.pack_into(f"{order}HH", content, 4, 8, 0)
    return bytes(content)


def _add_page(content, entries, order, place):
    """Add a directory and what it points at; return where the place of the next one is told."""
    long = struct.calcsize(place)
    after = len(content) + (8 if long == 8 else 2) + len(entries) * (4 + 2 * long) + long
    arrays = b""
    content += struct.pack(order + ("Q" if long == 8 else "H"), len(entries))
    for tag, (kind, count, data) in sorted(entries.items()):
        if len(data) > long:
            data, arrays = struct.pack(order + place, after + len(arrays)), arrays + data
        content += struct.pack(f"{order}HH{place}", tag, kind, count) + data.ljust(long, b"\0")
    link = len(content)
    content += bytes(long) + arrays
    return link


def _blocks(plane, tile):
    height, width, _ = plane.shape
    if not tile:
        return [plane[top : top + 3] for top in range(0, height, 3)]
    padded = np.pad(plane, ((0, -height % tile[0]), (0, -width % tile[1]), (0, 0)))
    return [
        padded[top : top + tile[0], left : left + tile[1]]
        for top in range(0, height, tile[0])
        for left in range(0, width, tile[1])
    ]


def _packed(block, order, deflated, predicted):
    if predicted:
        block = np.concatenate([block[:, :1], block[:, 1:] - block[:, :-1]], axis=1)
    data = block.astype(block.dtype.newbyteorder(order)).tobytes()
    return zlib.compress(data) if deflated else data


def drawing(shade=0, seed=0, kind=np.uint8):
    """Return a shape of one shade on nothing, with a soft rim: `(height, width, 4)`."""
    full = np.iinfo(kind).max
    ink = np.full((24, 24, 4), round(shade / 255 * full), kind)
    ink[..., 3] = 0
    top, left = np.random.default_rng(seed).integers(2, 10, 2)
    ink[top : top + 9, left : left + 9, 3] = full // 2
    ink[top + 1 : top + 8, left + 1 : left + 8, 3] = full
    return ink


def frames(format_name, count):
    images = [Image.new("RGB", (9, 9), (i * 20, 0, 0)) for i in range(count)]
    options = {"lossless": True} if format_name == "WEBP" else {}
    return encoded(images[0], format_name, save_all=True, append_images=images[1:], **options)
