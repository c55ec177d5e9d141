"""A large JPEG, read at a half, a quarter or an eighth of its size.

A JPEG holds the frequencies of its blocks of 8 x 8 px (ITU-T T.81), so a reader can leave out the
high ones, and most of the work. What is then resized differs from the whole picture, resized, by
at most 3 of 255 where no edge is hard, and by a quarter on average (`tests/decode/test_dct.py`).
"""

from dataclasses import dataclass

from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile

Size = tuple[int, int]  # (height, width) in px
Box = tuple[float, float, float, float]  # left, top, right, bottom in px

# what a transposition does: whether it swaps the axes, then mirrors left-right, and top-bottom
TURNS = {
    None: (False, False, False),
    Image.Transpose.FLIP_LEFT_RIGHT: (False, True, False),
    Image.Transpose.ROTATE_180: (False, True, True),
    Image.Transpose.FLIP_TOP_BOTTOM: (False, False, True),
    Image.Transpose.TRANSPOSE: (True, False, False),
    Image.Transpose.ROTATE_270: (True, True, False),
    Image.Transpose.TRANSVERSE: (True, True, True),
    Image.Transpose.ROTATE_90: (True, False, True),
}


@dataclass(frozen=True)
class Reduced:
    """How an image was reduced while it was read.

    Attributes:
        scale: 2, 4 or 8: how many px of the file make one, along each side.
        size: `(height, width)` of the whole image, upright.
        box: where the picture lies in what was read, upright. The last column and row may hold
            less than `scale` px of the file; their rest is no picture.
    """

    scale: int
    size: Size
    box: Box


def scale(size: Size, least: Size) -> int:
    """Return by how much a JPEG of `size` can be reduced so that no side is less than `least`."""
    most = min(size[0] // least[0], size[1] // least[1])
    return next(scale for scale in (8, 4, 2, 1) if scale <= max(most, 1))


def reduce(image: JpegImageFile, turn: Image.Transpose | None, least: Size) -> Reduced | None:
    """Ask for a JPEG at the smallest scale at which no side is less than `least`.

    Args:
        image: of which only the header was read.
        turn: what will make it upright.
        least: `(height, width)` in px of what is needed, upright.

    Returns:
        None where the image has to be read whole.
    """
    swaps, mirrors, flips = TURNS[turn]
    width, height = image.size
    size = (width, height) if swaps else (height, width)
    wanted = least if swaps else least[::-1]  # Pillow counts (width, height)
    by = scale(size, least)
    if by == 1 or image.draft(None, wanted) is None:
        return None
    held, part = image.size, (width / by, height / by)
    if swaps:
        held, part = held[::-1], part[::-1]
    left = held[0] - part[0] if mirrors else 0.0
    top = held[1] - part[1] if flips else 0.0
    return Reduced(by, size, (left, top, left + part[0], top + part[1]))


def middle(box: Box, size: tuple[int, int]) -> Box:
    """Return the largest part in the middle of a box that has the shape of `size`.

    Args:
        box: where the picture lies.
        size: `(width, height)`.
    """
    left, top, right, bottom = box
    width, height = right - left, bottom - top
    if width * size[1] > height * size[0]:
        part = height * size[0] / size[1], height
    else:
        part = width, width * size[1] / size[0]
    left, top = left + (width - part[0]) / 2, top + (height - part[1]) / 2
    return left, top, left + part[0], top + part[1]


def contained(box: Box, size: tuple[int, int]) -> tuple[int, int]:
    """Return the largest `(width, height)` in `size` that has the shape of a box."""
    width, height = box[2] - box[0], box[3] - box[1]
    if width * size[1] > height * size[0]:
        return size[0], round(height / width * size[0])
    return round(width / height * size[1]), size[1]
