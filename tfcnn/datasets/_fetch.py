"""From a mirror or an address to a verified file: resumed after a cut, never trusted half-done."""

import contextlib
import errno
import json
import queue
import threading
import time
from collections.abc import Generator, Iterator
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple
from urllib.parse import SplitResult, urlsplit, urlunsplit
from urllib.request import url2pathname

from tfcnn.base import atomic, files
from tfcnn.base.disk import disk_errors, locked, require_disk_space
from tfcnn.base.errors import InputError
from tfcnn.base.progress import Progress
from tfcnn.base.records import sha256_of
from tfcnn.decode import HEAD_BYTES, HTML, Kind, kind_of

FROM_HINT = "--from FOLDER|ZIP|ADDRESS with a copy that can be reached"
TIMEOUT_SECONDS = (10, 30)  # to connect; between two bytes
# for the head of an answer, with all redirects; and for each WINDOW_BYTES of its body
WINDOW_SECONDS = 60.0
WINDOW_BYTES = 1 << 16  # a slower transfer would take days
CHUNK_BYTES = 1 << 16  # about this much is lost by a cut or a kill
BACKOFF_SECONDS = (0.5, 1.0, 2.0)  # so four attempts in a row that bring nothing new
LEAST_GAIN_BYTES = 1 << 20  # an attempt that brings this much resets the count of failures
MAX_FILE_BYTES = 4 << 30  # of a file whose size is not known; the largest official one has 353 MB
RESERVE_BYTES = 64 << 20  # of the disk, kept free of an answer that does not say how long it is
BUSY_STATUSES = (408, 425, 429, 500, 502, 503, 504)  # worth another attempt


def locate(
    source: str, file_names: tuple[str, ...], *, class_folders: tuple[str, ...] = ()
) -> Path | str:
    """Find the data that a user's `--from SOURCE` points at.

    Args:
        source: a folder, a file, or an http, https or file address of either.
        file_names: names the data set's file may have, the best first, such as `cell_images.zip`.
        class_folders: folders that unpacked data has side by side; empty: only files are taken.

    Returns:
        A path to the file; a path to the folder that holds all `class_folders`, which is `source`
        or up to two levels below it; or the address of the file, for `fetch`. An address that
        does not end in the suffix of one of `file_names` is taken as a folder that holds the
        first of `file_names`.

    Raises:
        InputError: if there is nothing at `source`, or none of what was looked for in it.
    """
    suffixes = {PurePosixPath(name).suffix for name in file_names}
    parts = _split(source)
    if parts.scheme in ("http", "https"):
        if PurePosixPath(parts.path).suffix.lower() in suffixes:
            return source
        return urlunsplit(parts._replace(path=f"{parts.path.rstrip('/')}/{file_names[0]}"))
    path = Path(url2pathname(parts.path)) if parts.scheme else Path(source).expanduser()
    wanted = " or ".join(file_names)
    if files.what(path) != files.FOLDER:
        require_file(path, f"{wanted}, or a folder with it")
        if path.suffix.lower() in suffixes:
            return path
        raise InputError(path, wanted, f"a file of type '{path.suffix}'", FROM_HINT)
    with disk_errors(path):
        for name in file_names:
            if (path / name).is_file():
                return path / name
        # archives are often unpacked into a folder of their own name
        for folder in (path, *sorted(path.glob("*/")), *sorted(path.glob("*/*/"))):
            if class_folders and all((folder / name).is_dir() for name in class_folders):
                return folder
    unpacked = f" or folders {' and '.join(class_folders)}" if class_folders else ""
    raise InputError(path, f"{wanted}{unpacked} in this folder", "none", FROM_HINT)


def require_file(path: Path, expected: str) -> None:
    """Raise InputError with the hint to use `--from` if there is no regular file at a path."""
    if kind := files.what(path):
        received = "nothing there" if kind == files.NOTHING else kind
        raise InputError(path, expected, received, FROM_HINT)


