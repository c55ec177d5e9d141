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
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tfcnn.base import disk
from tfcnn.base.errors import InputError
from tfcnn.datasets import _fetch
from tfcnn.datasets._fetch import fetch, locate

SIZE = 3_000_000
CONTENT = bytes(hashlib.shake_256(b"cells").digest(SIZE))
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Mirror:
    """A file server on 127.0.0.1 whose faults a test sets before or between requests."""

    def __init__(self):
        self.content = CONTENT
        self.headers = {"ETag": '"one"'}
        self.ignores_range = False
        self.ignores_if_range = False
        self.has_length = True
        self.cuts = []  # for each request to come, the bytes after which it is cut
        self.statuses = []  # for each request to come, an error to answer with
        self.pause_seconds = 0.0  # after every 64 KiB
        self.stalls_at_once = False  # for that long, before the head
        self.is_chunked = False
        self.is_endless = False
        self.redirect = ""  # where the first request is sent to
        self.requests = []  # what was asked and answered
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                if outer.redirect:
                    outer.requests.append({"path": self.path})
                    self.send_response(302)
                    self.send_header("Location", outer.redirect)
                    self.end_headers()
                else:
                    outer._answer(self)

            def log_message(self, *args):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.address = f"http://127.0.0.1:{self.server.server_port}/folder/cells.zip"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def _answer(self, handler):
        record = {"range": handler.headers["Range"], "if_range": handler.headers["If-Range"]}
        record |= {"path": handler.path, "encoding": handler.headers["Accept-Encoding"]}
        record |= {"status": 200, "sent": 0}
        self.requests.append(record)
        time.sleep(self.pause_seconds * self.stalls_at_once)
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
        with contextlib.suppress(OSError):  # the client was killed
            self._send(handler, start, end, record)

    def _send(self, handler, start, end, record):
        positions = itertools.cycle([start]) if self.is_endless else range(start, end, 65536)
        for position in positions:
            piece = self.content[position : min(position + 65536, end)]
            framed = b"%x\r\n%b\r\n" % (len(piece), piece) if self.is_chunked else piece
            handler.wfile.write(framed)
            record["sent"] += len(piece)
            time.sleep(self.pause_seconds)
        if self.is_chunked:
            handler.wfile.write(b"0\r\n\r\n")

    def close(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture(autouse=True)
def _local_and_quick(monkeypatch):
    monkeypatch.setattr(_fetch, "BACKOFF_SECONDS", (0.0, 0.0, 0.0))
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture
def mirror():
    mirror = Mirror()
    yield mirror
    mirror.close()


@pytest.fixture
def target(tmp_path):
    return tmp_path / "raw" / "cells.zip"


def get(mirror, target, **options):
    """Fetch the file and return its content."""
    return fetch(mirror.address, target, **({"sha256": SHA256} | options)).read_bytes()


def refusal(mirror, target, **options):
    """Return the error of a transfer that must fail: one line with the address."""
    with pytest.raises(InputError) as info:
        get(mirror, target, **options)
    message = str(info.value)
    assert "\n" not in message
    assert mirror.address in message or str(target) in message
    return message


def names(target):
    return sorted(path.name for path in target.parent.glob("*"))  # which may be missing


def part(target):
    return target.with_name(target.name + ".part")


def start_child(mirror, target, preexec_fn=None):
    """Fetch in a process of its own, which prints the error of a failed one."""
    code = (
        "import sys, pathlib\n"
        "from tfcnn.datasets import _fetch\n"
        "from tfcnn.base.errors import InputError\n"
        "try: _fetch.fetch(sys.argv[1], pathlib.Path(sys.argv[2]), sha256=sys.argv[3])\n"
        "except InputError as error: print(error)\n"
    )
    return subprocess.Popen(
        [sys.executable, "-c", code, mirror.address, str(target), SHA256],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=preexec_fn,
    )


def wait_for_bytes(path, least):
    deadline = time.monotonic() + 60
    while not path.is_file() or path.stat().st_size < least:
        assert time.monotonic() < deadline, "what was waited for did not happen"
        time.sleep(0.005)


# --- a sound server


def test_file_arrives_whole_with_progress_and_is_not_fetched_twice(mirror, target):
    calls = []
    options = {"sha256": SHA256.upper(), "size_bytes": SIZE}
    assert get(mirror, target, progress=lambda *call: calls.append(call), **options) == CONTENT
    assert names(target) == ["cells.zip"]
    assert calls[0] == (0, SIZE) and calls[-1] == (SIZE, SIZE)
    assert calls == sorted(calls)
    assert mirror.requests[0]["encoding"] == "identity"
    assert get(mirror, target) == CONTENT
    assert len(mirror.requests) == 1


@pytest.mark.parametrize("sha256", [SHA256, None])
def test_file_with_other_or_unverified_content_is_replaced(mirror, target, sha256):
    target.parent.mkdir()
    target.write_bytes(b"something else")
    assert get(mirror, target, sha256=sha256) == CONTENT


def test_body_is_kept_as_sent_when_a_server_labels_gz_files_as_encoded(mirror, target):
    mirror.headers["Content-Encoding"] = "gzip"
    assert get(mirror, target) == CONTENT


# --- cuts and resumption


def test_cut_connection_is_resumed_where_it_ended(mirror, target):
    mirror.cuts = [1_000_000]
    assert get(mirror, target) == CONTENT
    first, second = mirror.requests
    assert first["range"] is None
    assert second["status"] == 206 and second["if_range"] == '"one"'
    assert 0 <= first["sent"] + second["sent"] - SIZE <= _fetch.CHUNK_BYTES


def test_retries_go_on_while_they_bring_something_new(mirror, target, monkeypatch):
    monkeypatch.setattr(_fetch, "LEAST_GAIN_BYTES", 200_000)
    mirror.cuts = [400_000] * 7  # more cuts than retries in a row
    assert get(mirror, target) == CONTENT
    assert len(mirror.requests) > 1 + len(_fetch.BACKOFF_SECONDS)


def test_server_that_never_gets_further_is_given_up_and_a_later_call_resumes(mirror, target):
    mirror.cuts = [500_000] + [0] * 10
    refusal(mirror, target)
    assert len(mirror.requests) == 1 + len(_fetch.BACKOFF_SECONDS)
    assert not target.exists()
    mirror.cuts = []
    calls = []
    assert get(mirror, target, progress=lambda done, _: calls.append(done)) == CONTENT
    assert mirror.requests[-1]["status"] == 206
    assert calls[0] > 300_000


def test_endless_cuts_of_a_server_without_range_end(mirror, target, monkeypatch):
    monkeypatch.setattr(_fetch, "LEAST_GAIN_BYTES", 100_000)
    mirror.ignores_range = True
    mirror.cuts = [2_000_000, 1_000_000] * 50  # each brings much, none anything new
    refusal(mirror, target)
    assert len(mirror.requests) <= 2 + len(_fetch.BACKOFF_SECONDS)


def test_server_without_range_starts_over(mirror, target):
    mirror.ignores_range = True
    mirror.cuts = [1_000_000]
    assert get(mirror, target) == CONTENT
    assert [request["status"] for request in mirror.requests] == [200, 200]


@pytest.mark.parametrize("ignores_if_range", [False, True])
@pytest.mark.parametrize("header", ["ETag", "Last-Modified"])
def test_file_changed_between_two_calls_is_never_joined(mirror, target, header, ignores_if_range):
    mirror.headers = {header: '"one"' if header == "ETag" else "Mon, 01 Jan 2024 00:00:00 GMT"}
    mirror.cuts = [1_000_000] + [0] * 3
    refusal(mirror, target, sha256=None)
    mirror.headers = {header: '"two"' if header == "ETag" else "Tue, 02 Jan 2024 00:00:00 GMT"}
    mirror.ignores_if_range = ignores_if_range
    mirror.content = CONTENT[::-1]
    mirror.cuts = []
    assert get(mirror, target, sha256=None) == CONTENT[::-1]


@pytest.mark.parametrize(("sha256", "status"), [(None, 200), (SHA256, 206)])
def test_without_a_strong_validator_only_a_known_sha256_allows_to_resume(
    mirror, target, sha256, status
):
    mirror.headers = {"ETag": 'W/"one"'}
    mirror.cuts = [1_000_000]
    assert get(mirror, target, sha256=sha256) == CONTENT
    assert mirror.requests[1]["status"] == status


def test_part_of_another_address_is_not_continued(mirror, target):
    mirror.cuts = [1_000_000] + [0] * 3
    refusal(mirror, target)
    mirror.address = mirror.address.replace("/folder/", "/other/")
    assert get(mirror, target) == CONTENT
    assert mirror.requests[-1]["range"] is None


@pytest.mark.parametrize("description", ["", "{", "[]", '{"url": 3}', '{"other": 1}'])
def test_part_with_a_damaged_description_is_not_continued(mirror, target, description):
    target.parent.mkdir()
    part(target).write_bytes(b"?" * 1000)
    part(target).with_name("cells.zip.part.json").write_text(description)
    get(mirror, target)
    assert names(target) == ["cells.zip"]


def test_part_longer_than_the_file_starts_over(mirror, target):
    target.parent.mkdir()
    part(target).write_bytes(CONTENT + b"more")
    beginning = {"url": mirror.address, "validator": '"one"', "total": None}
    part(target).with_name("cells.zip.part.json").write_text(json.dumps(beginning))
    assert get(mirror, target) == CONTENT
    assert [request["status"] for request in mirror.requests] == [416, 200]


def test_stop_between_last_byte_and_rename_costs_no_transfer(mirror, target, monkeypatch):
    def interrupt(transfer):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(_fetch._Transfer, "verify", interrupt)
        with pytest.raises(KeyboardInterrupt):
            get(mirror, target)
    assert not target.exists()
    assert get(mirror, target) == CONTENT
    assert len(mirror.requests) == 1


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
    mirror, target, cuts, headers, ignores_range, has_length, is_chunked
):
    mirror.content = CONTENT[:300_000]
    mirror.cuts, mirror.headers = cuts, headers
    mirror.ignores_range, mirror.has_length = ignores_range, has_length
    # of a body in chunks that is cut, nobody could tell that it has an end
    mirror.is_chunked = is_chunked and not cuts
    target.unlink(missing_ok=True)
    sha256 = hashlib.sha256(mirror.content).hexdigest()
    assert get(mirror, target, sha256=sha256, size_bytes=300_000) == mirror.content
    assert names(target) == ["cells.zip"]


