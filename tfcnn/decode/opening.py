"""A file's bytes as an upright picture of 8 bits, and all its samples if it holds more bits."""

import contextlib
import ctypes
import io
import logging
import mmap
import os
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, BinaryIO, cast

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFile, UnidentifiedImageError, _imaging
from PIL.JpegImagePlugin import JpegImageFile

from tfcnn.decode import dct, formats, kinds, limits, pillow, png, tiff
from tfcnn.decode.dct import Reduced, Size
from tfcnn.decode.kinds import Kind
from tfcnn.decode.remarks import (
    CHANNELS,
    CLEAR,
    DEEP,
    FRAMES,
    HIDDEN,
    MODES,
    PAGES,
    TURNED,
    Background,
    counted,
)
from tfcnn.decode.samples import FULL, SCALED, Deep, NotReadError, Samples, blocks, by_blocks

# warnings about metadata: the pixels are sound, or an error names the file
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")
logging.getLogger("PIL").addHandler(logging.NullHandler())  # else standard error hears it

UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
LEAST_CONTRAST = 16  # a drawing is hidden where it shows less than a sixteenth of its opacity
SAMPLE_PX = 64


@dataclass(frozen=True)
class UprightImage:
    """An image at its own size, upright.

    Attributes:
        image: in mode `L`, `RGB` or, where it is not opaque, `RGBA`: 8 bits.
        samples: where the file holds more than 8 bits, all of them: uint16
            `(height, width, 1 to 4)` in [0, 65535], grey or RGB, then alpha if there is any.
        remarks: what of the file is not in `image`, such as the other pages.
        traits: how the file held its pixels where that is unusual, such as `remarks.CMYK`.
        kind: of the file; None for pixels that are no file.
        reduced: how it was read at a part of its size; None where it was read whole.
    """

    image: Image.Image
    samples: Samples | None = None
    remarks: tuple[str, ...] = ()
    traits: tuple[str, ...] = ()
    kind: Kind | None = None
    reduced: Reduced | None = None

    @property
    def size(self) -> tuple[int, int]:
        """`(height, width)` in px of the whole image, upright."""
        return self.reduced.size if self.reduced else (self.image.height, self.image.width)

    def flat(self, background: Background = "black") -> Image.Image:
        """Return the image in mode `L` or `RGB`, laid over a background."""
        if self.image.mode != "RGBA":
            return self.image
        shade = 255 if background == "white" else 0
        laid = []
        for strip in strips(self.image):
            under = Image.new("RGBA", strip.size, (shade, shade, shade, 255))
            laid.append(Image.alpha_composite(under, strip).convert("RGB"))
        return laid[0] if len(laid) == 1 else _stacked(laid, self.image.size)


def strips(image: Image.Image) -> Iterator[Image.Image]:
    """Yield some rows of an image at a time: what is made of a large one takes little memory."""
    for rows in blocks(image.height, image.width):
        is_all = rows == slice(0, image.height)
        yield image if is_all else image.crop((0, rows.start, image.width, rows.stop))


def _stacked(parts: list[Image.Image], size: tuple[int, int]) -> Image.Image:
    whole, top = Image.new(parts[0].mode, size), 0
    while parts:
        part = parts.pop(0)
        whole.paste(part, (0, top))
        top += part.height
    return whole


def _hush_libtiff() -> None:
    """Keep libtiff from writing to standard error of a damaged file; the error names that."""
    with contextlib.suppress(OSError, AttributeError):  # a Pillow without it
        set_handler = ctypes.CDLL(str(_imaging.__file__)).TIFFSetErrorHandler
        set_handler.argtypes, set_handler.restype = [ctypes.c_void_p], ctypes.c_void_p
        set_handler(None)


_hush_libtiff()


def from_pixels(pixels: npt.NDArray[np.uint8]) -> UprightImage:
    """Open what is no file: uint8 `(height, width)` or `(height, width, 1 | 3 | 4)`."""
    image = _eight_bits(Image.fromarray(pixels[..., 0] if pixels.shape[2:] == (1,) else pixels))
    return UprightImage(image, None, tuple(_vanishing(image)))


