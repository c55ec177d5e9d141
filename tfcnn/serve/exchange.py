"""One request and its answer: what was sent, what the client still owes, what is refused."""

import asyncio
import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from tfcnn.serve.service_limits import MB, Limits, Refused

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

KEY = "tfcnn.exchange"  # under which the scope of a request has it
GONE = 499  # no status of HTTP: the client left before there was an answer
LINGER_SECONDS = 3.0  # a client that still sends must be able to read why it is refused
HEADERS = [(b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff")]


class Exchange:
    """One request and its answer.

    Args:
        receive: of ASGI.
        send: of ASGI.
        limits: of the service.

    Attributes:
        status: of the answer; `GONE` where the client left before there was one.
        is_incomplete: whether the client still owes a part of the request.
    """

    def __init__(self, receive: Receive, send: Send, limits: Limits) -> None:
        self._receive, self._send, self._limits = receive, send, limits
        self.status, self.is_incomplete, self._has_begun = GONE, True, False

    async def receive(self) -> Message:
        """Return a part of the request, as ASGI does."""
        message = await self._receive()
        if message["type"] == "http.request":
            self.is_incomplete = message.get("more_body", False)
        return message

    async def send(self, message: Message) -> None:
        """Send a part of the answer, as ASGI does."""
        if message["type"] == "http.response.start":
            self._has_begun, self.status = True, message["status"]
            message["headers"] = [*message.get("headers", []), *HEADERS]
        await self._send(message)

    async def refuse(self, refusal: Refused) -> None:
        """Answer with an error, unless an answer has begun."""
        if self._has_begun:
            return
        content = json.dumps({"error": refusal.message}, allow_nan=False).encode()
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(content)).encode()),
            (b"connection", b"close"),
        ]
        if refusal.retry_seconds is not None:
            headers.append((b"retry-after", str(refusal.retry_seconds).encode()))
        if refusal.allow:
            headers.append((b"allow", refusal.allow.encode()))
        if refusal.status == 401:
            headers.append((b"www-authenticate", b"Bearer"))
        await self.send(
            {"type": "http.response.start", "status": refusal.status, "headers": headers}
        )
        await self.send({"type": "http.response.body", "body": content, "more_body": True})
        await self._linger()
        await self.send({"type": "http.response.body", "body": b""})

    async def _linger(self) -> None:
        """Read on for a while and forget it: a reset would take the answer from the client."""
        left = self._limits.request_mb * MB
        try:
            async with asyncio.timeout(LINGER_SECONDS):
                while self.is_incomplete and left > 0:
                    message = await self.receive()
                    if message["type"] != "http.request":
                        return
                    left -= len(message.get("body", b""))
        except TimeoutError:
            return
