"""Write predictions as CSV or JSON lines, one by one, to a file or to standard output."""

import contextlib
import csv
import json
import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Literal, TextIO

from tfcnn import atomic
from tfcnn.errors import InputError
from tfcnn.prediction import Prediction

__all__ = ["format_of", "write"]

Format = Literal["csv", "jsonl"]


def format_of(output: Path | None, as_json: bool) -> Format:
    """Choose the format by the file's suffix; CSV on standard output unless JSON is asked for.

    Raises:
        InputError: if the suffix is neither `.csv` nor `.jsonl`, or a folder has the name.
    """
    if output is None:
        return "jsonl" if as_json else "csv"
    if output.suffix not in (".csv", ".jsonl"):
        raise InputError(output, "a name that ends in .csv or .jsonl", output.name, "one of them")
    if output.is_dir():
        raise InputError(output, "a file to write", "a folder", "another name")
    return "jsonl" if output.suffix == ".jsonl" else "csv"


def write(
    predictions: Iterable[Prediction],
    class_names: tuple[str, ...],
    format_name: Format,
    output: Path | None,
) -> int:
    """Write predictions as they come and return how many there were.

    A file appears only when it is whole.
    """
    with _opened(output) as file:
        lines = _csv if format_name == "csv" else _jsonl
        return lines(predictions, class_names, file)


@contextlib.contextmanager
def _opened(output: Path | None) -> Iterator[TextIO]:
    if output is None:
        yield sys.stdout
        return
    with atomic.writing(output) as part, part.open("w", newline="", encoding="utf-8") as file:
        yield file


def _csv(predictions: Iterable[Prediction], class_names: tuple[str, ...], file: TextIO) -> int:
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(
        ["path", "predicted", *(f"prob_{name}" for name in class_names), "decision", "flag"]
    )
    count = 0
    for p in predictions:
        count += 1
        probs = [f"{p.probs[name]:.9g}" if p.probs else "" for name in class_names]
        writer.writerow([atomic.printable(p.path), p.predicted, *probs, p.decision, p.flag])
    return count


def _jsonl(predictions: Iterable[Prediction], class_names: tuple[str, ...], file: TextIO) -> int:
    count = 0
    for prediction in predictions:
        count += 1
        line = json.dumps(asdict(prediction), ensure_ascii=False)
        # JSON reads the escapes as the name they stand for
        file.write(atomic.printable(line) + "\n")
    return count