def from_file(content: bytes, kind: Kind | None, least: Size | None = None) -> UprightImage:
    """Open a file of this kind.

    Args:
        content: of the file.
        kind: of it.
        least: see `decoder.open_image`.

    Raises:
        NotReadError: if it is of a kind or layout that is not read.
        Exception: nearly any, if it is broken.
    """
    return replace(_from_file(content, kind, least), kind=kind)


def _from_file(content: bytes, kind: Kind | None, least: Size | None) -> UprightImage:
    names = pillow.readers(kind)
    if names == ("PNG",):
        content = png.without_bulk(content)
    deep = formats.deep(content, kind)
    if deep is None and names == ("TIFF",) and tiff.is_misread(content):
        deep = tiff.deep(content, any_depth=True)
    if deep is None:
        try:
            plain = tiff.without_metadata(content) if names == ("TIFF",) else content
            image = pillow.header(io.BytesIO(plain), names)
            return _by_pillow(pillow.within_limits(image, len(content)), content, least)
        except UnidentifiedImageError:
            # of a layout that Pillow does not know
            deep = tiff.deep(content, any_depth=True) if names == ("TIFF",) else None
            if deep is None:
                raise
    if names != ("TIFF",):
        return _of(deep, 1)
    return _of(deep, tiff.pages(content), _turned(UPRIGHT.get(tiff.orientation(content))))


def is_deep(content: bytes, kind: Kind | None) -> bool:
    """Say whether a file holds more than 8 bits, by its header."""
    names = pillow.readers(kind)
    if names == ("TIFF",):
        return tiff.is_deep(content)
    with pillow.header(io.BytesIO(content), names) as image:
        return image.mode.startswith("I") or formats.is_deep(content, kind)


def size(file: BinaryIO, kind: Kind | None) -> tuple[int, int] | None:
    """Return `(height, width)` by the header of an image that is not too large, if it says it.

    Raises:
        Exception: nearly any, if it is, or is broken.
    """
    names, file_bytes = pillow.readers(kind), os.fstat(file.fileno()).st_size
    limits.claim_file(file_bytes)
    if names == ("TIFF",):
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            image_size = tiff.size(content)
            limits.refuse(image_size or (0, 0), 1, file_bytes)
            return image_size
    file.seek(0)
    if names == ("PNG",):
        return png.size(file.read(kinds.HEAD_BYTES))
    image = pillow.within_limits(pillow.header(file, names), file_bytes)
    return image.height, image.width


def _by_pillow(
    image: ImageFile.ImageFile, content: bytes, least: Size | None = None
) -> UprightImage:
    reduced = None
    if least and isinstance(image, JpegImageFile):
        reduced = dct.reduce(image, UPRIGHT.get(tiff.exif_orientation(image)), least)
    image.load()
    turn = UPRIGHT.get(tiff.exif_orientation(image))
    turned = image if turn is None else image.transpose(turn)
    if turned.mode.startswith("I"):  # grey of 16 bits
        return _of(_grey(turned), 1, _turned(turn))
    flat = _eight_bits(turned, content)
    remarks = [*_more(image, content), *_vanishing(flat)]
    traits = [MODES[image.mode]] if image.mode in MODES else []
    traits += _turned(turn)
    return UprightImage(flat, None, tuple(remarks), tuple(traits), reduced=reduced)


def _turned(turn: Image.Transpose | None) -> tuple[str, ...]:
    return () if turn is None else (TURNED,)


def _of(deep: Deep, pages: int, traits: tuple[str, ...] = ()) -> UprightImage:
    """Scale samples to 8 bits, rounded: 65535 / 257 = 255."""
    height, width, channels = deep.samples.shape
    reduced = by_blocks(height, width * channels, lambda rows: _eight(deep.samples[rows]))
    image = _eight_bits(Image.fromarray(reduced[..., 0] if reduced.shape[2] == 1 else reduced))
    remarks = [*counted(PAGES, pages, 2), *counted(CHANNELS, deep.unread, 1), *_vanishing(image)]
    return UprightImage(image, deep.samples, tuple(remarks), (DEEP, *traits))


