"""Random changes of training images, each a pure function of (seed, epoch, image index).

There is no random state to save: a resumed run draws the same numbers as an uninterrupted one.
Turns and flips are exact copies in NumPy; affine maps and colours run in TensorFlow's graph.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tfcnn.base.errors import InputError
from tfcnn.inputs import geometry
from tfcnn.inputs.geometry import Bools, Floats, Indices
from tfcnn.recipes import Augment

# one column of random numbers each; the order must never change, so a new kind comes at the end
KINDS = [
    "flip_horizontal",
    "flip_vertical",
    "rotate90",
    "rotation",
    "shift_height",
    "shift_width",
    "shear",
    "zoom_height",
    "zoom_width",
    "brightness",
    "contrast",
    "channel_shift",
    "gain_0",
    "gain_1",
    "gain_2",
    "shift_height_sign",
    "shift_width_sign",
    "generator",
    "mixup",
    "mixup_partner",
]
GEOMETRY = ["rotation_degrees", "shift_height", "shift_width", "shear_degrees", "zoom"]


@dataclass(frozen=True)
class Parameters:
    """The random numbers of each image of a batch, float64 `(batch,)` unless noted.

    Attributes:
        turns: int64, quarter turns to the left, 0 to 3.
        flip_vertical: bool.
        flip_horizontal: bool.
        rotation_degrees: to the left.
        shift_height: in px; positive moves the picture up.
        shift_width: in px; positive moves the picture to the left.
        shear_degrees: angle by which the vertical leans.
        zoom_height: over 1 shows more of the scene, smaller.
        zoom_width: the same along the width.
        channel_shift: added to every pixel.
        contrast: factor of the distance from the mean.
        brightness: factor.
        gains: `(batch, channels)`, a factor for each channel.
    """

    turns: Indices
    flip_vertical: Bools
    flip_horizontal: Bools
    rotation_degrees: Floats
    shift_height: Floats
    shift_width: Floats
    shear_degrees: Floats
    zoom_height: Floats
    zoom_width: Floats
    channel_shift: Floats
    contrast: Floats
    brightness: Floats
    gains: Floats


@dataclass(frozen=True)
class Changes:
    """What is done to each image of a batch, ready for `geometry.dihedral` and `change`.

    Attributes:
        turns: int64 `(batch,)`, quarter turns to the left, 0 to 3.
        flipped: bool `(batch, 2)`, along the height, along the width.
        matrices: float32 `(batch, 3, 3)`, see `geometry`.
        colours: float32 `(batch, 3 + channels)`: channel shift, contrast, brightness and gains.
    """

    turns: Indices
    flipped: Bools
    matrices: npt.NDArray[np.float32]
    colours: npt.NDArray[np.float32]


def check(settings: Augment, image_size: tuple[int, int]) -> None:
    """Refuse changes that images of this size cannot have.

    Raises:
        InputError: if images that are not square would be turned by 90 degrees.
    """
    if settings.rotate90 and image_size[0] != image_size[1]:
        raise InputError(
            "inputs.augment.rotate90",
            "square images",
            f"{image_size[0]} x {image_size[1]} px",
            "inputs.augment.rotate90 = false, or a square data.image_size",
        )


def describe(settings: Augment) -> str:
    """Return in words what is done to training images, or "none".

    Example:
        >>> describe(Augment(flip_horizontal=True, brightness=0.1))
        'mirrored left-right half of the time; brightness ±10 %'
    """
    up, across = settings.shift_height, settings.shift_width
    if settings.like_keras:  # see `compose`
        up, across = across, up
    darkest, brightest = _brightness_range(settings)
    brightness = f"brightness {_percent(darkest)} to {_percent(brightest)} %"
    if darkest < 0:
        brightness += " (black where negative)"
    if not isinstance(settings.brightness, tuple):
        brightness = f"brightness ±{_percent(settings.brightness)} %"
    low, high = settings.zoom
    words = [
        (settings.flip_horizontal, f"mirrored left-right {_often(settings.flip_horizontal)}"),
        (settings.flip_vertical, f"mirrored upside down {_often(settings.flip_vertical)}"),
        (settings.rotate90, "turned by 0 to 3 quarter turns"),
        (settings.rotation_degrees, f"turned by up to ±{settings.rotation_degrees:g}°"),
        (_is_shifted(up), f"moved up or down by {_distance(up, settings.like_keras)}"),
        (_is_shifted(across), f"moved left or right by {_distance(across, settings.like_keras)}"),
        (settings.shear_degrees, f"leaned by up to ±{settings.shear_degrees:g}°"),
        (settings.zoom != (1.0, 1.0), f"{_percent(low)} to {_percent(high)} % of the scene shown"),
        (settings.channel_shift, f"all pixels ±{settings.channel_shift * 255:.3g} of 255"),
        (settings.contrast, f"contrast ±{_percent(settings.contrast)} %"),
        (settings.brightness, brightness),
        (settings.channel_gain, f"each channel ±{_percent(settings.channel_gain)} %"),
    ]
    return "; ".join(text for is_done, text in words if is_done) or "none"


def _often(flip: bool | str) -> str:
    often = {"alternating": "every other epoch", "auto": "unless left and right tell classes"}
    return often.get(str(flip), "half of the time")


def _percent(share: float) -> str:
    return f"{100 * share:.3g}"


def _is_shifted(shift: float | tuple[float, ...]) -> bool:
    return any(shift) if isinstance(shift, tuple) else bool(shift)


def _distance(shift: float | tuple[float, ...], like_keras: bool) -> str:
    """Return a shift in words, in px or in % of the side; see `Augment`."""
    choices = shift if isinstance(shift, tuple) else (shift,)
    is_share = _is_share(shift, like_keras)
    unit = "%" if is_share else "px"
    texts = [_percent(abs(one)) if is_share else f"{abs(one):g}" for one in choices]
    texts = list(dict.fromkeys(texts))
    if not isinstance(shift, tuple):
        return f"up to ±{texts[0]} {unit}"
    return f"{' or '.join(filter(None, (', '.join(texts[:-1]), texts[-1])))} {unit}"


def uniforms(seed: int, epoch: int, indices: Indices, num: int) -> Floats:
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
    state = _mix(np.array([seed], np.uint64))
    state = _mix(state + np.array([epoch], np.uint64))
    state = _mix(state + indices.astype(np.uint64))[:, np.newaxis]
    bits = _mix(state + np.arange(num).astype(np.uint64))
    return (bits >> np.uint64(11)).astype(np.float64) * 2.0**-53


def _mix(x: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    x = x + np.uint64(0x9E3779B97F4A7C15)  # arrays of uint64 wrap around, as is wanted
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def permutation(seed: int, epoch: int, count: int) -> Indices:
    """Return the order of an epoch: int64 `(count,)`, a function of (seed, epoch) alone."""
    return np.random.default_rng([seed, epoch]).permutation(count)


def draw(
    settings: Augment, shape: tuple[int, int, int], seed: int, epoch: int, indices: Indices
) -> Parameters:
    """Draw the changes of the images of a batch.

    Args:
        settings: the ranges.
        shape: `(height, width, channels)`.
        seed: as the arguments that follow, see `uniforms`.
        epoch: counted from 0.
        indices: int64 `(batch,)`.
    """
    unit = dict(zip(KINDS, uniforms(seed, epoch, indices, len(KINDS)).T, strict=True))
    signed = {kind: 2 * value - 1 for kind, value in unit.items()}
    low, high = settings.zoom
    darkest, brightest = _brightness_range(settings)
    gains = np.stack([signed[f"gain_{i}"] for i in range(shape[2])], axis=1)
    shifts = [
        _shift(settings, key, unit[key], unit[f"{key}_sign"], side)
        for key, side in zip(("shift_height", "shift_width"), shape[:2], strict=True)
    ]
    return Parameters(
        turns=(np.floor(unit["rotate90"] * 4) * settings.rotate90).astype(np.int64),
        flip_vertical=_flip(settings, "flip_vertical", unit, seed, epoch, indices),
        flip_horizontal=_flip(settings, "flip_horizontal", unit, seed, epoch, indices),
        rotation_degrees=signed["rotation"] * settings.rotation_degrees,
        shift_height=shifts[0],
        shift_width=shifts[1],
        shear_degrees=signed["shear"] * settings.shear_degrees,
        zoom_height=low + unit["zoom_height"] * (high - low),
        zoom_width=low + unit["zoom_width"] * (high - low),
        channel_shift=signed["channel_shift"] * settings.channel_shift * 255,
        contrast=1 + signed["contrast"] * settings.contrast,
        brightness=darkest + unit["brightness"] * (brightest - darkest),
        gains=1 + gains * settings.channel_gain,
    )


def _flip(
    settings: Augment, key: str, unit: dict[str, Floats], seed: int, epoch: int, indices: Indices
) -> Bools:
    """Return which images are flipped: drawn in every epoch, or once and then in turns."""
    setting = getattr(settings, key)
    if setting == "alternating":  # arXiv 2404.00498, section 3.6
        kind = KINDS.index(key)
        return (uniforms(seed, 0, indices, kind + 1)[:, kind] < 0.5) ^ (epoch % 2 == 1)
    return (unit[key] < 0.5) & bool(setting)


def _shift(settings: Augment, key: str, unit: Floats, sign: Floats, side: int) -> Floats:
    """Return shifts in px; see `Augment` for what a setting means."""
    setting = getattr(settings, key)
    if isinstance(setting, tuple):
        choices = np.array(setting)[np.floor(unit * len(setting)).astype(np.int64)]
        shifts = np.where(sign < 0.5, -choices, choices)
    else:
        shifts = (2 * unit - 1) * setting
    return shifts * (side if _is_share(setting, settings.like_keras) else 1)


def _is_share(shift: float | tuple[float, ...], like_keras: bool) -> bool:
    """Return whether a shift is in shares of the side: if all its sizes are under 1.

    Keras compares the numbers with their signs: to it, (-3, -2) are 3 and 2 sides.
    """
    choices = shift if isinstance(shift, tuple) else (shift,)
    return max(choices if like_keras else map(abs, choices)) < 1


def _brightness_range(settings: Augment) -> tuple[float, float]:
    if isinstance(settings.brightness, tuple):
        return settings.brightness
    return 1 - settings.brightness, 1 + settings.brightness


def compose(settings: Augment, shape: tuple[int, int, int], parameters: Parameters) -> Changes:
    """Return the changes that these parameters mean for images of this shape."""
    height, width, _ = shape
    centre = (width / 2 - 0.5, height / 2 - 0.5)
    shifts = parameters.shift_width, parameters.shift_height
    if settings.like_keras:  # Keras exchanges the axes of shift and centre
        centre, shifts = centre[::-1], shifts[::-1]
    matrices = geometry.affine_matrices(
        centre,
        rotation_degrees=parameters.rotation_degrees,
        shift_x=shifts[0],
        shift_y=shifts[1],
        shear_degrees=parameters.shear_degrees,
        zoom_x=parameters.zoom_width,
        zoom_y=parameters.zoom_height,
    )
    flipped = np.stack([parameters.flip_vertical, parameters.flip_horizontal], axis=1)
    # the flips come after the affine map, but to copy them first is cheap
    matrices = geometry.mirrored(matrices, (height, width), flipped)
    colours = np.stack(
        [parameters.channel_shift, parameters.contrast, parameters.brightness], axis=1
    )
    return Changes(
        parameters.turns,
        flipped,
        matrices.astype(np.float32),
        np.concatenate([colours, parameters.gains], axis=1).astype(np.float32),
    )


def drawn(
    settings: Augment, shape: tuple[int, int, int], seed: int, epoch: int, indices: Indices
) -> Changes:
    """Return the changes of some images in an epoch; see `draw` and `compose`."""
    return compose(settings, shape, draw(settings, shape, seed, epoch, indices))


def change(images: Any, matrices: Any, colours: Any, settings: Augment) -> Any:
    """Apply affine maps and colours, where the settings have any.

    Args:
        images: tensor `(batch, height, width, channels)` in [0, 255].
        matrices: float32 tensor `(batch, 3, 3)`.
        colours: float32 tensor `(batch, 3 + channels)`, as in `Changes`.
        settings: which of the two are needed.

    Returns:
        float32 tensor of the images' shape, in [0, 255].
    """
    import tensorflow as tf

    images = tf.cast(images, tf.float32)
    default = Augment()
    if any(getattr(settings, key) != getattr(default, key) for key in GEOMETRY):
        images = geometry.resample(images, matrices, settings.fill_mode, settings.fill_value)
    shift, contrast, brightness, gains = tf.split(
        colours[:, tf.newaxis, tf.newaxis], [1, 1, 1, -1], axis=3
    )
    if settings.channel_shift:
        images = _shift_channels(images, shift)
    if settings.contrast:
        images = _scale(images, contrast, (1 - contrast) * _mean(images))
    if settings.brightness and settings.like_keras:
        # Pillow's ImageEnhance.Brightness, which Keras uses, computes in 8 bits; interpolation may
        # leave a flat area 3e-5 below its whole number
        whole = tf.floor(images + 1e-4)
        images = tf.clip_by_value(tf.floor(whole * brightness), 0.0, 255.0)
    elif settings.brightness:
        gains *= brightness
    if settings.channel_gain or (settings.brightness and not settings.like_keras):
        images = _scale(images, gains, 0.0)
    return images


def _shift_channels(images: Any, shift: Any) -> Any:
    """Add to all channels, clipped to each image's own lowest and highest value as in Keras."""
    import tensorflow as tf

    darkest = tf.reduce_min(images, axis=(1, 2, 3), keepdims=True)
    brightest = tf.reduce_max(images, axis=(1, 2, 3), keepdims=True)
    return tf.clip_by_value(images + shift, darkest, brightest)


def _mean(images: Any) -> Any:
    """Return the mean of each channel of each image, `(batch, 1, 1, channels)`."""
    import tensorflow as tf

    shape = tf.shape(images)
    row = tf.reduce_mean(tf.reshape(images, [shape[0], shape[1], -1]), axis=1)
    return tf.reduce_mean(tf.reshape(row, [shape[0], 1, shape[2], -1]), axis=2, keepdims=True)


def _scale(images: Any, gains: Any, offsets: Any) -> Any:
    """Multiply each channel of each image and add to it, clipped to [0, 255]."""
    import tensorflow as tf

    shape = tf.shape(images)

    # a whole row at once: with 3 numbers as the innermost axis it is three times slower
    def row(values: Any) -> Any:
        full = tf.broadcast_to(values, [shape[0], 1, shape[2], shape[3]])
        return tf.reshape(full, [shape[0], 1, -1])

    rows = tf.reshape(images, [shape[0], shape[1], -1])
    return tf.reshape(tf.clip_by_value(rows * row(gains) + row(offsets), 0.0, 255.0), shape)
