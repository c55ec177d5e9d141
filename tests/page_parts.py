"""What the tests of the page share: files that no library writes, and the page's modules called."""

import base64
import io
import struct
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
from PIL import Image

PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2),
          (0, 1, 1, 2))  # fmt: skip
DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
START = b"\x89PNG\r\n\x1a\n"
TOOLS = """
  const bytesOf = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const textOf = (bytes) => {
    let letters = "";
    for (const byte of bytes) letters += String.fromCharCode(byte);
    return btoa(letters);
  };
  const module = (name) => import(self.page.addresses[`tfcnn/${name}.js`]);
"""


def call(opened: Any, body: str, value: Any = None) -> Any:
    """Run JavaScript with `value`, and what `TOOLS` has, in the page; return what it returns."""
    return opened.evaluate(f"async (value) => {{ {TOOLS} {body} }}", value)


def in_text(content: bytes) -> str:
    return base64.b64encode(content).decode()


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def exif(orientation: int, order: str = "<") -> bytes:
    start = b"II*\0" if order == "<" else b"MM\0*"
    entry = struct.pack(f"{order}HHIHH", 274, 3, 1, orientation, 0)
    return start + struct.pack(f"{order}IH", 8, 1) + entry + bytes(4)


def random_png(rng: np.random.Generator) -> bytes:
    """Return a PNG of any colour type, depth, filters and interlacing, with transparency or not."""
    colour_type = int(rng.choice([0, 2, 3, 4, 6]))
    depth = int(rng.choice(DEPTHS[colour_type]))
    channels, (height, width) = CHANNELS[colour_type], map(int, rng.integers(1, 24, 2))
    samples = rng.integers(0, 2**depth, (height, width, channels))
    if rng.random() < 0.3:  # few colours, so that one that is transparent occurs
        samples = rng.choice(samples.ravel()[:4], samples.shape)
    interlaced = int(rng.random() < 0.4)
    header = struct.pack(">IIBBBBB", width, height, depth, colour_type, 0, 0, interlaced)
    packed = zlib.compress(_rows(samples, depth, interlaced, rng), int(rng.integers(0, 10)))
    cut = int(rng.integers(0, len(packed) + 1))
    parts = [START, chunk(b"IHDR", header), chunk(b"gAMA", struct.pack(">I", 45455))]
    parts += [*_colours(samples, colour_type, depth, rng), *_orientation(rng)]
    parts += [chunk(b"IDAT", part) for part in (packed[:cut], packed[cut:])]
    return b"".join([*parts, chunk(b"IEND", b"")])


def damaged(content: bytes, rng: np.random.Generator) -> bytes:
    """Return a file cut short, or with another byte or two, or with odd chunks.

    Checksums betray nearly all damage, so that most of it gets new ones.
    """
    if rng.random() < 0.1:
        return content[: int(rng.integers(8, len(content)))]
    if rng.random() < 0.2:
        return bytes(_changed(content, 8, rng))
    parts = list(_chunks(content))
    for _ in range(int(rng.integers(1, 4))):
        parts.insert(int(rng.integers(1, len(parts))), _odd_chunk(rng))
    if rng.random() < 0.5:
        place = int(rng.integers(0, len(parts)))
        name, body = parts[place]
        parts[place] = (name, _changed(body, 0, rng) if body else b"x")
    return START + b"".join(chunk(*part) for part in parts)


def _changed(content: bytes, start: int, rng: np.random.Generator) -> bytes:
    changed = bytearray(content)
    for _ in range(int(rng.integers(1, 3))):
        value = rng.choice([0, 1, 255, int(rng.integers(0, 256))])
        changed[int(rng.integers(start, len(changed)))] = int(value)
    return bytes(changed)


