"""The answers of a service: those of `tfcnn predict`, by the same decoder and the same model."""

import asyncio
import base64
import io
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from tfcnn.base import threads
from tfcnn.base.errors import InputError
from tfcnn.decode import Pixels
from tfcnn.prediction import NO_ANSWER, Decoded, Note, Prediction, Predictor, groups_of
from tfcnn.prediction.output import to_dict
from tfcnn.runs import MODEL, TWIN, Run
from tfcnn.serve.batching import Batcher
from tfcnn.serve.metering import Meter
from tfcnn.serve.service_limits import Refused
from tfcnn.serve.uploads import Upload

if TYPE_CHECKING:
    from tfcnn.explain import Explainer

BATCHES = 4  # of decoded images that may wait for the model
STATUS = {"too-large": 413, "not-read": 415, "damaged": 422, "": 422}
READABLE = "an image that can be read"
NOTICE = "tfcnn is not a medical device: read the limits of use in the run's report."


class Answered(NamedTuple):
    """The answers to a request.

    Attributes:
        rows: one per image, as the JSON lines of `tfcnn predict`.
        status: of HTTP: 200 where any image has an answer, else why the first has none.
        error: why the first image has no answer, if none has one; else "".
    """

    rows: list[dict[str, Any]]
    status: int
    error: str


class Answerer:
    """A run that is loaded once, and answers many requests at a time.

    Args:
        run: an opened run.
        meter: counts what it does.
        has_heat_maps: whether it also loads the Keras model, whose gradients draw heat maps.
        note: hears what computes where that is not LiteRT.
    """

    def __init__(self, run: Run, meter: Meter, has_heat_maps: bool, note: Note) -> None:
        self.predictor = Predictor(run, note=note)
        self.explainer = _explainer(run) if has_heat_maps else None
        self._meter = meter
        self._decoders = ThreadPoolExecutor(threads.cores(), "decode")
        self._thread = ThreadPoolExecutor(1, "model")
        most = self.predictor.batch_size
        self._batcher = Batcher(self._compute, most, self._thread, meter.count_batch)
        # what is decoded and waits takes memory too
        self._space = asyncio.Semaphore(BATCHES * most)
        self._compute([Decoded("start", np.zeros(run.decoder.shape, np.uint8))])

    @property
    def about(self) -> dict[str, Any]:
        """What answers, and by which rules."""
        run = self.predictor.run
        hashes = run.card["sha256"]
        return {
            "run": run.name,
            "model_sha256": hashes.get(MODEL) or hashes[TWIN],
            "computed_by": self.predictor.engine,
            "class_names": list(run.class_names),
            "positive": run.card["positive"],
            "threshold": run.threshold,
            "notice": NOTICE,
        }

    def check(self, with_heat_map: bool) -> None:
        """Refuse what this service cannot do.

        Raises:
            Refused: if heat maps are asked for, and it draws none.
        """
        if with_heat_map and self.explainer is None:
            hint = "heat_map=false, or tfcnn serve with --heat-maps"
            raise Refused(422, "heat_map=false, as this service draws none", "true", hint)

    async def answers(self, uploads: Sequence[Upload], with_heat_map: bool) -> Answered:
        """Return the answers to images, in their order.

        Raises:
            Refused: if the regex for groups does not end with these names.
        """
        groups = await self._groups([upload.name for upload in uploads])
        rows, statuses = list[dict[str, Any]](), list[int]()
        for part in threads.parts(uploads):
            ones = [self._answer(upload, with_heat_map) for upload in part]
            for upload, (prediction, status, heat_map) in zip(
                part, await asyncio.gather(*ones), strict=True
            ):
                row = to_dict(replace(prediction, group=groups[upload.name]))
                rows.append(row | heat_map)
                statuses.append(status)
                self._meter.count_image(prediction.flag)
        if 200 in statuses:
            return Answered(rows, 200, "")
        what = "a number from the network" if rows[0]["flag"] == NO_ANSWER else READABLE
        error = f"{rows[0]['path']}: expected {what}; received {rows[0]['reason']}"
        return Answered(rows, statuses[0], error)

    def close(self) -> None:
        """End the threads; what waits for them is not computed."""
        for pool in (self._decoders, self._thread):
            pool.shutdown(wait=True, cancel_futures=True)

    async def _answer(
        self, upload: Upload, with_heat_map: bool
    ) -> tuple[Prediction, int, dict[str, str]]:
        """Return the prediction of an image, its status and its heat map."""
        loop = asyncio.get_running_loop()
        async with self._space:
            decoded = await loop.run_in_executor(self._decoders, self._decode, upload)
            prediction = await self._batcher.result(decoded)
            if not prediction.predicted:
                return prediction, STATUS[decoded.problem], {}
            if not with_heat_map or decoded.pixels is None:
                return prediction, 200, {}
            place = self.predictor.run.class_names.index(prediction.predicted)
            drawn = await loop.run_in_executor(self._thread, self._draw, decoded.pixels, place)
            return prediction, 200, {"heat_map": drawn}

    def _decode(self, upload: Upload) -> Decoded:
        return self.predictor.decode(upload.name, lambda: upload.content)

    def _compute(self, decoded: Sequence[Decoded]) -> list[Prediction]:
        return list(self.predictor.predictions(decoded))

    def _draw(self, pixels: Pixels, place: int) -> str:
        """Return a PNG, as a data URI: where the network sees evidence for a class."""
        from PIL import Image

        from tfcnn.explain import overlay

        if self.explainer is None:
            raise RuntimeError("no explainer was loaded")
        maps = self.explainer.maps(pixels[None], np.array([place]))
        file = io.BytesIO()
        Image.fromarray(overlay(pixels, maps[0])).save(file, "PNG")
        return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode("ascii")

    async def _groups(self, names: list[str]) -> dict[str, str]:
        """Return the group of each image, as `tfcnn predict` reads it from the names."""
        run, loop = self.predictor.run, asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._decoders, groups_of, run, names, names)
        except InputError as error:
            raise Refused(422, error.expected, error.received, "other names of files") from error


def _explainer(run: Run) -> "Explainer":
    from tfcnn.explain import Explainer, overlay

    explainer, side = Explainer(run), run.decoder.shape
    image = np.zeros(side, np.uint8)
    overlay(image, explainer.maps(image[None])[0])  # the first takes seconds
    return explainer
