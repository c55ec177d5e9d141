"""Near copies: one picture saved again, resized, made brighter or darker, mirrored or turned.

Two images are near copies if their thumbnails are alike twice: in their frequencies, and in their
detail. Brightness and contrast do not count. The best of the eight ways to mirror and turn one of
them is taken.

* The frequencies are those of the cosine transform, the coarse ones weighted less. A mirror image
  changes signs only, and a turned one exchanges rows and columns too. Values that do not tell these
  apart are compared for all pairs by one matrix product. No pair is lost, as these values never
  differ by more than the frequencies do.
* The detail is what differs from the mean around it, cut at twice its median: else the outline of a
  cell would count more than all that is in the cell.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tfcnn.datasets import Progress
from tfcnn.manifest.looks import Thumb

FREQUENCIES = 20  # of a thumbnail's 32 along each side: the finest do not survive resizing
# least correlation of near copies, of frequencies and of detail; benchmarks/check.py
# measures what is found
LEAST, LEAST_DETAIL = 0.90, 0.89
# of the frequencies of images that have no more pixels than a thumbnail: two digits by hand may be
# that much alike
LEAST_SMALL = 0.97
AROUND_PX = 5  # of a thumbnail: detail is what differs from the mean of so many each way
MOST_DETAIL = 2.0  # medians
LEAST_MEDIAN = 0.5  # grey levels: less is the rounding of pixels
MOST_IMAGES = 100_000  # each with each: 40 s on 2 cores, and four times that for twice as many
MOST_PAIRS = 1_000_000  # that are compared in detail, 40 s; or else frames of a video take hours
BLOCK = 1024  # images that are worked on at once
PRODUCTS = 2**24  # that are computed at once: 64 MB
PAIRS = 4096  # pairs that are looked at at once
FLAT = 2.0  # standard deviation in grey levels below which a thumbnail shows nothing
Floats = npt.NDArray[np.float32]
# signs of the sums over even and odd rows and columns in each of the four mirror images
MIRRORS = np.array([[1, 1, 1, 1], [1, -1, 1, -1], [1, 1, -1, -1], [1, -1, -1, 1]], np.float32)


@dataclass(frozen=True)
class Pair:
    """Two near copies.

    Attributes:
        first: number of an image.
        second: number of another, greater.
        likeness: the correlation of their detail, at most 1.
    """

    first: int
    second: int
    likeness: float


def pairs(
    thumbs: Sequence[Thumb], is_small: npt.NDArray[np.bool_], progress: Progress | None = None
) -> tuple[list[Pair], bool]:
    """Return the near copies among images, in their order, and whether these are all.

    They are not all where over a million pairs are alike by their frequencies. An image that is
    nearly of one colour is a near copy of nothing.

    Args:
        thumbs: of each image its luma, uint8 `(32, 32)`.
        is_small: of each image whether its short side is at most that of a thumbnail.
        progress: called with (images compared with all others, of how many).
    """
    if len(thumbs) < 2:
        return [], True
    spectra, shown = _spectra(thumbs)
    found: list[Pair] = []
    num_compared = 0
    for one, other in _candidates(_unturned(spectra), progress):
        likeness = _likeness(spectra[one], spectra[other])
        are_small = is_small[shown[one]] & is_small[shown[other]]
        is_like = likeness >= np.where(are_small, LEAST_SMALL, LEAST)
        ones, others = shown[one[is_like]], shown[other[is_like]]
        num_compared += len(ones)
        if num_compared > MOST_PAIRS:
            return _sorted(found), False
        detail = _likeness_of_detail(thumbs, ones, others)
        found += [
            Pair(int(ones[i]), int(others[i]), min(1.0, float(detail[i])))
            for i in np.flatnonzero(detail >= LEAST_DETAIL)
        ]
    return _sorted(found), True


def _sorted(found: list[Pair]) -> list[Pair]:
    return sorted(found, key=lambda pair: (pair.first, pair.second))


def _spectra(thumbs: Sequence[Thumb]) -> tuple[Floats, npt.NDArray[np.int64]]:
    """Return the weighted frequencies of the thumbnails that show something, and which these are.

    Each is float32 `(20, 20)` of length 1. A frequency counts by its distance from 0.
    """
    from scipy.fft import dctn  # late: slow to load

    along = np.arange(FREQUENCIES, dtype=np.float32)
    weights = np.hypot(along[:, None], along[None])
    parts, shown = [], []
    for start in range(0, len(thumbs), BLOCK):
        grey = np.stack(thumbs[start : start + BLOCK]).astype(np.float32)
        places = np.flatnonzero(grey.std(axis=(1, 2)) >= FLAT)
        spectra = dctn(grey[places], axes=(1, 2), norm="ortho")[:, :FREQUENCIES, :FREQUENCIES]
        spectra = spectra * weights
        parts.append(spectra / np.linalg.norm(spectra, axis=(1, 2), keepdims=True))
        shown.append(start + places)
    return np.concatenate(parts).astype(np.float32), np.concatenate(shown)


def _unturned(spectra: Floats) -> Floats:
    """Return float32 `(images, 400)`: values that are the same however an image is turned."""
    upper = np.triu_indices(FREQUENCIES)
    lower = np.triu_indices(FREQUENCIES, 1)
    values = np.empty((len(spectra), FREQUENCIES**2), np.float32)
    for start in range(0, len(spectra), BLOCK):
        rows = slice(start, start + BLOCK)
        sizes = np.abs(spectra[rows])
        turned = sizes.transpose(0, 2, 1)
        greater, lesser = np.maximum(sizes, turned), np.minimum(sizes, turned)
        np.concatenate([greater[:, *upper], lesser[:, *lower]], axis=1, out=values[rows])
    return values


def _likeness_of_detail(
    thumbs: Sequence[Thumb], ones: npt.NDArray[np.int64], others: npt.NDArray[np.int64]
) -> Floats:
    """Return the greatest correlation of detail over mirrored and turned copies, for each pair."""
    if not len(ones):
        return np.empty(0, np.float32)
    one, other = (_detail([thumbs[i] for i in numbers]) for numbers in (ones, others))
    best = np.full(len(one), -1.0, np.float32)
    for turned in (other, other.transpose(0, 2, 1)):
        for axes in ((), (1,), (2,), (1, 2)):
            alike = np.einsum("nij,nij->n", one, np.flip(turned, axes))
            best = np.maximum(best, alike)
    return best


def _detail(thumbs: Sequence[Thumb]) -> Floats:
    """Return the detail of thumbnails, float32 `(thumbnails, 32, 32)`, each of length 1."""
    from scipy.ndimage import uniform_filter  # late: slow to load

    grey = np.stack(thumbs).astype(np.float32)
    detail = grey - uniform_filter(grey, (0, AROUND_PX, AROUND_PX), mode="nearest")
    median = np.median(np.abs(detail), axis=(1, 2), keepdims=True)
    limit = MOST_DETAIL * np.maximum(median, LEAST_MEDIAN)
    detail = np.clip(detail, -limit, limit)
    norm: Floats = np.linalg.norm(detail, axis=(1, 2), keepdims=True)
    result: Floats = detail / np.maximum(norm, np.float32(1e-6))
    return result


def _candidates(
    values: Floats, progress: Progress | None
) -> Iterator[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]]:
    """Yield the numbers of pairs that may be near copies, a few thousand at a time."""
    step = min(BLOCK, max(1, PRODUCTS // max(1, len(values))))
    for start in range(0, len(values), step):
        block = values[start : start + step]
        one, other = np.nonzero(block @ values[start:].T >= LEAST)
        is_later = other > one
        one, other = one[is_later] + start, other[is_later] + start
        for at in range(0, len(one), PAIRS):
            yield one[at : at + PAIRS], other[at : at + PAIRS]
        if progress:
            progress(min(start + step, len(values)), len(values))


def _likeness(ones: Floats, others: Floats) -> Floats:
    """Return the greatest correlation over mirrored and turned copies, for each pair."""
    best = []
    for turned in (others, others.transpose(0, 2, 1)):
        products = ones * turned
        parts = [products[:, row::2, column::2].sum((1, 2)) for row in (0, 1) for column in (0, 1)]
        best.append((np.stack(parts, axis=1) @ MIRRORS.T).max(axis=1))
    likeness: Floats = np.maximum(*best)
    return likeness
