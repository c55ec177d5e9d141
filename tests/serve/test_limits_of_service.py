"""What a service refuses: with a clear status, alive afterwards, in bounded memory."""

import contextlib
import gzip
import re
import struct
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import requests
from picture_files import SIGNATURE, chunk, encoded
from PIL import Image
from served import BOUNDARY, END, Service, chunked, head, part, received, serving

OPTIONS = (
    "--max-image-mb", 2, "--max-request-mb", 6, "--max-images", 8, "--max-megapixels", 5,
    "--timeout", 4, "--max-requests", 3, "--max-held-mb", 9,
)  # fmt: skip
MB = 10**6
# with the default limits: the model, 256 MB of files and once more the largest, 512 MB of pixels
STATED_MB = 1000


@pytest.fixture(scope="module")
def service(trained, tmp_path_factory):
    with serving(trained, tmp_path_factory.mktemp("limited") / "log", *OPTIONS) as opened:
        yield opened
        assert opened.peak_mb() < 250
        # nothing that a client sends is written to the log
        assert all(line.startswith(("cells answers", "  ")) for line in opened.log.open())


@pytest.fixture(autouse=True)
def answers_afterwards(service, cell):
    yield
    assert service.is_alive() and service.answers(("a.png", cell))[0]["decision"] == "round"


def png(height: int, width: int, rows: int | None = None) -> bytes:
    """Return a PNG of zeros, which packs well; of fewer rows than it says, if these are given."""
    data = zlib.compressobj()
    parts = [data.compress(bytes(1 + 3 * width)) for _ in range(rows or height)]
    size = struct.pack(">II", width, height) + bytes([8, 2, 0, 0, 0])
    body = chunk(b"IDAT", b"".join(parts) + data.flush())
    return SIGNATURE + chunk(b"IHDR", size) + body + chunk(b"IEND", b"")


def sent(service: Service, *parts: bytes) -> tuple[int, dict]:
    """Return the answer to these bytes, whether the service reads them all or not."""
    with service.connect() as connection:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            for content in parts:
                connection.sendall(content)
        return received(connection)


def request(*files: bytes) -> tuple[bytes, bytes]:
    body = b"".join(files) + END
    return head(len(body)), body


TOO_LARGE = {
    "a file": request(part(bytes(2 * MB + 1))),
    "a body by its length": (head(500 * MB), part(b"")),
    "a body without a length": (
        head(), *(chunked(part(bytes(MB))) for _ in range(6)), chunked(part(bytes(MB))),
    ),
    "many files": request(*(part(b"") for _ in range(9))),
    "10,000 files": request(*(part(b"") for _ in range(10_000))),
    "pixels": request(part(png(2501, 2000))),
    "a bomb": request(part(png(60_000, 60_000, rows=300))),
}  # fmt: skip


@pytest.mark.parametrize("name", TOO_LARGE)
def test_what_is_too_large_is_refused_with_413(service, name):
    status, answer = sent(service, *TOO_LARGE[name])
    assert status == 413, answer
    words = {"many files": "8 images", "10,000 files": "8 images", "a file": "2 MB"}
    default = "too large" if name in ("pixels", "a bomb") else "6 MB"
    assert words.get(name, default) in answer["error"]


@pytest.mark.parametrize(
    "content",
    [
        part(bytes(2 * MB)),
        b"".join(part(b"") for _ in range(8)),
        part(bytes(2 * MB)) + part(bytes(2 * MB)) + part(bytes(2 * MB - 400)),
    ],
    ids=["a file", "files", "a body"],
)
def test_what_has_just_the_limit_is_read(service, content):
    status, answer = sent(service, head(len(content + END)), content + END)
    assert status == 415 and answer["predictions"][0]["flag"] == "unreadable"  # zeros, no image


def test_just_as_many_pixels_are_decoded(service):
    assert service.answers(("a.png", png(2500, 2000)))[0]["flag"] in ("", "out-of-domain")


CUT = part(b"whole")[:-1]
MALFORMED = {
    "no end": part(b"whole"),
    "cut in a file": CUT,
    "cut in a header": CUT[:30],
    "nothing": b"",
    "no files": END,
    "no parts": b"something else",
    "another field": part(b"", field="file") + END,
    "a header without end": b"--" + BOUNDARY.encode() + b"\r\n" + b"a" * 10_000,
    "many headers": b"--" + BOUNDARY.encode() + b"\r\n" + b"a: b\r\n" * 1000,
    "NUL in a header": part(b"", name="a\0b", field="im\0ages") + END,
}


@pytest.mark.parametrize("name", MALFORMED)
def test_what_cannot_be_understood_is_refused_with_422(service, name):
    status, answer = sent(service, head(len(MALFORMED[name])), MALFORMED[name])
    assert status == 422 and "curl -F images=@cell.png" in answer["error"], answer


@pytest.mark.parametrize(
    "kind", ["application/json", "image/png", "application/x-www-form-urlencoded", "a" * 5000, ""]
)
def test_another_type_of_body_is_refused_with_415(service, kind):
    status, answer = sent(service, head(2, kind=kind), b"{}")
    assert status == 415 and "expected multipart/form-data" in answer["error"]


