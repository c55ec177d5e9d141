"""What may happen to an image on its way to a network: nine disturbances, each in three strengths.

They act on the image as the decoder gives it, at the network's size, so that they mean the same for
a small file and for a large photograph. Lengths are shares of the shorter side. Pillow does what
Pillow has; a disc, which it lacks, is convolved by SciPy.

Reference:
    Hendrycks and Dietterich, "Benchmarking neural network robustness to common corruptions and
    perturbations" (2019), has most of these kinds, with other strengths.
"""

import io
import zlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageEnhance, ImageFilter, ImageOps

from tfcnn.decode import Pixels

SEVERITIES = (1, 2, 3)
FINER = 8  # points a pixel, along each axis, where a disc's edge is measured
STAIN = "stain"
Change = Callable[[Image.Image, float, np.random.Generator], Image.Image]


@dataclass(frozen=True)
class Kind:
    """A disturbance.

    Attributes:
        name: such as `blur`.
        what: what happens, in words.
        how_much: in words; `{}` stands for the strength.
        strengths: from mild to strong.
        is_share: whether the strength is shown in percent.
        change: takes an image, a strength and a source of chance; returns an image of that size.
    """

    name: str
    what: str
    how_much: str
    strengths: tuple[float, float, float]
    is_share: bool
    change: Change

    def describe(self, severity: int) -> str:
        """Say in words how much of it happens at a severity of 1 to 3."""
        strength = self.strengths[severity - 1]
        return self.how_much.format(f"{100 * strength:g} %" if self.is_share else f"{strength:g}")


def disturb(image: Pixels, kind: Kind, severity: int, seed: int, name: str) -> Pixels:
    """Return a disturbed image; the same arguments give the same pixels.

    Args:
        image: uint8 `(height, width, channels)` in [0, 255], 1 or 3 channels.
        kind: one of `KINDS`.
        severity: 1 to 3. Chance is drawn alike for all three.
        seed: of all images.
        name: of this image; chance is drawn from it, whatever images are beside it.

    Returns:
        Uint8 of the same shape, in [0, 255].
    """
    rng = np.random.default_rng([seed, zlib.crc32(kind.name.encode()), zlib.crc32(name.encode())])
    picture = Image.fromarray(image[..., 0] if image.shape[2] == 1 else image)
    changed = kind.change(picture, kind.strengths[severity - 1], rng)
    return np.asarray(changed, dtype=np.uint8).reshape(image.shape)


def kinds_for(channels: int) -> tuple[Kind, ...]:
    """Return the kinds that can be done to images of 1 or 3 channels: grey ones have no stain."""
    return tuple(kind for kind in KINDS if channels == 3 or kind.name != STAIN)


def _blur(picture: Image.Image, sigma: float, _: np.random.Generator) -> Image.Image:
    return picture.filter(ImageFilter.GaussianBlur(sigma * min(picture.size)))


def _defocus(picture: Image.Image, radius: float, _: np.random.Generator) -> Image.Image:
    from scipy.signal import fftconvolve  # takes half a second to import

    kernel = disc(radius * min(picture.size))
    margin = len(kernel) // 2
    pixels = np.asarray(picture, dtype=np.float64)
    if pixels.ndim == 3:
        kernel = kernel[..., None]
    around = ((margin, margin), (margin, margin), (0, 0))[: pixels.ndim]
    spread = fftconvolve(np.pad(pixels, around, mode="edge"), kernel, "valid", axes=(0, 1))
    return _picture(spread)


def disc(radius: float) -> npt.NDArray[np.float64]:
    """Return what a point becomes out of focus: a disc of this radius in px, which sums to 1.

    One of at most half a pixel is the pixel.
    """
    half = int(np.ceil(radius))
    side = 2 * half + 1
    points = (np.arange(side * FINER) + 0.5) / FINER - side / 2
    inside = np.hypot(points[:, None], points) <= max(radius, 0.5)
    cover = inside.reshape(side, FINER, side, FINER).mean(axis=(1, 3))
    share: npt.NDArray[np.float64] = cover / cover.sum()
    return share


def _brightness(picture: Image.Image, change: float, rng: np.random.Generator) -> Image.Image:
    return ImageEnhance.Brightness(picture).enhance(1 + change * _sign(rng))


def _contrast(picture: Image.Image, change: float, rng: np.random.Generator) -> Image.Image:
    return ImageEnhance.Contrast(picture).enhance(1 + change * _sign(rng))


def _stain(picture: Image.Image, change: float, rng: np.random.Generator) -> Image.Image:
    signs = rng.permutation([1, -1, _sign(rng)])  # never all alike, which would be brightness
    values = np.arange(256) * (1 + change * signs[:, None])
    return picture.point(np.rint(values).clip(0, 255).astype(int).ravel().tolist())


def _jpeg(picture: Image.Image, quality: float, _: np.random.Generator) -> Image.Image:
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=int(quality))
    return Image.open(file)


def _noise(picture: Image.Image, deviation: float, rng: np.random.Generator) -> Image.Image:
    pixels = np.asarray(picture, dtype=np.float64)
    return _picture(pixels + 255 * deviation * rng.standard_normal(pixels.shape))


def _scale(picture: Image.Image, factor: float, _: np.random.Generator) -> Image.Image:
    size = (max(1, round(picture.width / factor)), max(1, round(picture.height / factor)))
    small = picture.resize(size, Image.Resampling.BILINEAR)
    return small.resize(picture.size, Image.Resampling.BILINEAR)


def _border(picture: Image.Image, share: float, _: np.random.Generator) -> Image.Image:
    framed = ImageOps.expand(picture, max(1, round(share * min(picture.size))), fill=0)
    return framed.resize(picture.size, Image.Resampling.BILINEAR)


def _sign(rng: np.random.Generator) -> int:
    return 1 if rng.random() < 0.5 else -1


def _picture(pixels: npt.NDArray[np.float64]) -> Image.Image:
    return Image.fromarray(np.rint(pixels).clip(0, 255).astype(np.uint8))


KINDS = (
    Kind("blur", "Gaussian blur", "sigma {} of the side", (0.01, 0.02, 0.04), True, _blur),
    Kind("defocus", "out of focus", "a disc of radius {} of the side", (0.025, 0.05, 0.1), True,
         _defocus),
    Kind("brightness", "brighter or darker", "by {}", (0.1, 0.2, 0.4), True, _brightness),
    Kind("contrast", "more or less contrast", "by {}", (0.15, 0.3, 0.6), True, _contrast),
    Kind(STAIN, "each colour channel stronger or weaker", "by {}", (0.1, 0.2, 0.3), True, _stain),
    Kind("jpeg", "saved as JPEG", "quality {}", (75, 40, 15), False, _jpeg),
    Kind("noise", "random noise", "standard deviation {} of the range", (0.02, 0.05, 0.1), True,
         _noise),
    Kind("scale", "resolution lost", "{} times fewer pixels a side", (1.5, 2, 4), False, _scale),
    Kind("border", "a black border around the picture", "of {} of the side", (0.05, 0.1, 0.2),
         True, _border),
)  # fmt: skip
