"""What computes the answers of a run: LiteRT or OpenVINO its twin, Keras the model itself.

LiteRT starts soonest. For many images OpenVINO, where it is installed, may take two thirds of its
time, or twice its time where each channel is convolved by itself. It is taken where it gives the
same answers sooner.
"""

from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from time import perf_counter
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from tfcnn.base import quiet, threads
from tfcnn.base.errors import InputError
from tfcnn.decode import Pixels
from tfcnn.runs import MODEL, TWIN, keras_file

Floats = npt.NDArray[np.float32]
Note = Callable[[str], None]
BATCH_SIZE = 64
BATCH_PIXELS = 64 * 256 * 256  # so that maps of large images fit into memory
TITLES = {"litert": "LiteRT", "openvino": "OpenVINO", "keras": "Keras"}
MANY = 500  # images whose answers take longer than half a second
TOLERANCE = 1e-4  # of a probability, as of the twin itself
PROBED = 16
SOONER = 0.95  # of the time: less is not worth another engine
MOST_REASON = 200  # characters


class Engine(Protocol):
    """Answers for images.

    Attributes:
        name: `litert`, `openvino` or `keras`.
    """

    name: str

    @property
    def version(self) -> str:
        """The version of the package that computes."""

    def __call__(self, images: Pixels) -> tuple[Floats, Floats]:
        """Return probabilities and features of uint8 `(batch, height, width, channels)`."""


class ModelFiles(NamedTuple):
    """Where the files of a model are, and what it takes and gives.

    Attributes:
        folder: that they are in.
        find: returns the path of the file of a name, or None where there is none to be used.
        shape: `(height, width, channels)` of an image.
        num_classes: how many classes it tells apart.
    """

    folder: Path
    find: Callable[[str], Path | None]
    shape: tuple[int, int, int]
    num_classes: int


class Choice(NamedTuple):
    """The engine that computes, and why it is not the one that would have been preferred.

    Attributes:
        engine: what computes.
        reason: why it is not another, "" where none was to be preferred.
        is_fault: whether a person should hear of it: what is not installed is no fault.
    """

    engine: Engine
    reason: str = ""
    is_fault: bool = False


class Model:
    """A saved model, ready to compute.

    Args:
        files: of the model.
        engine: `litert`, `openvino`, `keras`, or `auto`: LiteRT where there is a twin, and
            OpenVINO, if it is installed, in its place for many images.
        note: hears what computes where that is not LiteRT, and what did not start.
        seeks_faster: whether `auto` may take OpenVINO.

    Attributes:
        batch_size: how many images are computed at once, fewer where they are large.
    """

    def __init__(
        self,
        files: ModelFiles,
        engine: str = "auto",
        note: Note | None = None,
        *,
        seeks_faster: bool = True,
    ) -> None:
        self._note = note or (lambda _: None)
        self._shape = files.shape
        self.batch_size = batch_size_of(files.shape)
        self._take(open_engine(files, engine))
        self._seeks_faster = seeks_faster and engine == "auto"

    @property
    def engine(self) -> str:
        """What computes: `litert`, `openvino` or `keras`."""
        return self._engine.name

    @property
    def computed_by(self) -> dict[str, str]:
        """What computes, for the record: `name`, `version`, and a `reason` it is not another."""
        reason = {"reason": self._choice.reason} if self._choice.reason else {}
        return {"name": self.engine, "version": self._engine.version, **reason}

    def _take(self, choice: Choice) -> None:
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
                self._take(faster(self._engine, self._shape))

    def probs(self, images: Pixels) -> Floats:
        """Return float32 `(batch, classes)` that sum to 1, for uint8 images in [0, 255]."""
        return self.probs_and_features(images)[0]

    def probs_and_features(self, images: Pixels) -> tuple[Floats, Floats]:
        """Return the probabilities and the float32 `(batch, features)` that enter the head."""
        _, probs, features = zip(*self.computed(images), strict=True)
        return np.concatenate(probs), np.concatenate(features)

    def computed(self, images: Pixels) -> Iterator[tuple[Pixels, Floats, Floats]]:
        """Yield batches, for the array may be larger than memory, with probs and features."""
        if images.shape[1:] != self._shape or images.dtype != np.uint8 or not len(images):
            received = f"{images.dtype} of shape {images.shape}"
            expected = f"uint8 of shape (images, {', '.join(map(str, self._shape))})"
            raise InputError("images", expected, received, "the run's own `decoder`")
        self.expect(len(images))
        for start in range(0, len(images), self.batch_size):
            batch = images[start : start + self.batch_size]
            probs, features = self._engine(batch)
            yield batch, two_columns(probs), features


