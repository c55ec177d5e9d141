"""A service in a process of its own, as a user starts it, and clients that behave badly."""

import asyncio
import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import requests

T = TypeVar("T")
BOUNDARY = "frontier"
TOKEN = "0123456789abcdef"
KIND = f"multipart/form-data; boundary={BOUNDARY}"
STARTS_SECONDS = 200  # TensorFlow, on a machine with other work


@dataclass
class Service:
    """A service that listens.

    Attributes:
        process: that it runs in.
        port: on 127.0.0.1.
        log: what it writes to standard error.
    """

    process: subprocess.Popen
    port: int
    log: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def predict(self, *files: tuple[str, bytes], **options) -> requests.Response:
        parts = [("images", file) for file in files]
        return requests.post(f"{self.url}/v1/predict", files=parts, timeout=60, **options)

    def answers(self, *files: tuple[str, bytes]) -> list[dict]:
        response = self.predict(*files)
        assert response.status_code == 200, response.text
        return response.json()["predictions"]

    def connect(self, timeout: float = 30) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=timeout)

    def is_alive(self) -> bool:
        return requests.get(f"{self.url}/readyz", timeout=30).json() == {"status": "ready"}

    def peak_mb(self) -> float:
        """Return the most resident memory that the process has had."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) / 1000


@contextlib.contextmanager
def serving(run: Path, log: Path, *options: object, **environment: str) -> Iterator[Service]:
    """Start a service; at the end it must end by itself when it is asked to."""
    words = ["serve", run, "--port", 0, *options]
    with log.open("w") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "tfcnn", *map(str, words)],
            stdout=file,
            stderr=file,
            env={**os.environ, **environment},
        )
    try:
        yield Service(process, _port(process, log), log)
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 0, log.read_text()
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def _port(process: subprocess.Popen, log: Path) -> int:
    """Wait until it says where it listens."""
    for _ in range(STARTS_SECONDS * 10):
        if match := re.search(r"answers at http://\S*:(\d+)\b", log.read_text()):
            return int(match[1])
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.1)
            break
    raise AssertionError(f"it does not listen: {log.read_text()}")


def finished(coroutine: Coroutine[Any, Any, T]) -> T:
    """Return what a coroutine returns: in a thread, for a browser leaves a loop in this one."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, coroutine).result()


def part(content: bytes, name: str = "a.png", field: str = "images") -> bytes:
    """Return one file of a body."""
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{field}"; filename="{name}"'
    return head.encode() + b"\r\n\r\n" + content + b"\r\n"


END = f"--{BOUNDARY}--\r\n".encode()


def head(length: int | None = None, extra: str = "", kind: str = KIND) -> bytes:
    """Return the head of a request; without a length its body is chunked."""
    size = "Transfer-Encoding: chunked" if length is None else f"Content-Length: {length}"
    lines = ["POST /v1/predict HTTP/1.1", "Host: 127.0.0.1", f"Content-Type: {kind}", size]
    return "\r\n".join([*lines, *([extra] if extra else []), "", ""]).encode()


def chunked(content: bytes) -> bytes:
    return f"{len(content):x}\r\n".encode() + content + b"\r\n"


def received(connection: socket.socket) -> tuple[int, dict]:
    """Return the status and the content of the answer that the server sends."""
    text = b""
    with contextlib.suppress(ConnectionResetError):
        while b"\r\n\r\n" not in text and (more := connection.recv(65536)):
            text += more
        head, _, body = text.partition(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
        while length and len(body) < int(length[1]) and (more := connection.recv(65536)):
            body += more
    assert text, "no answer"
    is_json = b"application/json" in head
    return int(text.split()[1]), json.loads(body) if is_json else {}