# --- other processes


def test_killed_process_is_resumed_and_leaves_no_stale_lock(mirror, target):
    mirror.pause_seconds = 0.02
    child = start_child(mirror, target)
    wait_for_bytes(part(target), 500_000)
    child.send_signal(signal.SIGKILL)
    child.communicate()
    kept = part(target).stat().st_size
    assert kept < SIZE and not target.exists()
    assert ".cells.zip.lock" in names(target)  # the file stays, the lock does not
    mirror.pause_seconds = 0
    assert get(mirror, target) == CONTENT
    assert mirror.requests[-1]["range"] == f"bytes={kept}-"
    assert mirror.requests[-1]["sent"] == SIZE - kept
    assert names(target) == ["cells.zip"]


def test_second_download_of_the_same_file_is_refused(mirror, target):
    mirror.pause_seconds = 0.02
    child = start_child(mirror, target)
    wait_for_bytes(part(target), 1)
    assert "another process" in refusal(mirror, target)
    mirror.pause_seconds = 0
    output, _ = child.communicate(timeout=60)
    assert output == ""
    assert target.read_bytes() == CONTENT
    assert len(mirror.requests) == 1


def test_lock_refuses_others_and_leaves_no_file(tmp_path):
    target = tmp_path / "cells.zip"
    for _ in range(2):
        with disk.locked(target):
            for _ in range(2):  # the refused one must not remove the name either
                with pytest.raises(InputError), disk.locked(target):
                    pass
        assert list(tmp_path.iterdir()) == []