def _split(source: str) -> SplitResult:
    """Split an address; a path has no scheme."""
    with contextlib.suppress(ValueError):  # such as an open bracket in the host
        parts = urlsplit(source if "://" in source else "")
        if parts.scheme in ("", "file") or (parts.scheme in ("http", "https") and parts.netloc):
            return parts
    raise InputError(source, "an http, https or file address", "another kind", FROM_HINT)


def fetch(
    url: str,
    target: Path,
    *,
    sha256: str | None,
    size_bytes: int | None = None,
    progress: Progress | None = None,
) -> Path:
    """Bring the file at an address to `target`, and return `target` once it is whole and verified.

    An interrupted transfer leaves `target.part` and `target.part.json`, which the next call with
    the same address continues where the server can (HTTP `Range` with `If-Range`).

    Args:
        url: an `http` or `https` address.
        target: the file to make; missing folders above it are made, a file there is replaced.
        sha256: 64 hexadecimal digits the content must have. None: the content is not checked, so
            a file already at `target` is not trusted either and is transferred again.
        size_bytes: size the file must have, where it is known beforehand.
        progress: called with (bytes done, bytes in all or None), starting from what is resumed.

    Raises:
        InputError: if the address does not answer or has no such file; if size or sha256 differ,
            it is a web page, or larger than `MAX_FILE_BYTES` (the part is deleted); if the disk
            is too small or full; if another process is fetching the same file.
    """
    part = target.with_name(target.name + ".part")
    transfer = _Transfer(url, part, sha256 and sha256.lower(), size_bytes, progress)
    with disk_errors(target), locked(target):
        if sha256 and target.is_file() and sha256_of(target) == transfer.sha256:
            return target
        transfer.run()
        transfer.verify()
        atomic.replace(part, target)
        transfer.discard()
    return target


class _Beginning(NamedTuple):
    """What a part file is the beginning of; kept beside it so that a later process can resume."""

    url: str
    validator: str  # a strong ETag, else Last-Modified, else empty (RFC 9110, section 8.8)
    total: int | None  # bytes of the whole file, where the server told


