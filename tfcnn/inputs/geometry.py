"""Turns and flips of images, and affine maps: their matrices, sampling through them as in SciPy."""

from typing import Any

import numpy as np
import numpy.typing as npt

from tfcnn.decode import Pixels

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]


def dihedral(
    image: npt.NDArray[Any], turns: int, flip_height: bool, flip_width: bool
) -> npt.NDArray[Any]:
    """Turn and mirror one image, `(height, width, ...)`, without touching a pixel's value."""
    image = np.rot90(image, turns) if turns else image
    return image[:: -1 if flip_height else 1, :: -1 if flip_width else 1]


def dihedral_batch(images: Pixels, indices: Indices, turns: Indices, flipped: Bools) -> Pixels:
    """Copy images, turned and mirrored.

    Args:
        images: uint8 `(images, height, width, channels)`.
        indices: int64 `(batch,)`, which of them.
        turns: int64 `(batch,)`, quarter turns to the left.
        flipped: bool `(batch, 2)`, along the height, along the width.

    Returns:
        uint8 `(batch, height, width, channels)`.
    """
    pixel = np.dtype((np.void, images.shape[3] * images.itemsize))  # copies all channels at once
    source = np.ascontiguousarray(images[indices]).view(pixel)[..., 0]
    batch = np.empty_like(source)
    kinds = turns * 4 + flipped @ (2, 1)
    for kind in np.unique(kinds):  # image by image is three times slower
        alike = np.flatnonzero(kinds == kind)
        several, first = np.moveaxis(source[alike], 0, 2), alike[0]
        batch[alike] = np.moveaxis(dihedral(several, turns[first], *flipped[first]), 2, 0)
    return batch[..., np.newaxis].view(images.dtype)


def dihedral_tensor(images: Any, turns: Any, flipped: Any) -> Any:
    """Turn and mirror images as `dihedral_batch` does, as a tensor.

    Args:
        images: tensor `(batch, height, width, channels)`, square where any is turned.
        turns: int32 tensor `(batch,)`, quarter turns to the left.
        flipped: bool tensor `(batch, 2)`, along the height, along the width.
    """
    import tensorflow as tf

    def where(chosen: Any, changed: Any, images: Any) -> Any:
        return tf.where(chosen[:, tf.newaxis, tf.newaxis, tf.newaxis], changed, images)

    if images.shape[1] == images.shape[2]:  # others are not turned, see `augment.check`
        images = where(turns % 2 == 1, tf.transpose(images, (0, 2, 1, 3)), images)
    # a quarter turn to the left: rows become columns, and the last of them the first
    along_height = flipped[:, 0] ^ ((turns == 1) | (turns == 2))
    along_width = flipped[:, 1] ^ ((turns == 2) | (turns == 3))
    images = where(along_height, tf.reverse(images, [1]), images)
    return where(along_width, tf.reverse(images, [2]), images)


def affine_matrices(
    centre: tuple[float, float],
    *,
    rotation_degrees: Floats,
    shift_x: Floats,
    shift_y: Floats,
    shear_degrees: Floats,
    zoom_x: Floats,
    zoom_y: Floats,
) -> Floats:
    """Return maps from the pixels of a changed image to the places that they come from.

    Args:
        centre: `(x, y)` in px, the fixed point of rotation, shear and zoom.
        rotation_degrees: float64 `(batch,)`, like all arguments that follow; positive turns left.
        shift_x: in px; positive moves the picture to the left.
        shift_y: in px; positive moves the picture up.
        shear_degrees: angle by which the vertical leans; heights shrink by its cosine.
        zoom_x: over 1 shows more of the scene, smaller.
        zoom_y: the same along the height.

    Returns:
        float64 `(batch, 3, 3)`, acting on columns `(x, y, 1)`:
        rotation @ shift @ shear @ zoom, about the centre.

    Reference:
        `apply_affine_transform` in keras/src/legacy/preprocessing/image.py, Keras 3.15.
    """
    theta, shear = np.deg2rad(rotation_degrees), np.deg2rad(shear_degrees)
    rotation, shift, lean, zoom, to_centre, from_centre = (
        np.tile(np.eye(3), (len(theta), 1, 1)) for _ in range(6)
    )
    rotation[:, 0, 0] = rotation[:, 1, 1] = np.cos(theta)
    rotation[:, 1, 0] = np.sin(theta)
    rotation[:, 0, 1] = -np.sin(theta)
    shift[:, 0, 2], shift[:, 1, 2] = shift_x, shift_y
    lean[:, 0, 1], lean[:, 1, 1] = -np.sin(shear), np.cos(shear)
    zoom[:, 0, 0], zoom[:, 1, 1] = zoom_x, zoom_y
    to_centre[:, :2, 2], from_centre[:, :2, 2] = centre, np.negative(centre)
    return to_centre @ rotation @ shift @ lean @ zoom @ from_centre


