"""How one synthetic stained blood cell is drawn: pure functions of a look and a generator.

Light passes through stain: a pixel is `light * exp(-density)` (Beer-Lambert law), so every part of
the picture is a layer of optical density added to, or taken from, the cell. Lengths are in cell
radii unless they end in `_px`, so a cell looks alike at every crop size.
"""

import dataclasses

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from tfcnn.datasets.smears.marks import (
    DISTRACTORS,
    Canvas,
    Floats,
    Look,
    Rng,
    clouds,
    colour,
    ring,
    trophozoite,
)

# Weight and mean colour of a cell (red, green, blue) in each family of stain and camera, by eye
# after photographs of Giemsa-stained thin smears: salmon, rose, grey lilac, blue, magenta, violet.
STAIN_FAMILIES = (
    (0.38, (204, 150, 145)),
    (0.22, (196, 140, 152)),
    (0.20, (175, 163, 181)),
    (0.08, (158, 160, 186)),
    (0.06, (206, 126, 166)),
    (0.06, (156, 140, 176)),
)
CHROMATIN_ON_PINK = (148, 30, 108)
CHROMATIN_ON_BLUE = (112, 50, 165)
RADIUS_PX = (27.0, 50.0)
MASK_BLOCK_PX = 2  # the cell's outline is stepped, as after a segmentation at half the resolution


def draw_look(rng: Rng) -> Look:
    """Draw the look of one patient: stain, light, focus, noise, size and habits of the cells."""
    weights = np.array([weight for weight, _ in STAIN_FAMILIES])
    family = STAIN_FAMILIES[rng.choice(len(weights), p=weights / weights.sum())][1]
    usual = colour(STAIN_FAMILIES[0][1])
    cell = colour(family) + rng.uniform(0, 0.4) * (usual - family) + rng.normal(0, 6, 3)
    light = np.maximum(colour((232, 216, 198)) + rng.normal(0, 5, 3), cell + 14)
    blueness = np.clip((cell[2] - cell[0] + 40) / 70, 0, 1)
    chromatin = blueness * colour(CHROMATIN_ON_BLUE) + (1 - blueness) * colour(CHROMATIN_ON_PINK)
    chromatin = np.clip(chromatin + rng.normal(0, 20, 3), 15, 200)
    return Look(
        radius_px=float(rng.uniform(32, 44)),
        light=colour(light),
        cell_density=colour(np.log(light / cell)),
        chromatin_density=colour(np.log(cell / chromatin)),
        visibility=float(rng.uniform(0.65, 1.25)),
        ring_fraction=float(rng.beta(4, 1.2)),
        pallor=float(rng.beta(1.2, 2.5)),
        tatter=float(rng.exponential(0.25)),
        debris=float(rng.exponential(0.5)),
        speck_radius=float(rng.uniform(0.025, 0.065)),
        speck_strength=float(rng.uniform(0.15, 0.95)),
        platelets=float(rng.beta(1.2, 12)),
        blur_px=float(rng.uniform(0.4, 1.3)),
        noise=float(rng.uniform(0.7, 2.2)),
        vignette=float(rng.uniform(0.0, 0.08)),
    )


def draw_photograph(look: Look, rng: Rng) -> Look:
    """Draw one photograph of a patient: the same look under slightly other light and focus."""
    return dataclasses.replace(
        look,
        light=colour(look.light * rng.normal(1, 0.012) * rng.normal(1, 0.008, 3)),
        blur_px=max(0.3, look.blur_px + float(rng.normal(0, 0.12))),
    )