class _Transfer(NamedTuple):
    """One file on its way: the arguments of `fetch`, and the file that grows."""

    url: str
    part: Path
    sha256: str | None
    size_bytes: int | None
    progress: Progress | None

    @property
    def record(self) -> Path:
        return self.part.with_name(self.part.name + ".json")

    @property
    def done(self) -> int:
        is_own = self.part.is_file() and not self.part.is_symlink()
        return self.part.stat().st_size if is_own else 0

    @property
    def kind(self) -> Kind | None:
        if not self.done:
            return None
        with files.open_file(self.part) as file:
            return kind_of(file.read(HEAD_BYTES))

    def discard(self) -> None:
        self.part.unlink(missing_ok=True)
        self.record.unlink(missing_ok=True)

    def refused(self, expected: str, received: str) -> InputError:
        """Delete what was received, and return the error that says why."""
        self.discard()
        hint = f"again, since what was received is deleted, or {FROM_HINT}"
        return InputError(self.url, expected, received, hint)

    def run(self) -> None:
        """Fill the part file, with retries while they bring something new."""
        import requests
        import urllib3

        temporary = (requests.RequestException, urllib3.exceptions.HTTPError, TimeoutError)
        furthest, num_failures = self.done, 0
        while True:
            try:
                return self._request()
            except (*temporary, ValueError) as error:
                has_gained = self.done >= furthest + LEAST_GAIN_BYTES
                num_failures = 1 if has_gained else num_failures + 1
                furthest = max(furthest, self.done)
                response = getattr(error, "response", None)
                is_final = response is not None and response.status_code not in BUSY_STATUSES
                # such as a redirect to another kind of address, which are ValueErrors too
                is_final |= isinstance(error, (ValueError, requests.TooManyRedirects))
                if is_final or num_failures > len(BACKOFF_SECONDS):
                    if self.kind is HTML:
                        raise self.refused("the file itself", HTML.name) from error
                    rest = f", which goes on after {self.done:,} bytes" if self.done else ""
                    hint = f"again with a network{rest}, or {FROM_HINT}"
                    expected = "an answer with the file"
                    raise InputError(self.url, expected, _reason(error), hint) from error
                time.sleep(BACKOFF_SECONDS[num_failures - 1])

    def verify(self) -> None:
        """Refuse a finished part file of another size or content."""
        kind = self.kind
        suffix = f", {kind.name}" if kind else ""
        if self.size_bytes not in (None, self.done):
            raise self.refused(f"{self.size_bytes:,} bytes", f"{self.done:,} bytes{suffix}")
        if self.sha256 and (received := sha256_of(self.part)) != self.sha256:
            raise self.refused(f"sha256 {self.sha256}", f"sha256 {received}{suffix}")
        if not self.sha256 and kind is HTML:  # a page that asks to sign in, mostly
            raise self.refused("the file itself", kind.name)

    def _request(self) -> None:
        """Ask for what the part file lacks, or for the whole file where that cannot be had."""
        import requests

        beginning, offset = self._resume_point()
        if offset and beginning.total == offset:
            return  # killed between the last byte and the rename
        headers = {"Accept-Encoding": "identity"}  # else offsets would count compressed bytes
        if offset:
            headers["Range"] = f"bytes={offset}-"
            if beginning.validator:
                headers["If-Range"] = beginning.validator
        with contextlib.closing(_answer(self.url, headers)) as answer:
            response = next(answer)
            if offset and response.status_code in (206, 416):
                if _continues(response, beginning, offset):
                    return self._receive(response, answer, offset)
            elif response.status_code == 200:  # no Range asked or known, or a changed file
                self.part.unlink(missing_ok=True)  # never through a link or into a pipe
                self.part.touch()
                beginning = _Beginning(self.url, _validator(response), _length(response))
                atomic.write_text(self.record, json.dumps(beginning._asdict(), allow_nan=False))
                return self._receive(response, answer, 0)
            else:
                response.raise_for_status()
                raise requests.HTTPError(response=response)
        self.discard()
        self._request()

    def _resume_point(self) -> tuple[_Beginning, int]:
        """Return what the part file is part of and its length in bytes; length 0: start anew."""
        try:
            beginning = _Beginning(**json.loads(files.read_text(self.record)))
        except (FileNotFoundError, files.NotReadableError, ValueError, TypeError):
            return _Beginning(self.url, "", None), 0
        # Without a validator only the final sha256 could tell that two files have been joined.
        can_resume = beginning.url == self.url and bool(beginning.validator or self.sha256)
        return beginning, self.done if can_resume else 0

    def _receive(self, response: Any, pieces: Iterator[bytes], done: int) -> None:
        """Append the body of an answer to the part file, which holds `done` bytes."""
        import requests

        length = _length(response)
        total = self.size_bytes if length is None else done + length
        if total is not None:
            if self.size_bytes not in (None, total):
                content_type = response.headers.get("Content-Type", "unknown type")
                received = f"{total:,} bytes of {content_type}"
                raise self.refused(f"{self.size_bytes:,} bytes", received)
            if total > MAX_FILE_BYTES and self.sha256 is None:
                raise self.refused(f"at most {MAX_FILE_BYTES:,} bytes", f"{total:,} bytes")
            require_disk_space(self.part.parent, total - done)
        report = self.progress or (lambda done, total: None)
        with self.part.open("ab") as file:
            report(done, total)
            for piece in pieces:
                if done + len(piece) > (MAX_FILE_BYTES if total is None else total):
                    raise self.refused(f"at most {total or MAX_FILE_BYTES:,} bytes", "more")
                if total is None:
                    self._require_reserve()
                file.write(piece)
                done += len(piece)
                report(done, total)
        if total is not None and done < total:
            raise requests.ConnectionError("the connection was cut")

    def _require_reserve(self) -> None:
        """Refuse to fill a disk with what may never end."""
        try:
            require_disk_space(self.part.parent, RESERVE_BYTES)
        except InputError:
            self.discard()
            raise