def _chunks(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = len(START)
    while at < len(content):
        length, name = struct.unpack_from(">I4s", content, at)
        yield name, content[at + 8 : at + 8 + length]
        at += 12 + length


def _odd_chunk(rng: np.random.Generator) -> tuple[bytes, bytes]:
    """Return metadata that say how the picture lies, or over which a reader may stumble."""
    value = int(rng.integers(0, 10))
    plain, xmp = exif(value), b'<x tiff:Orientation="%d"/>' % value
    start = b"Exif\0\0" if rng.random() < 0.5 else b""
    digits = f"\nexif\n{len(plain):8}\n{(start + plain).hex()}".encode()
    key, profile = b"XML:com.adobe.xmp\0", b"Raw profile type exif\0"
    packed = zlib.compress(xmp)[: int(rng.integers(1, 80))]
    frame = struct.pack(">5IHHBB", 0, *map(int, rng.integers(0, 24, 2)), 0, 0, 1, 1, 0, 0)
    kinds = [
        (b"eXIf", plain), (b"eXIf", start + plain), (b"eXIf", plain[:20]), (b"eXIf", b"none"),
        (b"eXIf", start + several(value)), (b"tEXt", key + xmp), (b"iTXt", key + bytes(4) + xmp),
        (b"iTXt", key + b"\1\0\0\0" + packed), (b"zTXt", key + b"\0" + packed),
        (b"zTXt", key + b"\1" + packed), (b"tEXt", profile + digits), (b"tEXt", b"xmp\0" + xmp),
        (b"tEXt", profile + digits[:-1]), (b"tEXt", b"exif\0" + plain), (b"pHYs", b"short"),
        (b"cHRM", b"short"), (b"gAMA", b""), (b"iCCP", b"name\0\0rest"), (b"iCCP", b"name"),
        (b"iCCP", b"name\0\1" + zlib.compress(b"x")), (b"acTL", struct.pack(">II", 2, 0)),
        (b"fcTL", frame), (b"PLTE", b"123456"), (b"tRNS", b"\0\1"), (b"vpAg", b"private"),
        (b"sBIT", b"\5"), (b"IDAT", b""), (b"IHDR", b""), (b"a-b_", b""), (b"tIME", b"short"),
    ]  # fmt: skip
    return kinds[int(rng.integers(0, len(kinds)))]


def several(orientation: int) -> bytes:
    """Return EXIF data of two entries, of which the first lies outside."""
    outside = struct.pack("<HHII", 270, 2, 900, 5000)
    entry = struct.pack("<HHIHH", 274, 3, 1, orientation, 0)
    return b"II*\0" + struct.pack("<IH", 8, 2) + outside + entry + bytes(4)


def _colours(samples: Any, colour_type: int, depth: int, rng: np.random.Generator) -> list[bytes]:
    chunks = []
    if colour_type == 3:
        count = 2**depth if rng.random() < 0.8 else int(rng.integers(1, 2**depth + 1))
        chunks.append(chunk(b"PLTE", rng.integers(0, 256, 3 * count, dtype=np.uint8).tobytes()))
        if rng.random() < 0.5:
            alphas = rng.integers(0, 256, int(rng.integers(1, count + 1)), dtype=np.uint8)
            chunks.append(chunk(b"tRNS", alphas.tobytes()))
    if colour_type in (0, 2) and rng.random() < 0.5:
        clear = samples[0, 0] if rng.random() < 0.8 else rng.integers(0, 2**16, samples.shape[2])
        chunks.append(chunk(b"tRNS", clear.astype(">u2").tobytes()))
    return chunks


def _orientation(rng: np.random.Generator) -> list[bytes]:
    """Return the chunk that says how the picture lies, in one of the four ways that occur."""
    value, kind = int(rng.integers(0, 10)), rng.random()
    xmp = b'<x tiff:Orientation="%d"/>' % value
    if kind < 0.25:
        return [chunk(b"eXIf", exif(value, str(rng.choice(["<", ">"]))))]
    if kind < 0.3:
        return [chunk(b"tEXt", b"XML:com.adobe.xmp\0" + xmp)]
    if kind < 0.35:
        return [chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp)]
    if kind < 0.4:
        digits = exif(value).hex()
        text = f"\nexif\n{len(digits) // 2:8}\n{digits}".encode()
        return [chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(text))]
    return []


def _rows(samples: Any, depth: int, interlaced: int, rng: np.random.Generator) -> bytes:
    content = b""
    for left, top, across, down in PASSES if interlaced else ((0, 0, 1, 1),):
        part = samples[top::down, left::across]
        if part.size:
            rows = [_packed(row, depth) for row in part.reshape(len(part), -1)]
            content += _filtered(rows, max(1, samples.shape[2] * depth // 8), rng)
    return content


def _packed(row: Any, depth: int) -> bytes:
    if depth >= 8:
        return bytes(row.astype(f">u{depth // 8}").tobytes())
    bits = (row[:, np.newaxis] >> np.arange(depth)[::-1]) & 1
    return np.packbits(bits.astype(np.uint8).ravel()).tobytes()


def _filtered(rows: list[bytes], pixel_bytes: int, rng: np.random.Generator) -> bytes:
    """Filter each row by one of PNG's five filters."""
    content, above = b"", bytes(len(rows[0]))
    for row in rows:
        kind, out = int(rng.integers(0, 5)), bytearray()
        for i, value in enumerate(row):
            left = row[i - pixel_bytes] if i >= pixel_bytes else 0
            corner = above[i - pixel_bytes] if i >= pixel_bytes else 0
            up = above[i]
            guesses = (0, left, up, (left + up) // 2, _paeth(left, up, corner))
            out.append((value - guesses[kind]) & 255)
        content, above = content + bytes([kind]) + bytes(out), row
    return content


def _paeth(left: int, up: int, corner: int) -> int:
    guess = left + up - corner
    return min((left, up, corner), key=lambda value: abs(guess - value))


def random_photograph(name: str, rng: np.random.Generator) -> bytes:
    """Return a JPEG or WebP image, in colour or grey, of any quality, some turned by EXIF data."""
    (height, width), file = map(int, rng.integers(8, 70, 2)), io.BytesIO()
    blocks = rng.integers(0, 256, (height // 8 + 1, width // 8 + 1, 3), dtype=np.uint8)
    picture = Image.fromarray(blocks).resize((width, height))
    options: dict[str, Any] = {"quality": int(rng.integers(20, 100))}
    if name == "a WebP image":
        picture.save(file, "WEBP", lossless=bool(rng.random() < 0.3), **options)
        return file.getvalue()
    lies = Image.Exif()
    lies[274] = int(rng.integers(0, 10))
    options |= {"subsampling": int(rng.integers(0, 3)), "progressive": bool(rng.random() < 0.3)}
    options |= {"exif": lies} if rng.random() < 0.4 else {}
    picture.convert("L" if rng.random() < 0.2 else "RGB").save(file, "JPEG", **options)
    return file.getvalue()


def spoilt(content: bytes, rng: np.random.Generator) -> bytes:
    """Return a file cut short, or with another byte or more."""
    if rng.random() < 0.3:
        return content[: int(rng.integers(20, len(content)))]
    return _changed(content, 2, rng)
