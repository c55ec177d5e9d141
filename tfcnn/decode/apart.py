"""Decode in a process of its own what a library reads in one piece: JPEG 2000, WebP, AVIF, HEIC.

Nothing in a process can end such a call before it returns, and those of JPEG 2000 and WebP keep all
other threads from working too. So these files are opened by helpers, processes of this file. One
that takes too long, or that a damaged file brings down, is ended, and the file is named. A helper
opens one file at a time, and stays for the next.
"""

import atexit
import json
import math
import os
import select
import signal
import struct
import subprocess
import sys
import time
from dataclasses import replace
from typing import Any, BinaryIO

import numpy as np
from PIL import Image, UnidentifiedImageError

from tfcnn.base import threads
from tfcnn.decode import effort, kinds, limits, opening, pillow
from tfcnn.decode.dct import Size
from tfcnn.decode.kinds import Kind
from tfcnn.decode.opening import UprightImage
from tfcnn.decode.samples import NotReadError

# Pillow's names of the formats, and from how many bytes: a small WebP of 96 megapixels took 2.2 s
READERS = {"JPEG2000": 0, "AVIF": 0, "HEIF": 0, "WEBP": 256 << 10}
WAIT_FACTOR = 10  # of the clock: where the machine is busy with other things
COMMAND = "from tfcnn.decode import apart; apart.help_parent()"
LENGTHS = struct.Struct("<II")  # of a message: of its JSON, and of the bytes that follow
PIPE_BYTES = 1 << 20
# what an error is called on the way; any other is that of a damaged file
ERRORS: dict[str, type[Exception]] = {
    "MemoryError": MemoryError,
    "UnidentifiedImageError": UnidentifiedImageError,
    "DecompressionBombError": Image.DecompressionBombError,
    "LookupError": LookupError,
}
Message = tuple[dict[str, Any], bytes]
_idle: list["_Helper"] = []


class _EndedError(NotReadError):
    """A helper has ended before it answered, or has to be ended."""


def from_file(content: bytes, kind: Kind | None, least: Size | None = None) -> UprightImage:
    """Open a file as `opening.from_file` does, in a helper where its library must be watched.

    Args:
        content: of the file.
        kind: of it.
        least: see `decoder.open_image`; what helpers open is always read whole.

    Raises:
        NotReadError: if it takes over `effort.MOST_SECONDS` of a processor, or ten times these of
            the clock, or brings the library down; and as `opening.from_file`.
        Exception: as `opening.from_file`.
    """
    if kind is None or len(content) < READERS.get(kind.pillow, math.inf):
        return opening.from_file(content, kind, least)
    limits.megapixels()  # a wrong setting, and a format without a reader, are errors here
    pillow.readers(kind)
    helper = _idle.pop() if _idle else _Helper()
    try:
        image = helper.open(content)
    except _HeardError as heard:
        helper.rest()
        raise heard.error from None
    except BaseException:  # Ctrl-C too: it may be in the middle of a message
        helper.end()
        raise
    helper.rest()
    return replace(image, kind=kind)


class _HeardError(Exception):
    """A helper has answered with an error."""

    def __init__(self, error: Exception) -> None:
        self.error = error


