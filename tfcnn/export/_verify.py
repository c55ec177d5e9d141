"""Is an export what was measured? It answers for the same images as the saved model."""

from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np

from tfcnn.base.errors import CheckError
from tfcnn.decode import Pixels
from tfcnn.export._format import Format, Runner
from tfcnn.export._job import Floats, Job
from tfcnn.prediction import decide, flags

BATCH = 64
REPEATS = 9  # of each time; the two take turns, so that a busy moment hits both
FEWEST, ENOUGH_SECONDS = 3, 10.0  # where one takes long


@dataclass(frozen=True)
class Answers:
    """What a model says of the compared images.

    Attributes:
        probs: float32 `(images, classes)`.
        features: float32 `(images, features)`.
        decisions: the class of each by the run's threshold.
        flags: of each, mostly "".
    """

    probs: Floats
    features: Floats
    decisions: list[int]
    flags: list[str]


def compare(job: Job, format_module: Format, runner: Runner) -> dict[str, Any]:
    """Compare an export with the saved model.

    Args:
        job: the run and its images.
        format_module: which format it is.
        runner: computes the export.

    Returns:
        For the record: `images`, `of`, `is_real`, `note`, `largest_difference` of a probability,
        `largest_feature_difference` in shares of the largest feature, `other_decisions`,
        `other_flags`.

    Raises:
        CheckError: if a probability, or a feature, differs by more than the format's tolerance.
    """
    sample = job.sample
    ours, theirs = (_answers(job, run) for run in (job.keras.probs_and_features, runner))
    expected_shapes = ours.probs.shape, ours.features.shape
    if (theirs.probs.shape, theirs.features.shape) != expected_shapes:
        received = f"{theirs.probs.shape} and {theirs.features.shape}"
        _refuse(job, format_module, f"probs and features of {expected_shapes}", received)
    difference = float(np.abs(theirs.probs - ours.probs).max())
    scale = max(1.0, float(np.abs(ours.features).max()))
    of_features = float(np.abs(theirs.features - ours.features).max()) / scale
    tolerance = format_module.TOLERANCE
    if tolerance is not None:
        if not difference <= tolerance:  # NaN is none
            expected = f"the probabilities of model.keras within {tolerance:g}"
            _refuse(job, format_module, expected, f"a difference of {difference:.2g}")
        if not of_features <= tolerance:
            expected = f"the features of model.keras within {tolerance:g} of the largest"
            _refuse(job, format_module, expected, f"a difference of {of_features:.2g}")
    return {
        "images": len(sample.images),
        "of": sample.words,
        "is_real": sample.is_real,
        "note": sample.note,
        "largest_difference": difference,
        "largest_feature_difference": of_features,
        "other_decisions": _count(ours.decisions, theirs.decisions),
        "other_flags": _count(ours.flags, theirs.flags),
    }


def _refuse(job: Job, format_module: Format, expected: str, received: str) -> None:
    title = f"{job.run.path} as {format_module.TITLE}"
    raise CheckError(title, expected, received, "another --format; nothing was written")


def _answers(job: Job, run: Runner) -> Answers:
    images = job.sample.images
    parts = [run(images[start : start + BATCH]) for start in range(0, len(images), BATCH)]
    probs, features = (np.concatenate(part) for part in zip(*parts, strict=True))
    opened, usual = job.run, job.keras.domain
    far = usual.distances(images, features) if usual else None
    pairs = flags(probs, opened.positive, opened.abstention, usual, far)
    decisions = [decide(row, opened.positive, opened.threshold)[1] for row in probs]
    return Answers(probs, features, decisions, [flag for flag, _ in pairs])


def _count(ours: list[Any], theirs: list[Any]) -> int:
    return sum(one != other for one, other in zip(ours, theirs, strict=True))


def latency(job: Job, runner: Runner) -> dict[str, float]:
    """Return the median time of an answer in ms, of the export and of Keras, which take turns.

    Returns:
        `one_image_ms`, `keras_one_image_ms`, and the same per image of a batch of 64:
        `batch_image_ms`, `keras_batch_image_ms`.
    """
    keras = job.keras.probs_and_features
    some = np.resize(job.sample.images, (BATCH, *job.run.decoder.shape))
    found = {}
    for name, images in (("one_image_ms", some[:1]), ("batch_image_ms", some)):
        theirs, ours = _times(runner, keras, images)
        found[name] = 1000 * theirs / len(images)
        found[f"keras_{name}"] = 1000 * ours / len(images)
    return found


def _times(first: Runner, second: Runner, images: Pixels) -> tuple[float, float]:
    """Return the median seconds of two, which take turns."""
    both: tuple[list[float], list[float]] = ([], [])
    for run in (first, second):
        run(images)  # the first call of a shape is slow
    while len(both[0]) < FEWEST or (
        len(both[0]) < REPEATS and sum(map(sum, both)) < ENOUGH_SECONDS
    ):
        for run, times in zip((first, second), both, strict=True):
            times.append(_seconds(run, images))
    return median(both[0]), median(both[1])


def _seconds(run: Callable[[Pixels], Any], images: Pixels) -> float:
    start = perf_counter()
    run(images)
    return perf_counter() - start