def _eight(samples: Samples) -> npt.NDArray[np.uint8]:
    return ((samples.astype(np.uint32) + 128) // 257).astype(np.uint8)


def _grey(image: Image.Image) -> Deep:
    samples = pillow.pixels(image, np.empty((image.height, image.width), np.uint16))
    samples = samples[..., np.newaxis]
    transparent = image.info.get("transparency")  # PNG's one transparent shade
    if transparent is None:
        return Deep(samples)
    alpha = np.where(samples == transparent, 0, FULL).astype(np.uint16)
    return Deep(np.concatenate([samples, alpha], axis=2))


def _eight_bits(image: Image.Image, content: bytes = b"") -> Image.Image:
    """Return an image in mode `L`, `RGB` or, where it is not opaque, `RGBA`."""
    transparent = image.info.get("transparency")
    if image.mode in ("RGB", "L") and transparent is None:
        return image
    if image.mode == "F":
        raise NotReadError("floating-point pixels, whose range is not known", SCALED)
    if image.mode == "LAB":
        return _from_lab(image)
    if image.mode in ("L", "1") and isinstance(transparent, int):  # Pillow scales only the pixels
        scaled = transparent * 255 // png.white(content)
        image.info["transparency"] = scaled if image.mode == "L" else 255 * bool(transparent)
    if "A" in image.mode or "a" in image.mode or transparent is not None:
        rgba = (image.convert("LA") if image.mode == "La" else image).convert("RGBA")
        return rgba.convert("RGB") if _extents(rgba)[3][0] == 255 else rgba
    return image.convert("L" if image.mode == "1" else "RGB")


def _from_lab(image: Image.Image) -> Image.Image:
    from PIL import ImageCms  # rare, and slow to load

    lab, rgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
    converted = ImageCms.profileToProfile(image, lab, rgb, outputMode="RGB")
    if converted is None:
        raise NotReadError("pixels in CIE Lab")
    return converted


def _more(image: Image.Image, content: bytes) -> Iterator[str]:
    """Yield what of a file is not in the image that was read."""
    if image.format == "TIFF":
        yield from counted(PAGES, tiff.pages(content), 2)
        yield from counted(CHANNELS, tiff.unread(content), 1)
    elif image.format == "GIF":  # counting goes on to the next frames
        with contextlib.suppress(Exception):  # what follows the first frame may be broken
            again = pillow.header(io.BytesIO(content), ("GIF",))
            yield from counted(FRAMES, getattr(again, "n_frames", 1), 2)
    elif image.format != "MPO":  # of a telephone, whose other pictures belong to the first
        yield from counted(FRAMES, getattr(image, "n_frames", 1), 2)


def _vanishing(image: Image.Image) -> Iterator[str]:
    """Yield what cannot be seen of a picture because of its transparency."""
    if image.mode != "RGBA":
        return
    if _extents(image)[3][1] == 0:
        yield CLEAR
        return
    sides = (min(image.width, SAMPLE_PX), min(image.height, SAMPLE_PX))
    sample = image.resize(sides, Image.Resampling.NEAREST)  # it mostly answers for a large image
    for background, text in HIDDEN.items():
        if _is_hidden(sample, background) and _is_hidden(image, background):
            yield text


def _is_hidden(image: Image.Image, background: Background) -> bool:
    """Say whether a background shows next to nothing of what the opacity draws."""
    bands = _extents(UprightImage(image).flat(background))
    least, most = _extents(image)[3]
    return max(high - low for low, high in bands) * LEAST_CONTRAST <= most - least


def _extents(image: Image.Image) -> list[tuple[int, int]]:
    """Return the least and the greatest value of each band of an image of several."""
    return [(int(low), int(high)) for low, high in cast("Any", image.getextrema())]