def test_a_lock_leaves_no_folder_that_it_made_and_nobody_used(tmp_path):
    target = tmp_path / "models" / "new" / "run"
    with disk.locked(target):
        assert disk.is_locked(target)
    assert list(tmp_path.iterdir()) == [] and not disk.is_locked(target)
    with disk.locked(target):
        (tmp_path / "models" / "another").mkdir()
    assert [path.name for path in tmp_path.rglob("*")] == ["models", "another"]
    with disk.locked(target):
        target.mkdir()
    assert target.is_dir()
    (tmp_path / "empty").mkdir()
    with disk.locked(tmp_path / "empty" / "run"):
        pass
    assert (tmp_path / "empty").is_dir(), "somebody else's"


def test_lock_on_a_file_removed_meanwhile_is_taken_again(tmp_path, monkeypatch):
    """Between our open and our lock its owner removes the name: ours would bind nobody."""
    target, lock = tmp_path / "cells.zip", tmp_path / ".cells.zip.lock"
    true_flock = fcntl.flock
    num_calls = 0

    def flock(file, operation):
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


def test_full_disk_is_one_line_and_a_later_call_goes_on(mirror, target):
    """A limit on file size stands for the full disk: the write itself fails, in the kernel."""
    limit = 1_000_000

    def set_limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    output, _ = start_child(mirror, target, set_limit).communicate(timeout=60)
    assert len(output.splitlines()) == 1
    assert f"{target}: expected enough disk space" in output
    assert not target.exists()
    assert get(mirror, target) == CONTENT
    assert mirror.requests[-1]["range"] == f"bytes={limit}-"


