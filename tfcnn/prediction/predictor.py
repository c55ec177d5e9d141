"""Use a run: images in, probabilities and decisions out, in order, as they come."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
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
    open_image,
    remarks,
)
from tfcnn.prediction import domain
from tfcnn.prediction.answers import (
    ABSTAIN,
    NO_ANSWER,
    NO_NUMBERS,
    OUT_OF_DOMAIN,
    UNREADABLE,
    Prediction,
)
from tfcnn.prediction.engines import Model, ModelFiles, Note
from tfcnn.prediction.paths import Image
from tfcnn.prediction.work import Work, plan
from tfcnn.runs import DOMAIN, Run

Floats = npt.NDArray[np.float32]
Flag = tuple[str, str]  # and its reason


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
        seeks_faster: see `Model`.
    """

    def __init__(
        self,
        run: Run,
        engine: str = "auto",
        note: Note | None = None,
        *,
        seeks_faster: bool = True,
    ) -> None:
        self.run, self.decoder = run, run.decoder

        def find(name: str) -> Path | None:
            return run.file(name) if run.is_recorded(name) else None

        shape, num_classes = self.decoder.shape, len(run.class_names)
        files = ModelFiles(run.path, find, shape, num_classes)
        super().__init__(files, engine, note, seeks_faster=seeks_faster)
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
        return self.stream(plan(self.run, paths, note))

    def stream(self, work: Work) -> Stream:
        """Yield one prediction per image of a piece of work; see `predict`."""
        self.expect(len(work.images))
        found = chain.from_iterable(self.of_batches(work.batches()))
        return Stream(work.grouped(found), work.has_groups, work.images)

    def of_batches(self, batches: Iterator[Sequence[Image]]) -> Iterator[Iterator[Prediction]]:
        """Yield the predictions of each batch, while threads decode the next two."""
        with ThreadPoolExecutor(threads.cores()) as pool:

            def begin(count: int) -> list[Iterator[list[Decoded]]]:
                return [
                    pool.map(self._decode, threads.parts(one)) for one in islice(batches, count)
                ]

            waiting = begin(2)
            while waiting:
                interrupts.check()
                decoded = list(chain.from_iterable(waiting.pop(0)))
                waiting += begin(1)
                yield self.predictions(decoded)

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
                opened = open_image(read(), name, self.decoder.least)
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
