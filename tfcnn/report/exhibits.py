"""The images of a report: those behind each cell of the confusion matrix, and the worst errors."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tfcnn import datasets, runs
from tfcnn.base import own_files
from tfcnn.base.errors import InputError, TfcnnError
from tfcnn.datasets import Source
from tfcnn.datasets.folder import open_images
from tfcnn.decode import Background, content_sha256, open_image
from tfcnn.display.thumbnail import data_uri
from tfcnn.evaluation.sample import Sample
from tfcnn.recipes import DataSettings
from tfcnn.report.content import Content
from tfcnn.runs import MODEL, Run

MAX_CLASSES, MAX_PAIRS = 30, 30
MAX_IMAGES = 60
MAX_ERRORS = 12
THUMBNAIL_PX = 128  # the page shows it at 64 to 128 px
ENLARGED_PX = 192
MOST_PX = 1024
BUDGET = 5_000_000  # characters of all thumbnails, so that a report stays under 8 MB

Cell = tuple[int, int]  # index of the true class, and of the decision


@dataclass(frozen=True)
class Album:
    """The images that a run was made of, where they still are.

    Attributes:
        source: lists and reads them; None where they are gone.
        hashes: per path the sha256 of the file that was measured.
        background: what the model sees through transparent pixels.
    """

    source: Source | None
    hashes: dict[str, str]
    background: Background = "black"

    def open(self, path: str, side_px: int) -> Image.Image | None:
        """Return an image, or None where it is gone or no longer the same.

        It has its own size, or, of a large JPEG, at least `side_px` along each side.
        """
        if self.source is None:
            return None
        try:
            content = self.source.read(path)
            if content_sha256(content) != self.hashes.get(path):
                return None
            return open_image(content, path, (side_px, side_px)).flat(self.background)
        except (OSError, LookupError, ValueError, TfcnnError):
            return None


def open_album(
    data: DataSettings, hashes: dict[str, str], own_images: Source | None = None
) -> Album:
    """Open the images of a run; nothing is fetched or made anew.

    Args:
        data: `[data]` of the recipe.
        hashes: see `Album`.
        own_images: from `own_images`, where the source is a Python file.
    """
    no_images = Album(None, hashes, data.background)
    if own_files.is_own(data.source):
        return Album(own_images, hashes, data.background)
    if data.source in datasets.names() and not (datasets.data_home() / data.source).is_dir():
        return no_images
    try:
        return Album(open_images(data), hashes, data.background)
    except (TfcnnError, OSError):
        return no_images


def own_images(run: Run) -> Source | None:
    """Return where the images of a user's own source are, unlisted; None if they are no files.

    The copy of that Python file in the run is not run: a run may be a stranger's.
    """
    data = run.card["data"]
    if "root" not in data:
        return None
    images, groups = data["nouns"]
    return Source(data["source"], Path(data["root"]), (), nouns=(images, groups))


def thumbnails(album: Album, queues: Sequence[Sequence[str]]) -> dict[str, str]:
    """Return small images as data URIs, as many as fit into `BUDGET`.

    Args:
        album: where they are.
        queues: paths in order of interest; the first of every queue is taken before the second
            of any.

    Returns:
        A URI per path; without those that are gone, or for which there was no room.
    """
    uris: dict[str, str] = {}
    size = 0
    for rank in zip_longest(*queues):
        for path in rank:
            image = (
                album.open(path, THUMBNAIL_PX) if path is not None and path not in uris else None
            )
            if image is None:
                continue
            uri = data_uri(image, THUMBNAIL_PX)
            size += len(uri)
            if size > BUDGET:
                return uris
            uris[path] = uri
    return uris


def confusion(content: Content) -> dict[str, Any]:
    """Return the confusion matrix with row shares; beyond 30 classes its largest errors only."""
    matrix, names = _matrix(content), content.run.class_names
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)

    def cell(i: int, j: int) -> dict[str, Any]:
        share = float(shares[i, j])
        return {
            "key": (i, j),
            "label": names[i],
            "answer": names[j],
            "images": int(matrix[i, j]),
            "share": share,
            "is_right": i == j,
            # the root lets a few errors be seen
            "tint": 0.3 * share if i == j else 0.8 * share**0.5,
        }

    if len(names) > MAX_CLASSES:
        pairs = [cell(i, j) for i, j in _by_count(matrix) if i != j]
        return {"rows": [], "pairs": pairs[:MAX_PAIRS]}
    rows = [
        {"label": name, "cells": [cell(i, j) for j in range(len(names))]}
        for i, name in enumerate(names)
    ]
    return {"rows": rows, "pairs": []}


def images_behind(content: Content) -> dict[Cell, NDArray[np.intp]]:
    """Return which predictions stand behind each cell of the matrix, the worst first.

    The worst of the errors are those the model was surest of. The worst of the right answers are
    those it was least sure of.

    Returns:
        Per cell at most `MAX_IMAGES` indices into `content.predictions`. Cells of errors come
        first, the fullest of them at the start. Beyond 30 classes only the cells that are listed.
    """
    part, matrix = content.predictions, _matrix(content)
    decisions, probs = decide(content)
    cells = _by_count(matrix)
    cells = [cell for cell in cells if cell[0] != cell[1]] + [c for c in cells if c[0] == c[1]]
    if len(matrix) > MAX_CLASSES:
        cells = cells[:MAX_PAIRS]
    behind = {}
    for i, j in cells:
        here = np.flatnonzero((part.labels == i) & (decisions == j))
        order = np.argsort(probs[here] if i == j else -probs[here], kind="stable")
        behind[i, j] = here[order][:MAX_IMAGES]
    return behind


def surest_errors(content: Content) -> NDArray[np.intp]:
    """Return the indices into `content.predictions` of all errors, the surest first."""
    decisions, probs = decide(content)
    wrong = np.flatnonzero(decisions != content.predictions.labels)
    return wrong[np.argsort(-probs[wrong], kind="stable")]


def decide(content: Content) -> tuple[NDArray[np.integer], NDArray[np.floating]]:
    """Return what the matrix counts for each of `content.predictions`, and its probability.

    Returns:
        Int `(images,)`: the decision by the stored threshold, or the most probable class, as the
        report says in `confusion_rule`; float `(images,)`: the probability of that class.
    """
    part, run = content.predictions, content.run
    positive = run.positive if content.report.confusion_rule == "decision" else None
    sample = Sample(
        part.labels, part.probs, positive=positive, threshold=run.threshold,
        decisions=part.decisions,
    )  # fmt: skip
    return sample.decision, part.probs[np.arange(len(part.probs)), sample.decision]


def _matrix(content: Content) -> NDArray[np.int64]:
    return np.array(content.report.confusion[content.split], dtype=np.int64)


def _by_count(matrix: NDArray[np.int64]) -> list[Cell]:
    """Return the cells that are not empty, the fullest first."""
    order = np.argsort(-matrix, axis=None, kind="stable")
    cells = [divmod(int(k), len(matrix)) for k in order]
    return [cell for cell in cells if matrix[cell]]


@dataclass(frozen=True)
class Exhibits:
    """Images for the page.

    Attributes:
        cells: per cell of the confusion matrix its images, cells of errors first; empty where
            the images are gone.
        errors: the surest errors, with their images where there are any.
        num_errors: how many there are in all.
        has_groups: whether the images belong to groups.
        has_images: whether any image could be read.
        are_missing: whether there is something to show, but no image of it could be read.
        no_maps: why no error has a map of where the model looked, "" where one has.
    """

    cells: list[dict[str, Any]]
    errors: list[dict[str, Any]]
    num_errors: int
    has_groups: bool
    has_images: bool
    are_missing: bool
    no_maps: str = ""

    @property
    def has_maps(self) -> bool:
        """Whether any error has a map of where the model looked."""
        return any(row["map"] for row in self.errors)


def collect(content: Content, ranks: dict[str, int]) -> Exhibits:
    """Choose the images, the worst first, and read them from where they were.

    Args:
        content: the run.
        ranks: per path of a doubted label its rank among them.
    """
    hashes = {row["path"]: row["sha256"] for row in content.rows}
    if content.source is None:
        album = open_album(content.recipe.data, hashes, own_images(content.run))
    else:
        album = Album(content.source, hashes, content.run.decoder.background)
    behind, worst = images_behind(content), surest_errors(content)
    paths, (decisions, _) = content.predictions.paths, decide(content)
    uris = thumbnails(album, [[str(paths[i]) for i in row] for row in behind.values()])
    errors = [_row(content, int(i), int(decisions[i]), ranks) for i in worst[:MAX_ERRORS]]
    no_maps = _illustrate(content, errors, album)
    cells = []
    for key, indices in behind.items():
        rows = [_row(content, int(i), key[1], ranks) for i in indices]
        tiles = [{**row, "uri": uris[row["path"]]} for row in rows if row["path"] in uris]
        if tiles:
            cells.append({"key": key, "tiles": tiles})
    return Exhibits(
        cells,
        errors,
        len(worst),
        bool((content.predictions.groups != "").any()),
        bool(uris),
        not uris and bool(errors or behind),
        no_maps,
    )


def _illustrate(content: Content, errors: list[dict[str, Any]], album: Album) -> str:
    """Add to each error its image and its map; return why there are no maps, if so."""
    images = [_reduced(album, row["path"]) for row in errors]
    pairs: list[tuple[dict[str, Any], Image.Image]]
    pairs = [(row, image) for row, image in zip(errors, images, strict=True) if image is not None]
    names, positive = content.run.class_names, content.run.positive
    # where one class is looked for, what speaks for it: the absence of something has no place
    classes = [names.index(row["answer"]) if positive is None else positive for row, _ in pairs]
    reasons: list[str] = []
    for row in errors:
        row["uri"] = row["map"] = None
    for row, image in pairs:
        row["uri"] = data_uri(image, ENLARGED_PX)
    for run, places in _answered_by(content, [row["path"] for row, _ in pairs]):
        own = [pairs[place][1] for place in places]
        maps = overlays(run, own, [classes[place] for place in places], reasons.append)
        for place, cam in zip(places, maps or (), strict=False):
            pairs[place][0]["map"] = data_uri(cam, ENLARGED_PX)
    return "; ".join(dict.fromkeys(reasons))


def _answered_by(content: Content, paths: Sequence[str]) -> Iterator[tuple[Run, list[int]]]:
    """Yield each run that answered for some of the paths, with their places.

    In a cross-validation that is the fold which tested the image.
    """
    if not content.run.num_folds or content.source is not None:
        yield content.run, [*range(len(paths))]
        return
    fold_of = {row["path"]: int(row["fold"]) for row in runs.read_out_of_fold(content.run.path)}
    folds = [fold_of[path] for path in paths]
    for number in sorted(set(folds)):
        run = runs.open_run(content.run.path / runs.fold_name(number))
        yield run, [place for place, fold in enumerate(folds) if fold == number]


def _reduced(album: Album, path: str) -> Image.Image | None:
    """Return an image, a large one made smaller: all of them are in memory at once."""
    image = album.open(path, MOST_PX)
    if image is not None:
        image.thumbnail((MOST_PX, MOST_PX))
    return image


def _row(content: Content, i: int, decision: int, ranks: dict[str, int]) -> dict[str, Any]:
    part, names = content.predictions, content.run.class_names
    path = str(part.paths[i])
    return {
        "path": path,
        "group": str(part.groups[i]),
        "label": names[part.labels[i]],
        "answer": names[decision],
        "prob": float(part.probs[i, decision]),
        "is_doubted": path in ranks,
    }


def overlays(
    run: Run,
    images: Sequence[Image.Image],
    classes: Sequence[int],
    tell: Callable[[str], object] = lambda _: None,
) -> list[Image.Image] | None:
    """Lay over each image what speaks for a class, by LayerCAM: finer than Grad-CAM.

    Args:
        run: whose model is asked; this loads TensorFlow.
        images: as the source holds them.
        classes: per image the index of a class.
        tell: hears why there are no maps, where there are images.

    Returns:
        A picture per image, as large as it; None for a run without a saved Keras model, or whose
        network cannot be explained.

    Raises:
        CheckError: if the model is not the one that was measured.
    """
    if not images:
        return None
    if not (run.path / MODEL).is_file():
        tell("the run has no model.keras, whose gradients explain it")
        return None
    from tfcnn.explain import Explainer, overlay

    try:
        explainer = Explainer(run, "layer-cam")
    except InputError as error:  # nothing in such a network knows of places, say
        tell(error.problem)
        return None
    decoded = np.stack([run.decoder.decode(np.asarray(image)) for image in images])
    maps = explainer.maps(decoded, np.asarray(classes))
    # only where the image was stretched does the map cover all of it
    is_whole = run.decoder.fit == "stretch"
    pictures = [np.asarray(image.convert("RGB")) for image in images] if is_whole else decoded
    return [
        Image.fromarray(overlay(pixels, cam)) for pixels, cam in zip(pictures, maps, strict=True)
    ]
