"""Random changes of training images, each a pure function of (seed, epoch, image index).

No generator has a state to save: a resumed run draws what an uninterrupted one would have drawn.
Turns and mirrors are exact copies in NumPy; affine maps and colours run in TensorFlow's graph.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tfcnn.decode import Pixels
from tfcnn.errors import InputError
from tfcnn.recipe import Augment

__all__ = ["Draw", "affine_matrices", "change", "check", "dihedral", "draw", "permutation", "uniforms"]

Floats = npt.NDArray[np.float32]
# one column of random numbers each, in this order for ever: a new kind is added at the end
KINDS = (
    "flip_horizontal flip_vertical rotate90 rotation shift_height shift_width shear "
    "zoom_height zoom_width brightness contrast channel_shift gain_0 gain_1 gain_2"
).split()


@dataclass(frozen=True)
class Draw:
    """What is done to each image of a batch.

    Attributes:
        turns: int64 `(batch,)`, quarter turns to the left, 0 to 3.
        mirrored: bool `(batch, 2)`, flipped along the height, along the width.
        matrices: float32 `(batch, 8)`, output to input coordinates, as TensorFlow's
            `ImageProjectiveTransformV3` takes them.
        colours: float32 `(batch, 3, channels)`: contrast, gain and offset (in pixel units).
    """

    turns: npt.NDArray[np.int64]
    mirrored: npt.NDArray[np.bool_]
    matrices: Floats
    colours: Floats


def check(settings: Augment, image_size: tuple[int, int]) -> None:
    """Refuse what cannot be done to images of this size."""
    if settings.rotate90 and image_size[0] != image_size[1]:
        raise InputError(
            "inputs.augment.rotate90",
            "square images",
            f"{image_size[0]} x {image_size[1]} px",
            "inputs.augment.rotate90 = false, or a square data.image_size",
        )


def uniforms(
    seed: int, epoch: int, indices: npt.NDArray[np.int64], num: int
) -> npt.NDArray[np.float64]:
    """Return random numbers that depend on nothing but the arguments.

    Args:
        seed: the run's seed.
        epoch: counted from 0.
        indices: int64 `(batch,)`, the images' numbers in the data set.
        num: how many numbers per image.

    Returns:
        float64 `(batch, num)` in [0, 1).

    Reference:
        SplitMix64: Steele, Lea, Flood, "Fast splittable pseudorandom number generators" (2014).
    """
    state = _mix(np.uint64(seed) + np.zeros(1, np.uint64))
    state = _mix(state + np.uint64(epoch))
    state = _mix(state + indices.astype(np.uint64))[:, np.newaxis]
    bits = _mix(state + np.arange(num, dtype=np.uint64))
    return (bits >> np.uint64(11)) * 2.0**-53


def _mix(x: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    x = x + np.uint64(0x9E3779B97F4A7C15)  # arrays of uint64 wrap around, as is wanted
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def permutation(seed: int, epoch: int, count: int) -> npt.NDArray[np.int64]:
    """Return the order of an epoch: int64 `(count,)`, a function of (seed, epoch) alone."""
    return np.random.default_rng([seed, epoch]).permutation(count)


def draw(
    settings: Augment,
    shape: tuple[int, int, int],
    seed: int,
    epoch: int,
    indices: npt.NDArray[np.int64],
) -> Draw:
    """Draw what happens to the images of a batch; see `uniforms` for the arguments."""
    columns = uniforms(seed, epoch, indices, len(KINDS))
    unit = dict(zip(KINDS, columns.T, strict=True))
    signed = {kind: 2 * value - 1 for kind, value in unit.items()}
    batch = len(indices)
    turns = np.floor(unit["rotate90"] * 4) if settings.rotate90 else np.zeros(batch)
    mirrored = np.stack(
        [
            (unit["flip_vertical"] < 0.5) & settings.flip_vertical,
            (unit["flip_horizontal"] < 0.5) & settings.flip_horizontal,
        ],
        axis=1,
    )
    low, high = settings.zoom
    matrices = affine_matrices(
        shape[:2],
        rotation_degrees=signed["rotation"] * settings.rotation_degrees,
        shift_height=signed["shift_height"] * settings.shift_height * shape[0],
        shift_width=signed["shift_width"] * settings.shift_width * shape[1],
        shear_degrees=signed["shear"] * settings.shear_degrees,
        zoom_height=low + unit["zoom_height"] * (high - low),
        zoom_width=low + unit["zoom_width"] * (high - low),
    )
    return Draw(turns.astype(np.int64), mirrored, matrices, _colours(settings, shape[2], signed))


def _colours(settings: Augment, channels: int, signed: dict[str, Any]) -> Floats:
    gains = np.stack([signed[f"gain_{i}"] for i in range(channels)], axis=1)
    colours = np.ones((len(gains), 3, channels), np.float32)
    colours[:, 0] += settings.contrast * signed["contrast"][:, np.newaxis]
    colours[:, 1] += settings.brightness * signed["brightness"][:, np.newaxis]
    colours[:, 1] *= 1 + settings.channel_gain * gains
    colours[:, 2] = settings.channel_shift * 255 * signed["channel_shift"][:, np.newaxis]
    return colours


def affine_matrices(
    image_size: tuple[int, int],
    *,
    rotation_degrees: npt.NDArray[np.float64],
    shift_height: npt.NDArray[np.float64],
    shift_width: npt.NDArray[np.float64],
    shear_degrees: npt.NDArray[np.float64],
    zoom_height: npt.NDArray[np.float64],
    zoom_width: npt.NDArray[np.float64],
) -> Floats:
    """Return affine maps about the image's centre, composed as Keras' ImageDataGenerator does.

    Args:
        image_size: `(height, width)` in px.
        rotation_degrees: float64 `(batch,)`, like all that follow.
        shift_height: in px.
        shift_width: in px.
        shear_degrees: angle of the shear along the height.
        zoom_height: over 1 shows more of the scene, smaller.
        zoom_width: the same along the width.

    Returns:
        float32 `(batch, 8)`: an output pixel `(x, y)` is read from
        `(m0 x + m1 y + m2, m3 x + m4 y + m5)`; the last two are 0.

    Reference:
        `apply_affine_transform` in keras/src/legacy/preprocessing/image.py.
    """
    theta, shear = np.deg2rad(rotation_degrees), np.deg2rad(shear_degrees)
    cos, sin = np.cos(theta), np.sin(theta)
    # rows and columns (y, x): rotation . shift . shear . zoom
    yy, yx = cos * zoom_height, (-cos * np.sin(shear) - sin * np.cos(shear)) * zoom_width
    xy, xx = sin * zoom_height, (-sin * np.sin(shear) + cos * np.cos(shear)) * zoom_width
    y0, x0 = cos * shift_height - sin * shift_width, sin * shift_height + cos * shift_width
    centre_y, centre_x = image_size[0] / 2 - 0.5, image_size[1] / 2 - 0.5
    y0 = y0 + centre_y - yy * centre_y - yx * centre_x
    x0 = x0 + centre_x - xy * centre_y - xx * centre_x
    zero = np.zeros_like(xx)
    return np.stack([xx, xy, x0, yx, yy, y0, zero, zero], axis=1).astype(np.float32)


def dihedral(image: Pixels, turns: int, flip_height: bool, flip_width: bool) -> Pixels:
    """Turn and mirror one image, `(height, width, channels)`, without touching a pixel's value."""
    image = np.rot90(image, turns) if turns else image
    return image[:: -1 if flip_height else 1, :: -1 if flip_width else 1]


