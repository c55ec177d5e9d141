"""THE decoder: every image, in training, evaluation and prediction, passes through here.

One function means one answer: Pillow and `tf.image.resize` differ by up to 112 of 255 when an
image shrinks, so a model served through another decoder is another model.
"""

import contextlib
import io
import warnings
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError

from tfcnn.errors import InputError
from tfcnn.formats import kinds
from tfcnn.formats.kinds import HEAD_BYTES

__all__ = [
    "HEAD_BYTES",
    "Decoder",
    "Pixels",
    "UnreadableImageError",
    "describe",
    "is_picture",
    "open_image",
    "peak_of_16_bits",
    "read_size",
]

# over 89 megapixels Pillow warns; over twice as many it refuses, which names the file
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)

Pixels = npt.NDArray[np.uint8]
Content = bytes | Pixels
Fit = Literal["stretch", "pad", "crop"]


class UnreadableImageError(InputError):
    """A file that is not an image Pillow can read whole; `reason` says why."""

    def __init__(self, name: object, reason: str) -> None:
        self.reason = " ".join(reason.split())
        super().__init__(
            name, "an image that can be read", self.reason, "opening it in a viewer, or removing it"
        )


@dataclass(frozen=True)
class Decoder:
    """How an image file becomes the pixels a model sees; stored with every model.

    Attributes:
        image_size: `(height, width)` in px.
        channels: 1 for grey (ITU-R 601 luma), 3 for RGB.
        fit: `stretch` to the size whatever the shape, `pad` with black to keep the shape, or
            `crop` the middle.
    """

    image_size: tuple[int, int]
    channels: int = 3
    fit: Fit = "stretch"

    @property
    def shape(self) -> tuple[int, int, int]:
        """`(height, width, channels)` of a decoded image."""
        return (*self.image_size, self.channels)

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as JSON-ready values."""
        return {**asdict(self), "image_size": list(self.image_size)}

    @staticmethod
    def from_dict(settings: dict[str, Any]) -> "Decoder":
        """Rebuild the decoder that `to_dict` described."""
        height, width = settings["image_size"]
        return Decoder((int(height), int(width)), int(settings["channels"]), settings["fit"])

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

    def pixels(self, image: Image.Image, name: object = "image") -> Pixels:
        """Return what `decode` does, of an image that `open_image` has opened."""
        with _named_errors(name):
            mode = "L" if self.channels == 1 else "RGB"
            seen = image if image.mode == mode else image.convert(mode)
            return np.asarray(self._resize(seen)).reshape(self.shape)

    def _resize(self, image: Image.Image) -> Image.Image:
        size = self.image_size[::-1]  # Pillow counts (width, height)
        if image.size == size:
            return image
        bilinear = Image.Resampling.BILINEAR  # antialiased in Pillow when it shrinks
        if self.fit == "stretch":
            return image.resize(size, bilinear)
        return (ImageOps.pad if self.fit == "pad" else ImageOps.fit)(image, size, bilinear)


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


def open_image(content: Content, name: object = "image") -> Image.Image:
    """Return an image at its native size, upright, in mode `L` or `RGB`.

    EXIF orientation is applied, transparency is laid over black, 16-bit grey is scaled to 8 bits
    (not clipped), of an animation the first frame is taken.

    Raises:
        UnreadableImageError: if the content is not a whole image.
    """
    with _named_errors(name):
        if isinstance(content, np.ndarray):
            image = Image.fromarray(content[..., 0] if content.shape[2:] == (1,) else content)
        elif not content:
            raise ValueError("an empty file (0 bytes)")
        else:
            image = Image.open(io.BytesIO(content))
        image.load()
        if image.getexif().get(0x0112, 1) != 1:
            image = ImageOps.exif_transpose(image)
        return _eight_bits(image)


def read_size(path: Path) -> tuple[int, int] | None:
    """Return `(height, width)` of an image file from its header, or None where it has none."""
    try:
        with Image.open(path) as image:
            return image.height, image.width
    except Exception:  # any broken header: the decoder will name the file
        return None


def peak_of_16_bits(path: Path) -> int | None:
    """Return the largest value of a 16-bit grey image; of any other only the header is read."""
    try:
        with Image.open(path) as image:
            return int(np.asarray(image).max()) if image.mode.startswith("I") else None
    except Exception:  # whoever decodes it will say what is wrong
        return None


def _eight_bits(image: Image.Image) -> Image.Image:
    transparent = image.info.get("transparency")
    if image.mode in ("RGB", "L") and transparent is None:
        return image
    if image.mode.startswith("I"):  # 16-bit PNG and TIFF; 65535 / 257 = 255
        values = np.asarray(image)
        if values.size and (values.min() < 0 or values.max() > 65535):
            raise ValueError(f"{image.mode} pixels outside the 16-bit range 0..65535")
        seen = np.where(values == transparent, 0, values)  # PNG's one transparent shade
        return Image.fromarray(np.round(seen / 257.0).astype(np.uint8))
    if image.mode == "F":
        raise ValueError("floating-point pixels, whose range is not known")
    if isinstance(transparent, tuple) and max(transparent) > 255:  # 16 bits; Pillow keeps 8
        image.info["transparency"] = tuple(value >> 8 for value in transparent)
    if "A" in image.mode or "a" in image.mode or transparent is not None:
        rgba = image.convert("RGBA")
        black = Image.new("RGBA", rgba.size, (0, 0, 0, 255))
        return Image.alpha_composite(black, rgba).convert("RGB")
    return image.convert("L" if image.mode == "1" else "RGB")


@contextlib.contextmanager
def _named_errors(name: object) -> Iterator[None]:
    try:
        yield
    except UnreadableImageError:
        raise
    except MemoryError:
        raise
    except UnidentifiedImageError as error:
        raise UnreadableImageError(name, "no image format that Pillow knows") from error
    except Exception as error:  # Pillow's plug-ins raise nearly every type on a broken file
        raise UnreadableImageError(name, f"{error or type(error).__name__}") from error
