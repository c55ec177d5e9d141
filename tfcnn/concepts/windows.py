"""How a window moves over an image: its size, step and padding, for convolution and pooling."""

import operator
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Padding = Literal["valid", "same"]
Stride = int | tuple[int, int]


def output_size(size: int, kernel_size: int, stride: int = 1, padding: Padding = "valid") -> int:
    """Return how many places a window takes along one axis.

    `valid`: `floor((size - kernel_size) / stride) + 1`, the window stays inside the image;
    `same`: `ceil(size / stride)`, the image is padded, so a stride of 1 keeps its size.

    Args:
        size: length of the axis in px.
        kernel_size: length of the window in px; under `valid` at most `size`.
        stride: step of the window in px.
        padding: `valid` or `same`.

    Returns:
        The length of the output.

    Raises:
        ValueError: if a length is below 1, the padding is invalid, or the window does not fit.

    Example:
        >>> output_size(6, 3), output_size(6, 3, stride=2), output_size(6, 3, padding="same")
        (4, 2, 6)

    Reference:
        Dumoulin and Visin, A guide to convolution arithmetic for deep learning (2016),
        section 2.
    """
    for name, value in (("size", size), ("kernel_size", kernel_size), ("stride", stride)):
        as_whole(name, value)
    check_padding(padding)
    if padding == "same":
        return -(-size // stride)
    if kernel_size > size:
        raise ValueError(
            f"kernel_size: expected at most the image's {size} px; received {kernel_size}; "
            "try a smaller window or padding='same'"
        )
    return (size - kernel_size) // stride + 1


def pads(
    size: int, kernel_size: int, stride: int = 1, padding: Padding = "valid"
) -> tuple[int, int]:
    """Return how many px are added before and after one axis; an odd one goes after.

    `same`: `total = max((output_size - 1) * stride + kernel_size - size, 0)`, of which the
    smaller half comes before: TensorFlow's rule, while other libraries pad both sides alike.

    Args:
        size: length of the axis in px.
        kernel_size: length of the window in px.
        stride: step of the window in px.
        padding: `valid` (nothing is added) or `same`.

    Returns:
        `(before, after)` in px.

    Raises:
        ValueError: as `output_size`.

    Example:
        >>> pads(6, 3, padding="same"), pads(6, 4, padding="same"), pads(6, 3, 2, "same")
        ((1, 1), (1, 2), (0, 1))

    Reference:
        TensorFlow, documentation of `tf.nn`, "Notes on padding" (2.21).
    """
    places = output_size(size, kernel_size, stride, padding)
    if padding == "valid":
        return (0, 0)
    total = max((places - 1) * stride + kernel_size - size, 0)
    return (total // 2, total - total // 2)


def windows(
    values: Array,
    sizes: tuple[int, ...],
    strides: tuple[int, ...],
    padding: Padding = "valid",
    fill: float = 0,
) -> Array:
    """Return a view of every window, without copying the pixels into each.

    Args:
        values: array whose first axes the window slides over, `(height, width)`, `(height, width,
            channels)`, or `(length,)` for one size.
        sizes: `(kernel_height, kernel_width)`, or `(kernel_length,)`, in px.
        strides: one step per size, in px.
        padding: `valid` or `same`.
        fill: what padded pixels hold.

    Returns:
        Array of the dtype of `values`, shape `(out_height, out_width, [channels,]
        kernel_height, kernel_width)`.

    Raises:
        ValueError: if a window does not fit, or a step or the padding is invalid.

    Example:
        >>> windows(np.arange(6), (3,), (2,))
        array([[0, 1, 2],
               [2, 3, 4]])
    """
    axes = range(len(sizes))
    margins = [pads(values.shape[axis], sizes[axis], strides[axis], padding) for axis in axes]
    margins += [(0, 0)] * (values.ndim - len(sizes))
    padded = np.pad(values, margins, constant_values=fill)
    every_place = np.lib.stride_tricks.sliding_window_view(padded, sizes, axis=tuple(axes))
    return every_place[tuple(slice(None, None, stride) for stride in strides)]


def as_image(image: npt.ArrayLike) -> Array:
    """Return `image` as a real array of shape `(height, width)` or `(height, width, channels)`.

    Args:
        image: one grey or colour image.

    Returns:
        The same numbers and dtype, not copied where it is an array already.

    Raises:
        ValueError: if it has another number of axes, no pixel, or is not made of real numbers.
    """
    array = as_numbers("image", image)
    if array.ndim not in (2, 3) or array.size == 0:
        raise ValueError(
            "image: expected real numbers of shape (height, width) or (height, width, channels); "
            f"received {array.dtype} of shape {array.shape}; try one image of a batch at a time"
        )
    return array


def as_numbers(name: str, values: npt.ArrayLike) -> Array:
    """Return `values` as an array of real numbers.

    Args:
        name: of the values in an error.
        values: numbers of any shape.

    Returns:
        The same numbers and dtype, not copied where it is an array already.

    Raises:
        ValueError: if rows differ in length, or something is no real number.
    """
    try:
        array = np.asarray(values)
    except ValueError as error:
        raise ValueError(
            f"{name}: expected real numbers; received rows of different lengths; "
            "try rows of one length"
        ) from error
    if array.dtype.kind not in "iuf":
        raise ValueError(
            f"{name}: expected real numbers; received {array.dtype} of shape {array.shape}; "
            "try np.asarray(values, float)"
        )
    return array


def as_pair(name: str, value: Stride) -> tuple[int, int]:
    """Return `value` as `(along the height, along the width)`: one number counts for both.

    Args:
        name: of the value in an error.
        value: one whole number, or two.

    Returns:
        Two whole numbers of at least 1.

    Raises:
        ValueError: if it is not one or two whole numbers of at least 1.
    """
    pair = value if isinstance(value, tuple | list) else (value, value)
    if len(pair) != 2:
        raise ValueError(f"{name}: expected one number or two; received {value!r}; try (2, 2)")
    return as_whole(name, pair[0]), as_whole(name, pair[1])


def as_whole(name: str, value: Any) -> int:
    """Return `value` as Python's int, which cannot overflow.

    Args:
        name: of the value in an error.
        value: a whole number of any kind.

    Returns:
        The same number.

    Raises:
        ValueError: if it is not a whole number of at least 1.
    """
    try:
        number = operator.index(value)
    except TypeError:
        number = 0
    if number < 1:
        raise ValueError(f"{name}: expected a whole number from 1; received {value!r}; try 1")
    return number


def check_padding(padding: str) -> None:
    """Raise a ValueError if `padding` is neither `valid` nor `same`."""
    if padding not in ("valid", "same"):
        raise ValueError(
            f"padding: expected 'valid' or 'same'; received {padding!r}; "
            "try 'same' to keep the image's size"
        )
