"""Drawn cells of drawn patients, small, for a page on a split that leaks.

A patient's cells share stain, light and focus. Most cells of every second patient are infected, and
few of the others': so a model that recognises the patient knows much of the answer.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

from tfcnn.datasets.smears import render

SIDE = 24  # px
PATIENTS, CELLS = 12, 20  # of each
NEW_PATIENTS, NEW_CELLS = 20, 10
SHARES = (0.15, 0.85)  # of infected cells, of every second patient
SEED = 1


class Cohort(NamedTuple):
    """Cells of patients.

    Attributes:
        pixels: uint8 `(cells, height, width, 3)`, on black.
        infected: bool `(cells,)`.
        patients: int `(cells,)`.
    """

    pixels: npt.NDArray[np.uint8]
    infected: npt.NDArray[np.bool_]
    patients: npt.NDArray[np.int64]


def draw(seed: int, patients: int, cells: int) -> Cohort:
    """Draw a cohort; the same seed draws the same one."""
    pixels, infected = [], []
    for patient in range(patients):
        rng = np.random.default_rng([seed, patient])
        look = render.draw_look(rng)
        for _ in range(cells):
            is_infected = bool(rng.random() < SHARES[patient % 2])
            photograph = render.draw_photograph(look, rng)
            cell, _ = render.draw_cell(photograph, infected=is_infected, rng=rng)
            small = Image.fromarray(cell).resize((SIDE, SIDE), Image.Resampling.BILINEAR)
            pixels.append(np.asarray(small))
            infected.append(is_infected)
    return Cohort(np.stack(pixels), np.array(infected), np.repeat(np.arange(patients), cells))