def draw_cell(
    look: Look, *, infected: bool, rng: Rng
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Draw one cell, cropped to its outline, on black.

    Args:
        look: what the cells of this photograph share.
        infected: whether the cell holds parasites (one to three).
        rng: the source of everything else; the same state draws the same cell.

    Returns:
        The picture, uint8, shape `(height, width, 3)`, and the mask of its parasites, uint8, shape
        `(height, width)`, 255 on a parasite and 0 elsewhere, all 0 where `infected` is false.
    """
    canvas, inside = _blank_cell(look, rng)
    _fold(canvas, rng)
    distractors = rng.permutation(
        ["platelet"] * int(rng.random() < look.platelets)
        + ["speck"] * int(rng.poisson(look.debris))
        + ["howell-jolly"] * int(rng.random() < 0.015)
        + ["dust"] * int(rng.random() < 0.06)
        + ["bubble"] * int(rng.random() < 0.04)
    )
    for name in distractors:
        DISTRACTORS[str(name)](canvas, look, rng)
    if infected:
        for _ in range(int(rng.choice([1, 2, 3], p=[0.74, 0.19, 0.07]))):
            draw = ring if rng.random() < look.ring_fraction else trophozoite
            draw(canvas, look, rng)
    picture = _expose(canvas, look, rng)
    picture[~inside] = 0
    return picture, np.where(canvas.parasite & inside, 255, 0).astype(np.uint8)


def _outline(look: Look, rng: Rng) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return directions and the outline's radius there: an ellipse, waves, spurs and tears."""
    angles = np.linspace(-np.pi, np.pi, 361)
    radius = np.ones_like(angles)
    for wave, size in ((2, 0.06), (3, 0.025), (4, 0.016), (5, 0.012), (7, 0.007)):
        radius += rng.normal(0, size) * np.cos(wave * angles + rng.uniform(0, 2 * np.pi))
    for _ in range(int(rng.poisson(0.15 + look.tatter))):  # scraps of neighbours left attached
        away = np.angle(np.exp(1j * (angles - rng.uniform(-np.pi, np.pi))))
        width = rng.uniform(0.05, 0.22)
        radius += rng.uniform(-0.2, 0.3) * np.exp(-(np.abs(away / width) ** rng.uniform(2, 6)))
    if rng.random() < look.tatter:
        ragged = ndimage.gaussian_filter1d(rng.normal(0, 1, angles.size), 3, mode="wrap")
        radius += 0.09 * ragged * np.clip(np.cos(angles - rng.uniform(0, 6.3)) + 0.4, 0, 1)
    radius[-1] = radius[0]
    return angles, np.clip(radius, 0.55, 1.5)


def _blank_cell(look: Look, rng: Rng) -> tuple[Canvas, NDArray[np.bool_]]:
    """Return an empty cell (outline, pallor, texture) and the pixels that are shown."""
    radius_px = float(np.clip(look.radius_px * rng.normal(1, 0.07), *RADIUS_PX))
    angles, outline = _outline(look, rng)
    xs, ys = outline * np.cos(angles) * radius_px, outline * np.sin(angles) * radius_px
    columns = np.arange(np.floor(xs.min()), np.ceil(xs.max())) + 0.5
    rows = np.arange(np.floor(ys.min()), np.ceil(ys.max())) + 0.5
    grids = np.meshgrid(columns / radius_px, rows / radius_px)
    x, y = (grid.astype(np.float32) for grid in grids)
    depth = np.interp(np.arctan2(y, x), angles, outline).astype(np.float32) - np.hypot(x, y)
    if rng.random() < 0.12 + 0.3 * look.tatter:  # a neighbour covered a bit of the cell
        away, size = rng.uniform(0, 2 * np.pi), rng.uniform(0.3, 1.0)
        reach = 1 + size - rng.uniform(0.1, 0.35)
        bite = np.hypot(x - reach * np.cos(away), y - reach * np.sin(away)) - size
        depth = np.minimum(depth, bite.astype(np.float32))
    blocks = depth[MASK_BLOCK_PX // 2 :: MASK_BLOCK_PX, MASK_BLOCK_PX // 2 :: MASK_BLOCK_PX] > 0
    stepped = blocks.repeat(MASK_BLOCK_PX, 0).repeat(MASK_BLOCK_PX, 1)
    inside = np.zeros(depth.shape, dtype=bool)
    inside[: stepped.shape[0], : stepped.shape[1]] = stepped[: depth.shape[0], : depth.shape[1]]
    canvas = Canvas(
        x, y, depth, 1 / radius_px, np.zeros((*x.shape, 3), np.float32), np.zeros_like(inside)
    )
    thickness = rng.normal(1, 0.05) * np.clip((depth - 0.015) / 0.06, 0, 1)
    thickness *= _pallor(canvas, look, rng) * (1 + 0.05 * clouds(x.shape, 7, rng))
    canvas.stain(thickness.astype(np.float32), look.cell_density * colour(rng.normal(1, 0.02, 3)))
    return canvas, inside


def _pallor(canvas: Canvas, look: Look, rng: Rng) -> Floats:
    """Return the factor on thickness of a cell that is thin in its middle."""
    strength = float(np.clip(look.pallor + rng.normal(0, 0.15), 0, 0.85))
    size, edge = rng.uniform(0.22, 0.48), rng.uniform(0.03, 0.2)
    centre = (float(rng.normal(0, 0.08)), float(rng.normal(0, 0.08)))
    distance, _ = canvas.polar(centre, float(rng.normal(1, 0.08)), float(rng.uniform(0, 3.14)))
    middle = 1 / (1 + np.exp((distance - size) / edge))
    factor = 1 - strength * middle + 0.12 * np.clip(distance - 0.5, 0, 0.5)
    return np.asarray(factor, dtype=np.float32)


def _fold(canvas: Canvas, rng: Rng) -> None:
    """Draw, on some cells, a crease: one straight band that is a little thicker or thinner."""
    if rng.random() > 0.08:
        return
    angle, away = rng.uniform(0, np.pi), rng.uniform(-0.6, 0.6)
    across = canvas.x * np.cos(angle) + canvas.y * np.sin(angle) - away
    bend = 0.25 * rng.normal() * (canvas.y * np.cos(angle) - canvas.x * np.sin(angle)) ** 2
    band = np.exp(-(((across - bend) / rng.uniform(0.03, 0.1)) ** 2)).astype(np.float32)
    canvas.thin(band, float(rng.uniform(-0.35, 0.35)))


def _expose(canvas: Canvas, look: Look, rng: Rng) -> NDArray[np.uint8]:
    """Send light through the stain, blur it as the lens does and add the camera's noise."""
    towards, off_axis = rng.uniform(0, 2 * np.pi), float(np.sqrt(rng.random()))
    along = canvas.x * float(np.cos(towards)) + canvas.y * float(np.sin(towards))
    shade = 1 - look.vignette * (off_axis + 0.15 * along) ** 2
    picture = look.light * np.exp(-canvas.density) * shade[..., None]
    blur_px = max(0.3, look.blur_px + float(rng.normal(0, 0.1)))
    picture = ndimage.gaussian_filter(picture, (blur_px, blur_px, 0), truncate=3)
    picture += look.noise * rng.standard_normal(picture.shape, dtype=np.float32)
    picture = np.clip(np.rint(picture), 1, 255)  # 0 is kept for what is not the cell
    return np.asarray(picture, dtype=np.uint8)
