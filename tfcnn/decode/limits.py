"""How large an image may be, decided by its header before any pixel is decoded.

A file of some kB can declare any number of pixels. What counts is the memory that reading takes:
a photograph of 8 bits takes up to nine bytes for each pixel, so that 100 megapixels stay under one
GB; an image of 16 bits takes as much for each channel. TFCNN_MAX_MEGAPIXELS is the bound.
"""

import math
import os

from tfcnn.base import threads
from tfcnn.base.errors import InputError
from tfcnn.decode.samples import NotReadError

VARIABLE = "TFCNN_MAX_MEGAPIXELS"
DEFAULT = 100.0
PIXEL_BYTES = 9  # of memory, for each pixel of the bound
SIDE_PX = 1000  # of one side, for each megapixel of the bound: filters take memory for each of them
ALONE_BYTES = 64 * 2**20  # of a file; a larger one is read while no other large image is
COPIES = 2  # of a file's bytes, while it is read


class TooLargeError(NotReadError):
    """An image that takes more memory than is allowed."""


def megapixels() -> float:
    """Return the bound, in megapixels of 8 bits.

    Raises:
        InputError: if the variable is no number.
    """
    text = os.environ.get(VARIABLE)
    if not text:
        return DEFAULT
    try:
        number = float(text)
        if 0 < number < math.inf:
            return number
    except ValueError:
        pass
    raise InputError(VARIABLE, "a number of megapixels", text, f"{VARIABLE}={DEFAULT:g}")


def claim(size: tuple[int, int], pixel_bytes: float, file_bytes: int) -> None:
    """Refuse an image that is too large; else wait until other threads leave memory for it.

    Args:
        size: `(height, width)` in px, as the header says.
        pixel_bytes: of memory that reading takes for each pixel, at its peak.
        file_bytes: the size of the file.

    Raises:
        TooLargeError: if it is too large.
    """
    refuse(size, pixel_bytes, file_bytes)
    threads.claim(_needed_bytes(size, pixel_bytes, file_bytes))


def refuse(size: tuple[int, int], pixel_bytes: float, file_bytes: int) -> None:
    """Refuse an image that is too large; arguments and errors as of `claim`."""
    pixels, needed_bytes = math.prod(size), _needed_bytes(size, pixel_bytes, file_bytes)
    # how many megapixels the bound must be for each
    wanted = (max(size) / SIDE_PX, pixels / 1e6, needed_bytes / (PIXEL_BYTES * 1e6))
    bound = megapixels()
    if max(wanted) <= bound:
        return
    what = "{:,} x {:,} px (height x width)".format(*size)
    if wanted[0] > bound:
        what += f", over {bound * SIDE_PX:,.0f} px a side"
    elif wanted[1] > bound:
        what += f", over {bound * 1e6:,.0f} px"
    else:
        memory = f"{needed_bytes / 1e6:,.0f} MB of memory"
        what += f", which take {memory}, over {bound * PIXEL_BYTES:,.0f} MB"
    raise _too_large(what, max(wanted), bound)


def _needed_bytes(size: tuple[int, int], pixel_bytes: float, file_bytes: int) -> int:
    return int(math.prod(size) * pixel_bytes) + COPIES * file_bytes


def claim_file(size_bytes: int) -> None:
    """Refuse a file that is too large to be read at all; else wait, as in `claim`.

    Raises:
        TooLargeError: if it is.
    """
    wanted, bound = COPIES * size_bytes / (PIXEL_BYTES * 1e6), megapixels()
    if size_bytes > most_bytes():
        allowed = f"{most_bytes() / 1e6:,.0f} MB"
        raise _too_large(f"a file of {size_bytes / 1e6:,.0f} MB, over {allowed}", wanted, bound)
    if size_bytes > ALONE_BYTES:
        threads.claim(threads.SHARED_BYTES)  # for its pixels too, as nothing is claimed twice


def most_bytes() -> int:
    """Return how large an image file may be."""
    return int(megapixels() * 1e6 * PIXEL_BYTES / COPIES)


def _too_large(what: str, wanted: float, bound: float) -> TooLargeError:
    hint = f"making it smaller, or {VARIABLE}={math.ceil(wanted)} where memory is enough"
    return TooLargeError(f"an image too large: {what} ({VARIABLE}={bound:g})", hint)
