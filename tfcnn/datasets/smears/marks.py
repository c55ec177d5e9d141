"""What lies on a synthetic blood cell: parasites, and the things that are taken for them.

Every function here adds one mark to a canvas. Lengths are in cell radii.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Floats = NDArray[np.float32]
Rng = np.random.Generator

PIGMENT_DENSITY = (0.5, 0.75, 0.9)  # malaria pigment (haemozoin) is brown-black


def colour(values: object) -> Floats:
    """Return numbers as float32."""
    return np.asarray(values, dtype=np.float32)


def clouds(shape: tuple[int, ...], cells: int, rng: Rng) -> Floats:
    """Return smooth noise of unit spread: a coarse grid of normals, enlarged."""
    coarse = Image.fromarray(rng.normal(0, 1, (cells, cells)).astype(np.float32))
    return np.asarray(coarse.resize((shape[1], shape[0]), Image.Resampling.BICUBIC))


@dataclass(frozen=True)
class Look:
    """What the cells of one patient, or of one photograph, have in common.

    Attributes:
        radius_px: mean radius of a cell in pixels.
        light: colour of the empty slide, float32 (3,) in [0, 255].
        cell_density: optical density of a cell per channel, float32 (3,).
        chromatin_density: the same for a parasite's nucleus, float32 (3,).
        visibility: factor on the density of parasites; 1 is a well-stained slide.
        ring_fraction: share of parasites that are ring forms; the others are late trophozoites.
        pallor: how much thinner a cell is in its centre, in [0, 1].
        tatter: how torn the outlines are; 0 is smooth.
        debris: mean number of stain specks on a cell.
        speck_radius: their typical radius.
        speck_strength: their density as a factor on `chromatin_density`.
        platelets: share of cells with a platelet lying on them.
        blur_px: standard deviation of the defocus in pixels.
        noise: standard deviation of the camera's noise in levels of 255.
        vignette: loss of light at the corner of the photograph, in [0, 1].
    """

    radius_px: float
    light: Floats
    cell_density: Floats
    chromatin_density: Floats
    visibility: float
    ring_fraction: float
    pallor: float
    tatter: float
    debris: float
    speck_radius: float
    speck_strength: float
    platelets: float
    blur_px: float
    noise: float
    vignette: float


@dataclass
class Canvas:
    """The cell being drawn: coordinates in radii, density so far, and where parasites lie."""

    x: Floats
    y: Floats
    depth: Floats  # distance to the outline, positive inside
    pixel: float  # size of a pixel in radii
    density: Floats
    parasite: NDArray[np.bool_]

    def near(self, centre: tuple[float, float], reach: float) -> "Canvas":
        """Return the window around a point, as views: what is drawn there is drawn here."""
        rows = slice(*np.searchsorted(self.y[:, 0], (centre[1] - reach, centre[1] + reach)))
        columns = slice(*np.searchsorted(self.x[0], (centre[0] - reach, centre[0] + reach)))
        window = (rows, columns)
        return Canvas(
            self.x[window],
            self.y[window],
            self.depth[window],
            self.pixel,
            self.density[window],
            self.parasite[window],
        )

    def cover(self, inside: NDArray[np.floating], softness: float = 1.0) -> Floats:
        """Turn a signed distance (positive inside) into coverage with an antialiased edge."""
        coverage = np.clip(inside / (self.pixel * softness) + 0.5, 0, 1)
        return np.asarray(coverage, dtype=np.float32)

    def polar(
        self, centre: tuple[float, float], stretch: float, angle: float
    ) -> tuple[Floats, Floats]:
        """Return distance and direction from `centre` in an ellipse's own coordinates."""
        dx, dy = self.x - np.float32(centre[0]), self.y - np.float32(centre[1])
        cos, sin = np.float32(np.cos(angle)), np.float32(np.sin(angle))
        along, across = (dx * cos + dy * sin) / stretch, (dy * cos - dx * sin) * stretch
        return np.hypot(along, across), np.arctan2(across, along)

    def stain(self, coverage: Floats, density: Floats) -> None:
        """Add a layer of stain."""
        self.density += coverage[..., None] * density

    def thin(self, coverage: Floats, share: float) -> None:
        """Take away a share of what lies there, as a vacuole does."""
        self.density *= 1 - np.float32(share) * coverage[..., None]