def _answer(url: str, headers: dict[str, str]) -> Generator[Any, None, None]:
    """Yield the head of a server's answer, a `requests.Response`, then the pieces of its body.

    Another thread receives them, because a server may send a byte at a time for ever.

    Raises:
        requests.RequestException: if the server does not answer.
        TimeoutError: if the head, or `WINDOW_BYTES` of the body, take over `WINDOW_SECONDS`.
    """
    items: queue.Queue[Any] = queue.Queue(maxsize=1)
    is_over = threading.Event()
    arguments = (url, headers, items, is_over)
    threading.Thread(target=_receive_in_thread, args=arguments, daemon=True).start()
    start, count, what = time.monotonic(), 0, "no whole head of an answer"
    try:
        while True:
            try:
                item = items.get(timeout=max(0.0, start + WINDOW_SECONDS - time.monotonic()))
            except queue.Empty as error:
                text = f"{what} within {WINDOW_SECONDS:g} s"
                raise TimeoutError(errno.ETIMEDOUT, text) from error
            if isinstance(item, Exception):
                raise item
            if item == b"":
                return
            yield item
            count += len(item) if isinstance(item, bytes) else WINDOW_BYTES
            if count >= WINDOW_BYTES:
                start, count = time.monotonic(), 0
            what = f"{count:,} bytes"
    finally:
        is_over.set()


def _receive_in_thread(
    url: str, headers: dict[str, str], items: "queue.Queue[Any]", is_over: threading.Event
) -> None:
    """Put an answer, the pieces of its body and b"" into a queue; an error ends them."""
    import requests

    def put(item: Any) -> bool:
        while not is_over.is_set():
            with contextlib.suppress(queue.Full):  # the disk is slow
                items.put(item, timeout=1)
                return True
        return False

    try:
        timeout = TIMEOUT_SECONDS
        with requests.get(url, headers=headers, stream=True, timeout=timeout) as response:
            is_wanted = put(response)
            while is_wanted:
                piece = response.raw.read1(CHUNK_BYTES, decode_content=False)
                is_wanted = put(piece) and bool(piece)
    except Exception as error:  # the thread that waits raises it
        put(error)


def _continues(response: Any, beginning: _Beginning, offset: int) -> bool:
    """Return whether a response is the rest of the same file; some servers ignore If-Range."""
    first, _, total = response.headers.get("Content-Range", "").partition("/")
    return (
        response.status_code == 206
        and first.startswith(f"bytes {offset}-")
        and total in ("*", str(beginning.total))
        # with If-Range a 206 may leave Last-Modified out (RFC 9110, section 15.3.7)
        and _validator(response) in ("", beginning.validator)
    )


def _validator(response: Any) -> str:
    etag = str(response.headers.get("ETag", ""))
    if etag.startswith('"'):  # a weak one, W/"...", does not promise equal bytes
        return etag
    return str(response.headers.get("Last-Modified", ""))


def _length(response: Any) -> int | None:
    text = response.headers.get("Content-Length", "")
    return int(text) if text.isdecimal() else None


def _reason(error: BaseException) -> str:
    """Return the short cause at the bottom of a chain of wrapped errors."""
    import requests
    import urllib3

    response = getattr(error, "response", None)
    if response is not None:
        return f"HTTP status {response.status_code} {response.reason}"
    to_connect, between_bytes = TIMEOUT_SECONDS
    if isinstance(error, requests.ReadTimeout | urllib3.exceptions.ReadTimeoutError):
        return f"none (no byte within {between_bytes:g} s)"
    if isinstance(error, requests.ConnectTimeout):
        return f"none (no connection within {to_connect:g} s)"
    if isinstance(error, ValueError):
        return str(error)
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.strerror:
            return f"none ({cause.strerror})"
        cause = cause.__cause__ or cause.__context__
    return f"none ({type(error).__name__})"
