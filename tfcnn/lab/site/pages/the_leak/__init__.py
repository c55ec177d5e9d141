"""A split by image leaks what a split by patient does not."""

import functools
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tfcnn.lab.inside.cohort import Cohort
    from tfcnn.runs import Run

TITLE = "The leak"
LEAD = (
    "Let the cells of one patient into training and into test, and the figure flatters. Train "
    "the model yourself and see by how much."
)
ORDER = 100
SLIDES = ("CNN on Custom Images",)
PART = "cohort"


def data(run: "Run | None") -> dict[str, Any]:
    """Return whose the cells are, and which are infected; their pixels are a part."""
    from tfcnn.lab.inside import cohort

    known, new = _cohorts()
    return {
        "side": cohort.SIDE,
        "patients": known.patients.tolist(),
        "infected": known.infected.astype(int).tolist(),
        "new_infected": new.infected.astype(int).tolist(),
        "new_patients": cohort.NEW_PATIENTS,
    }


def parts(run: "Run | None") -> dict[str, bytes]:
    """Return the pixels of all cells, those of new patients last."""
    return {PART: b"".join(cohort.pixels.tobytes() for cohort in _cohorts())}


@functools.lru_cache(maxsize=1)
def _cohorts() -> "tuple[Cohort, Cohort]":
    from tfcnn.lab.inside import cohort

    known = cohort.draw(cohort.SEED, cohort.PATIENTS, cohort.CELLS)
    return known, cohort.draw(cohort.SEED + 1, cohort.NEW_PATIENTS, cohort.NEW_CELLS)
