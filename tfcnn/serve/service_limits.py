"""How much a service takes, and how it refuses what is more.

Each limit has a status of HTTP: 413 for what is too large, 415 for what is no image that is read,
422 for what cannot be understood, 429 and 503 for what may be tried again later, 408 for a client
that is too slow and 504 for an answer that is.
"""

import math
from dataclasses import dataclass, fields

from tfcnn.base.errors import InputError

MB = 10**6
MEGAPIXELS = 50.0  # decoding then never takes more than the memory that all images share


class Refused(Exception):
    """A request that is not answered.

    Attributes:
        status: of HTTP.
        message: what was expected, what was received, and what to try.
        retry_seconds: after how long it may be tried again; None where that does not help.
        allow: the methods of the address, where another was used; else "".
    """

    def __init__(
        self,
        status: int,
        expected: str,
        received: str,
        hint: str,
        retry_seconds: int | None = None,
        allow: str = "",
    ) -> None:
        self.status, self.retry_seconds, self.allow = status, retry_seconds, allow
        self.message = f"expected {expected}; received {received}; try {hint}"
        super().__init__(self.message)


@dataclass(frozen=True)
class Limits:
    """How much a service takes.

    Attributes:
        image_mb: of one file.
        request_mb: of a request with all its files.
        images: in a request.
        megapixels: of an image.
        seconds: from the first byte of a request to the last of its answer.
        requests: that are worked on at once.
        held_mb: of files that all requests hold at once.
    """

    image_mb: float = 20.0
    request_mb: float = 64.0
    images: int = 64
    megapixels: float = MEGAPIXELS
    seconds: float = 30.0
    requests: int = 32
    held_mb: float = 256.0

    def __post_init__(self) -> None:
        """Refuse what is no limit.

        Raises:
            InputError: naming the option.
        """
        for field in fields(self):
            value = getattr(self, field.name)
            if not 0 < value < math.inf:
                raise InputError(
                    OPTIONS[field.name], "a number above 0", f"{value:g}", f"{field.default}"
                )
        for small, large in (("image_mb", "request_mb"), ("request_mb", "held_mb")):
            least, most = getattr(self, small), getattr(self, large)
            if least > most:
                expected = f"at least {least:g}, as {OPTIONS[small]}"
                hint = f"{OPTIONS[large]} {least:g}"
                raise InputError(OPTIONS[large], expected, f"{most:g}", hint)

    def image_too_large(self) -> Refused:
        """Return the refusal of a file."""
        return Refused(
            413,
            f"files of at most {self.image_mb:g} MB",
            "a larger one",
            f"a smaller image, or a service with {OPTIONS['image_mb']}",
        )

    def request_too_large(self) -> Refused:
        """Return the refusal of a request by its length."""
        return Refused(
            413,
            f"at most {self.request_mb:g} MB in a request",
            "more",
            "fewer images at once",
        )

    def too_many_images(self) -> Refused:
        """Return the refusal of a request by its number of files."""
        expected = f"at most {self.images:,} images in a request"
        return Refused(413, expected, "more", "several requests")

    def too_many_requests(self) -> Refused:
        """Return the refusal of a request while others are worked on."""
        expected = f"at most {self.requests:,} requests at once"
        return Refused(429, expected, "one more", "again in a second", retry_seconds=1)

    def memory_full(self) -> Refused:
        """Return the refusal of a request while others hold much memory."""
        expected = f"at most {self.held_mb:g} MB of images that wait at once"
        return Refused(503, expected, "more", "again in a second", retry_seconds=1)

    def too_slow(self, is_client: bool) -> Refused:
        """Return the refusal of a request by its time."""
        if is_client:
            expected = f"the whole request within {self.seconds:g} s"
            return Refused(408, expected, "a part of it", "fewer images at once")
        expected = f"an answer within {self.seconds:g} s"
        return Refused(504, expected, "none", "fewer images at once, or again later")


OPTIONS = {
    "image_mb": "--max-image-mb",
    "request_mb": "--max-request-mb",
    "images": "--max-images",
    "megapixels": "--max-megapixels",
    "seconds": "--timeout",
    "requests": "--max-requests",
    "held_mb": "--max-held-mb",
}


class Memory:
    """Counts the bytes of files that all requests hold at once.

    Args:
        limits: how many there may be.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits, self.held_bytes = limits, 0

    def take(self, num_bytes: int) -> None:
        """Count some bytes.

        Raises:
            Refused: where there are too many.
        """
        if self.held_bytes + num_bytes > self._limits.held_mb * MB:
            raise self._limits.memory_full()
        self.held_bytes += num_bytes

    def give_back(self, num_bytes: int) -> None:
        """Count some bytes no more."""
        self.held_bytes -= num_bytes
