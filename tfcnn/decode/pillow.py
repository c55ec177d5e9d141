"""Pillow, asked for the formats that are meant, within our own limit of size."""

import io
import struct
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFile, UnidentifiedImageError

from tfcnn.decode import effort, limits
from tfcnn.decode.kinds import Kind
from tfcnn.decode.samples import NotReadError, blocks

# no others are ever opened: for EPS Pillow starts a program
FORMATS = ("PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF", "PPM", "JPEG2000", "AVIF")
# bytes of memory for each pixel, measured at the peak by benchmarks/memory.py: those of an image,
# upright and in mode RGB, by the mode that it is read in, and those that its decoder takes
MODES = {"1": 3, "L": 3, "P": 6, "I;16": 10, "I;16B": 10, "I": 16, "F": 16, "CMYK": 12}
PHOTOGRAPH, WITH_ALPHA = 8, 16
DECODERS = {"JPEG2000": 16, "WEBP": 12, "AVIF": 12, "HEIF": 12, "PPM": 6, "TIFF": 4}
PROGRESSIVE = 6  # a JPEG that is told in several scans is kept as coefficients


def readers(kind: Kind | None) -> tuple[str, ...]:
    """Return Pillow's names of what may read a file of this kind.

    Raises:
        NotReadError: if nothing may.
    """
    if kind is None:
        Image.init()
        return tuple(name for name in FORMATS if name in Image.OPEN)
    if kind.pillow == "HEIF":
        try:
            import pillow_heif
        except ImportError as error:
            raise NotReadError(kind.name, kind.hint) from error
        pillow_heif.register_heif_opener()
    elif not kind.pillow:
        raise NotReadError(kind.name, kind.hint)
    for load in (Image.preinit, Image.init):  # readers of the common formats, then of all
        if kind.pillow not in Image.OPEN:
            load()
    if kind.pillow not in Image.OPEN:
        raise NotReadError(kind.name, "pip install -U pillow, or saving it as PNG")
    return (kind.pillow,)


def header(file: BinaryIO, names: tuple[str, ...]) -> ImageFile.ImageFile:
    """Return an image of which only the header was read, as `PIL.Image.open` does.

    `PIL.Image.open` refuses 179 megapixels and more; `within_limits` refuses by memory instead.

    Args:
        file: of the image.
        names: Pillow's names of the formats that it may have.

    Raises:
        PIL.UnidentifiedImageError: if it has none of them.
        NotReadError: if it makes too much work, also while its pixels are read.
        Exception: nearly any, if it is broken.
    """
    watched: Any = effort.Watched(file)
    prefix = file.read(16)
    for name in names:
        factory, accept = Image.OPEN[name]
        accepted = accept(prefix) if accept else True
        if not accepted or isinstance(accepted, str):  # the latter: why it is not read
            continue
        file.seek(0)
        try:
            return factory(watched, "")
        except (SyntaxError, IndexError, TypeError, struct.error):
            continue
    raise UnidentifiedImageError("cannot identify the image")


def within_limits(image: ImageFile.ImageFile, file_bytes: int) -> ImageFile.ImageFile:
    """Return an image of which the header was read, if it is not too large.

    Raises:
        TooLargeError: if it is.
    """
    pixel_bytes = MODES.get(image.mode, PHOTOGRAPH) + DECODERS.get(image.format or "", 0)
    if image.has_transparency_data:
        pixel_bytes += WITH_ALPHA - PHOTOGRAPH
    if "progressive" in image.info:
        pixel_bytes += PROGRESSIVE
    limits.claim((image.height, image.width), pixel_bytes, file_bytes)
    if Image.MAX_IMAGE_PIXELS is not None:  # which Pillow's readers ask once more
        Image.MAX_IMAGE_PIXELS = max(Image.MAX_IMAGE_PIXELS, int(limits.megapixels() * 1e6))
    return image


def values(content: bytes, name: str, into: npt.NDArray[Any] | None = None) -> npt.NDArray[Any]:
    """Return the values of a file that was made here to describe others' data to Pillow.

    Args:
        content: the file.
        name: Pillow's name of its format.
        into: where to write them; by default a new uint8 array.
    """
    with header(io.BytesIO(content), (name,)) as image:
        return pixels(image, into)


def pixels(image: Image.Image, into: npt.NDArray[Any] | None = None) -> npt.NDArray[Any]:
    """Return what `np.asarray` does, without its two further copies of a large image.

    Args:
        image: in any mode.
        into: where to write it; by default a new uint8 array.
    """
    bands = len(image.getbands())
    if into is None:
        shape = (image.height, image.width) + ((bands,) if bands > 1 else ())
        into = np.empty(shape, np.uint8)
    for rows in blocks(image.height, image.width * bands):
        is_all = rows == slice(0, image.height)
        part = image if is_all else image.crop((0, rows.start, image.width, rows.stop))
        into[rows] = np.asarray(part)
    return into
