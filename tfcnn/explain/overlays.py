"""What is drawn of maps over images, of filters and of feature maps."""

import math
import warnings
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import numpy.typing as npt
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image, ImageDraw, ImageFont

from tfcnn.base import naming

Floats = npt.NDArray[np.float32]
Pixels = npt.NDArray[np.uint8]

COLOURS = "viridis"  # equal steps look equal, also in grey and to the colour-blind
SIGNED = "RdBu_r"
INK, MUTED, PAPER = "#1c2126", "#57606a", "#ffffff"
GREYS = (48, 208)
MARGIN, CAPTION_PX = 12, 15
MOST_FILTERS, COLUMNS, TILE_PX = 64, 8, 96


def overlay(image: Pixels, cam: Floats, *, strength: float = 0.8) -> Pixels:
    """Lay a map over an image: the stronger the evidence, the more of its colour.

    The image is shown in grey under the colours, so that no colour of its own is taken for
    evidence; where the map is 0 it is seen alone. The greys leave out black and white, on which
    half of the colours cannot be seen.

    Args:
        image: uint8 `(height, width, 1 | 3)`, of any size.
        cam: float32 in [0, 1], `(map_height, map_width)`, of any size; covers the whole image.
        strength: opacity of the strongest evidence, in [0, 1]; others have the root of their
            share of it, as a thin stroke of a digit shows little of a faint colour.

    Returns:
        uint8 RGB `(height, width, 3)`.
    """
    height, width = image.shape[:2]
    enlarged = Image.fromarray(cam.astype(np.float32)).resize(
        (width, height), Image.Resampling.BILINEAR
    )
    values = np.clip(np.asarray(enlarged), 0, 1)[..., None]
    colours = matplotlib.colormaps[COLOURS](values[..., 0])[..., :3] * 255
    darkest, lightest = GREYS
    grey = np.asarray(_picture(image).convert("L"), np.float32)[..., None]
    grey = darkest + (lightest - darkest) / 255 * grey
    opacity = strength * np.sqrt(values)
    mixed: Pixels = np.round((1 - opacity) * grey + opacity * colours).astype(np.uint8)
    return mixed


def beside(image: Pixels, cam: Floats, caption: str) -> Image.Image:
    """Return the image, the map over it, and the scale of its colours, with a caption below.

    Args:
        image: uint8 `(height, width, 1 | 3)`.
        cam: float32 in [0, 1]; see `overlay`.
        caption: lines of text.
    """
    height, width = image.shape[:2]
    font = ImageFont.load_default(CAPTION_PX)
    lines = _wrapped(caption, 2 * width + MARGIN, font)
    bar_left = 3 * MARGIN + 2 * width
    page = Image.new(
        "RGB",
        (bar_left + 6 * MARGIN, 3 * MARGIN + height + len(lines) * (CAPTION_PX + 5)),
        PAPER,
    )
    page.paste(_picture(image).convert("RGB"), (MARGIN, MARGIN))
    page.paste(Image.fromarray(overlay(image, cam)), (2 * MARGIN + width, MARGIN))
    ramp = np.repeat(np.linspace(1, 0, height, dtype=np.float32)[:, None], MARGIN, axis=1)
    grey = np.full((height, MARGIN, 1), 128, np.uint8)
    page.paste(Image.fromarray(overlay(grey, ramp)), (bar_left, MARGIN))
    draw = ImageDraw.Draw(page)
    text_left = bar_left + MARGIN + 5
    draw.text((text_left, MARGIN), "most", INK, font, anchor="lt")
    draw.text((text_left, MARGIN + height), "none", INK, font, anchor="lb")
    for number, line in enumerate(lines):
        top = 2 * MARGIN + height + number * (CAPTION_PX + 5)
        draw.text((MARGIN, top), line, INK, font, anchor="lt")
    return page


def filter_sheet(filters: Floats, title: str) -> Figure:
    """Draw the kernels of a convolution, the first 64.

    Kernels on RGB images are shown in colour, mid grey being 0. Others are shown as their mean
    over the input's channels, blue where negative, red where positive.

    Args:
        filters: float32 `(kernel_height, kernel_width, in_channels, filters)`.
        title: the heading.
    """
    kernels = np.moveaxis(filters[..., :MOST_FILTERS], -1, 0)
    is_rgb = kernels.shape[3] == 3
    kernels = kernels if is_rgb else kernels.mean(axis=3)
    # the largest weight gets the end of the scale, and 0 its middle
    shares = 0.5 + kernels / (2 * (np.abs(kernels).max() or 1.0))
    colours = shares if is_rgb else matplotlib.colormaps[SIGNED](shares)[..., :3]
    rows = math.ceil(len(kernels) / COLUMNS)
    figure, (axis,) = _sheet([rows], 0.2, title)
    axis.imshow(_tiles(colours)[0], interpolation="nearest")
    return figure


