"""JPEG 2000: what Pillow does not read rightly (codestreams: ITU-T T.800, annex A)."""

import struct

from tfcnn.decode.samples import SCALED, NotReadError

__all__ = ["refuse_misread"]

START_AND_SIZE = b"\xff\x4f\xff\x51"  # the markers SOC and SIZ
COUNT_AT = 40  # bytes from SOC on: how many components, then three bytes of each
SIGNED = 0x80
MOST_BITS = 8


def refuse_misread(content: bytes) -> None:
    """Refuse a sound file of which Pillow would give wrong pixels, without a word.

    Where it reduces more than 8 bits to 8 it rounds the largest values up to 256, which is
    stored as 0: white becomes black. Only grey of 10 bits and more is kept whole.

    Raises:
        NotReadError: if it is such a file.
    """
    start = content.find(START_AND_SIZE)
    try:
        (count,) = struct.unpack_from(">H", content, start + COUNT_AT)
        depths = struct.unpack_from(">" + "Bxx" * count, content, start + COUNT_AT + 2)
    except struct.error:
        return  # broken: whoever decodes it will say so
    if start < 0 or not depths:
        return
    bits = max(depth % SIGNED for depth in depths) + 1
    if max(depths) >= SIGNED:
        raise NotReadError("a JPEG 2000 image of signed samples, so that what is black is not "
                           "known", SCALED)  # fmt: skip
    if bits > MOST_BITS and (count > 1 or bits == MOST_BITS + 1):
        what = "colours or alpha" if count > 1 else "grey"
        raise NotReadError(f"a JPEG 2000 image with {bits}-bit {what}", "saving it as 16-bit PNG")
