"""Image files that are small, or look harmless, and ask for much memory: for benchmarks and tests.

`TOO_LARGE` are refused; `READABLE` are ordinary small images under a heap of something else.
"""

import io
import struct
import zlib
from collections.abc import Callable, Iterator

import numpy as np
from PIL import Image

__all__ = ["LARGE", "READABLE", "TOO_LARGE"]

SIGNATURE = b"\x89PNG\r\n\x1a\n"
MB = 2**20


def zeros(count: int) -> bytes:
    """Return so many zero bytes, packed by zlib: one megabyte is packed, and repeated."""
    block, last = (zlib.compressobj(9, wbits=-zlib.MAX_WBITS) for _ in range(2))
    whole = block.compress(bytes(MB)) + block.flush(zlib.Z_FULL_FLUSH)
    rest = last.compress(bytes(count % MB)) + last.flush()
    adler = count % 65521 << 16 | 1  # of zero bytes
    return b"\x78\xda" + whole * (count // MB) + rest + struct.pack(">I", adler)


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png(width: int, height: int, bits: int, colour: int, *extra: bytes, data: bool = True) -> bytes:
    """Return a black PNG; `colour` 0 is grey, 2 RGB, 6 RGBA."""
    row_bytes = 1 + width * {0: 1, 2: 3, 6: 4}[colour] * bits // 8
    header = struct.pack(">II", width, height) + bytes([bits, colour, 0, 0, 0])
    body = zeros(row_bytes * height) if data else b""
    chunks = [chunk(b"IHDR", header), *extra, chunk(b"IDAT", body), chunk(b"IEND", b"")]
    return SIGNATURE + b"".join(chunks)


def tiff(tags: dict[int, tuple[int, ...]], data: bytes = b"", pages: int = 1) -> bytes:
    """Return a TIFF of these tags; tag 273 is where the data lie."""
    content = bytearray(b"II*\0" + bytes(4) + data + bytes(len(data) % 2))
    link = 4
    for _ in range(pages):
        struct.pack_into("<I", content, link, len(content))
        entries = b"".join(_entry(tag, values, content) for tag, values in sorted(tags.items()))
        struct.pack_into("<I", content, link, len(content))
        content += struct.pack("<H", len(tags)) + entries
        link = len(content)
        content += bytes(4)
    return bytes(content)


def _entry(tag: int, values: tuple[int, ...], content: bytearray) -> bytes:
    body = struct.pack(f"<{len(values)}I", *values)
    if len(values) > 1:
        place, body = len(content), b""
        content += struct.pack(f"<{len(values)}I", *values)
        body = struct.pack("<I", place)
    return struct.pack("<HHI", tag, 4, len(values)) + body


def tags(width: int, height: int, bits: int, channels: int, size: int, **more: int) -> dict:
    return {
        256: (width,), 257: (height,), 258: (bits,) * channels, 259: (more.get("packing", 1),),
        262: (2 if channels > 2 else 1,), 273: (8,), 277: (channels,), 278: (height,),
        279: (size,),
    }  # fmt: skip


def packed_tiff(width: int, height: int, bits: int = 8, channels: int = 3) -> bytes:
    data = zeros(width * height * channels * bits // 8)
    return tiff(tags(width, height, bits, channels, len(data), packing=8), data)


def tiled_tiff() -> bytes:
    found = tags(40, 40, 8, 3, 8, packing=8)
    del found[273], found[278], found[279]
    return tiff({**found, 322: (60_000,), 323: (60_000,), 324: (8,), 325: (8,)}, bytes(8))


def greedy_tiff() -> bytes:
    """Return a small image whose tags all claim the same million numbers."""
    found = tags(40, 40, 8, 1, 1600)
    many = dict.fromkeys(range(400, 1400), (0,))
    content = bytearray(tiff({**found, **many, 320: (0,)}, bytes(4 * MB)))
    for tag in (*many, 320):
        at = content.index(struct.pack("<HHI", tag, 4, 1), 4 * MB)
        struct.pack_into("<HHII", content, at, tag, 4, MB, 8)
    return bytes(content)


def saved(format_name: str, mode: str = "RGB", side: int = 40, **options: object) -> bytes:
    file = io.BytesIO()
    Image.new(mode, (side, side)).save(file, format_name, **options)
    return file.getvalue()


def patched(content: bytes, found: bytes, at: int, layout: str, *values: int) -> bytes:
    """Return a file with other numbers at some bytes after a mark."""
    changed = bytearray(content)
    struct.pack_into(layout, changed, content.index(found) + at, *values)
    return bytes(changed)


def progressive_jpeg() -> bytes:
    return patched(saved("JPEG", progressive=True), b"\xff\xc2", 5, ">HH", 65_000, 65_000)


def webp() -> bytes:
    body = b"VP8X" + struct.pack("<IB3x", 10, 0) + b"\xfe\x3f\0" * 2
    body += saved("WEBP", lossless=True)[12:]
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WEBP" + body


def many_frames() -> bytes:
    content = saved("GIF", "P")
    start = 13 + 3 * 2 ** ((content[10] & 7) + 1)
    return content[:start] + content[start:-1] * 20_000 + b";"


def text() -> bytes:
    """Return a chunk of text that unpacks to 400 MB."""
    return chunk(b"zTXt", b"about\0\0" + zeros(400 * MB))


def profile() -> bytes:
    return chunk(b"iCCP", b"about\0\0" + zeros(400 * MB))


TOO_LARGE: dict[str, Callable[[], bytes]] = {
    "column.png": lambda: png(1, 170_000_000, 8, 0),
    "row.png": lambda: png(90_000_000, 1, 8, 0),
    "deep.png": lambda: png(13_000, 13_000, 16, 0),
    "deep_rgb.png": lambda: png(9_000, 9_000, 16, 2),
    "declared.png": lambda: png(2**31 - 1, 2**31 - 1, 8, 6, data=False),
    "declared.tif": lambda: tiff(tags(60_000, 60_000, 8, 3, 8), bytes(8)),
    "deep.tif": lambda: packed_tiff(9_000, 9_000, 16),
    "bomb.tif": lambda: packed_tiff(9_900, 9_900),
    "tile.tif": tiled_tiff,
    "header.ppm": lambda: b"P6 100000 100000 255\n" + bytes(100),
    "deep.ppm": lambda: b"P6 100000 100000 65535\n" + bytes(100),
    "plain.pbm": lambda: b"P1 99999999 9\n" + b"1 " * 100,
    "screen.gif": lambda: patched(saved("GIF", "P"), b"GIF", 6, "<HH", 65_535, 65_535),
    "frame.gif": lambda: patched(saved("GIF", "P"), b",\0\0\0\0", 5, "<HH", 65_535, 65_535),
    "canvas.webp": webp,
    "header.bmp": lambda: patched(saved("BMP"), b"BM", 18, "<ii", 50_000, 50_000),
    "header.jp2": lambda: patched(
        saved("JPEG2000", no_jp2=True), b"\xff\x51", 6, ">II6xII", 60_000, 60_000, 60_000, 60_000
    ),
    "progressive.jpg": progressive_jpeg,
}
LARGE: dict[str, Callable[[], bytes]] = {
    "large.png": lambda: png(9_900, 9_900, 8, 2),
    "large_deep.png": lambda: png(5_600, 5_600, 16, 2),
    "large_alpha.png": lambda: png(7_400, 7_400, 8, 6),
    "large.tif": lambda: packed_tiff(8_500, 8_500),
}
READABLE: dict[str, Callable[[], bytes]] = {
    "text.png": lambda: png(40, 40, 8, 2, text()),
    "profile.png": lambda: png(40, 40, 8, 2, profile()),
    "plain_text.png": lambda: png(40, 40, 8, 2, chunk(b"tEXt", b"about\0" + b"a" * 100 * MB)),
    "frames.gif": many_frames,
    "pages.tif": lambda: tiff(tags(40, 40, 8, 1, 1600), bytes(1600), pages=20_000),
    "greedy.tif": greedy_tiff,
}


def pixels() -> Iterator[bytes]:
    """Yield ordinary small images, as PNG."""
    numbers = np.random.default_rng(0)
    while True:
        file = io.BytesIO()
        Image.fromarray(numbers.integers(0, 255, (40, 40, 3), np.uint8)).save(file, "PNG")
        yield file.getvalue()
