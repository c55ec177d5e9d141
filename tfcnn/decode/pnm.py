"""PNM: colours of more than 8 bits, of which Pillow keeps 8 (Netpbm, ppm(5))."""

import re

import numpy as np

from tfcnn.decode import limits, pillow
from tfcnn.decode.samples import Deep

__all__ = ["deep", "is_deep"]

SPACE = rb"(?:\s|#[^\r\n]*[\r\n])+"
CHANNEL_BYTES = 13  # of memory at its peak, for each sample of a pixel
HEADER = re.compile(rb"P([36])" + SPACE + rb"(\d+)" + SPACE + rb"(\d+)" + SPACE + rb"(\d+)\s")


def deep(content: bytes) -> Deep | None:
    """Return the samples of a colour image of more than 8 bits, or None for another image.

    To Pillow it is described as a grey one, three times as wide.
    """
    header = HEADER.match(content)
    if not header or int(header[4]) < 256:
        return None
    width, height = int(header[2]), int(header[3])
    limits.check((height, width), 3 * CHANNEL_BYTES, len(content))
    grey = {b"3": b"P2", b"6": b"P5"}[header[1]]
    head = b"%s %d %d %s\n" % (grey, 3 * width, height, header[4])
    described = b"".join([head, memoryview(content)[header.end() :]])
    values = pillow.values(described, "PPM", np.empty((height, 3 * width), np.uint16))
    return Deep(values.reshape(height, width, 3))


def is_deep(content: bytes) -> bool:
    """Say whether it is a colour image of more than 8 bits."""
    header = HEADER.match(content)
    return header is not None and int(header[4]) > 255
