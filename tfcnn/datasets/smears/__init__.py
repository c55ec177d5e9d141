"""Synthetic stained blood cells drawn by tfcnn, with known parasites: not real, no download."""

import datetime
import math
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import special

from tfcnn.base import atomic
from tfcnn.base.errors import InputError
from tfcnn.datasets import Progress, Source, _parasites
from tfcnn.datasets import folder as class_folders

IS_LOCAL = True  # drawn where it is needed: nothing to fetch

GROUP_REGEX = r"^(C\d+)"
POSITIVE = "Parasitized"
NEGATIVE = "Uninfected"
IMAGES = "cell_images"
SYNTHETIC = "synthetic pictures drawn by tfcnn, not photographs of real cells"

# what a reader of results must know; see `datasets.part`
positive_limit = _parasites.positive_limit
group_caveat = _parasites.group_caveat

HEALTHY_FRACTION = 0.25  # 50 of the 200 patients in the NIH archive
SKEW = 0.6  # standard deviation of the logarithm of a patient's number of cells
MOST_CELLS = 4.0  # times the median
PREFIXES = (  # the archive's spellings vary; only what GROUP_REGEX reads is to be relied on
    *("C{0}P{1}ThinF",) * 6,
    "C{0}P{1}thinF",
    "C{0}_thinF",
    "C{0}NThinF",
    "C{0}P{1}N_ThinF",
    "C{0}P{1}ReThinF",
    "C{0}BP{1}_thinF",
    "C{0}thin_original",
)
README = """# Synthetic blood cells, drawn by tfcnn

These pictures are drawn by a program (`tfcnn/datasets/smears/`). They are **not photographs of
real cells**, and nothing learnt or measured on them says anything about a patient: not for
diagnosis.

- `cell_images/{positive}`, `cell_images/{negative}`: the pictures, in the folder of the label they
  are given. The patient is the start of the file name, `{regex}`.
- `masks/`: for each cell that truly holds parasites a picture of its file name, 255 on a parasite.
- `truth.csv`: path, true label, given label and patient of every picture.

{count} pictures of {patients} patients, made with seed {seed}, cells_per_patient {cells},
wrong_label_fraction {wrong} and label_correlation {correlation}.
"""


@dataclass(frozen=True)
class _Cell:
    """One picture to draw: its file name, whose it is, and whether it holds parasites."""

    name: str
    patient: int
    photograph: int
    number: int
    infected: bool


def generate(
    folder: Path,
    *,
    seed: int = 0,
    num_patients: int = 60,
    cells_per_patient: int = 34,
    wrong_label_fraction: float = 0.0,
    label_correlation: float = 0.5,
    progress: Progress | None = None,
) -> None:
    """Draw a data set of stained blood cells, laid out and named as NIH's malaria archive is.

    The same arguments give the same bytes in any process and folder. Pictures do not depend on
    `wrong_label_fraction`, which only moves some of them to the other class folder.

    Args:
        folder: where to write `cell_images/`, `masks/`, `truth.csv` and `README.md`. It appears
            whole or not at all.
        seed: 0 or more; another seed is another set of patients.
        num_patients: at least 1. A quarter of them is healthy (fewer where `label_correlation` is
            under one half).
        cells_per_patient: median of a skewed distribution, at least 1.
        wrong_label_fraction: share of all pictures put in the wrong class folder, in [0, 1].
        label_correlation: intraclass correlation of the true label over patients, in [0, 0.95]: 0
            is the same share of infected cells in every patient; towards 1 the patient, whom a
            network can recognise by stain, light and focus, gives the label away.
        progress: called with (pictures drawn, pictures in all).

    Raises:
        InputError: if an argument is out of its range, or `folder` exists and is not empty.
    """
    _check_range("seed", seed, 0, math.inf)
    _check_range("num_patients", num_patients, 1, 9999)
    _check_range("cells_per_patient", cells_per_patient, 1, 9999)
    _check_range("wrong_label_fraction", wrong_label_fraction, 0, 1)
    _check_range("label_correlation", label_correlation, 0, 0.95)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(folder, "no such folder yet", "one that holds files", "another folder")
    cells = _plan(seed, num_patients, cells_per_patient, label_correlation)
    wrong = _choose_wrong(seed, len(cells), wrong_label_fraction)
    with atomic.writing(folder) as part:
        _draw_all(part, cells, wrong, seed, progress)
        _write_truth(part / "truth.csv", cells, wrong)
        text = README.format(
            positive=POSITIVE,
            negative=NEGATIVE,
            regex=GROUP_REGEX,
            count=len(cells),
            patients=num_patients,
            seed=seed,
            cells=cells_per_patient,
            wrong=wrong_label_fraction,
            correlation=label_correlation,
        )
        (part / "README.md").write_text(text, encoding="utf-8")


def intended_use(summary: str) -> str:
    """Say what a model of these images is for; `summary` counts the images."""
    return (
        f"Learning and testing tfcnn. The images are synthetic, drawn by a program "
        f"({summary}): the figures say nothing about real cells."
    )


def download(folder: Path, *, mirror: str | None = None, progress: Progress | None = None) -> None:
    """Draw the default data set into `folder`; one that is there already is kept.

    Raises:
        InputError: if a mirror is named: there is nothing to download.
    """
    if mirror is not None:
        raise InputError(mirror, "no mirror for smears", "one", "without --from: smears are drawn")
    if not (folder / "truth.csv").is_file():  # generate writes whole folders only
        generate(folder, progress=progress)


