"""What computes the answers of a run: LiteRT or OpenVINO its twin, Keras the model itself.

LiteRT starts soonest. OpenVINO, where it is installed, takes two thirds of its time for many
images, and is taken only where it gives the same answers.
"""

from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from tfcnn.base import quiet, threads
from tfcnn.base.errors import InputError
from tfcnn.decode import Pixels
from tfcnn.runs import MODEL, TWIN, Run

Floats = npt.NDArray[np.float32]
TOLERANCE = 1e-4  # of a probability, as of the twin itself
PROBED = 4
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


def open_engine(run: Run, wanted: str = "auto") -> Choice:
    """Open a run's model with an engine: `litert`, `keras`, or `auto`: LiteRT where it can.

    Raises:
        InputError: if the run lacks the file that the engine reads.
    """
    has_twin = wanted != "keras" and run.is_recorded(TWIN)
    twin = run.file(TWIN) if has_twin else None
    if twin is None and wanted == "litert":
        raise InputError(run.path, "a model.tflite", "none", "engine='keras'")
    if twin is None:
        return Choice(_Keras(run))
    try:
        return Choice(_LiteRT(twin))
    except Exception as error:  # the runtime raises many types for what a machine lacks
        if wanted == "litert" or not run.is_recorded(MODEL):
            raise
        return _failed(_Keras(run), f"LiteRT did not start ({_one_line(error)}): Keras computes")


def faster(engine: Engine, shape: tuple[int, int, int]) -> Choice:
    """Return OpenVINO in LiteRT's place, where it is installed and gives the same answers.

    Args:
        engine: any; what is not LiteRT is returned as it is.
        shape: `(height, width, channels)` of its images.
    """
    if not isinstance(engine, _LiteRT):
        return Choice(engine)
    images = np.random.default_rng(0).integers(0, 256, (PROBED, *shape), dtype=np.uint8)
    try:
        with quiet.stderr_to_log():
            return Choice(_OpenVINO(engine.path, engine(images), images))
    except _OtherAnswersError as error:
        return _failed(engine, f"no OpenVINO: {error}: LiteRT computes")
    except Exception as error:  # not for this processor, or an op that it lacks, or a broken file
        if isinstance(error, ModuleNotFoundError) and error.name == "openvino":
            quiet.write_log(f"no OpenVINO: {error}")
            return Choice(engine, "OpenVINO is not installed")
        why = f"it did not start ({_one_line(error)})"
        return _failed(engine, f"no OpenVINO: {why}: LiteRT computes")


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
        self._probs, self._features = (_place_of(wanted, outputs) for wanted in expected)

    def __call__(self, images: Pixels) -> tuple[Floats, Floats]:
        outputs = list(self._model(np.ascontiguousarray(images)).values())
        return outputs[self._probs], outputs[self._features]


class _OtherAnswersError(ValueError):
    """Another engine does not give LiteRT's answers."""


def _place_of(expected: Floats, outputs: list[Floats]) -> int:
    """Return which output it is, by shape and by values."""
    tolerance = TOLERANCE * max(1.0, float(np.abs(expected).max()))
    alike = {i: found for i, found in enumerate(outputs) if found.shape == expected.shape}
    differences = {i: float(np.abs(found - expected).max()) for i, found in alike.items()}
    for place, difference in differences.items():
        if difference <= tolerance:
            return place
    least = min(differences.values(), default=None)
    received = "outputs of other shapes" if least is None else f"differences of {least:.2g}"
    raise _OtherAnswersError(f"its answers are not LiteRT's ({received}, at most {tolerance:.2g})")


class _Keras:
    name = "keras"

    def __init__(self, run: Run) -> None:
        if not run.is_recorded(MODEL):
            raise InputError(run.path, "a model.keras or model.tflite", "neither", "training again")
        path = run.file(MODEL)
        quiet.load_tensorflow()
        import keras

        self.version = keras.__version__
        model: Any = keras.saving.load_model(path, compile=False)
        if model.output_shape[-1] not in (1, len(run.class_names)):
            raise InputError(
                path,
                f"{len(run.class_names)} outputs, one per class",
                str(model.output_shape[-1]),
                "the model.keras of this run",
            )
        self._model = keras.Model(
            model.inputs[0], [model.outputs[0], model.get_layer("head").input]
        )

    def __call__(self, images: Pixels) -> tuple[Floats, Floats]:
        probs, features = self._model(images.astype(np.float32), training=False)
        return np.asarray(probs), np.asarray(features)
