"""A sample of images for a check, with an equal part of every class.

A manifest is sorted by path, so its first rows are of one class and of one patient.
"""

import numpy as np
import numpy.typing as npt


def evenly(labels: npt.ArrayLike, most: int) -> npt.NDArray[np.int64]:
    """Choose places so that each class has an equal part, as far as it has images.

    Args:
        labels: `(images,)`, a class's number, or the name of a folder, per image.
        most: how many places at most.

    Returns:
        int64 `(places,)`, sorted, each once; all places if there are at most `most`. Within a class
        they are drawn at random with a fixed seed.
    """
    _, codes = np.unique(np.asarray(labels), return_inverse=True)
    order = np.random.default_rng(0).permutation(len(codes))
    by_class = order[np.argsort(codes[order], kind="stable")]
    starts = np.concatenate([[0], np.cumsum(np.bincount(codes))])
    turns = np.empty(len(codes), np.int64)  # every class gives one in each turn
    turns[by_class] = np.arange(len(codes)) - starts[codes[by_class]]
    # where the last turn has more classes than places, they too are drawn
    chosen = order[np.argsort(turns[order], kind="stable")[: max(most, 0)]]
    return np.sort(chosen).astype(np.int64)
