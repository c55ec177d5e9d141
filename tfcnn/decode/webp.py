"""WebP: its pixels without its metadata (chunks: WebP Container Specification)."""

import struct

__all__ = ["without_metadata"]

NEEDED = (b"ALPH", b"VP8 ", b"VP8L", b"ANIM", b"ANMF")
EXTENDED = b"VP8X"  # says which of the others there are
ALPHA_OR_ANIMATED = 0x12  # of its flags


def without_metadata(content: bytes) -> bytes:
    """Return the image with those chunks only that its pixels depend on."""
    kept, at = b"", 12
    while at + 8 <= len(content):
        name, length = struct.unpack_from("<4sI", content, at)
        chunk = content[at : at + 8 + length + length % 2]
        if name == EXTENDED and length == 10:
            kept += chunk[:8] + bytes([chunk[8] & ALPHA_OR_ANIMATED]) + chunk[9:]
        elif name in NEEDED:
            kept += chunk
        at += len(chunk)
    return b"RIFF" + struct.pack("<I", 4 + len(kept)) + b"WEBP" + kept
