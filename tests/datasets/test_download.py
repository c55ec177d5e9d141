"""`fetch` against a server of our own that cuts, changes, stalls and lies; `locate` on folders."""

import contextlib
import fcntl
import hashlib
import itertools
import json
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import IO, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tfcnn.base import disk
from tfcnn.base.errors import InputError
from tfcnn.datasets import _answer, _download
from tfcnn.datasets._download import fetch, locate

SIZE = 3_000_000
CONTENT = bytes(hashlib.shake_256(b"cells").digest(SIZE))
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Mirror:
    """A file server on 127.0.0.1 whose faults a test sets before or between requests."""

    def __init__(self) -> None:
        self.content = CONTENT
        self.headers = {"ETag": '"one"'}
        self.ignores_range = False
        self.ignores_if_range = False
        self.has_length = True
        self.cuts: list[int] = []  # for each request to come, the bytes after which it is cut
        self.statuses: list[int] = []  # for each request to come, an error to answer with
        self.pause_seconds = 0.0  # after every 64 KiB
        self.is_chunked = False
        self.is_endless = False
        self.redirect = ""  # where the first request is sent to
        self.requests: list[dict[str, Any]] = []  # what was asked and answered
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if outer.redirect:
                    outer.requests.append({"path": self.path})
                    self.send_response(302)
                    self.send_header("Location", outer.redirect)
                    self.end_headers()
                else:
                    outer._answer(self)

            def log_message(self, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.address = f"http://127.0.0.1:{self.server.server_port}/folder/cells.zip"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        record = {"range": handler.headers["Range"], "if_range": handler.headers["If-Range"]}
        record |= {"path": handler.path, "encoding": handler.headers["Accept-Encoding"]}
        record |= {"status": 200, "sent": 0}
        self.requests.append(record)
        start, size = 0, len(self.content)
        is_same = handler.headers["If-Range"] in (None, *self.headers.values())
        if self.statuses:
            record["status"] = self.statuses.pop(0)
        elif record["range"] and not self.ignores_range and (is_same or self.ignores_if_range):
            start = int(record["range"].removeprefix("bytes=").rstrip("-"))
            record["status"] = 206 if start < size else 416
        handler.send_response(record["status"])
        if record["status"] not in (200, 206):
            handler.send_header("Content-Length", "0")
            handler.end_headers()
            return
        for name, value in self.headers.items():
            handler.send_header(name, value)
        if record["status"] == 206:
            handler.send_header("Content-Range", f"bytes {start}-{size - 1}/{size}")
        if self.has_length:
            handler.send_header("Content-Length", str(size - start))
        if self.is_chunked:
            handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        end = min(start + self.cuts.pop(0), size) if self.cuts else size
        self._send(handler, start, end, record)

    def _send(
        self, handler: BaseHTTPRequestHandler, start: int, end: int, record: dict[str, Any]
    ) -> None:
        try:
            positions = itertools.cycle([start]) if self.is_endless else range(start, end, 65536)
            for position in positions:
                piece = self.content[position : min(position + 65536, end)]
                framed = b"%x\r\n%b\r\n" % (len(piece), piece) if self.is_chunked else piece
                handler.wfile.write(framed)
                record["sent"] += len(piece)
                time.sleep(self.pause_seconds)
            if self.is_chunked:
                handler.wfile.write(b"0\r\n\r\n")
        except OSError:  # the client was killed
            pass

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def mirror(monkeypatch: pytest.MonkeyPatch) -> Iterator[Mirror]:
    monkeypatch.setattr(_download, "BACKOFF_SECONDS", (0.0, 0.0, 0.0))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    mirror = Mirror()
    yield mirror
    mirror.close()


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "raw" / "cells.zip"


def names(target: Path) -> list[str]:
    return sorted(path.name for path in target.parent.iterdir())


def part(target: Path) -> Path:
    return target.with_name(target.name + ".part")


def one_line(info: pytest.ExceptionInfo[InputError]) -> str:
    message = str(info.value)
    assert "\n" not in message
    assert "expected" in message and "received" in message and "try" in message
    return message


def start_child(
    mirror: Mirror, target: Path, preexec_fn: Callable[[], None] | None = None
) -> subprocess.Popen[str]:
    """Fetch in a process of its own, which prints the error of a failed one."""
    code = (
        "import sys, pathlib\n"
        "from tfcnn.datasets import _download\n"
        "from tfcnn.base.errors import InputError\n"
        "try: _download.fetch(sys.argv[1], pathlib.Path(sys.argv[2]), sha256=sys.argv[3])\n"
        "except InputError as error: print(error)\n"
    )
    return subprocess.Popen(
        [sys.executable, "-c", code, mirror.address, str(target), SHA256],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=preexec_fn,
    )


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "what was waited for did not happen"
        time.sleep(0.005)


def has_bytes(path: Path, least: int) -> Callable[[], bool]:
    return lambda: path.is_file() and path.stat().st_size >= least


# --- a sound server


def test_file_arrives_whole_with_progress_and_leaves_nothing_beside(
    mirror: Mirror, target: Path
) -> None:
    seen: list[tuple[int, int | None]] = []
    result = fetch(
        mirror.address,
        target,
        sha256=SHA256.upper(),
        size_bytes=SIZE,
        progress=lambda done, total: seen.append((done, total)),
    )
    assert result == target
    assert target.read_bytes() == CONTENT
    assert names(target) == ["cells.zip"]
    assert seen[0] == (0, SIZE) and seen[-1] == (SIZE, SIZE)
    assert seen == sorted(seen)
    assert mirror.requests[0]["encoding"] == "identity"


def test_verified_file_is_not_transferred_again(mirror: Mirror, target: Path) -> None:
    fetch(mirror.address, target, sha256=SHA256)
    fetch(mirror.address, target, sha256=SHA256)
    assert len(mirror.requests) == 1


def test_file_with_other_content_is_replaced(mirror: Mirror, target: Path) -> None:
    target.parent.mkdir()
    target.write_bytes(b"something else")
    fetch(mirror.address, target, sha256=SHA256)
    assert target.read_bytes() == CONTENT


def test_file_that_cannot_be_verified_is_transferred_again(mirror: Mirror, target: Path) -> None:
    target.parent.mkdir()
    target.write_bytes(b"from somewhere else")
    fetch(mirror.address, target, sha256=None)
    assert target.read_bytes() == CONTENT


def test_body_is_kept_as_sent_when_a_server_labels_gz_files_as_encoded(
    mirror: Mirror, target: Path
) -> None:
    mirror.headers["Content-Encoding"] = "gzip"
    fetch(mirror.address, target, sha256=SHA256)
    assert target.read_bytes() == CONTENT


# --- cuts and resumption


def test_cut_connection_is_resumed_where_it_ended(mirror: Mirror, target: Path) -> None:
    mirror.cuts = [1_000_000]
    fetch(mirror.address, target, sha256=SHA256)
    assert target.read_bytes() == CONTENT
    first, second = mirror.requests
    assert first["range"] is None
    assert second["status"] == 206 and second["if_range"] == '"one"'
    lost = first["sent"] + second["sent"] - SIZE
    assert 0 <= lost <= _download.CHUNK_BYTES


def test_retries_go_on_while_they_bring_something_new(
    mirror: Mirror, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_download, "LEAST_GAIN_BYTES", 200_000)
    mirror.cuts = [400_000] * 7  # more cuts than retries in a row
    fetch(mirror.address, target, sha256=SHA256)
    assert target.read_bytes() == CONTENT
    assert len(mirror.requests) > 1 + len(_download.BACKOFF_SECONDS)


def test_server_that_never_gets_further_is_given_up_and_a_later_call_resumes(
    mirror: Mirror, target: Path
) -> None:
    mirror.cuts = [500_000] + [0] * 10
    with pytest.raises(InputError) as info:
        fetch(mirror.address, target, sha256=SHA256)
    assert mirror.address in one_line(info)
    assert len(mirror.requests) == 1 + len(_download.BACKOFF_SECONDS)
    assert not target.exists()
    mirror.cuts = []
    seen: list[int] = []
    fetch(mirror.address, target, sha256=SHA256, progress=lambda done, _: seen.append(done))
    assert target.read_bytes() == CONTENT
    assert mirror.requests[-1]["status"] == 206
    assert seen[0] > 300_000


def test_endless_cuts_of_a_server_without_range_end(
    mirror: Mirror, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_download, "LEAST_GAIN_BYTES", 100_000)
    mirror.ignores_range = True
    mirror.cuts = [2_000_000, 1_000_000] * 50  # each brings much, none anything new
    with pytest.raises(InputError):
        fetch(mirror.address, target, sha256=SHA256)
    assert len(mirror.requests) <= 2 + len(_download.BACKOFF_SECONDS)


def test_server_without_range_starts_over(mirror: Mirror, target: Path) -> None:
    mirror.ignores_range = True
    mirror.cuts = [1_000_000]
    fetch(mirror.address, target, sha256=SHA256)
    assert target.read_bytes() == CONTENT
    assert [request["status"] for request in mirror.requests] == [200, 200]


@pytest.mark.parametrize("ignores_if_range", [False, True])
@pytest.mark.parametrize("header", ["ETag", "Last-Modified"])
def test_file_changed_between_two_calls_is_never_joined(
    mirror: Mirror, target: Path, header: str, ignores_if_range: bool
) -> None:
    mirror.headers = {header: '"one"' if header == "ETag" else "Mon, 01 Jan 2024 00:00:00 GMT"}
    mirror.cuts = [1_000_000] + [0] * 3
    with pytest.raises(InputError):
        fetch(mirror.address, target, sha256=None)
    mirror.headers = {header: '"two"' if header == "ETag" else "Tue, 02 Jan 2024 00:00:00 GMT"}
    mirror.ignores_if_range = ignores_if_range
    mirror.content = CONTENT[::-1]
    mirror.cuts = []
    fetch(mirror.address, target, sha256=None)
    assert target.read_bytes() == CONTENT[::-1]


@pytest.mark.parametrize(("sha256", "status"), [(None, 200), (SHA256, 206)])
def test_without_a_strong_validator_only_a_known_sha256_allows_to_resume(
    mirror: Mirror, target: Path, sha256: str | None, status: int
) -> None:
    mirror.headers = {"ETag": 'W/"one"'}
    mirror.cuts = [1_000_000]
    fetch(mirror.address, target, sha256=sha256)
    assert target.read_bytes() == CONTENT
    assert mirror.requests[1]["status"] == status


def test_part_of_another_address_is_not_continued(mirror: Mirror, target: Path) -> None:
    mirror.cuts = [1_000_000] + [0] * 3
    with pytest.raises(InputError):
        fetch(mirror.address, target, sha256=SHA256)
    fetch(mirror.address.replace("/folder/", "/other/"), target, sha256=SHA256)
    assert mirror.requests[-1]["range"] is None
    assert target.read_bytes() == CONTENT


@pytest.mark.parametrize("description", ["", "{", "[]", '{"url": 3}', '{"other": 1}'])
def test_part_with_a_damaged_description_is_not_continued(
    mirror: Mirror, target: Path, description: str
) -> None:
    target.parent.mkdir()
    part(target).write_bytes(b"?" * 1000)
    part(target).with_name("cells.zip.part.json").write_text(description)
    fetch(mirror.address, target, sha256=SHA256)
    assert names(target) == ["cells.zip"]


def test_part_longer_than_the_file_starts_over(mirror: Mirror, target: Path) -> None:
    target.parent.mkdir()
    part(target).write_bytes(CONTENT + b"more")
    origin = {"url": mirror.address, "validator": '"one"', "total": None}
    part(target).with_name("cells.zip.part.json").write_text(json.dumps(origin))
    fetch(mirror.address, target, sha256=SHA256)
    assert [request["status"] for request in mirror.requests] == [416, 200]
    assert target.read_bytes() == CONTENT


def test_stop_between_last_byte_and_rename_costs_no_transfer(
    mirror: Mirror, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(transfer: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(_download, "_verify", interrupt)
        with pytest.raises(KeyboardInterrupt):
            fetch(mirror.address, target, sha256=SHA256)
    assert not target.exists()
    fetch(mirror.address, target, sha256=SHA256)
    assert len(mirror.requests) == 1
    assert target.read_bytes() == CONTENT


@settings(
    deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    cuts=st.lists(st.integers(0, 300_000), max_size=3),
    headers=st.sampled_from([{}, {"ETag": '"1"'}, {"ETag": 'W/"1"'}, {"Last-Modified": "Mon"}]),
    ignores_range=st.booleans(),
    has_length=st.booleans(),
    is_chunked=st.booleans(),
)
def test_whatever_is_cut_the_content_is_the_servers(
    mirror: Mirror,
    tmp_path: Path,
    cuts: list[int],
    headers: dict[str, str],
    ignores_range: bool,
    has_length: bool,
    is_chunked: bool,
) -> None:
    mirror.content = CONTENT[:300_000]
    mirror.cuts, mirror.headers = cuts, headers
    mirror.ignores_range, mirror.has_length = ignores_range, has_length
    # of a body in chunks that is cut, nobody could tell that it has an end
    mirror.is_chunked = is_chunked and not cuts
    target = tmp_path / "cells.zip"
    target.unlink(missing_ok=True)
    sha256 = hashlib.sha256(mirror.content).hexdigest()
    fetch(mirror.address, target, sha256=sha256, size_bytes=300_000)
    assert target.read_bytes() == mirror.content
    assert names(target) == ["cells.zip"]


# --- other processes


def test_killed_process_is_resumed_and_leaves_no_stale_lock(mirror: Mirror, target: Path) -> None:
    mirror.pause_seconds = 0.02
    child = start_child(mirror, target)
    wait_for(has_bytes(part(target), 500_000))
    child.send_signal(signal.SIGKILL)
    child.communicate()
    kept = part(target).stat().st_size
    assert kept < SIZE and not target.exists()
    assert ".cells.zip.lock" in names(target)  # the file stays, the lock does not
    mirror.pause_seconds = 0
    fetch(mirror.address, target, sha256=SHA256)
    assert mirror.requests[-1]["range"] == f"bytes={kept}-"
    assert mirror.requests[-1]["sent"] == SIZE - kept
    assert target.read_bytes() == CONTENT
    assert names(target) == ["cells.zip"]


def test_second_download_of_the_same_file_is_refused(mirror: Mirror, target: Path) -> None:
    mirror.pause_seconds = 0.02
    child = start_child(mirror, target)
    wait_for(has_bytes(part(target), 1))
    with pytest.raises(InputError, match="another process"):
        fetch(mirror.address, target, sha256=SHA256)
    mirror.pause_seconds = 0
    output, _ = child.communicate(timeout=20)
    assert output == ""
    assert target.read_bytes() == CONTENT
    assert len(mirror.requests) == 1


def test_lock_refuses_others_and_leaves_no_file(tmp_path: Path) -> None:
    target = tmp_path / "cells.zip"
    for _ in range(2):
        with disk.locked(target):
            for _ in range(2):  # the refused one must not remove the name either
                with pytest.raises(InputError), disk.locked(target):
                    pass
        assert list(tmp_path.iterdir()) == []


def test_lock_on_a_file_removed_meanwhile_is_taken_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between our open and our lock its owner removes the name: ours would bind nobody."""
    target, lock = tmp_path / "cells.zip", tmp_path / ".cells.zip.lock"
    true_flock = fcntl.flock
    num_calls = 0

    def flock(file: IO[str], operation: int) -> None:
        nonlocal num_calls
        num_calls += 1
        true_flock(file, operation)
        if num_calls == 1:
            lock.unlink()

    monkeypatch.setattr(disk.fcntl, "flock", flock)
    with disk.locked(target):
        assert num_calls == 2
        with pytest.raises(InputError), disk.locked(target):
            pass


def test_full_disk_is_one_line_and_a_later_call_goes_on(mirror: Mirror, target: Path) -> None:
    """A limit on file size stands for the full disk: the write itself fails, in the kernel."""
    limit = 1_000_000

    def set_limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    output, _ = start_child(mirror, target, set_limit).communicate(timeout=20)
    assert len(output.splitlines()) == 1
    assert f"{target}: expected enough disk space" in output
    assert not target.exists()
    fetch(mirror.address, target, sha256=SHA256)
    assert target.read_bytes() == CONTENT
    assert mirror.requests[-1]["range"] == f"bytes={limit}-"


# --- refusals


def test_wrong_sha256_names_both_and_deletes_the_part(mirror: Mirror, target: Path) -> None:
    with pytest.raises(InputError) as info:
        fetch(mirror.address, target, sha256="0" * 64)
    message = one_line(info)
    assert mirror.address in message and "0" * 64 in message and SHA256 in message
    assert names(target) == []


def test_wrong_sha256_leaves_an_earlier_file_as_it_was(mirror: Mirror, target: Path) -> None:
    target.parent.mkdir()
    target.write_bytes(b"earlier")
    with pytest.raises(InputError):
        fetch(mirror.address, target, sha256="0" * 64)
    assert target.read_bytes() == b"earlier"


def test_wrong_size_is_refused_before_the_transfer(mirror: Mirror, target: Path) -> None:
    seen: list[int] = []
    with pytest.raises(InputError, match="3,000,001 bytes"):
        fetch(
            mirror.address,
            target,
            sha256=SHA256,
            size_bytes=SIZE + 1,
            progress=lambda done, _: seen.append(done),
        )
    assert seen == []
    assert names(target) == []


def test_too_small_a_disk_is_refused_before_the_transfer(
    mirror: Mirror, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = type("Usage", (), {"free": SIZE - 1})
    monkeypatch.setattr(disk.shutil, "disk_usage", lambda folder: usage)
    with pytest.raises(InputError, match=r"expected 3\.0 MB of free disk space"):
        fetch(mirror.address, target, sha256=SHA256)
    assert not target.exists()
    assert part(target).stat().st_size == 0


@pytest.mark.parametrize("reason", ["Connection refused", "Name or service not known"])
def test_no_network_is_one_line_with_the_address_and_the_way_out(
    target: Path, monkeypatch: pytest.MonkeyPatch, reason: str
) -> None:
    def resolve(*arguments: object, **options: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, reason)

    monkeypatch.setattr(_download, "BACKOFF_SECONDS", (0.0, 0.0, 0.0))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    if reason.startswith("Name"):
        monkeypatch.setattr(socket, "getaddrinfo", resolve)
    with socket.socket() as unused:  # bound, not listening: connections are refused
        unused.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{unused.getsockname()[1]}/cells.zip"
        with pytest.raises(InputError) as info:
            fetch(address, target, sha256=SHA256)
    message = one_line(info)
    assert address in message
    assert reason in message
    assert "--from FOLDER|ZIP|ADDRESS" in message
    assert names(target) == []


def test_missing_file_is_not_asked_for_twice(mirror: Mirror, target: Path) -> None:
    mirror.statuses = [404]
    with pytest.raises(InputError, match="HTTP status 404 Not Found"):
        fetch(mirror.address, target, sha256=SHA256)
    assert len(mirror.requests) == 1


def test_busy_server_is_asked_again(mirror: Mirror, target: Path) -> None:
    mirror.statuses = [503, 429, 500]
    fetch(mirror.address, target, sha256=SHA256)
    assert target.read_bytes() == CONTENT


def test_busy_server_is_given_up_in_the_end(mirror: Mirror, target: Path) -> None:
    mirror.statuses = [503] * 9
    with pytest.raises(InputError, match="HTTP status 503"):
        fetch(mirror.address, target, sha256=SHA256)
    assert len(mirror.requests) == 1 + len(_download.BACKOFF_SECONDS)


def test_server_that_stalls_is_asked_again(
    mirror: Mirror, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_answer, "TIMEOUT_SECONDS", (1, 0.2))
    mirror.pause_seconds = 2

    def recover(done: int, total: int | None) -> None:
        mirror.pause_seconds = 0

    fetch(mirror.address, target, sha256=SHA256, progress=recover)
    assert target.read_bytes() == CONTENT


@pytest.mark.parametrize("url", ["ftp://host/cells.zip", "s3://bucket/cells.zip", "cells.zip"])
def test_other_kinds_of_address_are_refused(target: Path, url: str) -> None:
    with pytest.raises(InputError, match="an http, https or file address"):
        fetch(url, target, sha256=None)
    assert not target.parent.exists()


def test_folder_in_place_of_the_target_is_one_line(mirror: Mirror, target: Path) -> None:
    target.mkdir(parents=True)
    with pytest.raises(InputError) as info:
        fetch(mirror.address, target, sha256=None)
    assert str(target) in one_line(info)


# --- servers that never end, or send something else


@pytest.mark.parametrize("is_chunked", [False, True])
def test_an_endless_answer_ends_at_the_limit_and_leaves_nothing(
    mirror: Mirror, target: Path, monkeypatch: pytest.MonkeyPatch, is_chunked: bool
) -> None:
    monkeypatch.setattr(_download, "MAX_BYTES", 1_000_000)
    mirror.is_endless, mirror.has_length, mirror.is_chunked = True, False, is_chunked
    with pytest.raises(InputError, match="at most 1,000,000 bytes; received more") as info:
        fetch(mirror.address, target, sha256=None)
    assert mirror.address in one_line(info)
    assert len(mirror.requests) == 1 and names(target) == []


@pytest.mark.parametrize("has_length", [False, True])
def test_an_answer_longer_than_the_file_is_refused(
    mirror: Mirror, target: Path, has_length: bool
) -> None:
    mirror.is_endless, mirror.is_chunked = True, not has_length
    mirror.has_length = has_length  # an honest client reads no more than that
    if has_length:
        fetch(mirror.address, target, sha256=None, size_bytes=SIZE)
        assert target.stat().st_size == SIZE
        return
    with pytest.raises(InputError, match=f"at most {SIZE:,} bytes; received more"):
        fetch(mirror.address, target, sha256=SHA256, size_bytes=SIZE)
    assert names(target) == []


def test_a_length_over_the_limit_is_refused_before_the_transfer(
    mirror: Mirror, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_download, "MAX_BYTES", SIZE - 1)
    with pytest.raises(InputError, match=f"at most {SIZE - 1:,} bytes; received {SIZE:,} bytes"):
        fetch(mirror.address, target, sha256=None)
    assert names(target) == []


def test_an_endless_answer_ends_before_the_disk_is_full(
    mirror: Mirror, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_download, "RESERVE_BYTES", 500_000)
    free = iter([3_000_000, 2_000_000, 999_999])
    usage = lambda folder: type("Usage", (), {"free": next(free)})  # noqa: E731
    monkeypatch.setattr(disk.shutil, "disk_usage", usage)
    mirror.is_endless, mirror.has_length = True, False
    with pytest.raises(InputError, match="of free disk space"):
        fetch(mirror.address, target, sha256=None)
    assert list(free) == [] and names(target) == []


def test_a_dripping_body_counts_as_cut_and_is_given_up_in_the_end(
    mirror: Mirror, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server never lets the connection rest as long as a time-out."""
    monkeypatch.setattr(_answer, "WINDOW_SECONDS", 0.3)
    monkeypatch.setattr(_answer, "WINDOW_BYTES", 1 << 20)
    mirror.pause_seconds = 0.05
    with pytest.raises(
        InputError, match=r"bytes within 0\.3 s.*goes on after [0-9,]+ bytes"
    ) as info:
        fetch(mirror.address, target, sha256=SHA256)
    assert "--from FOLDER|ZIP|ADDRESS" in one_line(info)
    assert len(mirror.requests) == 1 + len(_download.BACKOFF_SECONDS)
    kept = part(target).stat().st_size
    assert kept > 0
    mirror.pause_seconds = 0
    fetch(mirror.address, target, sha256=SHA256)
    assert mirror.requests[-1]["range"] == f"bytes={kept}-"
    assert target.read_bytes() == CONTENT


class Dripping:
    """Sends the beginning of an answer, then a byte at a time for as long as it is read."""

    def __init__(self, start: bytes) -> None:
        self.start, self.is_over = start, threading.Event()
        self.server = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self.server.getsockname()[1]}/cells.zip"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.server.accept()
                threading.Thread(target=self._drip, args=(connection,), daemon=True).start()

    def _drip(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection:
            connection.recv(65536)
            connection.sendall(self.start)
            while not self.is_over.wait(0.02):
                connection.sendall(b"x")


@pytest.mark.parametrize(
    "start",
    [
        b"HTTP/1.1 200 OK\r\nServer: ",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nTrailer: ",
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"",
    ],
    ids=["head", "size of a chunk", "trailer", "body", "status"],
)
def test_no_server_holds_us_with_a_byte_at_a_time(
    target: Path, monkeypatch: pytest.MonkeyPatch, start: bytes
) -> None:
    monkeypatch.setattr(_download, "BACKOFF_SECONDS", (0.0,))
    monkeypatch.setattr(_answer, "WINDOW_SECONDS", 0.3)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    server = Dripping(start)
    try:
        with pytest.raises(InputError, match=r"within 0\.3 s") as info:
            fetch(server.address, target, sha256=None)
    finally:
        server.is_over.set()
        server.server.close()
    assert server.address in one_line(info)
    assert not target.exists()


@pytest.mark.parametrize(
    "place", ["file:///etc/passwd", "ftp://host/cells.zip", "gopher://host/", "data:,x", "//[", "/"]
)
def test_a_redirect_to_elsewhere_is_one_line_and_not_tried_again(
    mirror: Mirror, target: Path, place: str
) -> None:
    mirror.redirect = place  # "/" leads to itself, for ever
    with pytest.raises(InputError) as info:
        fetch(mirror.address, target, sha256=None)
    assert mirror.address in one_line(info)
    assert len(mirror.requests) <= 31  # as many redirects as requests follows
    assert names(target) == []


@pytest.mark.parametrize(("sha256", "size"), [(None, None), (SHA256, None), (SHA256, SIZE)])
def test_a_web_page_instead_of_the_file_is_called_so(
    mirror: Mirror, target: Path, sha256: str | None, size: int | None
) -> None:
    mirror.content = b"<!DOCTYPE html><html><body>Sign in</body></html>"
    mirror.has_length = size is None
    with pytest.raises(InputError, match=r"a web page \(HTML\)"):
        fetch(mirror.address, target, sha256=sha256, size_bytes=size)
    assert names(target) == []


# --- file addresses


def test_file_address_is_copied_and_verified(tmp_path: Path, target: Path) -> None:
    source = tmp_path / "a folder" / "cells.zip"
    source.parent.mkdir()
    source.write_bytes(CONTENT)
    seen: list[tuple[int, int | None]] = []
    fetch(
        source.as_uri(),
        target,
        sha256=SHA256,
        progress=lambda done, total: seen.append((done, total)),
    )
    assert target.read_bytes() == CONTENT
    assert seen[-1] == (SIZE, SIZE)
    assert names(target) == ["cells.zip"]


def test_file_address_of_nothing_or_of_other_content_is_refused(
    tmp_path: Path, target: Path
) -> None:
    source = tmp_path / "cells.zip"
    with pytest.raises(InputError, match="nothing there"):
        fetch(source.as_uri(), target, sha256=SHA256)
    source.write_bytes(b"other")
    with pytest.raises(InputError, match=SHA256):
        fetch(source.as_uri(), target, sha256=SHA256)
    assert names(target) == []


# --- locate

FILES = ("cell_images.zip", "cells.zip")
CLASSES = ("Parasitized", "Uninfected")


def make_classes(folder: Path) -> Path:
    for name in CLASSES:
        (folder / name).mkdir(parents=True)
    return folder


def test_locate_file_in_a_folder_in_the_order_of_names(tmp_path: Path) -> None:
    (tmp_path / "cells.zip").touch()
    assert locate(str(tmp_path), FILES) == tmp_path / "cells.zip"
    (tmp_path / "cell_images.zip").touch()
    assert locate(str(tmp_path), FILES) == tmp_path / "cell_images.zip"
    assert locate(tmp_path.as_uri(), FILES) == tmp_path / "cell_images.zip"


def test_locate_the_file_itself_under_any_name(tmp_path: Path) -> None:
    path = tmp_path / "my copy.ZIP"
    path.touch()
    assert locate(str(path), FILES) == path
    assert locate(path.as_uri(), FILES) == path


@pytest.mark.parametrize("depth", ["", "cell_images", "cell_images/cell_images"])
def test_locate_unpacked_data_also_nested(tmp_path: Path, depth: str) -> None:
    folder = make_classes(tmp_path / depth)
    assert locate(str(tmp_path), FILES, class_folders=CLASSES) == folder


def test_locate_below_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "cells.zip").touch()
    assert locate("~/cells.zip", FILES) == tmp_path / "cells.zip"


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("http://host/a/other.zip", "http://host/a/other.zip"),
        ("https://host/a/", "https://host/a/cell_images.zip"),
        ("https://host/v1.2", "https://host/v1.2/cell_images.zip"),
        ("http://host:80", "http://host:80/cell_images.zip"),
        ("http://host/a?key=1", "http://host/a/cell_images.zip?key=1"),
        ("http://host/a.zip?key=1", "http://host/a.zip?key=1"),
    ],
)
def test_locate_address_of_a_file_or_of_its_folder(source: str, expected: str) -> None:
    assert locate(source, FILES) == expected