# --- refusals


def test_wrong_sha256_names_both_and_leaves_an_earlier_file(mirror, target):
    message = refusal(mirror, target, sha256="0" * 64)
    assert mirror.address in message and "0" * 64 in message and SHA256 in message
    assert names(target) == []
    target.parent.mkdir(exist_ok=True)
    target.write_bytes(b"earlier")
    refusal(mirror, target, sha256="0" * 64)
    assert target.read_bytes() == b"earlier"


def test_wrong_size_is_refused_before_the_transfer(mirror, target):
    calls = []
    options = {"size_bytes": SIZE + 1, "progress": lambda done, _: calls.append(done)}
    assert "3,000,001 bytes" in refusal(mirror, target, **options)
    assert calls == [] and names(target) == []


def test_too_small_a_disk_is_refused_before_the_transfer(mirror, target, monkeypatch):
    usage = type("Usage", (), {"free": SIZE - 1})
    monkeypatch.setattr(disk.shutil, "disk_usage", lambda folder: usage)
    with pytest.raises(InputError, match=r"expected 3\.0 MB of free disk space"):
        get(mirror, target)
    assert not target.exists()
    assert part(target).stat().st_size == 0


@pytest.mark.parametrize("reason", ["Connection refused", "Name or service not known"])
def test_no_network_is_one_line_with_the_address_and_the_way_out(
    mirror, target, monkeypatch, reason
):
    def resolve(*arguments, **options):
        raise socket.gaierror(socket.EAI_NONAME, reason)

    if reason.startswith("Name"):
        monkeypatch.setattr(socket, "getaddrinfo", resolve)
    with socket.socket() as unused:  # bound, not listening: connections are refused
        unused.bind(("127.0.0.1", 0))
        mirror.address = f"http://127.0.0.1:{unused.getsockname()[1]}/cells.zip"
        message = refusal(mirror, target)
    assert mirror.address in message and reason in message
    assert "--from FOLDER|ZIP|ADDRESS" in message
    assert names(target) == []


def test_missing_file_is_not_asked_for_twice(mirror, target):
    mirror.statuses = [404]
    assert "HTTP status 404 Not Found" in refusal(mirror, target)
    assert len(mirror.requests) == 1


def test_busy_server_is_asked_again_and_given_up_in_the_end(mirror, target):
    mirror.statuses = [503] * 9
    assert "HTTP status 503" in refusal(mirror, target)
    assert len(mirror.requests) == 1 + len(_fetch.BACKOFF_SECONDS)
    mirror.statuses = [503, 429, 500]
    assert get(mirror, target) == CONTENT


def test_server_that_stalls_is_asked_again(mirror, target, monkeypatch):
    monkeypatch.setattr(_fetch, "TIMEOUT_SECONDS", (1, 0.2))
    mirror.pause_seconds = 2

    def recover(done, total):
        mirror.pause_seconds = 0

    assert get(mirror, target, progress=recover) == CONTENT