def _place(canvas: Canvas, margin: float, rng: Rng) -> tuple[float, float]:
    """Return a point at least about `margin` inside the outline."""
    rows, columns = np.nonzero(canvas.depth > min(margin, float(canvas.depth.max()) * 0.8))
    chosen = int(rng.integers(rows.size))
    return (
        float(canvas.x[rows[chosen], columns[chosen]]),
        float(canvas.y[rows[chosen], columns[chosen]]),
    )


def ring(canvas: Canvas, look: Look, rng: Rng) -> None:
    """Draw a ring form: a pale vacuole, a thin ring around it, one or two dots of chromatin."""
    centre = _place(canvas, float(rng.uniform(0.04, 0.3)), rng)
    radius, towards = float(rng.uniform(0.15, 0.26)), float(rng.uniform(-np.pi, np.pi))
    strength = np.float32(look.visibility * rng.lognormal(0, 0.3))
    near = canvas.near(centre, 0.5)
    distance, direction = near.polar(centre, float(rng.uniform(1, 1.25)), towards)
    near.thin(near.cover(radius - distance, 2), float(rng.uniform(0, 0.4)))
    width = 0.03 + 0.035 * rng.random() * (1 - np.cos(direction - rng.normal(0, 0.6)))
    arc = np.clip(0.65 + 0.5 * np.cos(direction - rng.uniform(-np.pi, np.pi)), 0.1, 1)
    band = near.cover(width - np.abs(distance - radius), 1.5) * arc
    near.stain(band, strength * rng.uniform(0.12, 0.5) * look.chromatin_density)
    near.parasite |= distance < radius + 0.04
    for number in range(1 + int(rng.random() < 0.25)):
        turn = towards + number * rng.uniform(0.6, 3.1)
        reach = radius * rng.uniform(0.8, 1.15)
        dot = (centre[0] + reach * np.cos(turn), centre[1] + reach * np.sin(turn))
        _chromatin(canvas, look, dot, float(rng.uniform(0.07, 0.12)), strength, rng)


def _chromatin(
    canvas: Canvas,
    look: Look,
    centre: tuple[float, float],
    radius: float,
    strength: np.float32,
    rng: Rng,
) -> None:
    """Draw a parasite's nucleus: a dense dot, a little longer than wide."""
    near = canvas.near(centre, 0.3)
    distance, _ = near.polar(centre, float(rng.uniform(1, 1.4)), float(rng.uniform(0, np.pi)))
    near.stain(near.cover(radius - distance, 2), strength * look.chromatin_density)
    near.parasite |= distance < radius + 0.02


def trophozoite(canvas: Canvas, look: Look, rng: Rng) -> None:
    """Draw a late trophozoite: a larger amoeboid body with nucleus, vacuole and brown pigment."""
    centre = _place(canvas, float(rng.uniform(0.25, 0.5)), rng)
    radius, strength = float(rng.uniform(0.26, 0.45)), np.float32(look.visibility)
    near = canvas.near(centre, 0.9)
    distance, direction = near.polar(centre, float(rng.uniform(1, 1.4)), float(rng.uniform(0, 3)))
    edge = np.full_like(distance, radius)
    for wave in (2, 3, 5):
        edge *= 1 + rng.normal(0, 0.12) * np.cos(wave * direction + rng.uniform(0, 6.3))
    body = near.cover(edge - distance, 3) * (1 + 0.35 * clouds(distance.shape, 14, rng))
    tint = 0.28 * look.chromatin_density + colour((0.14, 0.06, 0))
    near.stain(np.clip(body, 0, 2), strength * rng.uniform(0.6, 1.1) * tint)
    near.parasite |= distance < edge
    for size in (rng.uniform(0.08, 0.14), rng.uniform(0.04, 0.09)):
        spot = _beside(centre, radius / 2.5, rng)
        hole, _ = near.polar(spot, float(rng.uniform(1, 1.5)), float(rng.uniform(0, 3)))
        near.thin(near.cover(size - hole, 3), 0.5)
    nucleus = _beside(centre, radius / 2, rng)
    _chromatin(canvas, look, nucleus, float(rng.uniform(0.09, 0.16)), strength, rng)
    for _ in range(int(rng.integers(3, 9))):
        grain = _beside(centre, radius / 3, rng)
        around = canvas.near(grain, 0.1)
        dot = around.cover(0.03 - around.polar(grain, 1, 0)[0], 1.5)
        around.stain(dot, strength * colour(PIGMENT_DENSITY))


