"""Image kernels: the small matrices behind blur, sharpen and edge filters."""

import numpy as np
import numpy.typing as npt

from tfcnn.concepts.convolution import convolve2d
from tfcnn.concepts.windows import Array, Padding, Stride, as_image


def _constant(rows: list[list[float]]) -> npt.NDArray[np.float64]:
    matrix = np.array(rows, dtype=np.float64)
    matrix.setflags(write=False)  # a constant shared by every caller
    return matrix


# Values: Victor Powell, Image Kernels, setosa.io/ev/image-kernels, the page the slides show; the
# blur is also printed in the slides. A Sobel kernel is named after the side that is brighter where
# it answers. Sobel and Feldman, A 3x3 isotropic gradient operator for image processing (1968).
KERNELS: dict[str, npt.NDArray[np.float64]] = {
    "identity": _constant([[0, 0, 0], [0, 1, 0], [0, 0, 0]]),
    "blur": _constant([[0.0625, 0.125, 0.0625], [0.125, 0.25, 0.125], [0.0625, 0.125, 0.0625]]),
    "sharpen": _constant([[0, -1, 0], [-1, 5, -1], [0, -1, 0]]),
    "outline": _constant([[-1, -1, -1], [-1, 8, -1], [-1, -1, -1]]),
    "emboss": _constant([[-2, -1, 0], [-1, 1, 1], [0, 1, 2]]),
    "sobel_left": _constant([[1, 0, -1], [2, 0, -2], [1, 0, -1]]),
    "sobel_right": _constant([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]),
    "sobel_top": _constant([[1, 2, 1], [0, 0, 0], [-1, -2, -1]]),
    "sobel_bottom": _constant([[-1, -2, -1], [0, 0, 0], [1, 2, 1]]),
}

# The slides' grey image, "values scaled between -1 and 1", and their "3 by 3 Filter".
SLIDE_IMAGE = _constant(
    [
        [0, 0, 0, 0, 0, 0],
        [0, 1, 1, 1, 1, 0],
        [0, 1, -1, -1, 1, 0],
        [0, 1, -1, -1, 1, 0],
        [0, 1, 1, 1, 1, 0],
        [0, 0, 0, 0, 0, 0],
    ]
)
SLIDE_FILTER = _constant([[0, 0, 0], [0, -1, 1], [0, 1, -1]])


def apply_kernel(
    image: npt.ArrayLike, kernel: npt.ArrayLike, stride: Stride = 1, padding: Padding = "valid"
) -> Array:
    """Filter a picture, each colour channel by itself, as photograph editors do.

    Args:
        image: shape `(height, width)` or `(height, width, channels)`; uint8 or uint16 pixels,
            or floats in any range.
        kernel: numbers, shape `(kernel_height, kernel_width)`, for instance `KERNELS["blur"]`.
        stride: step in px, one number or `(along the height, along the width)`.
        padding: `valid` loses the borders; `same` surrounds the image with zeros.

    Returns:
        For uint8 and uint16 pixels the same dtype, rounded, and clipped to its range (0..255 for
        uint8), for others floats as they come; shape `(out_height, out_width[, channels])`.

    Raises:
        ValueError: if the kernel has not two axes or does not fit, a pixel would not be finite, or
            stride or padding is invalid.

    Example:
        >>> apply_kernel(SLIDE_IMAGE, SLIDE_FILTER, stride=2)
        array([[ 2., -2.],
               [-2.,  2.]])
        >>> apply_kernel(np.full((3, 4), 200, np.uint8), KERNELS["sharpen"], padding="same")
        array([[255, 255, 255, 255],
               [255, 200, 200, 255],
               [255, 255, 255, 255]], dtype=uint8)

    Reference:
        Victor Powell, Image Kernels, setosa.io/ev/image-kernels.
    """
    pixels = as_image(image)
    if np.ndim(kernel) != 2:
        raise ValueError(
            "kernel: expected shape (kernel_height, kernel_width); received shape "
            f"{np.shape(kernel)}; try convolve2d for kernels with channels"
        )
    with np.errstate(over="ignore", invalid="ignore"):
        result = convolve2d(pixels, kernel, stride, padding)
    if pixels.dtype not in (np.uint8, np.uint16):
        return result
    if not np.isfinite(result).all():
        raise ValueError(
            "kernel: expected finite numbers, and sums that are; received others; try [[0, 1, 0]]"
        )
    return np.rint(result).clip(0, np.iinfo(pixels.dtype).max).astype(pixels.dtype)