def open_source(folder: Path) -> Source:
    """List the drawn cells.

    Raises:
        InputError: if the drawing was not finished.
    """
    if not (folder / "truth.csv").is_file():
        raise InputError(folder, "drawn cells", "none", "`tfcnn download smears`")
    source = class_folders.open_source(
        folder / IMAGES,
        name="smears",
        group_regex=GROUP_REGEX,
        positive=POSITIVE,
        nouns=("cells", "patients"),
    )
    return replace(source, notes=(SYNTHETIC, *source.notes), store=folder)


def _check_range(name: str, value: float, least: float, most: float) -> None:
    if not least <= value <= most:
        raise InputError(name, f"a number in [{least}, {most}]", f"{value}", "one in that range")


def _rng(seed: int, *keys: int) -> np.random.Generator:
    """Return a generator that depends on (seed, keys) alone, so pictures can be drawn in any order.

    The first key says what is drawn: 0 the plan, 1 a patient, 2 a photograph, 3 a cell, 4 labels.
    """
    return np.random.default_rng([seed, *keys])


def _infected_shares(num_patients: int, correlation: float) -> NDArray[np.float64]:
    """Return evenly spread quantiles of the patients' share of infected cells, mean one half.

    A share q of patients is healthy; the others follow a Beta distribution of mean
    m = 1 / (2 (1 - q)) and variance (1 + correlation) / (4 (1 - q)) - m^2, so that the variance
    between patients over that of a coin, 1/4, is the intraclass correlation asked for.
    """
    healthy = min(HEALTHY_FRACTION, correlation / 2)
    shares = np.zeros(num_patients)
    num_healthy = round(healthy * num_patients)
    mean = 1 / (2 * (1 - healthy))
    variance = (1 + correlation) / (4 * (1 - healthy)) - mean**2
    quantiles = (np.arange(num_patients - num_healthy) + 0.5) / (num_patients - num_healthy)
    concentration = mean * (1 - mean) / max(variance, 1e-6) - 1
    shares[num_healthy:] = special.betaincinv(
        mean * concentration, (1 - mean) * concentration, quantiles
    )
    return shares


def _plan(seed: int, num_patients: int, median: int, correlation: float) -> list[_Cell]:
    """Decide whose cells there are, on which photographs, and which of them hold parasites."""
    rng = _rng(seed, 0)
    shares = rng.permutation(_infected_shares(num_patients, correlation))
    normals = special.ndtri((np.arange(num_patients) + 0.5) / num_patients)
    sizes = median * np.minimum(np.exp(SKEW * rng.permutation(normals)), MOST_CELLS)
    cells = []
    for patient, (share, size) in enumerate(zip(shares, sizes, strict=True), start=1):
        count = max(1, round(size))
        infected = rng.permutation(np.arange(count) < round(share * count))
        cells += _plan_patient(seed, patient, infected)
    return cells


def _plan_patient(seed: int, patient: int, infected: NDArray[np.bool_]) -> list[_Cell]:
    """Spread one patient's cells over photographs and name them."""
    rng = _rng(seed, 1, patient, 0)
    prefix = str(rng.choice(PREFIXES)).format(patient, patient + int(rng.integers(3, 40)))
    moment = datetime.datetime(2015, 6, 1, 10) + datetime.timedelta(
        days=int(rng.integers(0, 180)), seconds=int(rng.integers(0, 6 * 3600))
    )
    photographs = np.sort(rng.integers(0, 1 + infected.size // 6, infected.size))
    cells = []
    for number, photograph in enumerate(photographs.tolist()):
        taken = moment + datetime.timedelta(seconds=47 * photograph)
        name = f"{prefix}_IMG_{taken:%Y%m%d_%H%M%S}_cell_{number + 1}.png"
        cells.append(_Cell(name, patient, photograph, number, bool(infected[number])))
    return cells


def _choose_wrong(seed: int, count: int, fraction: float) -> NDArray[np.bool_]:
    """Choose exactly a share of the pictures, at random."""
    wrong = np.arange(count) < round(fraction * count)
    return _rng(seed, 4).permutation(wrong)


def _label(positive: bool) -> str:
    return POSITIVE if positive else NEGATIVE


def _draw_all(
    part: Path, cells: list[_Cell], wrong: NDArray[np.bool_], seed: int, progress: Progress | None
) -> None:
    from tfcnn.datasets.smears import render

    for name in (f"{IMAGES}/{POSITIVE}", f"{IMAGES}/{NEGATIVE}", "masks"):
        (part / name).mkdir(parents=True)
    look_of: tuple[int, int] | None = None
    for index, cell in enumerate(cells):
        if look_of != (cell.patient, cell.photograph):
            look_of = (cell.patient, cell.photograph)
            patient_look = render.draw_look(_rng(seed, 1, cell.patient, 1))
            look = render.draw_photograph(patient_look, _rng(seed, 2, *look_of))
        rng = _rng(seed, 3, cell.patient, cell.number)
        picture, mask = render.draw_cell(look, infected=cell.infected, rng=rng)
        label = _label(cell.infected != bool(wrong[index]))
        Image.fromarray(picture).save(part / IMAGES / label / cell.name, compress_level=1)
        if cell.infected:
            Image.fromarray(mask).save(part / "masks" / cell.name, compress_level=1)
        if progress is not None:
            progress(index + 1, len(cells))


def _write_truth(path: Path, cells: list[_Cell], wrong: NDArray[np.bool_]) -> None:
    """Write one row per picture, in the order of the paths."""
    rows = []
    for cell, is_wrong in zip(cells, wrong.tolist(), strict=True):
        label = _label(cell.infected != is_wrong)
        path_in_set = f"{IMAGES}/{label}/{cell.name}"
        rows.append((path_in_set, _label(cell.infected), label, f"C{cell.patient}"))
    header = ("path", "true_label", "given_label", "patient")
    path.write_text(atomic.csv_text(header, sorted(rows)), encoding="utf-8")
