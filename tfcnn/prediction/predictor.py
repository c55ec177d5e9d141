"""Use a run: images in, probabilities and decisions out, in order, as they come."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import chain, islice
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tfcnn.base import interrupts, threads
from tfcnn.base.errors import InputError
from tfcnn.decode import Pixels, UnreadableImageError, in_memory, limits, open_image, remarks
from tfcnn.prediction import domain, engines
from tfcnn.prediction.paths import Image, expand, groups_of
from tfcnn.runs import DOMAIN, Run

Floats = npt.NDArray[np.float32]
Note = Callable[[str], None]
Flag = tuple[str, str]  # and its reason
BATCH_SIZE = 64
BATCH_PIXELS = 64 * 256 * 256  # so that maps of large images fit into memory
TITLES = {"litert": "LiteRT", "openvino": "OpenVINO", "keras": "Keras"}
MANY = 500  # images whose answers take longer than half a second
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
        group: whose image it is (a patient's, say) by the run's own rule, "" where that tells none.
    """

    path: str
    predicted: str
    probs: dict[str, float]
    decision: str
    flag: str = ""
    reason: str = field(default="", compare=False)
    remark: str = field(default="", compare=False)
    group: str = field(default="", compare=False)


class Stream(Iterator[Prediction]):
    """Predictions in order, as they are made.

    Attributes:
        has_groups: whether the group of any image is known, which is so before the first is made.
    """

    def __init__(self, predictions: Iterator[Prediction], has_groups: bool) -> None:
        self._predictions, self.has_groups = predictions, has_groups

    def __next__(self) -> Prediction:
        """Return the next prediction, once it is made."""
        return next(self._predictions)


