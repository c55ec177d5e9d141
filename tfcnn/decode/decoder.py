"""THE decoder: every image, in training, evaluation and prediction, passes through here.

One function means one answer: Pillow and `tf.image.resize` differ by up to 112 of 255 when an
image shrinks, so a model served through another decoder is another model.
"""

import contextlib
import hashlib
import struct
import warnings
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError

from tfcnn.base import files, threads
from tfcnn.base.errors import InputError
from tfcnn.decode import apart, dct, formats, kinds, limits, opening
from tfcnn.decode.dct import Reduced, Size
from tfcnn.decode.kinds import HEAD_BYTES, Kind
from tfcnn.decode.opening import UprightImage
from tfcnn.decode.remarks import Background
from tfcnn.decode.samples import FULL, NotReadError, blocks

# over 89 megapixels Pillow's readers warn; ours asks for the memory that an image takes
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)
Pixels = npt.NDArray[np.uint8]
Content = bytes | Pixels
Fit = Literal["stretch", "pad", "crop"]

AGAIN = "fetching or saving it again"
VERSION = 2
SPARE = 2  # how many times the size a JPEG is read at, so that resizing it sees what it needs


class UnreadableImageError(InputError):
    """A file that cannot be read as an image."""

    def __init__(self, name: object, received: str, hint: str = AGAIN) -> None:
        super().__init__(name, "an image that can be read", " ".join(received.split()), hint)

    @property
    def reason(self) -> str:
        """Why it cannot be read, and what to do about it."""
        return f"{self.received}; try {self.hint}"


class TooLargeError(UnreadableImageError):
    """An image that takes more memory than is allowed, or than there is: it may be read later."""


@dataclass(frozen=True)
class Decoder:
    """How an image file becomes the pixels a model sees; stored with every model.

    Attributes:
        image_size: `(height, width)` in px.
        channels: 1 for grey (ITU-R 601 luma), 3 for RGB.
        fit: `stretch` to the size whatever the shape, `pad` with the background to keep the
            shape, or `crop` the middle.
        background: what is seen through transparent pixels.
        version: 2 reads a JPEG of at least four times the size at the smallest DCT scale that
            leaves twice the size (see `dct`); 1 reads all of it, as models from before do.
    """

    image_size: tuple[int, int]
    channels: int = 3
    fit: Fit = "stretch"
    background: Background = "black"
    version: int = VERSION

    @property
    def shape(self) -> tuple[int, int, int]:
        """`(height, width, channels)` of a decoded image."""
        return (*self.image_size, self.channels)

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as JSON-ready values."""
        settings = {**asdict(self), "image_size": list(self.image_size)}
        if self.background == "black":  # not stored, so that old caches keep their keys
            del settings["background"]
        if self.version == 1:
            del settings["version"]
        return settings

    @staticmethod
    def from_dict(settings: dict[str, Any]) -> "Decoder":
        """Rebuild the decoder that `to_dict` described."""
        height, width = settings["image_size"]
        return Decoder(
            (int(height), int(width)),
            int(settings["channels"]),
            settings["fit"],
            settings.get("background", "black"),
            settings.get("version", 1),
        )

    @property
    def least(self) -> Size | None:
        """The `(height, width)` in px that a file may be reduced to while it is read, if any."""
        height, width = self.image_size
        return (SPARE * height, SPARE * width) if self.version > 1 else None

    def takes(self, image: UprightImage) -> bool:
        """Say whether an image that was opened for another purpose is the one to be resized."""
        is_jpeg = image.kind is not None and image.kind.pillow == "JPEG"
        own = dct.scale(image.size, self.least) if self.least and is_jpeg else 1
        return own == (image.reduced.scale if image.reduced else 1)

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
        with in_memory(name):
            return self.pixels(open_image(content, name, self.least), name)

    def pixels(self, image: UprightImage, name: object = "image") -> Pixels:
        """Return what `decode` does, of an image that `open_image` has opened with `least`."""
        with _named_errors(name):
            flat, mode = image.flat(self.background), "L" if self.channels == 1 else "RGB"
            image_in_mode = flat if flat.mode == mode else flat.convert(mode)
            return np.asarray(self._resize(image_in_mode, image.reduced)).reshape(self.shape)

    def _resize(self, image: Image.Image, reduced: Reduced | None) -> Image.Image:
        size = self.image_size[::-1]  # Pillow counts (width, height)
        if image.size == size:
            return image
        bilinear = Image.Resampling.BILINEAR  # antialiased in Pillow when it shrinks
        box = reduced.box if reduced else (0.0, 0.0, float(image.width), float(image.height))
        if self.fit == "stretch":
            return image.resize(size, bilinear, box)
        if self.fit == "crop":
            return image.resize(size, bilinear, dct.middle(box, size))
        inner = dct.contained(box, size)
        # of a very long image nothing may be left
        small = image.resize(inner, bilinear, box) if min(inner) else Image.new(image.mode, inner)
        return ImageOps.pad(small, size, bilinear, color=self.background)


@contextlib.contextmanager
def in_memory(name: object) -> Iterator[None]:
    """Hold one image, opened in this block, in memory until the block ends.

    Large images of other threads wait for it.

    Raises:
        TooLargeError: naming it, where memory is not enough.
    """
    with threads.sharing_memory():
        try:
            yield
        except MemoryError as error:
            raise _too_little_memory(name) from error


def read_file(path: Path, name: object) -> bytes:
    """Return the bytes of an image file.

    Raises:
        TooLargeError: if there are too many.
        OSError: if it cannot be read.
    """
    claim_file(path.stat().st_size, name)
    with in_memory(name):
        return files.read(path, limits.most_bytes())


def claim_file(size_bytes: int, name: object) -> None:
    """Refuse an image file that is too large, before it is read.

    Raises:
        TooLargeError: naming it, if it is.
    """
    with _named_errors(name):
        limits.claim_file(size_bytes)


def content_sha256(content: Content) -> str:
    """Return the sha256 of an image file's bytes, or of the values of pixels that are no file."""
    data = content if isinstance(content, bytes) else np.ascontiguousarray(content).data
    return hashlib.sha256(data).hexdigest()


