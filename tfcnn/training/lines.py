"""Lines between the processes of a training: messages, and who has fallen silent.

The chief listens, the workers call. TensorFlow has its own lines for tensors. These carry what
must be agreed on before TensorFlow starts, and they break at once when a process dies.
"""

import contextlib
import hashlib
import json
import queue
import threading
from collections.abc import Callable
from multiprocessing import AuthenticationError, connection
from time import monotonic, sleep
from typing import Any

from tfcnn.base.errors import InputError
from tfcnn.training.cluster import Cluster

PING_SECONDS, SILENCE_SECONDS = 2.0, 120.0
RETRY_SECONDS = 0.5
PING, FAILED, DONE = b"", b"failed", b"done"  # what messages begin with


class Lines:
    """The lines of one process: of the chief to every worker, of a worker to the chief.

    Args:
        cluster: who is in it.
        lost: called, in another thread, with the number of a process that will say no more, and
            with its last words, or b"" where its line broke.
    """

    def __init__(self, cluster: Cluster, lost: Callable[[int, bytes], None]) -> None:
        self.cluster, self._lost = cluster, lost
        self._others: dict[int, Any] = {}
        self._inboxes: dict[int, queue.Queue[bytes | None]] = {}
        self._heard: dict[int, float] = {}
        self._sending = threading.Lock()
        self._is_closed, self._is_complete = threading.Event(), threading.Event()
        self._is_watching = False
        # not a secret: it keeps away programs that try every port
        self._key = hashlib.sha256(json.dumps(cluster.addresses).encode()).digest()

    def open(self, wait_seconds: float) -> None:
        """Wait until all processes are there.

        Raises:
            InputError: if one is not there in time.
        """
        deadline = monotonic() + wait_seconds
        if self.cluster.is_chief:
            self._listen(deadline, wait_seconds)
        else:
            self._call(deadline, wait_seconds)
        for index in self._others:
            self._inboxes[index], self._heard[index] = queue.Queue(), monotonic()
        for work in (self._read, self._ping):
            threading.Thread(target=work, daemon=True).start()

    def send(self, index: int, message: bytes) -> None:
        """Send a message to a process, if it has come and its line has not broken."""
        with self._sending, contextlib.suppress(OSError):
            if one := self._others.get(index):
                one.send_bytes(message)

    def receive(self, index: int) -> bytes | None:
        """Return the next message of a process; None once its line has broken."""
        return self._inboxes[index].get()

    def watch(self) -> None:
        """From now on, take a process that says nothing as lost.

        Not before all have loaded TensorFlow. While it loads, which takes minutes from a slow disk,
        none can speak.
        """
        self._heard = dict.fromkeys(self._others, monotonic())
        self._is_watching = True

    def expect_the_end(self) -> None:
        """Let the others leave without being lost."""
        self._is_closed.set()

    def close(self) -> None:
        """Let all lines end without a process being lost."""
        self._is_closed.set()
        for one in self._others.values():
            with contextlib.suppress(OSError):
                one.close()

    def _listen(self, deadline: float, wait_seconds: float) -> None:
        host, port = self.cluster.meeting_place
        is_local = host in ("localhost", "127.0.0.1")
        try:
            listener = connection.Listener(("127.0.0.1" if is_local else "", port), backlog=64)
        except OSError as error:
            hint = "other ports: those of another training are taken"
            raise InputError(f"{host}:{port}", "a free port", str(error), hint) from error
        arrived: queue.Queue[tuple[int, Any]] = queue.Queue()
        threading.Thread(target=self._accept, args=(listener, arrived), daemon=True).start()
        count = len(self.cluster.addresses)
        try:
            while len(self._others) < count - 1:
                index, one = arrived.get(timeout=max(0.0, deadline - monotonic()))
                self._others[index] = one
        except queue.Empty:
            missing = [i for i in range(1, count) if i not in self._others]
            names = ", ".join(self.cluster.name(i) for i in missing)
            expected = f"{count} processes within {wait_seconds:g} seconds"
            hint = "starting all of them, with the same addresses"
            raise InputError(self.cluster.source, expected, f"none from {names}", hint) from None
        finally:
            self._is_complete.set()
            with contextlib.suppress(OSError):  # else the thread listens on
                connection.Client(("127.0.0.1", port)).close()
            listener.close()

    def _accept(self, listener: Any, arrived: "queue.Queue[tuple[int, Any]]") -> None:
        while True:
            try:
                one = listener.accept()
            except OSError:
                return
            if self._is_complete.is_set():  # called by `_listen` itself
                one.close()
                return
            # a thread each: a stranger that says nothing holds nobody up
            threading.Thread(target=self._greet, args=(one, arrived), daemon=True).start()

    def _greet(self, one: Any, arrived: "queue.Queue[tuple[int, Any]]") -> None:
        with contextlib.suppress(AuthenticationError, EOFError, OSError, ValueError):
            connection.deliver_challenge(one, self._key)
            connection.answer_challenge(one, self._key)
            arrived.put((int(one.recv_bytes(16)), one))

    def _call(self, deadline: float, wait_seconds: float) -> None:
        while True:
            try:
                one = connection.Client(self.cluster.meeting_place)
                connection.answer_challenge(one, self._key)
                connection.deliver_challenge(one, self._key)
                one.send_bytes(str(self.cluster.index).encode())
                self._others[0] = one
                return
            except (OSError, EOFError) as error:  # not there yet
                if monotonic() > deadline:
                    expected = f"{self.cluster.name(0)} within {wait_seconds:g} seconds"
                    hint = "starting it, and a network that lets its ports through"
                    raise InputError(self.cluster.source, expected, str(error), hint) from error
            except AuthenticationError as error:
                expected, hint = "the same addresses in all processes", "the same in each"
                raise InputError(self.cluster.source, expected, "others", hint) from error
            sleep(RETRY_SECONDS)

    def _read(self) -> None:
        """Put messages into the inboxes until a line breaks or all are closed."""
        open_ones = {one: index for index, one in self._others.items()}
        while open_ones and not self._is_closed.is_set():
            try:
                ready = connection.wait(list(open_ones), timeout=PING_SECONDS)
            except OSError:  # closed meanwhile
                return
            silent = [
                o for o, i in open_ones.items() if monotonic() - self._heard[i] > SILENCE_SECONDS
            ]
            for one in [*ready, *silent]:
                index = open_ones.get(one)
                if index is None:
                    continue
                last_words = self._take(index, one) if one in ready else b""
                if last_words is not None:
                    del open_ones[one]
                    if not self._is_closed.is_set():
                        self._lost(index, last_words)
                    self._inboxes[index].put(None)

    def _silent(self, open_ones: dict[Any, int]) -> list[Any]:
        """Return those that have said nothing for too long."""
        since = monotonic() - SILENCE_SECONDS
        return [one for one, i in open_ones.items() if self._is_watching and self._heard[i] < since]

    def _take(self, index: int, one: Any) -> bytes | None:
        """Read a message; return it if it is the last one, b"" where the line is broken."""
        try:
            message: bytes = one.recv_bytes()
        except (EOFError, OSError):
            return b""
        self._heard[index] = monotonic()
        if message.startswith(FAILED):
            return message
        if message.startswith(DONE):  # from now on nobody is lost
            self._is_closed.set()
        if message != PING:
            self._inboxes[index].put(message)
        return message if message.startswith(DONE) else None

    def _ping(self) -> None:
        while not self._is_closed.wait(PING_SECONDS):
            for index in self._others:
                self.send(index, PING)