def test_locate_then_fetch_from_an_address_of_a_folder(mirror: Mirror, target: Path) -> None:
    address = locate(mirror.address.removesuffix("/cells.zip"), ("cells.zip",))
    assert isinstance(address, str)
    fetch(address, target, sha256=SHA256)
    assert mirror.requests[0]["path"] == "/folder/cells.zip"


def test_locate_names_what_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(InputError) as info:
        locate(str(tmp_path / "missing"), FILES)
    assert "cell_images.zip or cells.zip" in one_line(info)
    (tmp_path / "Parasitized").mkdir()  # one of the two is not enough
    with pytest.raises(InputError) as info:
        locate(str(tmp_path), FILES, class_folders=CLASSES)
    message = one_line(info)
    assert "cell_images.zip or cells.zip" in message
    assert "Parasitized and Uninfected" in message
    (tmp_path / "cells.tar").touch()
    with pytest.raises(InputError, match=r"\.tar"):
        locate(str(tmp_path / "cells.tar"), FILES)


@pytest.mark.parametrize("source", ["ftp://host/cells.zip", "http://[bad/cells.zip", "http:///a"])
def test_locate_refuses_other_addresses(source: str) -> None:
    with pytest.raises(InputError, match="an http, https or file address"):
        locate(source, FILES)


def test_locate_unreadable_folder_is_one_line(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("the superuser reads every folder")
    tmp_path.chmod(0)
    try:
        with pytest.raises(InputError):
            locate(str(tmp_path), FILES, class_folders=CLASSES)
    finally:
        tmp_path.chmod(0o700)
