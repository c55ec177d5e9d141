"""An answer of a server, received so that no server can hold us: at a bounded pace, or cut."""

import errno
import queue
import threading
import time
from collections.abc import Iterator
from typing import Any, Self

__all__ = ["CHUNK_BYTES", "Answer"]

TIMEOUT_SECONDS = (10, 30)  # to connect; between two bytes
# for the head of an answer, with all redirects; and for each WINDOW_BYTES of its body
WINDOW_SECONDS = 60.0
WINDOW_BYTES = 1 << 16  # a slower transfer would take days
CHUNK_BYTES = 1 << 16  # about this much is lost by a cut or a kill


class Answer:
    """What a server answers, received by another thread: it may send a byte at a time, for ever.

    Args:
        url: an http or https address.
        headers: of the request.

    Raises:
        requests.RequestException: if it does not answer.
        TimeoutError: if the head of the answer takes longer than `WINDOW_SECONDS`.

    Attributes:
        response: the head of the answer.
    """

    def __init__(self, url: str, headers: dict[str, str]) -> None:
        self._waiting: queue.Queue[Any] = queue.Queue(maxsize=1)
        self._is_over = threading.Event()
        threading.Thread(target=self._receive, args=(url, headers), daemon=True).start()
        self.response = self._next(WINDOW_SECONDS, "no whole head of an answer")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._is_over.set()

    def pieces(self) -> Iterator[bytes]:
        """Yield the body as it comes.

        Raises:
            TimeoutError: if `WINDOW_BYTES` of it take longer than `WINDOW_SECONDS`.
        """
        start, count = time.monotonic(), 0
        while True:
            left = WINDOW_SECONDS - (time.monotonic() - start)
            piece = self._next(left, f"{count:,} bytes")
            if not piece:
                return
            yield piece
            count += len(piece)
            if count >= WINDOW_BYTES:
                start, count = time.monotonic(), 0

    def _next(self, seconds: float, instead: str) -> Any:
        try:
            found = self._waiting.get(timeout=max(0.0, seconds))
        except queue.Empty as error:
            self._is_over.set()
            limit = f"{instead} within {WINDOW_SECONDS:g} s"
            raise TimeoutError(errno.ETIMEDOUT, limit) from error
        if isinstance(found, Exception):
            raise found
        return found

    def _receive(self, url: str, headers: dict[str, str]) -> None:
        import requests

        try:
            timeout = TIMEOUT_SECONDS
            with requests.get(url, headers=headers, stream=True, timeout=timeout) as response:
                is_wanted = self._put(response)
                while is_wanted:
                    piece = response.raw.read1(CHUNK_BYTES, decode_content=False)
                    is_wanted = self._put(piece) and bool(piece)
        except Exception as error:  # the thread that waits raises it
            self._put(error)

    def _put(self, found: Any) -> bool:
        """Hand something over; return whether anybody waits for it."""
        while not self._is_over.is_set():
            try:
                self._waiting.put(found, timeout=1)
            except queue.Full:  # the disk is slow
                continue
            return True
        return False
