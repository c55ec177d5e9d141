"""What a command has predicted so far: a line per image, beside the output, until that is whole.

A killed command loses at most the batch that it was computing. The first line says what was being
predicted by what, and every further line is a prediction. What a cut left at the end of the file is
dropped: half a line, or the zeros of a power cut.
"""

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from tfcnn.base.disk import disk_errors
from tfcnn.base.errors import CheckError, InputError
from tfcnn.prediction.answers import Prediction
from tfcnn.prediction.paths import Image

SUFFIX = ".unfinished"
BEGIN_AGAIN = "--fresh to begin again, or another --output"
Head = dict[str, Any]


def encode(prediction: Prediction) -> bytes:
    """Return a prediction as a line, without its group: the names of the files tell that."""
    p = prediction
    values = [p.path, p.predicted, [*p.probs.values()], p.decision, p.flag, p.reason, p.remark]
    # in ASCII, where a name that is not UTF-8 has its place too
    return json.dumps(values, allow_nan=False, separators=(",", ":")).encode() + b"\n"


def decode(line: bytes, class_names: Sequence[str]) -> Prediction:
    """Return the prediction of a line.

    Raises:
        ValueError: if it is none.
    """
    path, predicted, probs, decision, flag, reason, remark = json.loads(line)
    named = dict(zip(class_names, probs, strict=True)) if probs else {}
    return Prediction(path, predicted, named, decision, flag, reason, remark)


def _check_unchanged(image: Image, written_ns: int) -> None:
    """Raise InputError if an image, or its archive, is not what it was at a time in ns.

    The time of the last change tells of other bytes, another file of the name, and other rights.
    """
    if (image.archive or Path(image.path)).stat().st_ctime_ns > written_ns:
        expected, received = "the image that was predicted before the cut", "one that changed since"
        raise InputError(image.path, expected, received, BEGIN_AGAIN)


class Journal:
    """The predictions so far of one output.

    Args:
        output: what the command writes in the end.
        class_names: of the run, in the model's order.

    Attributes:
        path: of the file.
        done: how many images it holds.
    """

    def __init__(self, output: Path, class_names: Sequence[str]) -> None:
        self.path, self._class_names = output.with_name(output.name + SUFFIX), class_names
        self.done, self._start = 0, 0

    def head(self) -> Head:
        """Return what was being predicted by what; empty where nothing was."""
        try:
            with self.path.open("rb") as file:
                head = json.loads(file.readline())
        except (FileNotFoundError, ValueError):  # killed before the first line was whole
            return {}
        return head if isinstance(head, dict) else {}

    def begin(self, head: Head) -> None:
        """Begin a new one."""
        line = json.dumps(head, allow_nan=False).encode() + b"\n"
        with disk_errors(self.path):
            self.path.write_bytes(line)
        self.done, self._start = 0, len(line)

    def go_on(self, head: Head, images: Sequence[Image], batch_size: int) -> None:
        """Find the whole batches that are done, and drop what follows them.

        Args:
            head: what is to be predicted by what.
            images: in order.
            batch_size: of the batches in which they are computed.

        Raises:
            InputError: if something else was being predicted, or by something else, or an image
                has changed since the file was last written.
        """
        old = self.head()
        for key, value in head.items():
            if old.get(key) != value:
                received, expected = f"{key} {value}", f"{key} {old.get(key)}, as it was begun"
                raise InputError(self.path, expected, received, BEGIN_AGAIN)
        with self.path.open("r+b") as file:
            written_ns = os.fstat(file.fileno()).st_mtime_ns
            self._start = end = len(file.readline())
            offset = end
            for number, image in enumerate(images, start=1):
                line = file.readline()
                if not self._is_of(image, line):
                    break
                _check_unchanged(image, written_ns)
                offset += len(line)
                if number % batch_size == 0 or number == len(images):
                    self.done, end = number, offset
            file.truncate(end)

    def _is_of(self, image: Image, line: bytes) -> bool:
        try:
            return line.endswith(b"\n") and decode(line, self._class_names).path == image.path
        except (ValueError, TypeError):
            return False

    def replay(self) -> Iterator[Prediction]:
        """Yield the predictions that are done.

        Raises:
            CheckError: if the file was changed meanwhile.
        """
        with self.path.open("rb") as file:
            file.seek(self._start)
            for _ in range(self.done):
                try:
                    yield decode(file.readline(), self._class_names)
                except (ValueError, TypeError) as error:
                    expected, received = "the predictions so far", "another content"
                    raise CheckError(self.path, expected, received, BEGIN_AGAIN) from error

    def keep(self, batches: Iterable[Iterable[Prediction]]) -> Iterator[Prediction]:
        """Write each batch of predictions, then yield them.

        Raises:
            InputError: if they cannot be written: a full disk.
        """
        for batch in batches:
            predictions = list(batch)
            # closed each time: an open file would try again later what was not written
            with disk_errors(self.path), self.path.open("ab") as file:
                file.write(b"".join(map(encode, predictions)))
            yield from predictions

    def remove(self) -> None:
        """Remove the file: the output is whole."""
        self.path.unlink(missing_ok=True)
