"""What every request passes before it is read: address, token, place and time.

It stands outside FastAPI, so that nothing of a body is read before it is known that it may be.
"""

import asyncio
import hmac
import time
import traceback
from collections.abc import Awaitable, Callable

from tfcnn.base import naming, quiet
from tfcnn.serve.exchange import KEY, Exchange, Receive, Scope, Send
from tfcnn.serve.metering import Meter
from tfcnn.serve.service_limits import Refused
from tfcnn.serve.service_settings import TOKEN, Settings

App = Callable[[Scope, Receive, Send], Awaitable[None]]

PREDICT = "/v1/predict"
MODULES = "/page/"  # the scripts of the page, which are tfcnn's own
OPEN = ("/", "/healthz", "/readyz", "/docs", "/openapi.json")  # without a token: nothing of the run
FAULT = Refused(500, "an answer", "a fault in tfcnn", "again later")
LOCAL_NAMES = ("localhost", "127.0.0.1", "[::1]")


class Gate:
    """Lets requests through to an application, as many and as long as is allowed.

    Args:
        app: of ASGI.
        settings: of the service.
        meter: counts the requests.
        say: hears of a fault.

    Attributes:
        cut_off: requests that were not answered, because the service had to end.
    """

    def __init__(
        self, app: App, settings: Settings, meter: Meter, say: Callable[[str], None]
    ) -> None:
        self._app, self._settings, self._meter, self._say = app, settings, meter, say
        self._is_local, self._active, self.cut_off = settings.is_local, 0, 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        exchange = scope[KEY] = Exchange(receive, send, self._settings.limits)
        is_predict = scope["path"] == PREDICT and scope["method"] == "POST"
        start = time.perf_counter()
        try:
            await self._checked(scope, exchange, is_predict)
        finally:
            if is_predict:
                self._meter.count_request(exchange.status, time.perf_counter() - start)

    async def _checked(self, scope: Scope, exchange: Exchange, is_predict: bool) -> None:
        limits = self._settings.limits
        try:
            async with asyncio.timeout(limits.seconds):
                self._check(scope["path"], dict(scope["headers"]))
                if not is_predict:
                    # uvicorn sends no body where the request was HEAD
                    method = "GET" if scope["method"] == "HEAD" else scope["method"]
                    asked = {**scope, "method": method}
                    await self._app(asked, exchange.receive, exchange.send)
                    return
                if self._active >= limits.requests:
                    raise limits.too_many_requests()
                await self._placed(scope, exchange)
        except Refused as refusal:
            await exchange.refuse(refusal)
        except TimeoutError:
            await exchange.refuse(limits.too_slow(is_client=exchange.is_incomplete))
        except ConnectionError:  # the client has gone
            return
        except asyncio.CancelledError:
            self.cut_off += 1
            raise
        except Exception:
            text = traceback.format_exc()
            await exchange.refuse(FAULT)
            self._say(f"a fault in tfcnn: details {_kept(text)}")

    async def _placed(self, scope: Scope, exchange: Exchange) -> None:
        self._active += 1
        self._meter.active.set(self._active)
        try:
            await self._app(scope, exchange.receive, exchange.send)
        finally:
            self._active -= 1
            self._meter.active.set(self._active)

    def _check(self, path: str, headers: dict[bytes, bytes]) -> None:
        """Refuse who may not use the service.

        Raises:
            Refused: without the token; without any token also a request by another name, as a web
                page sends it whose server answers that its name is 127.0.0.1.
        """
        token = self._settings.token
        if token is None:
            name = headers.get(b"host", b"").decode("latin-1").rpartition(":")
            host = name[0] if name[0] and name[2].isdecimal() else "".join(name)
            if self._is_local and host.lower() not in LOCAL_NAMES:
                hint = f"127.0.0.1, or a service with a token in {TOKEN}"
                raise Refused(421, f"one of {', '.join(LOCAL_NAMES)}", host[:100], hint)
        elif path not in OPEN and not path.startswith(MODULES):
            sent = headers.get(b"authorization", b"")
            if not hmac.compare_digest(sent, f"Bearer {token}".encode("ascii")):
                received = "another" if sent else "none"
                hint = f"the header Authorization: Bearer, with the service's {TOKEN}"
                raise Refused(401, "the service's token", received, hint)


def _kept(text: str) -> str:
    """Return where the details of a fault are; a full disk must not hide the fault."""
    try:
        return f"in {quiet.write_details(text)}"
    except OSError as error:
        last = naming.visible(text.splitlines()[-1])
        return f"cannot be written ({error.strerror or error}): {last}"
