"""The confusion matrix of a report, and the images that stand behind each of its cells."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tfcnn.evaluation.sample import Sample
from tfcnn.report.content import Content

__all__ = ["MAX_IMAGES", "answers", "confusion", "images_behind", "surest_errors"]

MAX_CLASSES, MAX_PAIRS = 30, 30
MAX_IMAGES = 60

Cell = tuple[int, int]  # index of the true class, and of the answer


def confusion(content: Content) -> dict[str, Any]:
    """Return the confusion matrix with row shares; beyond 30 classes its largest errors only."""
    matrix, names = _matrix(content), content.run.class_names
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    if len(names) > MAX_CLASSES:
        pairs = [_cell(names, matrix, shares, i, j) for i, j in _by_count(matrix) if i != j]
        return {"rows": [], "pairs": pairs[:MAX_PAIRS]}
    rows = [
        {"label": name, "cells": [_cell(names, matrix, shares, i, j) for j in range(len(names))]}
        for i, name in enumerate(names)
    ]
    return {"rows": rows, "pairs": []}


def images_behind(content: Content) -> dict[Cell, NDArray[np.intp]]:
    """Return which predictions of the split shown stand behind each cell, the worst first.

    Of the wrong ones those the model was surest of, of the right ones those it was least sure of.

    Returns:
        Per cell at most `MAX_IMAGES` indices into `content.part`; cells of errors come first, the
        most frequent of them first of all. Beyond 30 classes only the cells that are listed.
    """
    part, matrix = content.part, _matrix(content)
    answered, stated = answers(content)
    cells = _by_count(matrix)
    cells = [cell for cell in cells if cell[0] != cell[1]] + [c for c in cells if c[0] == c[1]]
    if len(matrix) > MAX_CLASSES:
        cells = cells[:MAX_PAIRS]
    found = {}
    for i, j in cells:
        here = np.flatnonzero((part.labels == i) & (answered == j))
        order = np.argsort(stated[here] if i == j else -stated[here], kind="stable")
        found[i, j] = here[order][:MAX_IMAGES]
    return found


def surest_errors(content: Content) -> NDArray[np.intp]:
    """Return the indices into `content.part` of all errors, the surest first."""
    answered, stated = answers(content)
    wrong = np.flatnonzero(answered != content.part.labels)
    return wrong[np.argsort(-stated[wrong], kind="stable")]


def answers(content: Content) -> tuple[NDArray[np.integer], NDArray[np.floating]]:
    """Return what the matrix counts for each image of `content.part`, and its probability.

    Returns:
        Int `(images,)`: the decision by the stored threshold, or the most probable class, as the
        report says in `confusion_rule`; float `(images,)`: the probability of that class.
    """
    part, run = content.part, content.run
    positive = run.positive if content.report.confusion_rule == "decision" else None
    sample = Sample(part.labels, part.probs, positive=positive, threshold=run.threshold)
    return sample.decision, part.probs[np.arange(len(part.probs)), sample.decision]


def _matrix(content: Content) -> NDArray[np.int64]:
    return np.array(content.report.confusion[content.shown], dtype=np.int64)


def _by_count(matrix: NDArray[np.int64]) -> list[Cell]:
    """Return the cells that are not empty, the fullest first."""
    order = np.argsort(-matrix, axis=None, kind="stable")
    cells = [divmod(int(k), len(matrix)) for k in order]
    return [cell for cell in cells if matrix[cell]]


def _cell(
    names: tuple[str, ...],
    matrix: NDArray[np.int64],
    shares: NDArray[np.float64],
    i: int,
    j: int,
) -> dict[str, Any]:
    share = float(shares[i, j])
    tint = 0.3 * share if i == j else 0.8 * share**0.5  # the root lets a few errors be seen
    return {
        "key": (i, j),
        "label": names[i],
        "called": names[j],
        "images": int(matrix[i, j]),
        "share": share,
        "is_right": i == j,
        "tint": tint,
    }
