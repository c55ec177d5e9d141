"""THE decoder: every image, in training, evaluation and prediction, passes through here.

One function means one answer: Pillow and `tf.image.resize` differ by up to 112 of 255 when an
image shrinks, so a model served through another decoder is another model.
"""

import contextlib
import struct
import warnings
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError

from tfcnn import formats
from tfcnn.errors import InputError
from tfcnn.formats import kinds, opened, tiff
from tfcnn.formats.kinds import HEAD_BYTES, Kind
from tfcnn.formats.opened import Opened
from tfcnn.formats.remarks import Background
from tfcnn.formats.samples import FULL, NotReadError

__all__ = [
    "HEAD_BYTES",
    "Background",
    "Decoder",
    "Opened",
    "Pixels",
    "UnreadableImageError",
    "describe",
    "histogram_of_16_bits",
    "is_picture",
    "open_image",
    "read_size",
]

# over 89 megapixels Pillow warns; over twice as many it refuses, which names the file
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)
Pixels = npt.NDArray[np.uint8]
Content = bytes | Pixels
Fit = Literal["stretch", "pad", "crop"]

AGAIN = "fetching or saving it again"


class UnreadableImageError(InputError):
    """A file that cannot be read as an image; `reason` says why, and what to do about it."""

    def __init__(self, name: object, what: str, hint: str = AGAIN) -> None:
        what = " ".join(what.split())
        self.reason = f"{what}; try {hint}"
        super().__init__(name, "an image that can be read", what, hint)


