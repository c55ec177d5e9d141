"""Files from the network: resumed after a cut, checked by sha256, never trusted half-done.

The transfer is our own over requests, pooch's transport. pooch itself gives only the hash: its
downloader writes to a random temporary name that it removes on any error, so nothing is left to
resume from, and it logs instead of reporting progress. Keras' `get_file` has the same limits.
"""

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tfcnn.base import atomic, files
from tfcnn.base.disk import disk_errors, locked, require_disk_space
from tfcnn.base.errors import InputError
from tfcnn.datasets import Progress
from tfcnn.datasets._answer import CHUNK_BYTES, Answer
from tfcnn.datasets._mirror import FROM_HINT, local_path, locate, require_file
from tfcnn.decode.kinds import HEAD_BYTES, HTML, Kind, kind_of

__all__ = ["Progress", "fetch", "file_sha256", "locate"]

BACKOFF_SECONDS = (0.5, 1.0, 2.0)  # so four attempts in a row that bring nothing new
LEAST_GAIN_BYTES = 1 << 20  # an attempt that brings this much starts the count of retries afresh
MAX_BYTES = 4 << 30  # of a file whose size is not known; the largest official one has 353 MB
RESERVE_BYTES = 64 << 20  # of the disk, kept free of an answer that does not say how long it is
BUSY_STATUSES = (408, 425, 429, 500, 502, 503, 504)  # worth another attempt


@dataclass(frozen=True)
class _Origin:
    """What a part file is the beginning of; kept beside it so that a later process can resume."""

    url: str
    validator: str  # a strong ETag, else Last-Modified, else empty (RFC 9110, section 8.8)
    total: int | None  # bytes of the whole file, where the server told


@dataclass(frozen=True)
class _Transfer:
    """One file on its way: the arguments of `fetch` that every step needs."""

    url: str
    part: Path
    sha256: str | None
    size_bytes: int | None
    progress: Progress | None

    @property
    def origin_path(self) -> Path:
        return self.part.with_name(self.part.name + ".json")

    @property
    def done(self) -> int:
        is_own = self.part.is_file() and not self.part.is_symlink()
        return self.part.stat().st_size if is_own else 0

    @property
    def kind(self) -> Kind | None:
        """What the part file is by its first bytes."""
        if not self.done:
            return None
        with files.opened(self.part) as file:
            return kind_of(file.read(HEAD_BYTES))

    def report(self, done: int, total: int | None) -> None:
        if self.progress is not None:
            self.progress(done, total)

    def discard(self) -> None:
        self.part.unlink(missing_ok=True)
        self.origin_path.unlink(missing_ok=True)


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
        url: an `http`, `https` or `file` address.
        target: the file to make; missing folders above it are made, a file there is replaced.
        sha256: 64 hexadecimal digits the content must have. None: the content is not checked, so
            a file already at `target` is not trusted either and is transferred again.
        size_bytes: size the file must have, where it is known beforehand.
        progress: called with (bytes done, bytes in all or None), starting from what is resumed.

    Raises:
        InputError: if the address is of another kind, does not answer or has no such file; if
            size or sha256 differ, it is a web page, or larger than `MAX_BYTES` (the part is
            deleted); if the disk is too small or full; if another process is fetching the same
            file.
    """
    fill = _way(url)
    part = target.with_name(target.name + ".part")
    transfer = _Transfer(url, part, sha256.lower() if sha256 else None, size_bytes, progress)
    with disk_errors(target), locked(target):
        if sha256 and target.is_file() and file_sha256(target) == transfer.sha256:
            return target
        fill(transfer)
        _verify(transfer)
        atomic.replace(part, target)
        transfer.discard()
    return target


def file_sha256(path: Path) -> str:
    """Return the sha256 of a file's content, 64 lower-case hexadecimal digits."""
    import pooch

    return str(pooch.file_hash(str(path), alg="sha256"))


