"""Lines between the processes of a training: messages, and who has fallen silent.

The chief listens, the workers call. TensorFlow has its own lines for tensors. These carry what
must be agreed on before TensorFlow starts, and they break at once when a process dies.
"""

import contextlib
import hashlib
import queue
import socket
import threading
from collections.abc import Callable
from multiprocessing import AuthenticationError, connection
from time import monotonic, sleep
from typing import Any

from tfcnn.base.errors import InputError
from tfcnn.training.cluster import Cluster

# a machine that vanishes acknowledges nothing; a process that hangs says nothing
PING_SECONDS, VANISHED_SECONDS, SILENCE_SECONDS = 2.0, 20.0, 120.0
RETRY_SECONDS, ANSWER_SECONDS, LEAVE_SECONDS = 0.2, 5.0, 5.0
REMIND_SECONDS = 10.0  # somebody who waits hears so often for whom
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
        self._sending: dict[int, threading.Lock] = {}
        self._heard: dict[int, float] = {}
        self._is_over, self._is_closed = threading.Event(), threading.Event()
        self._is_watching = False
        # not a secret: it keeps away programs that try every port
        self._key = hashlib.sha256(" ".join(cluster.addresses).encode()).digest()

    def open(self, wait_seconds: float, remind: Callable[[str], None]) -> None:
        """Wait until all processes are there.

        Args:
            wait_seconds: for how long.
            remind: called every `REMIND_SECONDS` with who is waited for.

        Raises:
            InputError: if one is not there in time.
        """
        waiting = _Waiting(wait_seconds, remind)
        if self.cluster.is_chief:
            self._listen(waiting)
        else:
            self._others[0] = self._call(waiting)
        for index in self._others:
            self._inboxes[index], self._heard[index] = queue.Queue(), monotonic()
            self._sending[index] = threading.Lock()
        for work in (self._read, self._ping):
            threading.Thread(target=work, daemon=True).start()

    def send(self, index: int, message: bytes) -> None:
        """Send a message to a process, if it has come and its line has not broken."""
        if index in self._sending:
            with self._sending[index], contextlib.suppress(OSError):
                self._others[index].send_bytes(message)

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

    def finish(self, message: bytes) -> None:
        """Send a last message, and wait until all have heard it and left."""
        self._is_over.set()
        deadline = monotonic() + LEAVE_SECONDS
        for index in self._others:
            self.send(index, message)
        with contextlib.suppress(queue.Empty):
            for inbox in self._inboxes.values():
                while inbox.get(timeout=max(0.0, deadline - monotonic())) is not None:
                    pass

    def close(self) -> None:
        """Let all lines end without a process being lost."""
        self._is_over.set()
        self._is_closed.set()
        for one in self._others.values():
            with contextlib.suppress(OSError):
                one.close()

    def _listen(self, waiting: "_Waiting") -> None:
        """Wait for every worker to call."""
        host, port = self.cluster.meeting_place
        is_local = host in ("localhost", "127.0.0.1")
        try:
            listener = socket.create_server(("127.0.0.1" if is_local else "", port), backlog=64)
        except OSError as error:
            hint = "other ports: those of another training are taken"
            raise InputError(f"{host}:{port}", "a free port", str(error), hint) from error
        listener.settimeout(RETRY_SECONDS)
        count = len(self.cluster.addresses)
        with listener:
            while missing := [i for i in range(1, count) if i not in self._others]:
                names = ", ".join(self.cluster.name(i) for i in missing)
                if waiting.is_over(names):
                    expected = f"{count} processes within {waiting.seconds:g} seconds"
                    received, hint = f"none from {names}", "starting all, with the same addresses"
                    raise InputError(self.cluster.source, expected, received, hint)
                with contextlib.suppress(TimeoutError):
                    caller, _ = listener.accept()
                    # a thread each: a stranger that says nothing holds nobody up
                    threading.Thread(target=self._greet, args=(caller,), daemon=True).start()

    def _greet(self, caller: socket.socket) -> None:
        with contextlib.suppress(AuthenticationError, EOFError, OSError, ValueError):
            one = _line(caller)
            connection.deliver_challenge(one, self._key)
            connection.answer_challenge(one, self._key)
            self._others[int(one.recv_bytes(16))] = one

    def _call(self, waiting: "_Waiting") -> Any:
        """Return the line to the chief, once it listens."""
        chief = self.cluster.name(0)
        while True:
            try:
                one = _line(socket.create_connection(self.cluster.meeting_place, ANSWER_SECONDS))
                if not one.poll(ANSWER_SECONDS):
                    raise TimeoutError("no answer")
                connection.answer_challenge(one, self._key)
                connection.deliver_challenge(one, self._key)
                one.send_bytes(str(self.cluster.index).encode())
                return one
            except (OSError, EOFError) as error:  # not there yet
                if waiting.is_over(chief):
                    expected = f"{chief} within {waiting.seconds:g} seconds"
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
            last_words = {one: self._take(open_ones[one], one) for one in ready}
            last_words |= dict.fromkeys(self._silent(open_ones), b"")
            for one, words in last_words.items():
                if words is not None:
                    index = open_ones.pop(one)
                    if not self._is_over.is_set():
                        self._lost(index, words)
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
            self._is_over.set()
        if message != PING:
            self._inboxes[index].put(message)
        return None

    def _ping(self) -> None:
        while not self._is_closed.wait(PING_SECONDS):
            for index in self._others:
                self.send(index, PING)


class _Waiting:
    """How long somebody is waited for."""

    def __init__(self, seconds: float, remind: Callable[[str], None]) -> None:
        self.seconds, self._remind = seconds, remind
        self._deadline, self._next = monotonic() + seconds, monotonic() + REMIND_SECONDS

    def is_over(self, names: str) -> bool:
        """Say whether the time is over; remind of who is waited for now and then."""
        now = monotonic()
        if now > self._next:
            self._next = now + REMIND_SECONDS
            self._remind(f"waiting for {names}: {max(0.0, self._deadline - now):.0f} s more")
        return now > self._deadline


def _line(one: socket.socket) -> Any:
    """Return a socket as a line, which the system breaks when the other machine vanishes."""
    one.settimeout(None)
    one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux
        milliseconds = int(1000 * VANISHED_SECONDS)
        one.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, milliseconds)
    return connection.Connection(one.detach())
