"""What computes the answers of a run: LiteRT or OpenVINO its twin, Keras the model itself.

LiteRT starts soonest. OpenVINO, where it is installed, takes two thirds of its time for many
images, and is taken only where it gives the same answers.
"""

from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from tfcnn import quiet, threads
from tfcnn.decode import Pixels
from tfcnn.errors import InputError
from tfcnn.runs import Run

__all__ = ["Engine", "faster", "open_engine"]

Floats = npt.NDArray[np.float32]
TOLERANCE = 1e-4  # of a probability, as of the twin itself
PROBED = 4


class Engine(Protocol):
    """Answers for images.

    Attributes:
        name: `litert`, `openvino` or `keras`.
    """

    name: str

    def __call__(self, images: Pixels) -> tuple[Floats, Floats]:
        """Return probabilities and features of uint8 `(batch, height, width, channels)`."""


def open_engine(run: Run, wanted: str = "auto") -> Engine:
    """Open a run's model with an engine: `litert`, `keras`, or `auto`: LiteRT where it can.

    Raises:
        InputError: if the run lacks the file that the engine reads.
    """
    twin = None if wanted == "keras" else run.model_file("model.tflite")
    if twin is None and wanted == "litert":
        raise InputError(run.path, "a model.tflite", "none", "engine='keras'")
    return _LiteRT(twin) if twin else _Keras(run)


def faster(engine: Engine, shape: tuple[int, int, int]) -> Engine:
    """Return OpenVINO in LiteRT's place, where it is installed and gives the same answers.

    Args:
        engine: any; what is not LiteRT is returned as it is.
        shape: `(height, width, channels)` of its images.
    """
    if not isinstance(engine, _LiteRT):
        return engine
    images = np.random.default_rng(0).integers(0, 256, (PROBED, *shape), dtype=np.uint8)
    try:
        with quiet.stderr_to_log():
            found = _OpenVINO(engine.path, engine(images), images)
    except Exception as error:  # not installed, not for this processor, or an op that it lacks
        quiet.write_log(f"no OpenVINO: {error}")
        return engine
    return found


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

    def __call__(self, images: Pixels) -> tuple[Floats, Floats]:
        outputs = self._run(images=np.ascontiguousarray(images))
        return outputs["probs"], outputs["features"]


class _OpenVINO:
    """The twin in OpenVINO, which forgets what its outputs are called: `expected` tells."""

    name = "openvino"

    def __init__(self, path: Path, expected: tuple[Floats, Floats], images: Pixels) -> None:
        import openvino

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


def _place_of(expected: Floats, outputs: list[Floats]) -> int:
    """Return which output it is, by shape and by values."""
    tolerance = TOLERANCE * max(1.0, float(np.abs(expected).max()))
    for place, found in enumerate(outputs):
        if found.shape == expected.shape and np.abs(found - expected).max() <= tolerance:
            return place
    raise ValueError("its answers are not LiteRT's")


class _Keras:
    name = "keras"

    def __init__(self, run: Run) -> None:
        path = run.model_file("model.keras")
        if path is None:
            raise InputError(run.path, "a model.keras or model.tflite", "neither", "training again")
        quiet.load_tensorflow()
        import keras

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