def test_a_packed_body_is_refused_with_415(service, cell):
    body = gzip.compress(part(cell) + END)
    status, answer = sent(service, head(len(body), extra="Content-Encoding: gzip"), body)
    assert status == 415 and "received gzip" in answer["error"]


def test_requests_in_one_go_are_answered_in_their_order(service, cell):
    names = ["a.png", "b.png", "c.png"]
    bodies = [part(cell, name=name) + END for name in names]
    with service.connect() as connection:
        connection.sendall(b"".join(head(len(body)) + body for body in bodies))
        text = b""
        while text.count(b'"predictions"') < 3 and (more := connection.recv(65536)):
            text += more
    assert re.findall(rb'"path":"(.*?)"', text) == [name.encode() for name in names]


def test_a_name_that_is_no_text_is_shown_as_such(service, cell):
    body = part(cell, name="?.png").replace(b"?", b"\xff\xed\xa0\x80", 1) + END
    status, answer = sent(service, head(len(body)), body)
    assert status == 200 and set(answer["predictions"][0]["path"]) == set("\ufffd.png")


@pytest.mark.parametrize("boundary", ["", "; boundary=", f"; boundary={'b' * 300}"])
def test_a_boundary_that_is_none_is_refused_with_422(service, boundary):
    status, _ = sent(service, head(2, kind=f"multipart/form-data{boundary}"), b"{}")
    assert status == 422


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "/etc/passwd", "a\0b.png", "C:/x\x1b[2J.png", "ü é.png", "x" * 900]
)
def test_a_name_is_only_a_name(service, cell, name):
    body = part(cell, name=name) + END
    status, answer = sent(service, head(len(body)), body)
    assert status == 200 and answer["predictions"][0]["path"] == name
    assert answer["predictions"][0]["predicted"] == "round"


def test_no_file_is_written(service, cell, tmp_path):
    files = [("a.png", png(2000, 1500)), ("b.png", cell + bytes(MB))]
    before = sorted(Path("/tmp").iterdir())
    assert service.predict(*files).status_code == 200
    open_files = [link.readlink() for link in Path(f"/proc/{service.process.pid}/fd").iterdir()]
    assert [path for path in open_files if "deleted" in str(path)] == []
    assert sorted(Path("/tmp").iterdir()) == before


@pytest.mark.parametrize(
    "content",
    [
        b"GET / HTTP/1.1\r\nX-Filler: " + b"a" * MB,
        b"GET / HTTP/1.1\r\n" + b"X-Filler: a\r\n" * 100_000,
        b"GET /" + b"a" * MB,
        b"\0\1\2\3\r\n\r\n",
        b"GET / HTTP/9\r\n\r\n",
    ],
    ids=["a long header", "many headers", "a long address", "no text", "another version"],
)
def test_broken_http_is_refused(service, content):
    with service.connect() as connection:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(content)
        assert received(connection)[0] == 400


def test_both_lengths_at_once_are_no_request(service):
    extra = "Content-Length: 5"
    status, _ = sent(service, head(extra=extra), chunked(b"12345"))
    assert status in (400, 413, 422)


def test_a_request_more_than_allowed_is_refused_with_429(service, cell):
    body = part(cell) + END
    with contextlib.ExitStack() as stack:
        held = [stack.enter_context(service.connect()) for _ in range(3)]
        for connection in held:
            connection.sendall(head(len(body)) + body[:50])
        time.sleep(0.3)
        response = service.predict(("a.png", cell))
        assert response.status_code == 429 and response.headers["retry-after"] == "1"
        assert "at most 3 requests" in response.json()["error"]
        assert service.is_alive()  # and so are the other addresses
        for connection in held:
            connection.sendall(body[50:])
            assert received(connection)[0] == 200


def test_more_bytes_than_may_be_held_are_refused_with_503(service):
    body = part(bytes(2 * MB)) + part(bytes(2 * MB)) + part(bytes(MB))
    with service.connect() as first:
        first.sendall(head(len(body + END)) + body)
        time.sleep(0.3)
        response = service.predict(*(("a.png", bytes(2 * MB)) for _ in range(2)), ("b", bytes(MB)))
        assert response.status_code == 503 and response.headers["retry-after"] == "1"
        assert "at most 9 MB" in response.json()["error"]
        first.sendall(END)
        assert received(first)[0] == 415
    # what was held is given back, also by those that were refused
    assert service.predict(*(("a.png", bytes(2 * MB)) for _ in range(2))).status_code == 415


def slow_body(service: Service, drips: bool) -> tuple[int, dict]:
    with service.connect() as connection:
        connection.sendall(head(10_000) + part(b"")[:20])
        for _ in range(30 if drips else 0):
            connection.sendall(b"a")
            time.sleep(0.1)
        return received(connection)


def slow_head(service: Service, drips: bool) -> tuple[int, float]:
    start = time.monotonic()
    with service.connect() as connection:
        for _ in range(30 if drips else 0):
            connection.sendall(b"P")
            time.sleep(0.1)
        status, _ = received(connection)
    return status, time.monotonic() - start