@pytest.mark.parametrize("sends", [0, 65536])
def test_a_server_that_stalls_for_ever_ends_with_the_limit_and_goes_on_later(
    mirror, target, monkeypatch, sends
):
    monkeypatch.setattr(_fetch, "TIMEOUT_SECONDS", (1, 0.2))
    mirror.pause_seconds, mirror.stalls_at_once = 2, not sends
    message = refusal(mirror, target)
    assert "received none (no byte within 0.2 s)" in message
    assert len(mirror.requests) == 1 + len(_fetch.BACKOFF_SECONDS)
    has_begun = part(target).exists() and part(target).stat().st_size > 0
    assert has_begun == bool(sends) == ("goes on after" in message)
    mirror.pause_seconds, mirror.stalls_at_once = 0, False
    assert get(mirror, target) == CONTENT
    assert bool(mirror.requests[-1]["range"]) == bool(sends)


def test_a_host_that_does_not_answer_ends_with_the_limit(mirror, target, monkeypatch):
    import requests

    monkeypatch.setattr(_fetch, "TIMEOUT_SECONDS", (0.5, 1))

    def get_nothing(*args, **options):
        raise requests.ConnectTimeout

    monkeypatch.setattr(requests, "get", get_nothing)
    assert "received none (no connection within 0.5 s)" in refusal(mirror, target)


def test_folder_in_place_of_the_target_is_one_line(mirror, target):
    target.mkdir(parents=True)
    assert str(target) in refusal(mirror, target, sha256=None)


# --- servers that never end, or send something else


@pytest.mark.parametrize("is_chunked", [False, True])
def test_an_endless_answer_ends_at_the_limit_and_leaves_nothing(
    mirror, target, monkeypatch, is_chunked
):
    monkeypatch.setattr(_fetch, "MAX_FILE_BYTES", 1_000_000)
    mirror.is_endless, mirror.has_length, mirror.is_chunked = True, False, is_chunked
    message = refusal(mirror, target, sha256=None)
    assert "at most 1,000,000 bytes; received more" in message
    assert len(mirror.requests) == 1 and names(target) == []


def test_an_answer_longer_than_the_file_is_refused(mirror, target):
    mirror.is_endless = True
    # an honest client reads no more than the stated length
    assert len(get(mirror, target, sha256=None, size_bytes=SIZE)) == SIZE
    target.unlink()
    mirror.is_chunked, mirror.has_length = True, False
    message = refusal(mirror, target, size_bytes=SIZE)
    assert f"at most {SIZE:,} bytes; received more" in message
    assert names(target) == []


def test_a_length_over_the_limit_is_refused_before_the_transfer(mirror, target, monkeypatch):
    monkeypatch.setattr(_fetch, "MAX_FILE_BYTES", SIZE - 1)
    message = refusal(mirror, target, sha256=None)
    assert f"at most {SIZE - 1:,} bytes; received {SIZE:,} bytes" in message
    assert names(target) == []


def test_an_endless_answer_ends_before_the_disk_is_full(mirror, target, monkeypatch):
    monkeypatch.setattr(_fetch, "RESERVE_BYTES", 500_000)
    free = iter([3_000_000, 500_000, 499_999])
    usage = lambda folder: type("Usage", (), {"free": next(free)})  # noqa: E731
    monkeypatch.setattr(disk.shutil, "disk_usage", usage)
    mirror.is_endless, mirror.has_length = True, False
    with pytest.raises(InputError, match="of free disk space"):
        get(mirror, target, sha256=None)
    assert list(free) == [] and names(target) == []


def test_a_dripping_body_counts_as_cut_and_is_given_up_in_the_end(mirror, target, monkeypatch):
    """The server never lets the connection rest as long as a time-out."""
    monkeypatch.setattr(_fetch, "WINDOW_SECONDS", 0.3)
    monkeypatch.setattr(_fetch, "WINDOW_BYTES", 1 << 20)
    mirror.pause_seconds = 0.05
    with pytest.raises(InputError, match=r"bytes within 0\.3 s.*goes on after [0-9,]+ bytes"):
        get(mirror, target)
    assert len(mirror.requests) == 1 + len(_fetch.BACKOFF_SECONDS)
    kept = part(target).stat().st_size
    assert kept > 0
    mirror.pause_seconds = 0
    assert get(mirror, target) == CONTENT
    assert mirror.requests[-1]["range"] == f"bytes={kept}-"


