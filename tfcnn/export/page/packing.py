"""Bytes as text of a page: 15 bits to a letter, a fifth shorter than base64 in UTF-8.

A page is UTF-16 with a byte-order mark, by which every browser knows it, whatever a server says.
The 32,768 letters from U+3400 on are all allowed in HTML, and none of them is changed there.
"""

import numpy as np

FIRST_LETTER = 0x3400
BITS = 15


def pack(content: bytes) -> str:
    """Return bytes as letters; `unpack` needs their number too."""
    bits = np.unpackbits(np.frombuffer(content, np.uint8))
    padded = np.concatenate([bits, np.zeros(-len(bits) % BITS, np.uint8)]).reshape(-1, BITS)
    numbers = padded.astype(np.uint16) @ (1 << np.arange(BITS)[::-1]).astype(np.uint16)
    return (numbers + FIRST_LETTER).astype("<u2").tobytes().decode("utf-16-le")


def unpack(text: str, size_bytes: int) -> bytes:
    """Return so many bytes from the letters that `pack` made."""
    numbers = np.frombuffer(text.encode("utf-16-le"), "<u2").astype(np.uint16) - FIRST_LETTER
    bits = (numbers[:, np.newaxis] >> np.arange(BITS)[::-1].astype(np.uint16)) & 1
    return np.packbits(bits.astype(np.uint8).ravel()).tobytes()[:size_bytes]