def _way(url: str) -> Callable[[_Transfer], None]:
    scheme = urlsplit(url).scheme
    if scheme not in ("http", "https", "file"):
        raise InputError(url, "an http, https or file address", "another kind", FROM_HINT)
    return _copy if scheme == "file" else _download


def _download(transfer: _Transfer) -> None:
    """Fill the part file from an http address, with retries while they bring something new."""
    import requests
    import urllib3

    known = (requests.RequestException, urllib3.exceptions.HTTPError, TimeoutError, ValueError)
    furthest = transfer.done
    num_failures = 0
    while True:
        try:
            return _request(transfer)
        except known as error:
            has_gained = transfer.done >= furthest + LEAST_GAIN_BYTES
            num_failures = 1 if has_gained else num_failures + 1
            furthest = max(furthest, transfer.done)
            response = getattr(error, "response", None)
            is_final = response is not None and response.status_code not in BUSY_STATUSES
            # such as a redirect to another kind of address, which are ValueErrors too
            is_final |= isinstance(error, (ValueError, requests.TooManyRedirects))
            if is_final or num_failures > len(BACKOFF_SECONDS):
                if transfer.kind is HTML:
                    raise _refused(transfer, "the file itself", HTML.name) from error
                expected = "an answer with the file"
                done = f", which goes on after {transfer.done:,} bytes" if transfer.done else ""
                hint = f"again with a network{done}, or {FROM_HINT}"
                raise InputError(transfer.url, expected, _reason(error), hint) from error
            time.sleep(BACKOFF_SECONDS[num_failures - 1])


def _request(transfer: _Transfer) -> None:
    """Ask for what the part file lacks, or for the whole file where that cannot be had."""
    import requests

    origin, offset = _resume_point(transfer)
    if offset and origin.total == offset:
        return  # killed between the last byte and the rename
    headers = {"Accept-Encoding": "identity"}  # else offsets would count compressed bytes
    if offset:
        headers["Range"] = f"bytes={offset}-"
        if origin.validator:
            headers["If-Range"] = origin.validator
    url = transfer.url
    with Answer(url, headers) as answer:
        response = answer.response
        if offset and response.status_code in (206, 416):
            if _continues(response, origin, offset):
                return _receive(answer, transfer, offset)
        elif response.status_code == 200:  # the whole: no Range asked or known, or a changed file
            transfer.part.unlink(missing_ok=True)  # never through a link or into a pipe
            transfer.part.touch()
            origin = _Origin(url, _validator(response), _length(response))
            atomic.write_text(transfer.origin_path, json.dumps(asdict(origin), allow_nan=False))
            return _receive(answer, transfer, 0)
        else:
            response.raise_for_status()
            raise requests.HTTPError(response=response)
    transfer.discard()
    _request(transfer)


def _receive(answer: Answer, transfer: _Transfer, offset: int) -> None:
    """Append the body of an answer to the part file, which holds `offset` bytes."""
    import requests

    response = answer.response
    length, size_bytes = _length(response), transfer.size_bytes
    total = size_bytes if length is None else offset + length
    if total is not None:
        if size_bytes is not None and total != size_bytes:
            received = f"{total:,} bytes of {response.headers.get('Content-Type', 'unknown type')}"
            raise _refused(transfer, f"{size_bytes:,} bytes", received)
        if total > MAX_BYTES and transfer.sha256 is None:
            raise _refused(transfer, f"at most {MAX_BYTES:,} bytes", f"{total:,} bytes")
        require_disk_space(transfer.part.parent, total - offset)
    done = offset
    with transfer.part.open("ab") as file:
        transfer.report(done, total)
        for piece in answer.pieces():
            if done + len(piece) > (MAX_BYTES if total is None else total):
                break
            if total is None and done // RESERVE_BYTES < (done + len(piece)) // RESERVE_BYTES:
                _require_reserve(transfer)
            file.write(piece)
            done += len(piece)
            transfer.report(done, total)
        else:
            if total is not None and done < total:
                raise requests.ConnectionError("the connection was cut")
            return
    raise _refused(transfer, f"at most {total or MAX_BYTES:,} bytes", "more")