@dataclass(frozen=True)
class Decoder:
    """How an image file becomes the pixels a model sees; stored with every model.

    Attributes:
        image_size: `(height, width)` in px.
        channels: 1 for grey (ITU-R 601 luma), 3 for RGB.
        fit: `stretch` to the size whatever the shape, `pad` with the background to keep the
            shape, or `crop` the middle.
        background: what is seen through transparent pixels.
    """

    image_size: tuple[int, int]
    channels: int = 3
    fit: Fit = "stretch"
    background: Background = "black"

    @property
    def shape(self) -> tuple[int, int, int]:
        """`(height, width, channels)` of a decoded image."""
        return (*self.image_size, self.channels)

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as JSON-ready values."""
        found = {**asdict(self), "image_size": list(self.image_size)}
        if self.background == "black":  # as it was before there was a choice: the same cache
            del found["background"]
        return found

    @staticmethod
    def from_dict(settings: dict[str, Any]) -> "Decoder":
        """Rebuild the decoder that `to_dict` described."""
        height, width = settings["image_size"]
        return Decoder(
            (int(height), int(width)),
            int(settings["channels"]),
            settings["fit"],
            settings.get("background", "black"),
        )

    def decode(self, content: Content, name: object = "image") -> Pixels:
        """Decode one image.

        Args:
            content: the bytes of an image file, or its pixels, uint8 of shape `(height, width)`
                or `(height, width, 1 | 3 | 4)` in [0, 255].
            name: what to call the image in an error.

        Returns:
            uint8 array of shape `(height, width, channels)` in [0, 255].

        Raises:
            UnreadableImageError: if the content is not a whole image.
        """
        return self.pixels(open_image(content, name), name)

    def pixels(self, image: Opened, name: object = "image") -> Pixels:
        """Return what `decode` does, of an image that `open_image` has opened."""
        with _named_errors(name):
            flat, mode = image.flat(self.background), "L" if self.channels == 1 else "RGB"
            seen = flat if flat.mode == mode else flat.convert(mode)
            return np.asarray(self._resize(seen)).reshape(self.shape)

    def _resize(self, image: Image.Image) -> Image.Image:
        size = self.image_size[::-1]  # Pillow counts (width, height)
        if image.size == size:
            return image
        bilinear = Image.Resampling.BILINEAR  # antialiased in Pillow when it shrinks
        if self.fit == "stretch":
            return image.resize(size, bilinear)
        if self.fit == "pad":
            return ImageOps.pad(image, size, bilinear, color=self.background)
        return ImageOps.fit(image, size, bilinear)


def describe(head: bytes) -> str | None:
    """Say what a file is by its first `HEAD_BYTES` bytes: "a Git LFS pointer, …"."""
    kind = kinds.kind_of(head)
    return kind.name if kind else None


def is_picture(head: bytes) -> bool:
    """Say whether a file's first `HEAD_BYTES` bytes are those of an image.

    That is so for photographs, drawings and medical images, also those that we cannot read.
    """
    kind = kinds.kind_of(head)
    return kind is not None and kind.is_picture


def open_image(content: Content, name: object = "image") -> Opened:
    """Open an image: EXIF orientation is applied, 16 bits are scaled to 8 (not clipped).

    Of several pages or frames the first is taken. Broken metadata are passed over.

    Raises:
        UnreadableImageError: if the content is not a whole image, or one of a kind that is not
            read.
    """
    if isinstance(content, np.ndarray):
        with _named_errors(name):
            return opened.from_pixels(content)
    kind = kinds.kind_of(content[:HEAD_BYTES])
    with _named_errors(name, kind):
        try:
            return opened.from_file(content, kind)
        except (MemoryError, NotReadError, Image.DecompressionBombError):
            raise
        except Exception as error:  # of broken metadata Pillow's plug-ins raise nearly every type
            if kind is None:
                hint = "saving it as PNG, or removing it"
                raise NotReadError("no image format that is read", hint) from error
            sound = formats.without_metadata(content, kind)
            if not sound:
                raise
            return opened.from_file(sound, kind)


def read_size(path: Path) -> tuple[int, int] | None:
    """Return `(height, width)` of an image file from its header, or None where it has none."""
    try:
        with path.open("rb") as file:
            kind = kinds.kind_of(file.read(HEAD_BYTES))
        if kind and kind.pillow == "TIFF":
            return tiff.size(path.read_bytes())
        with Image.open(path, formats=opened.readers(kind)) as image:
            return image.height, image.width
    except Exception:  # any broken header: the decoder will name the file
        return None


def histogram_of_16_bits(content: Content) -> npt.NDArray[np.int64] | None:
    """Return how often a file of more than 8 bits holds each colour value.

    Returns:
        int64 `(65536,)`, or None for a file of at most 8 bits, of which only the header is read.
    """
    try:
        if isinstance(content, np.ndarray):
            return None
        kind = kinds.kind_of(content[:HEAD_BYTES])
        samples = open_image(content).samples if opened.is_deep(content, kind) else None
    except Exception:  # whoever decodes it will say what is wrong
        return None
    if samples is None:
        return None
    colours = samples[..., : 1 if samples.shape[2] < 3 else 3]
    return np.bincount(colours.ravel(), minlength=FULL + 1)


@contextlib.contextmanager
def _named_errors(name: object, kind: Kind | None = None) -> Iterator[None]:
    try:
        yield
    except (UnreadableImageError, MemoryError):
        raise
    except NotReadError as error:
        raise UnreadableImageError(name, str(error), error.hint) from error
    except Exception as error:  # Pillow's plug-ins raise nearly every type on a broken file
        raise UnreadableImageError(name, *_told(error, kind)) from error


def _told(error: Exception, kind: Kind | None) -> tuple[str, str]:
    """Return what is wrong with a file, and what to do."""
    if isinstance(error, Image.DecompressionBombError):
        return f"an image too large: {error}", "making it smaller"
    what = str(error) or type(error).__name__
    if kind is None:  # pixels in an array
        return what, "uint8 of shape (height, width, 1 | 3 | 4)"
    if isinstance(error, UnidentifiedImageError | LookupError | struct.error):
        return f"{kind.name} with a damaged header, or of a layout that is not read", AGAIN
    return f"{kind.name}, damaged or cut short: {what}", AGAIN
