"""LiteRT in 8 bits: a quarter of the size, for small computers; it answers a little differently.

Convolutions and dense layers compute in 8 bits, between ranges that training images gave (static
quantization). All else stays in float32. Three choices of layers were compared on val of one run
of recipe malaria. The loss of accuracy, in points with its interval over 21 patients, was 4.1
(-.3 to 8.5) with all operations in 8 bits, 3.1 (.6 to 5.6) with additions, products and pooling but
without the statistics of an image, and -.1 (-.7 to .6) with these layers alone. On the 21 patients
of test, which took no part in the choice, these layers alone lose 1.4 (-2.6 to 5.5). Which
operation costs most was not looked for.
"""

import contextlib
import io
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from tfcnn.base import quiet, sampling
from tfcnn.base.errors import CheckError, InputError
from tfcnn.datasets import Source
from tfcnn.decode import Pixels
from tfcnn.evaluation import intervals, table
from tfcnn.evaluation.sample import Sample
from tfcnn.export import _images, litert
from tfcnn.export._format import Runner
from tfcnn.export._job import INPUT, Floats, Job
from tfcnn.runs import PREDICTIONS, SPLIT

FILE, TITLE = "model.tflite", "LiteRT in 8 bits"
TOLERANCE = None  # of a probability: it rounds, and `accept` judges what this does
LIBRARIES = {"ai_edge_quantizer": "ai-edge-quantizer"}
SNIPPET, SNIPPET_LIBRARIES = litert.SNIPPET, litert.SNIPPET_LIBRARIES

CALIBRATED = 200  # training images, an equal part of each class
MOST_LOSS = 0.01  # of accuracy on val, at the upper end of its interval
QUANTIZED = ("CONV_2D", "DEPTHWISE_CONV_2D", "CONV_2D_TRANSPOSE", "FULLY_CONNECTED")
BITS, BATCH, THREADS = 8, 64, 2
CONFIDENCE = 0.95

open_file = litert.open_file


def write(job: Job, path: Path) -> None:
    """Quantize the LiteRT file of the run.

    Raises:
        InputError: if the run's images are gone, or it was shipped without its split.
    """
    source = _source(job)
    rows = _images.rows_of(job.run, "train")
    few = [rows[i] for i in sampling.evenly([row["label"] for row in rows], CALIBRATED)]
    images = np.stack(list(_pixels(job, source, few)))
    path.write_bytes(_quantized(litert.content(job), images))


def _source(job: Job) -> Source:
    """Return the source of a run's images.

    Raises:
        InputError: if it is gone, or the run does not say which of them it was trained on.
    """
    run, name = job.run, job.run.card["data"]["source"]
    if run.num_folds:
        expected = "a run with a val split: the loss by 8 bits is measured on it"
        hint = "--format litert, or one of its folds"
        raise InputError(run.path, expected, "the mean of a cross-validation", hint)
    for needed in (SPLIT, PREDICTIONS):
        if not (run.path / needed).exists():
            expected = f"a run with its {needed}: 8 bits are calibrated and judged on its images"
            hint = f"a run trained here, such as `tfcnn train {name}`, or --format litert"
            raise InputError(run.path, expected, "none", hint)
    source = _images.open_source(run)
    if source is None:
        expected = f"the images of {name}: 8 bits are calibrated and judged on them"
        raise InputError(run.path, expected, "none", "--format litert, which needs none")
    return source


def _pixels(job: Job, source: Source, rows: list[dict[str, str]]) -> Iterator[Pixels]:
    """Yield the decoded images of these rows.

    Raises:
        InputError: naming the first that is gone, or another one than the run's.
    """
    found = _images.read(source, rows, job.run.decoder)
    for row, pixels in zip(rows, found, strict=True):
        if pixels is None:
            expected, received = "an image of the run, as it was", "none, or another one"
            raise InputError(row["path"], expected, received, "--format litert, which needs none")
        yield pixels