def batch_size_of(shape: tuple[int, int, int]) -> int:
    """Return how many images of shape `(height, width, channels)` are computed at once."""
    return max(1, min(BATCH_SIZE, BATCH_PIXELS // (shape[0] * shape[1])))


def two_columns(probs: Floats) -> Floats:
    """Turn the one column of a sigmoid head, `(batch, 1)`, into two; leave others as they are."""
    return np.concatenate([1 - probs, probs], axis=1) if probs.shape[1] == 1 else probs


def open_engine(files: ModelFiles, engine: str = "auto") -> Choice:
    """Open a model with an engine, or with `auto`: LiteRT where it can.

    Raises:
        InputError: if there is no file that the engine reads, or OpenVINO is asked for and is not
            installed or gives other answers.
    """
    twin = None if engine == "keras" else files.find(TWIN)
    if twin is None and engine in ("litert", "openvino"):
        raise InputError(files.folder, f"a {TWIN}", "none", "the engine keras")
    if twin is None:
        return Choice(_Keras(files))
    try:
        if engine == "openvino":
            return Choice(_openvino(_LiteRT(twin), files.shape))
        return Choice(_LiteRT(twin))
    except Exception as error:  # the runtime raises many types for what a machine lacks
        if engine in ("litert", "openvino") or files.find(MODEL) is None:
            raise
        return _failed(_Keras(files), f"LiteRT did not start ({_one_line(error)}): Keras computes")


def faster(engine: Engine, shape: tuple[int, int, int]) -> Choice:
    """Return OpenVINO in LiteRT's place, where it is installed and gives the same answers sooner.

    Args:
        engine: any; what is not LiteRT is returned as it is.
        shape: `(height, width, channels)` of its images.
    """
    if not isinstance(engine, _LiteRT):
        return Choice(engine)
    images = np.random.default_rng(0).integers(0, 256, (PROBED, *shape), dtype=np.uint8)
    try:
        with quiet.stderr_to_log():
            other = _OpenVINO(engine.path, engine(images), images)
        ratio = _seconds(other, images) / _seconds(engine, images)
        if ratio > SOONER:
            return Choice(engine, f"OpenVINO takes {ratio:.2g} times as long")
        return Choice(other)
    except _OtherAnswersError as error:
        return _failed(engine, f"no OpenVINO: {error}: LiteRT computes")
    except Exception as error:  # not for this processor, or an op that it lacks, or a broken file
        if isinstance(error, ModuleNotFoundError) and error.name == "openvino":
            quiet.write_log(f"no OpenVINO: {error}")
            return Choice(engine, "OpenVINO is not installed")
        why = f"it did not start ({_one_line(error)})"
        return _failed(engine, f"no OpenVINO: {why}: LiteRT computes")


def _openvino(engine: "_LiteRT", shape: tuple[int, int, int]) -> "_OpenVINO":
    """Open OpenVINO because a user asks for it.

    Raises:
        InputError: if it is not installed, or gives other answers than LiteRT.
    """
    images = np.random.default_rng(0).integers(0, 256, (PROBED, *shape), dtype=np.uint8)
    try:
        with quiet.stderr_to_log():
            return _OpenVINO(engine.path, engine(images), images)
    except ModuleNotFoundError as error:
        hint = "pip install 'tfcnn[fast]', or --engine litert"
        raise InputError("--engine openvino", "the package openvino", "none", hint) from error
    except _OtherAnswersError as error:
        raise InputError(
            engine.path, "a model for OpenVINO", str(error), "--engine litert"
        ) from error


def _seconds(engine: Engine, images: Pixels) -> float:
    """Return the least time that an engine takes for some images, of three times."""
    times = []
    for _ in range(3):
        start = perf_counter()
        engine(images)
        times.append(perf_counter() - start)
    return min(times)


def _failed(engine: Engine, reason: str) -> Choice:
    quiet.write_log(reason)
    return Choice(engine, reason, is_fault=True)


def _one_line(error: Exception) -> str:
    text = " ".join(f"{type(error).__name__}: {error}".split())
    return text if len(text) <= MOST_REASON else f"{text[:MOST_REASON]} ..."


class _LiteRT:
    name = "litert"

    def __init__(self, path: Path) -> None:
        quiet.silence()
        from ai_edge_litert.interpreter import Interpreter

        self.path = path
        with quiet.stderr_to_log():  # the runtime greets on the file descriptor
            interpreter = Interpreter(str(path), num_threads=threads.cores())
            interpreter.allocate_tensors()
            self._run = interpreter.get_signature_runner("serving_default")
        self._interpreter = interpreter  # the runner does not keep it alive

    @property
    def version(self) -> str:
        return version("ai-edge-litert")  # which takes a moment: a prediction does not ask

    def __call__(self, images: Pixels) -> tuple[Floats, Floats]:
        outputs = self._run(images=np.ascontiguousarray(images))
        return outputs["probs"], outputs["features"]


class _OpenVINO:
    """The twin in OpenVINO, which forgets what its outputs are called: `expected` tells."""

    name = "openvino"

    def __init__(self, path: Path, expected: tuple[Floats, Floats], images: Pixels) -> None:
        import openvino

        self.version = version("openvino")
        core = openvino.Core()
        settings = {
            "INFERENCE_PRECISION_HINT": "f32",  # whatever the processor is, the same answers
            "PERFORMANCE_HINT": "LATENCY",  # all cores on one batch
            "ENABLE_CPU_PINNING": False,  # decoding needs the cores too
        }
        self._model = core.compile_model(core.read_model(path), "CPU", settings)
        outputs = list(self._model(images).values())
        self._probs, self._features = (_place_of(values, outputs) for values in expected)

    def __call__(self, images: Pixels) -> tuple[Floats, Floats]:
        outputs = list(self._model(np.ascontiguousarray(images)).values())
        return outputs[self._probs], outputs[self._features]


class _OtherAnswersError(ValueError):
    """Another engine does not give LiteRT's answers."""


def _place_of(expected: Floats, outputs: list[Floats]) -> int:
    """Return which output it is, by shape and by values."""
    tolerance = TOLERANCE * max(1.0, float(np.abs(expected).max()))
    alike = {i: output for i, output in enumerate(outputs) if output.shape == expected.shape}
    differences = {i: float(np.abs(output - expected).max()) for i, output in alike.items()}
    for place, difference in differences.items():
        if difference <= tolerance:
            return place
    least = min(differences.values(), default=None)
    received = "outputs of other shapes" if least is None else f"differences of {least:.2g}"
    raise _OtherAnswersError(f"its answers are not LiteRT's ({received}, at most {tolerance:.2g})")


class _Keras:
    name = "keras"

    def __init__(self, files: ModelFiles) -> None:
        path = files.find(MODEL)
        if path is None:
            raise InputError(files.folder, f"a {MODEL} or {TWIN}", "neither", "training again")
        quiet.load_tensorflow()
        import keras

        self.version = keras.__version__
        model = keras_file.load(path)
        try:
            self._model = keras.Model(
                model.inputs[0], [model.outputs[0], model.get_layer("head").input]
            )
            outputs, shape = model.output_shape[-1], model.input_shape[1:]
        except (AttributeError, IndexError, TypeError, ValueError) as error:
            expected = "a network of one input and one output, with a layer head"
            raise InputError(path, expected, _one_line(error), keras_file.HINT) from error
        if outputs not in (1, files.num_classes):
            expected = f"{files.num_classes} outputs, one per class"
            raise InputError(path, expected, str(outputs), f"the {MODEL} of this run")
        if shape != files.shape:
            expected = f"images of {files.shape}, as the run says"
            raise InputError(path, expected, str(shape), f"the {MODEL} of this run")

    def __call__(self, images: Pixels) -> tuple[Floats, Floats]:
        probs, features = self._model(images.astype(np.float32), training=False)
        return np.asarray(probs), np.asarray(features)