def slow_second_head(service: Service) -> tuple[tuple[int, dict], int]:
    with service.connect() as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        first = received(connection)
        connection.sendall(b"GET /hea")
        return first, received(connection)[0]


@pytest.fixture(scope="module")
def slow(service):
    """Return what each slow client is answered. They come at once, for each waits for 4 s."""
    clients = {
        ("body", False): (slow_body, False),
        ("body", True): (slow_body, True),
        ("head", False): (slow_head, False),
        ("head", True): (slow_head, True),
        "second head": (slow_second_head,),
    }
    with ThreadPoolExecutor(len(clients)) as pool:
        asked = {name: pool.submit(how, service, *rest) for name, (how, *rest) in clients.items()}
        return {name: answer.result() for name, answer in asked.items()}


@pytest.mark.parametrize("drips", [False, True])
def test_a_slow_body_is_refused_with_408(slow, drips):
    status, answer = slow["body", drips]
    assert status == 408 and "within 4 s" in answer["error"]


@pytest.mark.parametrize("drips", [False, True])
def test_a_slow_head_is_refused_with_408(slow, drips):
    status, seconds = slow["head", drips]
    assert status == 408 and seconds < 15


def test_a_slow_second_head_is_refused_too(slow):
    assert slow["second head"] == ((200, {"status": "ok"}), 408)


def test_a_client_that_leaves_is_forgotten(service, cell):
    for _ in range(6):  # twice as many as are worked on at once
        with service.connect() as connection:
            connection.sendall(head(10_000) + part(b"")[:20])
    time.sleep(0.3)
    assert service.predict(("a.png", cell)).status_code == 200


def sockets(service: Service) -> int:
    links = Path(f"/proc/{service.process.pid}/fd").iterdir()
    return sum(str(link.readlink()).startswith("socket:") for link in links)


def test_a_client_that_does_not_read_is_cut_off(service):
    before = sockets(service)
    with service.connect() as connection:
        for _ in range(4000):  # more than the buffers of both sides hold
            connection.sendall(b"GET /openapi.json HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        assert sockets(service) == before + 1
        for _ in range(300):
            time.sleep(0.1)
            if sockets(service) == before:
                break
        assert sockets(service) == before


def test_an_answer_that_takes_too_long_is_refused_with_504(trained, tmp_path, cell):
    with serving(trained, tmp_path / "log", "--timeout", 1) as slow:
        large = encoded(Image.new("L", (7000, 7000)))
        response = slow.predict(*(("a.png", large) for _ in range(24)))
        assert response.status_code == 504 and "within 1 s" in response.json()["error"]
        statuses = set[int]()
        while 200 not in statuses:  # what was begun is decoded to its end, and no more of it
            statuses.add(slow.predict(("a.png", cell)).status_code)
        assert statuses <= {200, 504}


def test_connections_are_bounded(service, cell):
    with contextlib.ExitStack() as stack:
        idle = [stack.enter_context(service.connect()) for _ in range(300)]
        assert idle[-1].recv(100).startswith(b"HTTP/1.1 503 ")
    time.sleep(0.5)


def zeros(megabytes: int):
    """Yield a body of one file, in parts, as a client sends it that does not say its length."""
    yield part(b"")[:-2]
    for _ in range(megabytes):
        yield bytes(MB)


def test_memory_stays_bounded_with_the_default_limits(trained, tmp_path, cell):
    """All at once, and more than once: large bodies, large images, bombs, many files."""
    noise = np.random.default_rng(0).integers(0, 256, (2500, 2500, 3), dtype=np.uint8)
    photo = encoded(Image.fromarray(noise), "JPEG", quality=98)
    flat = encoded(Image.new("RGBA", (7000, 7000)))
    bomb = png(20_000, 20_000, rows=1000)
    full = [("a.png", bytes(19 * MB)) for _ in range(3)]

    def attack(kind: int) -> int:
        with contextlib.suppress(requests.ConnectionError):
            if kind % 5 == 0:  # 500 MB without a length
                url, body = f"{service.url}/v1/predict", zeros(500)
                headers = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
                return requests.post(url, data=body, headers=headers, timeout=60).status_code
            files = [full, [("b.png", bomb)], [("c.png", flat)], [("d.jpg", photo)] * 2]
            return service.predict(*files[kind % 5 - 1]).status_code
        return 0  # it sent on when it was refused

    with serving(trained, tmp_path / "log") as service:
        at_rest = service.peak_mb()
        with ThreadPoolExecutor(16) as pool:
            statuses = set(pool.map(attack, range(20)))
        assert statuses <= {0, 200, 408, 413, 415, 429, 503, 504} and 413 in statuses
        assert service.is_alive()
        assert service.answers(("a.png", cell))[0]["decision"] == "round"
        print(f"resident memory: {at_rest:.0f} MB at rest, {service.peak_mb():.0f} MB at most")
        assert service.peak_mb() < STATED_MB