def _quantized(content: bytes, images: Pixels) -> bytes:
    """Return a LiteRT model whose layers of `QUANTIZED` compute in 8 bits.

    Args:
        content: of the model in float32.
        images: uint8 `(images, height, width, channels)`, from which the ranges are taken.
    """
    unseen = io.StringIO()  # it prints sizes, a bar, and that it keeps all tensors
    with (
        quiet.stderr_to_log(),
        contextlib.redirect_stdout(unseen),
        contextlib.redirect_stderr(unseen),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")
        from ai_edge_quantizer import quantizer
        from ai_edge_quantizer.qtyping import TFLOperationName

        own = quantizer.Quantizer(bytearray(content))
        for kind in QUANTIZED:
            own.add_static_config(
                ".*", TFLOperationName[kind], activation_num_bits=BITS, weight_num_bits=BITS
            )
        batches: list[dict[str, Any]] = [{INPUT: image[None]} for image in images]
        ranges = own.calibrate({"serving_default": batches}, num_threads=THREADS)
        return _with_outputs(bytes(own.quantize(ranges).quantized_model))


def _with_outputs(content: bytes) -> bytes:
    """Return a model whose graph gives the outputs that its signature names.

    The quantizer may put a rounded copy of the features, which the head takes, in their place: the
    runtime then removes what the signature names.
    """
    from tensorflow.lite.tools import flatbuffer_utils

    model = flatbuffer_utils.convert_bytearray_to_object(bytearray(content))
    (signature,), (graph, *_) = model.signatureDefs, model.subgraphs
    named = [output.tensorIndex for output in signature.outputs]
    if set(named) == set(map(int, graph.outputs)):
        return content
    graph.outputs = named
    for buffer in model.buffers:
        if buffer.offset > 1:  # it lies behind the graph, which will have another length
            end = buffer.offset + buffer.size
            buffer.data = np.frombuffer(content[buffer.offset : end], np.uint8)
            buffer.offset = buffer.size = 0
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


def accept(job: Job, runner: Runner) -> dict[str, Any]:
    """Keep the model if its loss of accuracy on val is small, with its interval over groups.

    Returns:
        `images`, `groups`, `accuracy`, `accuracy_float32`, `loss` with `low` and `high`, and
        `sentence`.

    Raises:
        CheckError: if the upper end of the interval is over one point, or there is no interval.
        InputError: if an image is gone.
    """
    run = job.run
    val = table.read(run).part("val")
    rows = {row["path"]: row for row in _images.rows_of(run, "val")}
    probs = _probs(job, [rows[path] for path in val.paths], runner)
    groups = val.known_groups
    rounded, whole = (
        Sample(val.labels, values, groups, positive=run.positive, threshold=run.threshold)
        for values in (probs, val.probs)
    )
    loss = _loss(whole, rounded)
    count = 0 if groups is None else len(set(groups))
    nouns = run.card["data"]["nouns"]
    on = f"{len(probs):,} {nouns[0]} of val" + (f", of {count} {nouns[1]}" if count else "")
    if loss.value is None or loss.high is None or loss.low is None:
        expected = f"a loss of accuracy on {on} with an interval"
        raise CheckError(run.path, expected, loss.reason, "--format litert; nothing was written")
    said = f"{_points(loss.value)} points ({_points(loss.low)} to {_points(loss.high)})"
    if loss.high > MOST_LOSS:
        expected = f"a loss of accuracy on {on}, of at most 1 point at the end of its interval"
        raise CheckError(run.path, expected, said, "--format litert; nothing was written")
    accuracy = [
        float((values.argmax(axis=1) == val.labels).mean()) for values in (probs, val.probs)
    ]
    return {
        "images": len(probs),
        "groups": count,
        "accuracy": accuracy[0],
        "accuracy_float32": accuracy[1],
        "loss": loss.to_dict(),
        "sentence": f"On {on}, 8 bits lose {said} of accuracy: "
        f"{accuracy[1]:.2%} before, {accuracy[0]:.2%} after.",
    }


def _loss(whole: Sample, rounded: Sample) -> intervals.Interval:
    """Return the loss of accuracy, resampled by group.

    Where no image has another answer, resamples show no spread. The interval is then that of
    Clopper and Pearson (1934) for none of so many images, as if they were independent: it is the
    shortest that can be claimed.
    """
    loss = intervals.paired(whole, rounded, names=["accuracy"])["accuracy"]
    if loss.value == loss.low == loss.high == 0:
        end = 1 - ((1 - CONFIDENCE) / 2) ** (1 / len(whole.labels))
        return intervals.Interval(0.0, -end, end)
    return loss


def _probs(job: Job, rows: list[dict[str, str]], runner: Runner) -> Floats:
    """Return the probabilities of val, a batch at a time: it may be larger than memory."""
    source = _source(job)
    parts = []
    for start in range(0, len(rows), BATCH):
        images = np.stack(list(_pixels(job, source, rows[start : start + BATCH])))
        parts.append(runner(images)[0])
    return np.concatenate(parts)


def _points(share: float) -> str:
    return f"{100 * share:.2f}".replace("-", "−")