class Predictor:
    """A run's model, ready to answer.

    Args:
        run: an opened run.
        engine: `litert`, `keras`, or `auto`: LiteRT where the run has that twin, and OpenVINO, if
            it is installed, in its place for many images.
        note: hears what computes where that is not LiteRT, and what did not start.

    Attributes:
        batch_size: how many images are computed at once, fewer where they are large.
    """

    def __init__(self, run: Run, engine: str = "auto", note: Note | None = None) -> None:
        self.run = run
        self._note = note or (lambda _: None)
        self.decoder = run.decoder
        height, width, _ = self.decoder.shape
        self.batch_size = max(1, min(BATCH_SIZE, BATCH_PIXELS // (height * width)))
        self._take(engines.open_engine(run, engine))
        self._seeks_faster = engine == "auto"
        settings = run.card.get("domain")
        self.domain = domain.load(run.file(DOMAIN), settings) if settings else None

    @property
    def engine(self) -> str:
        """What computes: `litert`, `openvino` or `keras`."""
        return self._engine.name

    @property
    def computed_by(self) -> dict[str, str]:
        """What computes, for the record: `name`, `version`, and a `reason` it is not another."""
        reason = {"reason": self._choice.reason} if self._choice.reason else {}
        return {"name": self.engine, "version": self._engine.version, **reason}

    def _take(self, choice: engines.Choice) -> None:
        self._choice, self._engine = choice, choice.engine
        if choice.is_fault:
            self._note(choice.reason)
        if self.engine != "litert":
            self._note(f"computed by {TITLES[self.engine]} {self._engine.version}")

    def expect(self, count: int) -> None:
        """Prepare for so many images: for `MANY` it pays to start a faster engine."""
        if count >= MANY and self._seeks_faster:
            self._seeks_faster = False
            if self.engine == "litert":
                self._take(engines.faster(self._engine, self.decoder.shape))

    def probs(self, images: Pixels) -> Floats:
        """Return float32 `(batch, classes)` that sum to 1, for uint8 images in [0, 255]."""
        return self.probs_and_features(images)[0]

    def probs_and_features(self, images: Pixels) -> tuple[Floats, Floats]:
        """Return the probabilities and the float32 `(batch, features)` that enter the head."""
        _, probs, features = zip(*self._computed(images), strict=True)
        return np.concatenate(probs), np.concatenate(features)

    def answers(self, images: Pixels) -> tuple[Floats, list[Flag]]:
        """Return the probabilities of images, and for each a flag and its reason, mostly ""."""
        parts, distances = [], []
        for batch, probs, features in self._computed(images):
            parts.append(probs)
            if self.domain:
                distances.append(self.domain.distances(batch, features))
        run, probs = self.run, np.concatenate(parts)
        far = np.concatenate(distances) if distances else None
        return probs, flags(probs, run.positive, run.abstention, self.domain, far)

    def _computed(self, images: Pixels) -> Iterator[tuple[Pixels, Floats, Floats]]:
        """Yield batches, for the array may be larger than memory, with probs and features."""
        shape = self.decoder.shape
        if images.shape[1:] != shape or images.dtype != np.uint8 or not len(images):
            received = f"{images.dtype} of shape {images.shape}"
            expected = f"uint8 of shape (images, {', '.join(map(str, shape))})"
            raise InputError("images", expected, received, "the run's own `decoder`")
        self.expect(len(images))
        for start in range(0, len(images), self.batch_size):
            batch = images[start : start + self.batch_size]
            probs, features = self._engine(batch)
            yield batch, two_columns(probs), features

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
        return Stream(self._stream(iter(images), groups), any(groups.values()))

    def _stream(self, images: Iterator[Image], groups: dict[str, str]) -> Iterator[Prediction]:
        with ThreadPoolExecutor(threads.cores()) as pool:
            batches = iter(lambda: threads.parts(list(islice(images, self.batch_size))), [])
            waiting = [pool.map(self._decode, batch) for batch in islice(batches, 2)]
            while waiting:
                interrupts.check()
                decoded = list(chain.from_iterable(waiting.pop(0)))
                waiting += [pool.map(self._decode, batch) for batch in islice(batches, 1)]
                for prediction in self._answer(decoded):
                    yield replace(prediction, group=groups[prediction.path])

    def _decode(self, images: Sequence[Image]) -> list[tuple[Image, Pixels | str, str]]:
        """Return the pixels of each image, or why it cannot be read; and a remark, mostly ""."""
        decoded: list[tuple[Image, Pixels | str, str]] = []
        for image in images:
            try:
                with in_memory(image.path):
                    opened = open_image(image.read(), image.path)
                    remark = remarks.join(opened.remarks, self.decoder.background)
                    decoded.append((image, self.decoder.pixels(opened, image.path), remark))
                    del opened  # before others take its memory
            except UnreadableImageError as error:
                # an error that is kept keeps all that was in memory when it was raised
                decoded.append((image, error.reason, ""))
        return decoded

    def _answer(self, decoded: list[tuple[Image, Pixels | str, str]]) -> Iterator[Prediction]:
        readable = [pixels for _, pixels, _ in decoded if isinstance(pixels, np.ndarray)]
        rows = iter(zip(*self.answers(np.stack(readable)), strict=True) if readable else ())
        names = self.run.class_names
        for image, pixels, remark in decoded:
            if isinstance(pixels, str):
                yield Prediction(image.path, "", {}, "", UNREADABLE, pixels)
                continue
            probs, (flag, reason) = next(rows)
            if flag == NO_ANSWER:
                yield Prediction(image.path, "", {}, "", flag, reason, remark)
                continue
            predicted, decision = decide(probs, self.run.positive, self.run.threshold)
            yield Prediction(
                image.path,
                names[predicted],
                dict(zip(names, probs.tolist(), strict=True)),
                names[decision],
                flag,
                reason,
                remark,
            )


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


def two_columns(probs: Floats) -> Floats:
    """Turn the one column of a sigmoid head, `(batch, 1)`, into two; leave others as they are."""
    return np.concatenate([1 - probs, probs], axis=1) if probs.shape[1] == 1 else probs
