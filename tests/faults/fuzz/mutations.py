"""Changes of a sound file: of any bytes, of a text, of JSON and TOML as trees, of its parts."""

import copy
import json
import random
import struct
import zlib
from collections.abc import Sequence
from typing import Any

from faults.fuzz.corpus import ZIP_NAMES
from nasty_names import NASTY

NUMBERS = (0, 1, 2, 7, 8, 127, 128, 255, 256, 32767, 32768, 65535, 65536, 2**31 - 1, 2**31,
           2**32 - 1, 2**32, 2**63 - 1, 2**63, 2**64 - 1)  # fmt: skip
WORDS = (
    "", "\0", "\n", "\r", '"', "'", "''", '"""', ",", ";", "\t", "#", "=", "[", "]", "{", "}",
    "[[", "[" * 2000, "{" * 2000, "nan", "inf", "-inf", "1e999", "-0", "0x", "9" * 400, "1_0",
    "true", "null", "\ud800".encode("utf-8", "surrogatepass").decode("latin-1"), "\ufeff", "\u202e",
    "../", "/", "~", "(a+)+$", "(?P<x>", "\\", "x" * 5000,
    "x" * 140_000, *(n for n in NASTY if "\udcff" not in n),
)  # fmt: skip
VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2, 10**30, -(2**63), 1.5, 1e308, "", "x", "nan", [], {}, [[]],
    [None], {"": None}, {"x": {}}, [1, 2], [1, "x"], [0, 0], [-1, 5], [10**9, 10**9], "../x",
    "/etc/passwd", "(a+)+$", "\x1b[31m", "a\nb", "x" * 3000,
    *(n for n in NASTY if "\udcff" not in n),
)  # fmt: skip


def of_bytes(  # noqa: C901, a list of ways
    content: bytes, rng: random.Random, others: Sequence[bytes] = ()
) -> bytes:
    """Change bytes in one to six places."""
    data = bytearray(content)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 6))):
        at = rng.randrange(len(data) + 1)
        near = at if rng.random() < 0.5 else rng.randrange(min(len(data), 64) + 1)  # a header
        length = rng.choice((1, 2, 4, 8, 16, 64, 300))
        way = rng.randrange(9)
        if way == 0 and data:
            data[near % len(data)] ^= 1 << rng.randrange(8)
        elif way == 1 and data:
            data[near % len(data)] = rng.choice((0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)))
        elif way == 2:
            form = rng.choice(("<H", ">H", "<I", ">I", "<Q", ">Q"))
            size = struct.calcsize(form)
            data[near : near + size] = struct.pack(form, rng.choice(NUMBERS) % 256**size)
        elif way == 3:
            del data[at : at + length]
        elif way == 4:
            data[at:at] = data[at : at + length] * rng.choice((1, 2, 50))
        elif way == 5:
            data[at:at] = rng.randbytes(length)
        elif way == 6:
            del data[at:]
        elif way == 7:
            data[at : at + length] = bytes(length)
        elif others:
            other = rng.choice(others)
            start = rng.randrange(len(other) + 1)
            data[at:] = other[start:]
    return bytes(data)


def of_text(text: str, rng: random.Random) -> bytes:
    """Change words, lines and letters of a text, then perhaps its encoding or bytes."""
    for _ in range(rng.choice((1, 1, 2, 4))):
        at, way = rng.randrange(len(text) + 1), rng.randrange(6)
        if way == 0:
            text = text[:at] + rng.choice(WORDS) + text[at:]
        elif way == 1:
            text = text[:at] + rng.choice(WORDS) + text[at + rng.randrange(20) :]
        elif way == 2:
            text = text[:at] + text[at + rng.randrange(200) :]
        elif way == 3:
            lines = text.split("\n")
            lines.insert(rng.randrange(len(lines) + 1), rng.choice(lines))
            text = "\n".join(lines)
        elif way == 4:
            lines = text.split("\n")
            del lines[rng.randrange(len(lines))]
            text = "\n".join(lines)
        else:
            text = text[:at] + chr(rng.choice((0, 9, 10, 13, 34, 39, 44, 59, 92, 0x85, 0x2028)))
    encoding = rng.choice(("utf-8",) * 12 + ("utf-16", "utf-8-sig", "latin-1", "utf-16-be"))
    data = text.encode(encoding, "replace")
    return of_bytes(data, rng) if rng.random() < 0.1 else data