class Dripping:
    """Sends the beginning of an answer, then a byte at a time for as long as it is read."""

    def __init__(self, start):
        self.start, self.is_over = start, threading.Event()
        self.server = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self.server.getsockname()[1]}/cells.zip"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.server.accept()
                threading.Thread(target=self._drip, args=(connection,), daemon=True).start()

    def _drip(self, connection):
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
def test_no_server_holds_us_with_a_byte_at_a_time(target, monkeypatch, start):
    monkeypatch.setattr(_fetch, "BACKOFF_SECONDS", (0.0,))
    monkeypatch.setattr(_fetch, "WINDOW_SECONDS", 0.3)
    server = Dripping(start)
    try:
        assert "within 0.3 s" in refusal(server, target, sha256=None)
    finally:
        server.is_over.set()
        server.server.close()
    assert not target.exists()


@pytest.mark.parametrize(
    "place", ["file:///etc/passwd", "ftp://host/cells.zip", "gopher://host/", "data:,x", "//[", "/"]
)
def test_a_redirect_to_elsewhere_is_one_line_and_not_tried_again(mirror, target, place):
    mirror.redirect = place  # "/" leads to itself, for ever
    refusal(mirror, target, sha256=None)
    assert len(mirror.requests) <= 31  # as many redirects as requests follows
    assert names(target) == []


@pytest.mark.parametrize(("sha256", "size"), [(None, None), (SHA256, None), (SHA256, SIZE)])
def test_a_web_page_instead_of_the_file_is_called_so(mirror, target, sha256, size):
    mirror.content = b"<!DOCTYPE html><html><body>Sign in</body></html>"
    mirror.has_length = size is None
    assert "a web page (HTML)" in refusal(mirror, target, sha256=sha256, size_bytes=size)
    assert names(target) == []


# --- locate

FILES = ("cell_images.zip", "cells.zip")
CLASSES = ("Parasitized", "Uninfected")


def test_locate_file_in_a_folder_in_the_order_of_names(tmp_path, monkeypatch):
    (tmp_path / "cells.zip").touch()
    assert locate(str(tmp_path), FILES) == tmp_path / "cells.zip"
    (tmp_path / "cell_images.zip").touch()
    assert locate(str(tmp_path), FILES) == tmp_path / "cell_images.zip"
    assert locate(tmp_path.as_uri(), FILES) == tmp_path / "cell_images.zip"
    monkeypatch.setenv("HOME", str(tmp_path))
    assert locate("~/cells.zip", FILES) == tmp_path / "cells.zip"


def test_locate_the_file_itself_under_any_name(tmp_path):
    path = tmp_path / "my copy.ZIP"
    path.touch()
    assert locate(str(path), FILES) == path
    assert locate(path.as_uri(), FILES) == path


@pytest.mark.parametrize("depth", ["", "cell_images", "cell_images/cell_images"])
def test_locate_unpacked_data_also_nested(tmp_path, depth):
    for name in CLASSES:
        (tmp_path / depth / name).mkdir(parents=True)
    assert locate(str(tmp_path), FILES, class_folders=CLASSES) == tmp_path / depth


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
def test_locate_address_of_a_file_or_of_its_folder(source, expected):
    assert locate(source, FILES) == expected


def test_locate_names_what_was_looked_for(tmp_path):
    with pytest.raises(InputError, match=r"cell_images\.zip or cells\.zip"):
        locate(str(tmp_path / "missing"), FILES)
    (tmp_path / "Parasitized").mkdir()  # one of the two is not enough
    with pytest.raises(InputError, match=r"cell_images\.zip or cells\.zip or .* and Uninfected"):
        locate(str(tmp_path), FILES, class_folders=CLASSES)
    (tmp_path / "cells.tar").touch()
    with pytest.raises(InputError, match=r"\.tar"):
        locate(str(tmp_path / "cells.tar"), FILES)


@pytest.mark.parametrize(
    "source", ["ftp://host/cells.zip", "s3://host/a.zip", "http://[bad/cells.zip", "http:///a"]
)
def test_locate_refuses_other_addresses(source):
    with pytest.raises(InputError, match="an http, https or file address"):
        locate(source, FILES)


def test_locate_unreadable_folder_is_one_line(tmp_path):
    if os.geteuid() == 0:
        pytest.skip("the superuser reads every folder")
    tmp_path.chmod(0)
    try:
        with pytest.raises(InputError):
            locate(str(tmp_path), FILES, class_folders=CLASSES)
    finally:
        tmp_path.chmod(0o700)