def change(images: Any, matrices: Any, colours: Any, settings: Augment) -> Any:
    """Apply the drawn affine maps and colours, where the settings ask for any.

    Args:
        images: uint8 tensor `(batch, height, width, channels)` in [0, 255].
        matrices: float32 tensor `(batch, 8)`.
        colours: float32 tensor `(batch, 3, channels)`.
        settings: which of the two are needed at all.

    Returns:
        float32 tensor of the images' shape, in [0, 255].
    """
    import tensorflow as tf

    images = tf.cast(images, tf.float32)
    default = Augment()
    geometry = "rotation_degrees shift_height shift_width shear_degrees zoom".split()
    if any(getattr(settings, key) != getattr(default, key) for key in geometry):
        images = tf.raw_ops.ImageProjectiveTransformV3(
            images=images,
            transforms=matrices,
            output_shape=tf.shape(images)[1:3],
            interpolation="BILINEAR",
            fill_mode=settings.fill_mode.upper(),
            fill_value=settings.fill_value,
        )
    if settings.contrast:
        mean = tf.reduce_mean(images, axis=(1, 2), keepdims=True)
        images = mean + (images - mean) * colours[:, tf.newaxis, :1]
    if settings.brightness or settings.channel_gain or settings.channel_shift:
        images = images * colours[:, tf.newaxis, 1:2] + colours[:, tf.newaxis, 2:]
    if settings.contrast or settings.brightness or settings.channel_gain or settings.channel_shift:
        images = tf.clip_by_value(images, 0.0, 255.0)
    return images
