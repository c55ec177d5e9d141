"""PNM: colours of more than 8 bits, of which Pillow keeps 8 (Netpbm, ppm(5))."""

import io
import re

import numpy as np
from PIL import Image

from tfcnn.formats.samples import Deep

__all__ = ["deep"]

SPACE = rb"(?:\s|#[^\r\n]*[\r\n])+"
HEADER = re.compile(rb"P([36])" + SPACE + rb"(\d+)" + SPACE + rb"(\d+)" + SPACE + rb"(\d+)\s")


def deep(content: bytes) -> Deep | None:
    """Return the samples of a colour image of more than 8 bits, or None for another image.

    To Pillow it is described as a grey one, three times as wide.
    """
    header = HEADER.match(content)
    if not header or int(header[4]) < 256:
        return None
    width, grey = 3 * int(header[2]), {b"3": b"P2", b"6": b"P5"}[header[1]]
    head = b"%s %d %s %s\n" % (grey, width, header[3], header[4])
    with Image.open(io.BytesIO(head + content[header.end() :]), formats=["PPM"]) as image:
        values = np.asarray(image)
    return Deep(values.reshape(len(values), -1, 3).astype(np.uint16))
