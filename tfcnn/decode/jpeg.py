"""JPEG: its pixels without its metadata (segments: ITU-T T.81, annex B)."""

import struct

__all__ = ["without_metadata"]

START, COMMENT = 0xDA, 0xFE  # start of the scan; application segments are 0xE0 to 0xEF
# by code, how those start that pixels depend on, and the least length of a whole one
NEEDED = {0xE0: (b"JFIF\0", 16), 0xE1: (b"Exif\0", 8), 0xEE: (b"Adobe", 14)}


def without_metadata(content: bytes) -> bytes | None:
    """Return the image with the segments that its pixels, colours and orientation depend on."""
    kept, at = content[:2], 2
    while at + 4 <= len(content):
        marker, code, length = struct.unpack_from(">BBH", content, at)
        if marker != 0xFF:
            return None
        if code == 0xFF:  # a filling byte
            at += 1
            continue
        if code == START:
            return kept + content[at:]
        segment = content[at : at + 2 + length]
        if _is_needed(code, segment):
            kept += segment
        at += 2 + length
    return None


def _is_needed(code: int, segment: bytes) -> bool:
    if code in NEEDED:
        start, least = NEEDED[code]
        return segment[4:].startswith(start) and len(segment) - 2 >= least
    return not 0xE0 <= code <= 0xEF and code != COMMENT