def feature_sheet(image: Pixels, features: dict[str, Floats], title: str) -> Figure:
    """Draw what the layers make of one image: a row per layer, its 8 strongest maps.

    Args:
        image: uint8 `(height, width, 1 | 3)`.
        features: per layer float32 `(height, width, channels)`.
        title: the heading.
    """
    figure, (first, *others) = _sheet([1] * (1 + len(features)), 1.6, title)
    upright = np.asarray(_picture(image).convert("RGB"), np.float32)[None] / 255
    first.imshow(_tiles(upright)[0], interpolation="nearest")
    for axis, (name, maps) in zip(others, features.items(), strict=True):
        height, width, channels = maps.shape
        strongest = np.argsort(-np.abs(maps).mean(axis=(0, 1)), kind="stable")[:COLUMNS]
        tiles = np.moveaxis(maps[..., strongest], -1, 0)
        low = tiles.min(axis=(1, 2), keepdims=True)
        span = np.ptp(tiles, axis=(1, 2), keepdims=True)
        shares = np.divide(tiles - low, span, out=np.zeros_like(tiles), where=span > 0)
        row, middles = _tiles(matplotlib.colormaps[COLOURS](shares)[..., :3])
        axis.imshow(row, interpolation="nearest")
        axis.set_xticks(middles[: len(strongest)], [str(number) for number in strongest])
        axis.text(
            -0.01, 0.5, f"{name}\n{height} x {width} x {channels}", fontsize=9, color=INK,
            ha="right", va="center", transform=axis.transAxes, parse_math=False,
        )  # fmt: skip
    return figure


def save(picture: Image.Image | Figure, path: Path) -> None:
    """Write a picture as a PNG."""
    if isinstance(picture, Image.Image):
        picture.save(path, format="PNG")
        return
    FigureCanvasAgg(picture)
    with warnings.catch_warnings():  # a sign that its font lacks is drawn as a box
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        picture.savefig(path, format="png")


def _sheet(rows: list[int], margin: float, title: str) -> tuple[Figure, list[Any]]:
    """Make axes below each other, each for some rows of tiles of one inch."""
    height = 0.6 + 1.1 * sum(rows) + 0.15 * len(rows)
    width = margin + 1.1 * COLUMNS
    figure = Figure(figsize=(width, height), dpi=120)
    grid = figure.add_gridspec(
        len(rows), 1, height_ratios=rows, hspace=0.2,
        left=margin / width, right=1 - 0.1 / width, top=1 - 0.55 / height, bottom=0.1 / height,
    )  # fmt: skip
    figure.text(
        0.1 / width, 1 - 0.1 / height, naming.visible(title), va="top", fontsize=11,
        fontweight="bold", color=INK, parse_math=False,  # a $ in a name is a $
    )  # fmt: skip
    axes = [figure.add_subplot(grid[row]) for row in range(len(rows))]
    for axis in axes:
        axis.set(xticks=[], yticks=[], anchor="NW")
        axis.tick_params(axis="x", top=False, bottom=False, labeltop=True, labelbottom=False,
                         labelsize=7, labelcolor=MUTED, pad=1)  # fmt: skip
        axis.spines[:].set_visible(False)
    return figure, axes


def _tiles(pictures: npt.NDArray[np.floating[Any]]) -> tuple[Floats, npt.NDArray[np.float64]]:
    """Lay RGB pictures `(n, height, width, 3)` in rows of 8, with white gaps.

    Returns:
        float32 `(rows_height, row_width, 3)` in [0, 1], and where the middles of the columns are.
    """
    factor = max(1, -(-TILE_PX // pictures.shape[1]))  # so that a gap is as wide for small ones
    large = np.kron(pictures, np.ones((1, factor, factor, 1)))
    gap = max(large.shape[1:3]) // 10
    padded = np.pad(large, ((0, 0), (0, gap), (0, gap), (0, 0)), constant_values=1.0)
    missing = -len(padded) % COLUMNS
    padded = np.pad(padded, ((0, missing), (0, 0), (0, 0), (0, 0)), constant_values=1.0)
    count, height, width, _ = padded.shape
    rows = padded.reshape(count // COLUMNS, COLUMNS, height, width, 3).swapaxes(1, 2)
    laid = rows.reshape(count // COLUMNS * height, COLUMNS * width, 3).astype(np.float32)
    return laid, np.arange(COLUMNS) * width + (width - gap) / 2


def _picture(image: Pixels) -> Image.Image:
    return Image.fromarray(image[..., 0] if image.shape[2] == 1 else image)


def _wrapped(text: str, width: int, font: Any) -> list[str]:
    """Break text at spaces to lines that fit a width in px."""
    lines: list[str] = []
    for paragraph in text.splitlines():
        line = ""
        for word in paragraph.split(" "):
            longer = f"{line} {word}".strip()
            if line and font.getlength(longer) > width:
                lines.append(line)
                longer = word
            line = longer
        lines.append(line)
    return lines
