"""The server: uvicorn, with bounds on what it leaves open, and an end that answers first."""

import asyncio
import contextlib
import logging
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from tfcnn.base import interrupts
from tfcnn.serve import web_app
from tfcnn.serve.answering import Answerer
from tfcnn.serve.exchange import LINGER_SECONDS
from tfcnn.serve.gate import Gate
from tfcnn.serve.metering import Meter
from tfcnn.serve.service_settings import Settings, bind, set_megapixels

if TYPE_CHECKING:
    from tfcnn.runs import Run

HEAD_SECONDS = 10.0  # for the first line and the headers of a request
HEAD_BYTES = 16 * 1024
CONNECTIONS = 256
GRACE_SECONDS = 2.0
EVERY_ADDRESS = ("0.0.0.0", "::")
_CLOSE = b"connection: close\r\nretry-after: 1\r\ncontent-length: 0\r\n\r\n"
BUSY = b"HTTP/1.1 503 Service Unavailable\r\n" + _CLOSE
SLOW = b"HTTP/1.1 408 Request Timeout\r\n" + _CLOSE


class BoundedProtocol(H11Protocol):
    """HTTP/1.1 of uvicorn, without its patience for headers and for clients that do not read."""

    most_seconds = 30.0  # from the head of a request to the end of its answer

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Refuse a connection too many; else wait for its first request."""
        super().connection_made(transport)
        self._timer: asyncio.TimerHandle | None = None
        if len(self.connections) > CONNECTIONS:
            transport.write(BUSY)
            transport.close()
            return
        self._wait(min(HEAD_SECONDS, self.most_seconds), self._end_head)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._wait(0, None)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read a part of a request, and start or stop the clock for its headers."""
        before = self.cycle
        super().data_received(data)
        if self.cycle is not before:
            self._watch()
        elif self._is_waiting and self._timer is None:
            self._wait(min(HEAD_SECONDS, self.most_seconds), self._end_head)

    def on_response_complete(self) -> None:
        """Stop the clock: uvicorn has one of its own for idle connections."""
        self._wait(0, None)
        super().on_response_complete()
        self._watch()

    def _watch(self) -> None:
        """Start the clock for an answer, or for what a closed connection has still to send."""
        if self.transport.is_closing():
            self._wait(GRACE_SECONDS, self.transport.abort)
        elif not self._is_waiting:
            seconds = self.most_seconds + LINGER_SECONDS + GRACE_SECONDS
            self._wait(seconds, self.transport.abort)

    @property
    def _is_waiting(self) -> bool:
        """Whether no request is being answered."""
        return self.cycle is None or self.cycle.response_complete

    def _wait(self, seconds: float, then: Callable[[], None] | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None if then is None else self.loop.call_later(seconds, then)

    def _end_head(self) -> None:
        if self._is_waiting and not self.transport.is_closing():
            self.transport.write(SLOW)
            self.transport.close()


class _Server(uvicorn.Server):
    """A server that says when it listens."""

    def __init__(self, config: uvicorn.Config, say_where: Callable[[], None]) -> None:
        super().__init__(config)
        self._say_where = say_where

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._say_where()


def _introduce(run: "Run", settings: Settings, port: int, say: Callable[[str], None]) -> None:
    """Say what a person must know who has just started a service."""
    is_everywhere = settings.host in EVERY_ADDRESS
    host = "localhost" if is_everywhere else settings.host
    address = f"http://{f'[{host}]' if ':' in host else host}:{port}"
    where = f"{address} and at every address of this machine" if is_everywhere else address
    others = "for everybody who reaches it, without a token"
    who = "for programs on this machine" if settings.is_local else others
    header = ' -H "Authorization: Bearer $TFCNN_TOKEN"' if settings.token else ""
    limits = settings.limits
    for line in (
        f"{run.name} answers at {where}, {'with a token' if settings.token else who}",
        f"  in a browser  {address}/",
        f"  in a program  curl -F images=@cell.png{header} {address}/v1/predict",
        f"  limits        {limits.images:,} images or {limits.request_mb:g} MB in a request, "
        f"{limits.requests:,} requests at once, {limits.seconds:g} s each",
        "  the end       Ctrl-C, when all is answered; twice, at once",
    ):
        say(line)


def run_service(run: "Run", settings: Settings, say: Callable[[str], None]) -> None:
    """Answer for a run until SIGINT or SIGTERM comes, and then what is being worked on.

    Args:
        run: an opened run.
        settings: as `prepare` returned them.
        say: hears where the service is, and of faults.

    Raises:
        InputError: if the port is not free, or the run cannot be used.
        CheckError: if a file of the run is not as it was written.
    """
    set_megapixels(settings.limits)
    with bind(settings) as bound:  # a port that is taken is told before the model is loaded
        port, meter = bound.getsockname()[1], Meter()
        answerer = Answerer(run, meter, settings.has_heat_maps, say)
        gate = Gate(web_app.make(answerer, meter, settings), settings, meter, say)
        server = _Server(_config(gate, settings), lambda: _introduce(run, settings, port, say))
        with contextlib.suppress(interrupts.Interrupted):  # uvicorn sends the signal once more
            server.run(sockets=[bound])
        answerer.close()
        say(f"ended: {_lost(gate.cut_off) if gate.cut_off else 'every request was answered'}")


def _lost(requests: int) -> str:
    return "1 request was cut off" if requests == 1 else f"{requests:,} requests were cut off"


def _config(app: Any, settings: Settings) -> uvicorn.Config:
    for name in ("uvicorn", "python_multipart"):
        logging.getLogger(name).setLevel(logging.CRITICAL)  # of what clients do wrong
    seconds = settings.limits.seconds
    protocol = type("Protocol", (BoundedProtocol,), {"most_seconds": seconds})
    return uvicorn.Config(
        app,
        http=protocol,
        loop="asyncio",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        h11_max_incomplete_event_size=HEAD_BYTES,
        timeout_graceful_shutdown=int(seconds + LINGER_SECONDS + GRACE_SECONDS) + 1,
    )
