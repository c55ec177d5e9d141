"""Where a service listens, who may use it, and whether it may be started at all."""

import importlib.util
import ipaddress
import os
import socket
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tfcnn.base.errors import InputError
from tfcnn.decode import limits as decode_limits
from tfcnn.serve.service_limits import MEGAPIXELS, Limits

if TYPE_CHECKING:
    from tfcnn.runs import Run

TOKEN = "TFCNN_TOKEN"
LEAST_TOKEN = 16  # characters; nobody guesses as many, if they are random
PACKAGES = ("fastapi", "uvicorn", "python_multipart", "prometheus_client")


@dataclass(frozen=True)
class Settings:
    """What a service is started with.

    Attributes:
        host: an address of this machine; other machines reach it unless it is loopback.
        port: 0 for any that is free.
        token: what a client must send, or None for no token.
        has_heat_maps: whether it can draw where the network looked, which needs TensorFlow.
        limits: how much it takes.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    token: str | None = field(default=None, repr=False)
    has_heat_maps: bool = False
    limits: Limits = field(default_factory=Limits)

    @property
    def is_local(self) -> bool:
        """Whether only programs of this machine reach it."""
        return all(address.is_loopback for address in _addresses(self.host))


def prepare(
    run: "Run",
    host: str,
    port: int,
    *,
    is_insecure: bool,
    has_heat_maps: bool,
    limits: Limits,
) -> Settings:
    """Return the settings of a service, if it may be started.

    Raises:
        InputError: if a package is lacking, the token is too short, or other machines could use
            the service without one.
        CheckError: if the run is a demonstration of a leak.
    """
    lacking = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    if lacking:
        received = f"none of the name {lacking[0]}"
        raise InputError("tfcnn serve", "its packages", received, "pip install 'tfcnn[serve]'")
    run.refuse_leaky()
    settings = Settings(host, port, _token(), has_heat_maps, limits)
    if not (settings.is_local or settings.token or is_insecure):
        raise InputError(
            "--host",
            f"127.0.0.1, or a token in {TOKEN}, since other machines reach {host}",
            "no token",
            f"{TOKEN}=$(openssl rand -hex 16), or --insecure to let everybody use it",
        )
    return settings


def _token() -> str | None:
    token = os.environ.get(TOKEN)
    if token is None:
        return None
    is_sendable = token.isascii() and token.isprintable() and " " not in token
    if len(token) < LEAST_TOKEN or not is_sendable:
        expected = f"at least {LEAST_TOKEN} letters, digits and signs, or no such variable"
        received = f"{len(token)} characters" + ("" if is_sendable else ", some of another kind")
        raise InputError(TOKEN, expected, received, f"{TOKEN}=$(openssl rand -hex 16)")
    return token


def _addresses(host: str) -> list[ipaddress.IPv4Address | ipaddress.IPv6Address]:
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError as error:
        received = f"{host!r} ({error.strerror or error})"
        raise InputError("--host", "an address of this machine", received, "127.0.0.1") from error
    return [ipaddress.ip_address(str(one[4][0]).partition("%")[0]) for one in found]


def bind(settings: Settings) -> socket.socket:
    """Return a socket that has the port, and does not listen yet; 0 stands for any that is free.

    Raises:
        InputError: if the port or the address is not to be had.
    """
    place = _addresses(settings.host)[0]
    family = socket.AF_INET6 if place.version == 6 else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((str(place), settings.port))
    except OverflowError as error:
        raise InputError("--port", "0 to 65535", str(settings.port), "--port 8000") from error
    except OSError as error:
        what = f"{settings.host}:{settings.port} ({error.strerror})"
        raise InputError("--port", "one that is free", what, "--port 0, which finds one") from error
    return bound


def set_megapixels(limits: Limits) -> None:
    """Let the decoder refuse larger images; a user's own variable wins over the default."""
    is_default = limits.megapixels == MEGAPIXELS
    if is_default and os.environ.get(decode_limits.VARIABLE):
        decode_limits.megapixels()  # a wrong setting is refused now
        return
    os.environ[decode_limits.VARIABLE] = f"{limits.megapixels:g}"
