"""What Pillow drops of an image file or gets wrong, by the kind of file.

PNG and TIFF, of which most is read here, have modules of their own.
"""

import re
import struct

import numpy as np

from tfcnn.decode import effort, limits, pillow, png, tiff
from tfcnn.decode.kinds import Kind
from tfcnn.decode.samples import SCALED, Deep, NotReadError

# --- PNM: colours of more than 8 bits, of which Pillow keeps 8 (Netpbm, ppm(5))
PNM_SPACE = rb"(?:\s|#[^\r\n]*[\r\n])+"
PNM_HEADER = re.compile(
    rb"P([36])" + PNM_SPACE + rb"(\d+)" + PNM_SPACE + rb"(\d+)" + PNM_SPACE + rb"(\d+)\s"
)
PNM_HEADER_BYTES = 1 << 16  # with its comments
PNM_CHANNEL_BYTES = 13  # of memory at its peak, for each sample of a pixel
# --- JPEG 2000 codestreams (ITU-T T.800, annex A)
JP2_START_AND_SIZE = b"\xff\x4f\xff\x51"  # the markers SOC and SIZ
JP2_COUNT_AT = 40  # bytes from SOC on: how many components, then three bytes of each
JP2_SIGNED = 0x80
JP2_MOST_BITS = 8
# --- JPEG segments (ITU-T T.81, annex B)
JPEG_SCAN, JPEG_COMMENT = 0xDA, 0xFE  # application segments are 0xE0 to 0xEF
# by code, how those start that pixels depend on, and the least length of a whole one
JPEG_NEEDED = {0xE0: (b"JFIF\0", 16), 0xE1: (b"Exif\0", 8), 0xEE: (b"Adobe", 14)}
# --- WebP chunks (WebP Container Specification)
WEBP_NEEDED = (b"ALPH", b"VP8 ", b"VP8L", b"ANIM", b"ANMF")
WEBP_EXTENDED = b"VP8X"  # says which of the others there are
WEBP_ALPHA_OR_ANIMATED = 0x12  # of its flags


def deep(content: bytes, kind: Kind | None) -> Deep | None:
    """Return the samples of a file of more than 8 bits, or None where Pillow gives all there is.

    Raises:
        NotReadError: if it is sound and of a layout that is not read.
        ValueError: if it is broken.
    """
    name = kind.pillow if kind else ""
    if name == "JPEG2000":
        _refuse_misread_jpeg2000(content)
    if name == "JPEG":
        effort.refuse_many_scans(content)
    read = {"PNG": png.deep, "TIFF": tiff.deep, "PPM": _deep_pnm}.get(name)
    return read(content) if read else None


def is_deep(content: bytes, kind: Kind | None) -> bool:
    """Say whether `deep` has samples of a file, by its header."""
    tests = {"PNG": png.is_deep, "TIFF": tiff.is_deep, "PPM": _is_deep_pnm}
    return bool(kind and kind.pillow in tests and tests[kind.pillow](content))


def without_metadata(content: bytes, kind: Kind | None) -> bytes | None:
    """Return a file reduced to what its pixels depend on, or None where none can be made.

    Raises:
        ValueError: if what pixels depend on is damaged.
    """
    reduce = {"PNG": png.without_metadata, "JPEG": _bare_jpeg, "WEBP": _bare_webp}.get(
        kind.pillow if kind else ""
    )
    return reduce(content) if reduce else None


def _deep_pnm(content: bytes) -> Deep | None:
    """Return the samples of a colour image of more than 8 bits, or None for another image.

    To Pillow it is described as a grey one, three times as wide.
    """
    header = _pnm_header(content)
    if not header or int(header[4]) < 256:
        return None
    width, height = int(header[2]), int(header[3])
    limits.claim((height, width), 3 * PNM_CHANNEL_BYTES, len(content))
    grey = {b"3": b"P2", b"6": b"P5"}[header[1]]
    head = b"%s %d %d %s\n" % (grey, 3 * width, height, header[4])
    described = b"".join([head, memoryview(content)[header.end() :]])
    values = pillow.values(described, "PPM", np.empty((height, 3 * width), np.uint16))
    return Deep(values.reshape(height, width, 3))


def _is_deep_pnm(content: bytes) -> bool:
    header = _pnm_header(content)
    return header is not None and int(header[4]) > 255


def _pnm_header(content: bytes) -> "re.Match[bytes] | None":
    return PNM_HEADER.match(content, 0, PNM_HEADER_BYTES)  # each comment takes memory


def _refuse_misread_jpeg2000(content: bytes) -> None:
    """Refuse a sound file of which Pillow would give wrong pixels, without a word.

    Where it reduces more than 8 bits to 8 it rounds the largest values up to 256, which is
    stored as 0: white becomes black. Only grey of 10 bits and more is kept whole.

    Raises:
        NotReadError: if it is such a file.
    """
    start = content.find(JP2_START_AND_SIZE)
    try:
        (count,) = struct.unpack_from(">H", content, start + JP2_COUNT_AT)
        depths = struct.unpack_from(">" + "Bxx" * count, content, start + JP2_COUNT_AT + 2)
    except struct.error:
        return  # broken: whoever decodes it will say so
    if start < 0 or not depths:
        return
    bits = max(depth % JP2_SIGNED for depth in depths) + 1
    if max(depths) >= JP2_SIGNED:
        reason = "a JPEG 2000 image of signed samples, so that what is black is not known"
        raise NotReadError(reason, SCALED)
    if bits > JP2_MOST_BITS and (count > 1 or bits == JP2_MOST_BITS + 1):
        what = "colours or alpha" if count > 1 else "grey"
        raise NotReadError(f"a JPEG 2000 image with {bits}-bit {what}", "saving it as 16-bit PNG")


def _bare_jpeg(content: bytes) -> bytes | None:
    """Return a JPEG with the segments that its pixels, colours and orientation depend on."""
    kept, at, parts = [content[:2]], 2, effort.Parts()
    while at + 4 <= len(content):
        parts.count()
        marker, code, length = struct.unpack_from(">BBH", content, at)
        if marker != 0xFF:
            return None
        if code == 0xFF:  # a filling byte
            at += 1
            continue
        if code == JPEG_SCAN:
            return b"".join([*kept, content[at:]])
        segment = content[at : at + 2 + length]
        if _is_needed_by_jpeg(code, segment):
            kept.append(segment)
        at += 2 + length
    return None


def _is_needed_by_jpeg(code: int, segment: bytes) -> bool:
    if code in JPEG_NEEDED:
        start, least = JPEG_NEEDED[code]
        return segment[4:].startswith(start) and len(segment) - 2 >= least
    return not 0xE0 <= code <= 0xEF and code != JPEG_COMMENT


def _bare_webp(content: bytes) -> bytes:
    """Return a WebP image with those chunks only that its pixels depend on."""
    kept, at, parts = [], 12, effort.Parts()
    while at + 8 <= len(content):
        parts.count()
        name, length = struct.unpack_from("<4sI", content, at)
        chunk = content[at : at + 8 + length + length % 2]
        if name == WEBP_EXTENDED and length == 10:
            flags = bytes([chunk[8] & WEBP_ALPHA_OR_ANIMATED])
            kept.append(chunk[:8] + flags + chunk[9:])
        elif name in WEBP_NEEDED:
            kept.append(chunk)
        at += len(chunk)
    chunks = b"".join(kept)
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WEBP" + chunks