def of_tree(tree: Any, rng: random.Random) -> Any:
    """Change, remove or add one to three values anywhere in a tree of dicts and lists."""
    tree = copy.deepcopy(tree)
    for _ in range(rng.choice((1, 1, 2, 3))):
        places = list(_places(tree))
        if not places:
            break
        holder, key = rng.choice(places)
        way = rng.randrange(10)
        if way < 6:
            holder[key] = copy.deepcopy(rng.choice(VALUES))
        elif way == 6:
            del holder[key]
        elif way == 7 and isinstance(holder, dict):
            holder[rng.choice(WORDS)] = holder.pop(key)
        elif way == 8 and isinstance(holder, dict):
            holder[rng.choice(WORDS)] = copy.deepcopy(rng.choice(VALUES))
        else:
            other, other_key = rng.choice(places)
            if not isinstance(holder[key], dict | list):
                other[other_key] = holder[key]
    return tree


def _places(tree: Any) -> Any:
    pairs = tree.items() if isinstance(tree, dict) else enumerate(tree)
    for key, value in pairs:
        yield tree, key
        if isinstance(value, dict | list):
            yield from _places(value)


def of_json(text: str, rng: random.Random) -> bytes:
    """Change JSON as a tree, or as a text."""
    if rng.random() < 0.3:
        return of_text(text, rng)
    return json.dumps(of_tree(json.loads(text), rng)).encode("utf-8", "surrogatepass")


# --- parts of images


def of_image(content: bytes, rng: random.Random, others: Sequence[bytes]) -> bytes:
    """Change an image's parts, so that their own checksums hold, or any of its bytes."""
    if content.startswith(b"\x89PNG") and rng.random() < 0.6:
        return _of_png(content, rng)
    if content.startswith((b"II*\0", b"MM\0*")) and rng.random() < 0.5:
        return _of_tiff(content, rng)
    if content.startswith(b"\xff\xd8") and rng.random() < 0.4:
        return _of_jpeg(content, rng)
    return of_bytes(content, rng, others)


def _of_png(content: bytes, rng: random.Random) -> bytes:
    chunks, at = [], 8
    while at + 12 <= len(content):
        (length,) = struct.unpack_from(">I", content, at)
        chunks.append([content[at + 4 : at + 8], content[at + 8 : at + 8 + length]])
        at += 12 + length
    for _ in range(rng.choice((1, 1, 2, 4))):
        one, way = rng.randrange(len(chunks)), rng.randrange(6)
        if way == 0:
            chunks[one][1] = of_bytes(chunks[one][1], rng)
        elif way == 1:
            chunks.insert(rng.randrange(len(chunks) + 1), list(chunks[one]))
        elif way == 2 and len(chunks) > 1:
            del chunks[one]
        elif way == 3:
            chunks[one][0] = rng.choice(
                (
                    b"tRNS",
                    b"PLTE",
                    b"zTXt",
                    b"iCCP",
                    b"acTL",
                    b"fcTL",
                    b"fdAT",
                    b"eXIf",
                    b"IDAT",
                    b"IEND",
                    b"IHDR",
                    b"\0\0\0\0",
                )
            )
        elif way == 4:
            name = rng.choice((b"iTXt", b"zTXt", b"iCCP", b"gAMA", b"cHRM", b"pHYs", b"acTL"))
            chunks.insert(rng.randrange(len(chunks) + 1), [name, rng.randbytes(rng.randrange(30))])
        else:
            header = bytearray(chunks[0][1].ljust(13, b"\0"))
            header[8], header[9] = rng.choice((1, 2, 4, 8, 16, 3)), rng.choice((0, 2, 3, 4, 6, 1))
            header[12] = rng.randrange(2)
            chunks[0][1] = bytes(header)
    packed = (
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in chunks
    )
    return content[:8] + b"".join(packed)