def _require_reserve(transfer: _Transfer) -> None:
    """Refuse to fill a disk with what may never end."""
    try:
        require_disk_space(transfer.part.parent, 2 * RESERVE_BYTES)
    except InputError:
        transfer.discard()
        raise


def _refused(transfer: _Transfer, expected: str, received: str) -> InputError:
    """Delete what was received, and return the error that says why."""
    transfer.discard()
    hint = f"again, since what was received is deleted, or {FROM_HINT}"
    return InputError(transfer.url, expected, received, hint)


def _resume_point(transfer: _Transfer) -> tuple[_Origin, int]:
    """Return what the part file is part of and its length in bytes; length 0 means start anew."""
    try:
        origin = _Origin(**json.loads(files.read_text(transfer.origin_path)))
    except (FileNotFoundError, files.NotReadableError, ValueError, TypeError):
        return _Origin(transfer.url, "", None), 0
    # Without a validator only the final sha256 could tell that two files have been joined.
    can_resume = origin.url == transfer.url and bool(origin.validator or transfer.sha256)
    return origin, transfer.done if can_resume else 0


def _continues(response: Any, origin: _Origin, offset: int) -> bool:
    """Return whether a response is the rest of the same file; some servers ignore If-Range."""
    first, _, total = response.headers.get("Content-Range", "").partition("/")
    return (
        response.status_code == 206
        and first.startswith(f"bytes {offset}-")
        and total in ("*", str(origin.total))
        # with If-Range a 206 may leave Last-Modified out (RFC 9110, section 15.3.7)
        and _validator(response) in ("", origin.validator)
    )


def _validator(response: Any) -> str:
    etag = str(response.headers.get("ETag", ""))
    if etag.startswith('"'):  # a weak one, W/"...", does not promise equal bytes
        return etag
    return str(response.headers.get("Last-Modified", ""))


def _length(response: Any) -> int | None:
    text = response.headers.get("Content-Length", "")
    return int(text) if text.isdecimal() else None


def _copy(transfer: _Transfer) -> None:
    """Fill the part file from a local file, always from its beginning."""
    transfer.discard()  # its description too, or it would vouch for this part at a later call
    source = local_path(transfer.url)
    require_file(source, "a file")
    with files.opened(source) as reader, transfer.part.open("wb") as writer:
        total = source.stat().st_size
        require_disk_space(transfer.part.parent, total)
        done = 0
        while done < total and (chunk := reader.read(min(CHUNK_BYTES, total - done))):
            writer.write(chunk)
            done += len(chunk)
            transfer.report(done, total)


def _verify(transfer: _Transfer) -> None:
    expected_bytes, expected = transfer.size_bytes, transfer.sha256
    kind = transfer.kind
    found = f", {kind.name}" if kind else ""
    if expected_bytes is not None and transfer.done != expected_bytes:
        received = f"{transfer.done:,} bytes{found}"
        raise _refused(transfer, f"{expected_bytes:,} bytes", received)
    if expected is not None and (received := file_sha256(transfer.part)) != expected:
        raise _refused(transfer, f"sha256 {expected}", f"sha256 {received}{found}")
    if expected is None and kind is HTML:  # a page that asks to sign in, mostly
        raise _refused(transfer, "the file itself", kind.name)


def _reason(error: BaseException) -> str:
    """Return the short cause at the bottom of a chain of wrapped errors."""
    response = getattr(error, "response", None)
    if response is not None:
        return f"HTTP status {response.status_code} {response.reason}"
    if isinstance(error, ValueError):
        return str(error)
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.strerror:
            return f"none ({cause.strerror})"
        cause = cause.__cause__ or cause.__context__
    return f"none ({type(error).__name__})"
