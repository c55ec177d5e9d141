"""From the body of a request to the files in it, in memory and within the limits.

Starlette's own parser writes files to the disk, and counts them when it has read them. This one
keeps them in memory, where each byte is counted as it comes. The name of a file is only a name: it
is never opened.
"""

from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

from python_multipart import MultipartParser
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header

from tfcnn.serve.service_limits import MB, Limits, Memory, Refused

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

FIELD = "images"
MULTIPART = b"multipart/form-data"
EXAMPLE = f"curl -F {FIELD}=@cell.png"


class Upload(NamedTuple):
    """One file of a request.

    Attributes:
        name: as its sender calls it.
        content: its bytes.
    """

    name: str
    content: bytes


class Holding:
    """The files of a request, as they are read.

    Args:
        limits: of the service.
        memory: counts what all requests hold.

    Attributes:
        files: those that are whole.
    """

    def __init__(self, limits: Limits, memory: Memory) -> None:
        self.files: list[Upload] = []
        self._limits, self._memory, self._taken_bytes = limits, memory, 0
        self._header, self._value = bytearray(), bytearray()
        self._disposition = b""
        self._name, self._content = "", bytearray()
        self._is_whole = False

    async def read(self, headers: Mapping[str, str], body: AsyncIterator[bytes]) -> None:
        """Read the files.

        Args:
            headers: of the request, their names in small letters.
            body: its parts, as they come.

        Raises:
            Refused: at the first byte that is not to be taken.
        """
        limits = self._limits
        content_type, length = headers.get("content-type", ""), headers.get("content-length", "")
        kind, options = parse_options_header(content_type)
        if kind != MULTIPART:
            received = content_type[:100] or "a request without a Content-Type"
            raise Refused(415, MULTIPART.decode(), received, EXAMPLE)
        if encoding := headers.get("content-encoding", "").strip():
            raise Refused(415, "a body without Content-Encoding", encoding[:100], EXAMPLE)
        if length.isdecimal() and int(length[:20]) > limits.request_mb * MB:
            raise limits.request_too_large()
        received_bytes = 0
        try:
            parser = MultipartParser(options.get(b"boundary", b""), self._callbacks())
            async for part in body:
                received_bytes += len(part)
                if received_bytes > limits.request_mb * MB:
                    raise limits.request_too_large()
                parser.write(part)
        except FormParserError as error:
            raise _malformed(f"another: {error}") from error
        if not self._is_whole:
            raise _malformed("one that is cut short")
        if not self.files:
            raise Refused(422, f"at least one file in the field {FIELD}", "none", EXAMPLE)

    def release(self) -> None:
        """Let go of the files."""
        self.files.clear()
        self._content = bytearray()
        self._memory.give_back(self._taken_bytes)
        self._taken_bytes = 0

    def _callbacks(self) -> "MultipartCallbacks":
        return {
            "on_part_begin": self._begin,
            "on_header_field": lambda data, start, end: self._header.extend(data[start:end]),
            "on_header_value": lambda data, start, end: self._value.extend(data[start:end]),
            "on_header_end": self._end_header,
            "on_headers_finished": self._end_headers,
            "on_part_data": self._add,
            "on_part_end": self._end,
            "on_end": self._finish,
        }

    def _begin(self) -> None:
        if len(self.files) >= self._limits.images:
            raise self._limits.too_many_images()
        self._disposition, self._content = b"", bytearray()

    def _end_header(self) -> None:
        if bytes(self._header).lower() == b"content-disposition":
            self._disposition = bytes(self._value)
        self._header.clear()
        self._value.clear()

    def _end_headers(self) -> None:
        _, options = parse_options_header(self._disposition.decode("latin-1"))
        field = options.get(b"name", b"").decode("utf-8", "replace")
        if field != FIELD:
            raise Refused(422, f"files in the field {FIELD}", f"{field[:100]!r}", EXAMPLE)
        default = f"image {len(self.files) + 1}".encode()
        self._name = (options.get(b"filename") or default).decode("utf-8", "replace")

    def _add(self, data: bytes, start: int, end: int) -> None:
        length = end - start
        if len(self._content) + length > self._limits.image_mb * MB:
            raise self._limits.image_too_large()
        self._memory.take(length)
        self._taken_bytes += length
        self._content += memoryview(data)[start:end]

    def _end(self) -> None:
        self.files.append(Upload(self._name, bytes(self._content)))
        self._content = bytearray()

    def _finish(self) -> None:
        self._is_whole = True


def _malformed(received: str) -> Refused:
    return Refused(422, f"a whole body of {MULTIPART.decode()}", received, EXAMPLE)
