"""ONNX: for ONNX Runtime, in any language and without TensorFlow."""

import logging
from pathlib import Path
from typing import Any

import numpy as np

from tfcnn.base import quiet, threads
from tfcnn.decode import Pixels
from tfcnn.export._format import Runner
from tfcnn.export._job import INPUT, OUTPUTS, Floats, Job

FILE, TITLE, TOLERANCE = "model.onnx", "ONNX", 1e-4
LIBRARIES = {"onnx": "onnx", "tf2onnx": "tf2onnx", "onnxruntime": "onnxruntime"}
OPSET = 18  # the newest that tf2onnx writes
PROVIDERS = ("CPUExecutionProvider",)
SNIPPET_LIBRARIES = ("onnxruntime",)
SNIPPET = """\
from onnxruntime import InferenceSession
model = InferenceSession(here / "{file}")
probs = model.run(["probs"], {"images": images})[0]
"""


def write(job: Job, path: Path) -> None:
    """Convert the model with tf2onnx."""
    function = job.function()
    with quiet.stderr_to_log():
        import onnx
        import tf2onnx

        logging.getLogger("tf2onnx").setLevel(logging.ERROR)
        model, _ = tf2onnx.convert.from_function(
            function,
            input_signature=function.input_signature,
            opset=OPSET,
            custom_op_handlers={"Erfc": (_without_erfc, [])},
        )
        outputs = {output.name: output for output in model.graph.output}
        del model.graph.output[:]
        model.graph.output.extend(outputs[name] for name in OUTPUTS)  # it sorts them by name
        onnx.checker.check_model(model, full_check=True)
    path.write_bytes(model.SerializeToString())


def _without_erfc(graph: Any, node: Any, name: str, _: Any) -> None:
    """Write erfc(x), into which TensorFlow turns a GELU and which ONNX lacks, as 1 - erf(x)."""
    shape, kind = graph.get_shape(node.output[0]), graph.get_dtype(node.output[0])
    graph.remove_node(node.name)
    one = graph.make_const(f"{name}_one", np.array(1, np.float32)).output[0]
    erf = graph.make_node("Erf", [node.input[0]], shapes=[shape], dtypes=[kind]).output[0]
    graph.make_node(
        "Sub", [one, erf], outputs=[node.output[0]], name=name, shapes=[shape], dtypes=[kind]
    )


def open_file(path: Path) -> Runner:
    """Open an `.onnx` file."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads.cores()
    session = onnxruntime.InferenceSession(path, options, providers=list(PROVIDERS))

    def run(images: Pixels) -> tuple[Floats, Floats]:
        probs, features = session.run(list(OUTPUTS), {INPUT: images})
        return probs, features

    return run