def _of_tiff(content: bytes, rng: random.Random) -> bytes:
    """Change the tag, kind, count or value of entries of the first directory."""
    data, order = bytearray(content), "<" if content[:2] == b"II" else ">"
    (at,) = struct.unpack_from(order + "I", data, 4)
    (count,) = struct.unpack_from(order + "H", data, at)
    for _ in range(rng.choice((1, 2, 4))):
        entry = at + 2 + 12 * rng.randrange(max(1, count))
        place, form = rng.choice(((0, "H"), (2, "H"), (4, "I"), (8, "I"), (8, "H")))
        value = rng.choice((*NUMBERS[:16], *range(254, 285), 317, 322, 324, 338, 339, 5, 6, 34925))
        struct.pack_into(order + form, data, entry + place, value % 256 ** struct.calcsize(form))
    return bytes(data)


def _of_jpeg(content: bytes, rng: random.Random) -> bytes:
    """Repeat, remove, move or change whole segments before the first scan."""
    parts, at = [], 2
    while at + 4 <= len(content) and content[at + 1] != 0xDA:
        length = 2 + int.from_bytes(content[at + 2 : at + 4], "big")
        parts.append(content[at : at + length])
        at += length
    for _ in range(rng.choice((1, 2, 3))):
        one, way = rng.randrange(len(parts)), rng.randrange(4)
        if way == 0:
            parts.insert(rng.randrange(len(parts) + 1), parts[one])
        elif way == 1 and len(parts) > 1:
            del parts[one]
        elif way == 2:
            parts[one] = parts[one][:4] + of_bytes(parts[one][4:], rng)[: len(parts[one]) - 4]
        else:
            parts[one] = parts[one][:1] + bytes([rng.choice((0xC0, 0xC2, 0xC4, 0xDB, 0xDD, 0xE0,
                         0xE1, 0xE2, 0xED, 0xEE, 0xFE, 0xC9, 0xCC))]) + parts[one][2:]  # fmt: skip
    return content[:2] + b"".join(parts) + content[at:]


# --- parts of zip archives

ENTRY, LOCAL, END = b"PK\1\2", b"PK\3\4", b"PK\5\6"
# where the fields of each record are, and how long
FIELDS = {
    ENTRY: ((6, "H"), (8, "H"), (10, "H"), (16, "I"), (20, "I"), (24, "I"), (28, "H"), (30, "H"),
            (32, "H"), (34, "H"), (38, "I"), (42, "I")),
    LOCAL: ((4, "H"), (6, "H"), (8, "H"), (14, "I"), (18, "I"), (22, "I"), (26, "H"), (28, "H")),
    END: ((4, "H"), (6, "H"), (8, "H"), (10, "H"), (12, "I"), (16, "I"), (20, "H")),
    b"PK\6\6": ((4, "Q"), (24, "Q"), (32, "Q"), (40, "Q"), (48, "Q")),
    b"PK\6\7": ((4, "I"), (8, "Q"), (16, "I")),
}  # fmt: skip


def of_zip(content: bytes, rng: random.Random, others: Sequence[bytes]) -> bytes:
    """Change fields of headers, names, or any bytes of an archive."""
    way = rng.randrange(10)
    if way < 3:
        return of_bytes(content, rng, others)
    data = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 3))):
        record = rng.choice(tuple(FIELDS))
        places = [at for at in range(len(data)) if data.startswith(record, at)]
        if not places:
            continue
        at, (offset, form) = rng.choice(places), rng.choice(FIELDS[record])
        if at + offset + struct.calcsize(form) <= len(data):
            value = rng.choice((*NUMBERS, 12, 14, 93, 0o120777 << 16, len(data), 0x801))
            struct.pack_into(f"<{form}", data, at + offset, value % 256 ** struct.calcsize(form))
    return bytes(data)


def zip_of_names(rng: random.Random) -> list[tuple[str, bytes, int]]:
    """Return members as an attacker would choose them: name, content and Unix mode."""
    modes = (0o100644, 0o100644, 0o100644, 0o120777, 0o20666, 0o40755, 0)
    return [
        (rng.choice(ZIP_NAMES), rng.choice((b"x", b"", b"/etc", bytes(5000))), rng.choice(modes))
        for _ in range(rng.randrange(1, 6))
    ]