class _Helper:
    """A process that opens files, one at a time."""

    def __init__(self) -> None:
        path = os.pathsep.join(filter(None, sys.path))
        try:
            self._process = subprocess.Popen(
                # not what lies in the working folder: images of strangers may lie there
                [sys.executable, "-P", "-c", COMMAND],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={**os.environ, "PYTHONPATH": path},
                start_new_session=True,  # this process hears Ctrl-C
            )
        except OSError as error:
            raise MemoryError(error.strerror) from error
        streams: Any = (self._process.stdin, self._process.stdout)
        self._to, self._from = (stream.fileno() for stream in streams)
        os.set_blocking(self._to, False)
        os.set_blocking(self._from, False)
        self._claimed_bytes = 0

    def open(self, content: bytes) -> UprightImage:
        """Open a file.

        Raises:
            _EndedError: if the helper ended before it answered, or has to be ended.
            _HeardError: if it met an error.
        """
        seconds = effort.MOST_SECONDS
        self._deadline = time.monotonic() + WAIT_FACTOR * seconds
        bound = os.environ.get(limits.VARIABLE, "")
        self._send({"seconds": seconds, limits.VARIABLE: bound}, content)
        while True:
            head, body = self._receive()
            if "claim" not in head:
                break
            self._claimed_bytes = max(self._claimed_bytes, head["claim"])
            threads.claim(head["claim"])  # which may wait for others
            self._deadline = time.monotonic() + WAIT_FACTOR * seconds
            self._send({}, b"")
        if "error" in head:
            raise _HeardError(_error_of(head))
        return _image_of(head, body)

    def rest(self) -> None:
        """Wait for the next file; one that has held a large image ends, which frees its memory."""
        if self._claimed_bytes >= threads.LARGE_BYTES or len(_idle) >= threads.cores():
            self.end()
        else:
            _idle.append(self)

    def end(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.communicate()

    def _send(self, head: dict[str, Any], body: bytes) -> None:
        for part in _parts(head, body):
            rest = memoryview(part)
            while rest:
                self._wait(self._to, select.POLLOUT)
                try:
                    rest = rest[os.write(self._to, rest[:PIPE_BYTES]) :]
                except BlockingIOError:
                    continue
                except BrokenPipeError:
                    raise self._ended() from None

    def _receive(self) -> Message:
        lengths = LENGTHS.unpack(self._read(LENGTHS.size))
        head, body = (self._read(length) for length in lengths)
        return json.loads(head), body

    def _read(self, count: int) -> bytes:
        content = bytearray(count)
        rest = memoryview(content)
        while rest:
            self._wait(self._from, select.POLLIN)
            try:
                got = os.readv(self._from, [rest])
            except BlockingIOError:
                continue
            if not got:
                raise self._ended()
            rest = rest[got:]
        return bytes(content)

    def _wait(self, descriptor: int, event: int) -> None:
        poll = select.poll()
        poll.register(descriptor, event)
        rest = self._deadline - time.monotonic()
        if rest <= 0 or not poll.poll(1000 * rest):
            seconds = WAIT_FACTOR * effort.MOST_SECONDS
            raise _EndedError(f"{effort.LONG}: no answer within {seconds:g} s", effort.HINT)

    def _ended(self) -> _EndedError:
        code = self._process.wait()
        if code == -signal.SIGPROF:
            what = f"{effort.LONG}: over {effort.MOST_SECONDS:g} s to decode"
            return _EndedError(what, effort.HINT)
        return _EndedError(f"an image that brings its decoder down ({code})", effort.HINT)


def _parts(head: dict[str, Any], body: bytes) -> tuple[bytes, bytes]:
    text = json.dumps(head, allow_nan=False).encode()
    return LENGTHS.pack(len(text), len(body)) + text, body


def _error_of(head: dict[str, Any]) -> Exception:
    """Return the error that a helper met."""
    name, text, hint = head["error"], head["text"], head["hint"]
    if hint:
        return (limits.TooLargeError if name == "TooLargeError" else NotReadError)(text, hint)
    return ERRORS.get(name, ValueError)(text)


def _image_of(head: dict[str, Any], body: bytes) -> UprightImage:
    """Return the image in an answer."""
    size, shape = (head["size"][0], head["size"][1]), head["samples"]
    count = math.prod(shape) * 2 if shape else 0
    image = Image.frombytes(head["mode"], size, memoryview(body)[count:])
    samples = np.frombuffer(body[:count], np.uint16).reshape(shape) if shape else None
    return UprightImage(image, samples, tuple(head["remarks"]), tuple(head["traits"]))


def help_parent() -> None:
    """Open the files that come on standard input, until it ends."""
    to, source = os.fdopen(os.dup(1), "wb"), sys.stdin.buffer
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # a library may write there

    def claim(needed_bytes: int) -> None:
        to.write(b"".join(_parts({"claim": needed_bytes}, b"")))
        to.flush()
        _message(source)

    threads.claim_from(claim)
    while True:
        head, content = _message(source)
        os.environ[limits.VARIABLE] = head[limits.VARIABLE]
        signal.setitimer(signal.ITIMER_PROF, head["seconds"])  # which ends this process
        answer = _answer(content)
        signal.setitimer(signal.ITIMER_PROF, 0)
        to.writelines(answer)
        to.flush()


def _message(source: BinaryIO) -> Message:
    lengths = source.read(LENGTHS.size)
    if len(lengths) < LENGTHS.size:  # the parent has ended
        sys.exit()
    head, body = (source.read(length) for length in LENGTHS.unpack(lengths))
    return json.loads(head), body


def _answer(content: bytes) -> tuple[bytes, bytes]:
    try:
        opened = opening.from_file(content, kinds.kind_of(content[: kinds.HEAD_BYTES]))
        samples = opened.samples
        head = {
            "mode": opened.image.mode,
            "size": opened.image.size,
            "samples": None if samples is None else samples.shape,
            "remarks": opened.remarks,
            "traits": opened.traits,
        }
        deep = b"" if samples is None else samples.tobytes()
        return _parts(head, deep + opened.image.tobytes())
    except Exception as error:
        name = "LookupError" if isinstance(error, LookupError | struct.error) else None
        text, hint = str(error) or type(error).__name__, getattr(error, "hint", "")
        named = {"error": name or type(error).__name__, "text": text, "hint": hint}
        return _parts(named, b"")


@atexit.register
def _end_all() -> None:
    while _idle:
        _idle.pop().end()


# a copy of this process must not speak with helpers of the original
os.register_at_fork(after_in_child=_idle.clear)
