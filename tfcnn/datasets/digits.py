"""scikit-learn's 1,797 real handwritten digits of 8x8 px (UCI Optical Recognition of Digits)."""

from pathlib import Path

import numpy as np

from tfcnn.base import atomic
from tfcnn.base.errors import InputError
from tfcnn.datasets import ArraySource, Item, Progress, Source
from tfcnn.datasets._arrays import read_npz

IS_LOCAL = True  # nothing to fetch: made from what is installed
FILE = "digits.npz"


def download(folder: Path, *, mirror: str | None = None, progress: Progress | None = None) -> None:
    """Write the digits that scikit-learn carries to `digits.npz`.

    Raises:
        InputError: if a mirror is named, since nothing is fetched.
    """
    if mirror is not None:
        raise InputError("digits", "no --from", mirror, "leaving it out: scikit-learn carries them")
    if (folder / FILE).exists():
        return
    from sklearn.datasets import load_digits

    digits = load_digits()
    # the pixels are counts 0..16 of a 4x4 block, spread here over [0, 255]
    images = np.round(digits.images * (255 / 16)).astype(np.uint8)
    with atomic.writing(folder / FILE) as part:
        np.savez(part, images=images, labels=digits.target.astype(np.uint8))


def open_source(folder: Path) -> Source:
    """List the digits; there is no official split.

    Raises:
        InputError: if they have not been written, or are damaged.
    """
    path = folder / FILE
    if not path.is_file():
        raise InputError(folder, "the data set digits", f"no {FILE}", "`tfcnn download digits`")
    arrays = read_npz(path, ("images", "labels"))
    labels = arrays["labels"].tolist()
    items = tuple(Item(f"all/{index:05d}", str(label)) for index, label in enumerate(labels))
    return ArraySource("digits", path, items, store=folder, arrays={"all": arrays["images"]})
