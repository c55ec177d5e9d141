"""What a command has predicted so far: a line per image, beside the output, until that is whole.

A killed command loses at most the batch that it was computing. The first line says what was being
predicted by what, and every further line is a prediction. What a cut left at the end of the file is
dropped: half a line, or the zeros of a power cut.
"""

import contextlib
import errno
import json
import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Literal

from tfcnn.base.disk import disk_errors
from tfcnn.base.errors import CheckError, InputError
from tfcnn.prediction.answers import Prediction
from tfcnn.prediction.paths import Image

SUFFIX = ".unfinished"
BEGIN_AGAIN = "--fresh to begin again, or another --output"
LINE_BYTES = 16 << 20  # a longer line is none of this file
HEAD = b"{"  # begins the first line
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
        TypeError: as before.
    """
    try:
        path, predicted, probs, decision, flag, reason, remark = json.loads(line)
    except RecursionError as error:
        raise ValueError(str(error)) from error
    if not {predicted, decision} <= {"", *class_names}:
        raise ValueError("a class of another run")
    if not all(isinstance(prob, float) for prob in probs):
        raise TypeError("probs are numbers")
    if not all(isinstance(text, str) for text in (path, flag, reason, remark)):
        raise TypeError("a text")
    named = dict(zip(class_names, probs, strict=True)) if probs else {}
    return Prediction(path, predicted, named, decision, flag, reason, remark)


def _check_unchanged(image: Image, written_ns: int) -> None:
    """Raise InputError if an image, or its archive, is not what it was at a time in ns.

    The time of the last change tells of other bytes, another file of the name, and other rights.
    """
    if (image.archive or Path(image.path)).stat().st_ctime_ns > written_ns:
        expected, received = "the image that was predicted before the cut", "one that changed since"
        raise InputError(image.path, expected, received, BEGIN_AGAIN)


def _opener(path: str, flags: int) -> int:
    """Open a regular file, which is none through a link.

    In a shared folder anyone may have laid a link under this name, to a file that they may not
    write, or a pipe that waits for ever.
    """
    try:
        descriptor = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o666)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise OSError(errno.ELOOP, "a link", path) from error
        if error.errno == errno.ENXIO:  # a pipe that nobody reads
            raise OSError(errno.EINVAL, "no regular file", path) from error
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "no regular file", path)
    return descriptor


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
        """Return what was being predicted by what; empty where nothing was.

        Raises:
            InputError: if the file holds something else.
        """
        try:
            with self._open("rb") as file:
                line = file.readline(LINE_BYTES)
        except FileNotFoundError:
            return {}
        with contextlib.suppress(ValueError, RecursionError):
            if isinstance(head := json.loads(line), dict) and line.endswith(b"\n"):
                return head
        begun = line.rstrip(b"\0")  # zeros are what a power cut leaves
        is_whole = begun.endswith(b"\n") or len(line) == LINE_BYTES
        if not begun or (begun.startswith(HEAD) and not is_whole):
            return {}  # killed before the first line was whole
        expected, received = "what was being predicted, in its first line", "something else"
        raise InputError(self.path, expected, received, BEGIN_AGAIN)

    def begin(self, head: Head) -> None:
        """Begin a new one."""
        line = json.dumps(head, allow_nan=False).encode() + b"\n"
        with disk_errors(self.path), self._open("wb") as file:
            file.write(line)
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
        with disk_errors(self.path), self._open("r+b") as file:
            written_ns = os.fstat(file.fileno()).st_mtime_ns
            self._start = end = len(file.readline(LINE_BYTES))
            offset = end
            for number, image in enumerate(images, start=1):
                line = file.readline(LINE_BYTES)
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
        with self._open("rb") as file:
            file.seek(self._start)
            for _ in range(self.done):
                try:
                    yield decode(file.readline(LINE_BYTES), self._class_names)
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
            with disk_errors(self.path), self._open("ab") as file:
                file.write(b"".join(map(encode, predictions)))
            yield from predictions

    def _open(self, mode: Literal["rb", "r+b", "wb", "ab"]) -> BinaryIO:
        return open(self.path, mode, opener=_opener)

    def remove(self) -> None:
        """Remove the file: the output is whole."""
        self.path.unlink(missing_ok=True)