def open_image(content: Content, name: object = "image", least: Size | None = None) -> UprightImage:
    """Open an image: EXIF orientation is applied, 16 bits are scaled to 8 (not clipped).

    Only the first page or frame is read. Broken metadata are ignored.

    Args:
        content: see `Decoder.decode`.
        name: what to call the image in an error.
        least: `(height, width)` in px: a JPEG may be read at a part of its size that leaves this;
            if None it is read whole.

    Raises:
        UnreadableImageError: if the content is not a whole image, or one of a kind that is not
            read.
    """
    if isinstance(content, np.ndarray):
        with _named_errors(name):
            return opening.from_pixels(content)
    kind = kinds.kind_of(content[:HEAD_BYTES])
    with _named_errors(name, kind):
        try:
            return apart.from_file(content, kind, least)
        except (InputError, MemoryError, NotReadError, Image.DecompressionBombError):
            raise
        except Exception as error:  # of broken metadata Pillow's plug-ins raise nearly every type
            if kind is None:
                hint = "saving it as PNG, or removing it"
                raise NotReadError("no image format that is read", hint) from error
            sound = formats.without_metadata(content, kind)
            if not sound:
                raise
            return apart.from_file(sound, kind, least)


def read_size(path: Path) -> tuple[int, int] | None:
    """Return `(height, width)` of an image file from its header.

    None where it has none, or is too large to be read.
    """
    try:
        with files.open_file(path) as file:
            return opening.size(file, kinds.kind_of(file.read(HEAD_BYTES)))
    except InputError:  # a wrong setting
        raise
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
        samples = open_image(content).samples if opening.is_deep(content, kind) else None
    except Exception:  # whoever decodes it will say what is wrong
        return None
    if samples is None:
        return None
    colours = samples[..., : 1 if samples.shape[2] < 3 else 3]
    counts = np.zeros(FULL + 1, np.int64)
    for rows in blocks(len(colours), colours.shape[1] * colours.shape[2]):
        counts += np.bincount(colours[rows].ravel(), minlength=FULL + 1)
    return counts


@contextlib.contextmanager
def _named_errors(name: object, kind: Kind | None = None) -> Iterator[None]:
    try:
        yield
    except InputError:  # of the image, or a wrong setting
        raise
    except MemoryError as error:
        raise _too_little_memory(name) from error
    except limits.TooLargeError as error:
        raise TooLargeError(name, str(error), error.hint) from error
    except Image.DecompressionBombError as error:  # of a part that Pillow's reader asks for
        hint = f"making it smaller, or a larger {limits.VARIABLE} where memory is enough"
        raise TooLargeError(name, f"an image too large: {error}", hint) from error
    except NotReadError as error:
        raise UnreadableImageError(name, str(error), error.hint) from error
    except Exception as error:  # Pillow's plug-ins raise nearly every type on a broken file
        raise UnreadableImageError(name, *_explain(error, kind)) from error


def _too_little_memory(name: object) -> TooLargeError:
    what = "an image too large: it takes more memory than there is"
    return TooLargeError(name, what, "making it smaller, or on a machine with more memory")


def _explain(error: Exception, kind: Kind | None) -> tuple[str, str]:
    """Return what is wrong with a file, and what to do."""
    what = str(error) or type(error).__name__
    if kind is None:  # pixels in an array
        return what, "uint8 of shape (height, width, 1 | 3 | 4)"
    if isinstance(error, UnidentifiedImageError | LookupError | struct.error):
        return f"{kind.name} with a damaged header, or of a layout that is not read", AGAIN
    return f"{kind.name}, damaged or cut short: {what}", AGAIN
