"""Use a run: images in, probabilities and decisions out, in order, as they come."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import chain, islice
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from tfcnn.base import interrupts, threads
from tfcnn.decode import (
    NotReadError,
    Pixels,
    TooLargeError,
    UnreadableImageError,
    in_memory,
    limits,
    open_image,
    remarks,
)
from tfcnn.prediction import domain
from tfcnn.prediction.engines import Model, ModelFiles, Note
from tfcnn.prediction.paths import Image, expand, groups_of
from tfcnn.runs import DOMAIN, Run

Floats = npt.NDArray[np.float32]
Flag = tuple[str, str]  # and its reason
# in order of precedence: an image has one flag
UNREADABLE, NO_ANSWER = "unreadable", "no-answer"
OUT_OF_DOMAIN, ABSTAIN = "out-of-domain", "abstain"
NO_NUMBERS = "the network gives no number for it (NaN or infinity)"


@dataclass(frozen=True)
class Prediction:
    """What a run says of one image.

    Attributes:
        path: the image, as it was given; `archive.zip/member` inside an archive.
        predicted: the most probable class, "" where there is no answer.
        probs: a probability per class name, in the model's order; empty where there is no answer.
        decision: the class by the run's threshold; `predicted` where it has none.
        flag: "", `unreadable` or `no-answer` (the network gave no number), for which there is no
            answer; `out-of-domain` (unlike the training images: the answer means nothing) or
            `abstain` (too close to call), where the answer is given all the same.
        reason: why, where there is a flag.
        remark: what is not seen of the image, such as its other pages, mostly "".
        group: the patient, slide or video by the run's own rule, "" where it gives none.
    """

    path: str
    predicted: str
    probs: dict[str, float]
    decision: str
    flag: str = ""
    reason: str = field(default="", compare=False)
    remark: str = field(default="", compare=False)
    group: str = field(default="", compare=False)


Problem = Literal["", "too-large", "not-read", "damaged"]


class Decoded(NamedTuple):
    """One image as the model sees it, or why it cannot be read.

    Attributes:
        name: what it is called.
        pixels: uint8 `(height, width, channels)`, or None where it cannot be read.
        remark: what is not seen of the image, mostly "".
        reason: why it cannot be read, else "".
        problem: of what kind that is: it takes too much memory, is of a kind that is not read, or
            is damaged; else "".
    """

    name: str
    pixels: Pixels | None
    remark: str = ""
    reason: str = ""
    problem: Problem = ""


class Stream(Iterator[Prediction]):
    """Predictions in order, as they are made.

    Attributes:
        has_groups: whether the group of any image is known, from the start.
        images: what will be answered, one by one.
    """

    def __init__(
        self, predictions: Iterator[Prediction], has_groups: bool, images: Sequence[Image]
    ) -> None:
        self._predictions, self.has_groups, self.images = predictions, has_groups, images

    def __next__(self) -> Prediction:
        """Return the next prediction, once it is made."""
        return next(self._predictions)


class Predictor(Model):
    """A run's model, ready to answer.

    Args:
        run: an opened run.
        engine: see `Model`.
        note: see `Model`.
    """

    def __init__(self, run: Run, engine: str = "auto", note: Note | None = None) -> None:
        self.run, self.decoder = run, run.decoder

        def find(name: str) -> Path | None:
            return run.file(name) if run.is_recorded(name) else None

        shape, num_classes = self.decoder.shape, len(run.class_names)
        super().__init__(ModelFiles(run.path, find, shape, num_classes), engine, note)
        settings = run.card.get("domain")
        self.domain = domain.load(run.file(DOMAIN), settings) if settings else None

    def answers(self, images: Pixels) -> tuple[Floats, list[Flag]]:
        """Return the probabilities of images, and for each a flag and its reason, mostly ""."""
        parts, distances = [], []
        for batch, probs, features in self.computed(images):
            parts.append(probs)
            if self.domain:
                distances.append(self.domain.distances(batch, features))
        run, probs = self.run, np.concatenate(parts)
        far = np.concatenate(distances) if distances else None
        return probs, flags(probs, run.positive, run.abstention, self.domain, far)

    def predict(self, paths: Iterable[str | Path], note: Note | None = None) -> Stream:
        """Yield one prediction per image of files, folders and zips, in order, as they are made.

        Decoding runs on threads beside the model. An image that cannot be read gets a row that
        says so, and the others are predicted. What the run ignored in training is passed over in
        folders and archives; `note` hears what is.

        Raises:
            InputError: before the first prediction, if a path does not exist or holds no image.
        """
        roots = list(paths)
        limits.megapixels()  # a wrong setting is refused now, and not at the first image
        images = expand(roots, note, self.run.ignore)
        self.expect(len(images))
        groups = groups_of(self.run, roots, [image.path for image in images])
        return Stream(self._stream(iter(images), groups), any(groups.values()), images)

    def _stream(self, images: Iterator[Image], groups: dict[str, str]) -> Iterator[Prediction]:
        with ThreadPoolExecutor(threads.cores()) as pool:
            batches = iter(lambda: threads.parts(list(islice(images, self.batch_size))), [])
            waiting = [pool.map(self._decode, batch) for batch in islice(batches, 2)]
            while waiting:
                interrupts.check()
                decoded = list(chain.from_iterable(waiting.pop(0)))
                waiting += [pool.map(self._decode, batch) for batch in islice(batches, 1)]
                for prediction in self.predictions(decoded):
                    yield replace(prediction, group=groups[prediction.path])

    def _decode(self, images: Sequence[Image]) -> list[Decoded]:
        return [self.decode(image.path, image.read) for image in images]

    def decode(self, name: str, read: Callable[[], bytes]) -> Decoded:
        """Return an image as the model sees it, or why it cannot be read.

        Args:
            name: what to call it.
            read: returns the bytes of the file, or raises an `UnreadableImageError`.
        """
        try:
            with in_memory(name):
                opened = open_image(read(), name)
                remark = remarks.join(opened.remarks, self.decoder.background)
                decoded = Decoded(name, self.decoder.pixels(opened, name), remark)
                del opened  # before others take its memory
                return decoded
        except UnreadableImageError as error:
            # an error that is kept keeps all that was in memory when it was raised
            return Decoded(name, None, reason=error.reason, problem=_problem(error))

    def predictions(self, decoded: Sequence[Decoded]) -> Iterator[Prediction]:
        """Yield the prediction of each image, also of those that cannot be read."""
        readable = [image.pixels for image in decoded if image.pixels is not None]
        rows = iter(zip(*self.answers(np.stack(readable)), strict=True) if readable else ())
        names = self.run.class_names
        for image in decoded:
            if image.pixels is None:
                yield Prediction(image.name, "", {}, "", UNREADABLE, image.reason)
                continue
            probs, (flag, reason) = next(rows)
            if flag == NO_ANSWER:
                yield Prediction(image.name, "", {}, "", flag, reason, image.remark)
                continue
            predicted, decision = decide(probs, self.run.positive, self.run.threshold)
            yield Prediction(
                image.name,
                names[predicted],
                dict(zip(names, probs.tolist(), strict=True)),
                names[decision],
                flag,
                reason,
                image.remark,
            )


def _problem(error: UnreadableImageError) -> Problem:
    if isinstance(error, TooLargeError):
        return "too-large"
    return "not-read" if isinstance(error.__cause__, NotReadError) else "damaged"


def decide(probs: Floats, positive: int | None, threshold: float) -> tuple[int, int]:
    """Return the predicted class (the most probable) and the decision (by the threshold).

    Args:
        probs: float `(classes,)`.
        positive: index of the positive class of two, or None where there is no threshold rule.
        threshold: in [0, 1]; the decision is positive from it upwards.
    """
    predicted = int(np.argmax(probs))
    if positive is None or len(probs) != 2:
        return predicted, predicted
    return predicted, positive if probs[positive] >= threshold else 1 - positive


def flags(
    probs: Floats,
    positive: int | None,
    band: tuple[float, float] | None,
    usual: domain.Domain | None,
    distances: Floats | None,
) -> list[Flag]:
    """Return a flag and its reason for each image, both "" for most.

    Args:
        probs: float `(images, classes)`.
        positive: index of the positive class of two, or None.
        band: of probabilities within which the run does not answer, or None; see `abstains`.
        usual: the run's domain, or None.
        distances: float32 `(images, 2)`: that domain's `distances` of the images, or None.
    """
    rows = [("", "")] * len(probs)
    for row in np.flatnonzero(abstains(probs, band, positive)):
        rows[row] = ABSTAIN, "its probability lies in the band where the run does not answer"
    if usual is not None and distances is not None:
        for row in np.flatnonzero(usual.outside(distances)):
            rows[row] = OUT_OF_DOMAIN, domain.reason(distances[row])
    for row in np.flatnonzero(~np.isfinite(probs).all(axis=1)):
        rows[row] = NO_ANSWER, NO_NUMBERS
    return rows


def abstains(
    probs: Floats, band: tuple[float, float] | None, positive: int | None
) -> npt.NDArray[np.bool_]:
    """Say which images are too close to call: bool `(images,)`.

    Args:
        probs: float `(images, classes)`.
        band: from this probability, up to below that one, or None for no band. The probability
            is the positive class's, or the largest where there is no positive.
        positive: index of the positive class of two, or None.
    """
    if band is None:
        return np.zeros(len(probs), dtype=np.bool_)
    stated = probs.max(axis=1) if positive is None else probs[:, positive]
    return np.asarray((stated >= band[0]) & (stated < band[1]))