def _beside(centre: tuple[float, float], spread: float, rng: Rng) -> tuple[float, float]:
    return centre[0] + float(rng.normal(0, spread)), centre[1] + float(rng.normal(0, spread))


def _platelet(canvas: Canvas, look: Look, rng: Rng) -> None:
    """Draw a platelet lying on the cell: granular, frayed, in a pale halo; some look like rings."""
    centre, radius = _place(canvas, 0.1, rng), float(rng.uniform(0.11, 0.24))
    near = canvas.near(centre, 0.5)
    distance, direction = near.polar(centre, float(rng.uniform(1, 1.35)), float(rng.uniform(0, 3)))
    edge = radius * (1 + 0.12 * np.cos(3 * direction + rng.uniform(0, 6.3)))
    near.thin(near.cover(edge + 0.07 - distance, 3), 0.3)
    body = near.cover(edge - distance, 4)
    if rng.random() < 0.25:
        body = body * np.clip(distance / radius, 0.15, 1) ** 2
    grain = np.clip(1 + 0.5 * clouds(distance.shape, 8, rng), 0, 2)
    near.stain(body * grain, np.float32(rng.uniform(0.2, 0.55)) * look.chromatin_density)


def _speck(canvas: Canvas, look: Look, rng: Rng) -> None:
    """Draw precipitated stain: a small angular grain, as dark as chromatin or paler."""
    centre, radius = _place(canvas, 0.0, rng), look.speck_radius * float(rng.lognormal(0, 0.2))
    near = canvas.near(centre, 0.25)
    distance, direction = near.polar(centre, float(rng.uniform(1, 1.9)), float(rng.uniform(0, 3)))
    edge = radius * (1 + 0.15 * np.cos(3 * direction + rng.uniform(0, 6.3)))
    strength = np.float32(look.speck_strength * rng.lognormal(0, 0.2))
    tint = look.chromatin_density * colour(rng.normal(1, 0.1, 3))
    near.stain(near.cover(edge - distance, 1.5), strength * tint)


def _howell_jolly(canvas: Canvas, look: Look, rng: Rng) -> None:
    """Draw a Howell-Jolly body: a leftover of the cell's own nucleus, one smooth round dot."""
    centre = _place(canvas, 0.12, rng)
    near = canvas.near(centre, 0.2)
    dot = near.cover(float(rng.uniform(0.05, 0.085)) - near.polar(centre, 1, 0)[0], 2)
    near.stain(dot, np.float32(rng.uniform(0.6, 0.9)) * look.chromatin_density)


def _dust(canvas: Canvas, look: Look, rng: Rng) -> None:
    """Draw dust above the slide: a grey speck far out of focus."""
    radius, centre = float(rng.uniform(0.08, 0.3)), _place(canvas, 0.0, rng)
    distance, _ = canvas.polar(centre, float(rng.uniform(1, 1.5)), float(rng.uniform(0, 3)))
    grey = colour((0.2, 0.24, 0.22)) * np.float32(rng.uniform(0.5, 1.5))
    canvas.stain(np.exp(-((distance / radius) ** 2)), grey)


def _bubble(canvas: Canvas, look: Look, rng: Rng) -> None:
    """Draw a drop that bends light: a bright spot in a dark rim, without any purple."""
    radius, centre = float(rng.uniform(0.05, 0.13)), _place(canvas, 0.1, rng)
    near = canvas.near(centre, 0.25)
    distance, _ = near.polar(centre, 1, 0)
    near.thin(near.cover(radius - distance, 2), 0.8)
    near.stain(near.cover(0.03 - np.abs(distance - radius), 2), 0.5 * look.cell_density)


DISTRACTORS = {
    "platelet": _platelet,
    "speck": _speck,
    "howell-jolly": _howell_jolly,
    "dust": _dust,
    "bubble": _bubble,
}