def mirrored(matrices: Floats, image_size: tuple[int, int], flipped: Bools) -> Floats:
    """Return maps that after the flip do the same as `matrices` before it.

    Args:
        matrices: float64 `(batch, 3, 3)`.
        image_size: `(height, width)` in px.
        flipped: bool `(batch, 2)`, along the height, along the width.
    """
    flips = np.tile(np.eye(3), (len(matrices), 1, 1))
    for axis, side in enumerate(image_size):
        place = 1 - axis  # a matrix has x first, a shape has the height first
        flips[flipped[:, axis], place, place] = -1
        flips[flipped[:, axis], place, 2] = side - 1
    return flips @ matrices @ flips


def resample(images: Any, matrices: Any, fill_mode: str, fill_value: float) -> Any:
    """Transform images by affine maps, with linear interpolation.

    Args:
        images: float32 tensor `(batch, height, width, channels)`.
        matrices: float32 tensor `(batch, 3, 3)`, from pixels of the result to places in the image.
        fill_mode: what lies beyond the edge: "nearest" repeats the last pixel, "reflect" mirrors
            the image and its last pixel, "wrap" repeats the image (the first pixel lies on the
            last, as in SciPy), "constant" is `fill_value`.
        fill_value: for "constant".

    Returns:
        float32 tensor of the images' shape.

    Reference:
        `scipy.ndimage.affine_transform` with order 1.
    """
    import tensorflow as tf

    shape = tf.shape(images)
    # TensorFlow's own modes "wrap" and "constant" differ from those of SciPy and Keras
    if fill_mode == "wrap":
        x, y = _places(matrices, shape)
        return _bilinear(images, _wrap(x, shape[2]), _wrap(y, shape[1]))
    sampled = tf.raw_ops.ImageProjectiveTransformV3(
        images=images,
        transforms=tf.reshape(matrices, [-1, 9])[:, :8],
        output_shape=shape[1:3],
        interpolation="BILINEAR",
        fill_mode="REFLECT" if fill_mode == "reflect" else "NEAREST",
        fill_value=0.0,
    )
    if fill_mode != "constant":
        return sampled
    x, y = _places(matrices, shape)
    last_x, last_y = tf.cast(shape[2] - 1, tf.float32), tf.cast(shape[1] - 1, tf.float32)
    inside = (x >= 0) & (x <= last_x) & (y >= 0) & (y <= last_y)
    return tf.where(inside[..., tf.newaxis], sampled, fill_value)


def _places(matrices: Any, shape: Any) -> tuple[Any, Any]:
    """Return the place `(x, y)` that every pixel comes from, `(batch, height, width)` each."""
    import tensorflow as tf

    m = matrices[:, :, :, tf.newaxis, tf.newaxis]
    columns = tf.range(tf.cast(shape[2], tf.float32))
    rows = tf.range(tf.cast(shape[1], tf.float32))[:, tf.newaxis]
    x = m[:, 0, 0] * columns + m[:, 0, 1] * rows + m[:, 0, 2]
    y = m[:, 1, 0] * columns + m[:, 1, 1] * rows + m[:, 1, 2]
    return x, y


def _wrap(place: Any, side: Any) -> Any:
    """Bring places beyond the edge back into [0, side - 1], with the period side - 1."""
    import tensorflow as tf

    last = tf.cast(side, tf.float32) - 1
    period = tf.maximum(last, 1)  # one pixel has no period
    rest = tf.math.floormod(place, period)
    at_last = (place == period) | ((rest == 0) & (place < 0))
    return tf.minimum(tf.where(at_last, period, rest), last)


def _bilinear(images: Any, x: Any, y: Any) -> Any:
    import tensorflow as tf

    shape = tf.shape(images)
    batch, height, width, channels = shape[0], shape[1], shape[2], shape[3]
    left, top = tf.floor(x), tf.floor(y)
    from_left, from_top = (x - left)[..., tf.newaxis], (y - top)[..., tf.newaxis]
    x0, y0 = tf.cast(left, tf.int32), tf.cast(top, tf.int32)
    x1, y1 = tf.minimum(x0 + 1, width - 1), tf.minimum(y0 + 1, height - 1)
    first = tf.range(batch)[:, tf.newaxis, tf.newaxis] * (height * width)
    pixels = tf.reshape(images, [-1, channels])

    def read(row: Any, column: Any) -> Any:
        return tf.gather(pixels, first + row * width + column)

    above, below = read(y0, x0), read(y1, x0)
    above += from_left * (read(y0, x1) - above)
    below += from_left * (read(y1, x1) - below)
    return above + from_top * (below - above)
