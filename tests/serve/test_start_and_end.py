"""Who may start and use a service, and how it ends."""

import contextlib
import importlib.util
import json
import re
import shutil
import signal
import socket
import time
from html.parser import HTMLParser

import pytest
import requests
from conftest import run_tfcnn, write_card
from served import END, TOKEN, head, part, received, serving

from tfcnn.serve import service_settings


@pytest.mark.parametrize(
    "sent", [None, "", "Bearer", f"Bearer {TOKEN[:-1]}", f"Bearer {TOKEN} ", TOKEN, "Basic x"]
)
def test_without_the_token_nothing_of_the_run_is_told(guarded, cell, sent):
    headers = {} if sent is None else {"Authorization": sent}
    if sent == f"Bearer {TOKEN} ":
        headers = {"Authorization": f"Bearer {TOKEN}\x01"}
    for method, path in (
        ("POST", "v1/predict"),
        ("GET", "v1/model"),
        ("GET", "v1/page"),
        ("GET", "metrics"),
    ):
        with guarded.connect() as connection:
            lines = [f"{method} /{path} HTTP/1.1", "Host: a", "Content-Length: 0"]
            lines += [f"{name}: {value}" for name, value in headers.items()]
            connection.sendall("\r\n".join([*lines, "", ""]).encode())
            status, answer = received(connection)
        if "\x01" in str(headers):
            assert status == 400  # no header of HTTP
            continue
        assert status == 401 and "expected the service's token" in answer["error"]
        assert TOKEN not in str(answer)


def test_a_body_is_not_read_before_the_token(guarded):
    with guarded.connect() as connection:
        connection.sendall(head(10**6))
        start = time.monotonic()
        assert received(connection)[0] == 401 and time.monotonic() - start < 3


def test_with_the_token_it_answers(guarded, cell):
    headers = {"Authorization": f"Bearer {TOKEN}"}
    assert guarded.predict(("a.png", cell), headers=headers).status_code == 200
    for path in ("v1/model", "metrics"):
        address = f"{guarded.url}/{path}"
        assert requests.get(address, headers=headers, timeout=30).status_code == 200
        refused = requests.get(address, timeout=30)
        assert refused.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(
    "path", ["", "healthz", "readyz", "docs", "openapi.json", "page/service.js"]
)
def test_these_need_no_token_and_tell_nothing_of_the_run(guarded, path):
    response = requests.get(f"{guarded.url}/{path}", timeout=30)
    assert response.status_code == 200 and response.headers["cache-control"] == "no-store"
    assert not re.search(r"\b(cells|round|square)\b", response.text)


def test_a_web_page_of_another_name_is_refused(plain):
    for host in ("evil.example", "127.0.0.1.evil.example:80", "", "localhost.evil"):
        response = requests.get(f"{plain.url}/v1/model", headers={"Host": host}, timeout=30)
        assert response.status_code == 421, host
    for host in ("localhost", f"127.0.0.1:{plain.port}", "LOCALHOST:1", "[::1]:8000"):
        response = requests.get(f"{plain.url}/v1/model", headers={"Host": host}, timeout=30)
        assert response.status_code == 200, host


def test_errors_of_addresses_are_one_line_of_json(plain):
    for method, path, status in (
        ("GET", "nothing", 404),
        ("GET", "v1/predict", 405),
        ("POST", "healthz", 405),
        ("OPTIONS", "v1/predict", 405),
        ("POST", "v1/predict/", 404),
        ("POST", "v1/predict?heat_map=perhaps", 422),
    ):
        response = requests.request(method, f"{plain.url}/{path}", timeout=30)
        assert response.status_code == status and "; try " in response.json()["error"]
        allowed = {"v1/predict": "POST", "healthz": "GET"}[path] if status == 405 else None
        assert response.headers.get("allow") == allowed


@pytest.mark.parametrize("path", ["", "healthz", "docs", "v1/model"])
def test_head_is_get_without_a_body(plain, path):
    get, head = (
        request(f"{plain.url}/{path}", timeout=30) for request in (requests.get, requests.head)
    )
    assert head.status_code == 200 and head.content == b""
    assert head.headers["content-length"] == str(len(get.content))


class Addresses(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.found += [value for name, value in attributes if name in ("src", "href", "action")]


def test_the_pages_load_nothing_from_elsewhere(plain):
    for path in ("", "docs"):
        response = requests.get(f"{plain.url}/{path}", timeout=30)
        assert "default-src 'none'" in response.headers["content-security-policy"]
        assert "unsafe-inline' 'self" not in response.headers["content-security-policy"]
        for address in Addresses(response.text).found:
            assert "//" not in address and not address.startswith("/"), address


def test_the_description_is_complete(plain):
    api = requests.get(f"{plain.url}/openapi.json", timeout=30).json()
    page = requests.get(f"{plain.url}/docs", timeout=30).text
    statuses = set(api["paths"]["/v1/predict"]["post"]["responses"])
    assert statuses == {"200", "408", "413", "415", "421", "422", "429", "503", "504"}
    for path, operations in api["paths"].items():
        assert path in page
        for operation in operations.values():
            assert operation["description"].replace("'", "&#39;") in page
            assert all(f"<td>{status}</td>" in page for status in operation["responses"])
    for schema in api["components"]["schemas"].values():
        assert all(value["description"] for value in schema["properties"].values())
    assert "Successful" not in page


def refused(*words, code=2, **environment) -> str:
    result = run_tfcnn("serve", *words, "--port", 0, **environment)
    assert result.returncode == code and result.stdout == ""
    assert result.stderr.startswith("error: ") and result.stderr.count("\n") == 1
    return result.stderr


def test_other_machines_need_a_token(trained):
    for host in ("0.0.0.0", "::"):
        message = refused(trained, "--host", host)
        assert message.startswith("error: --host: expected 127.0.0.1") and "--insecure" in message


@pytest.mark.parametrize("token", ["", "short", TOKEN + " 7", TOKEN + "é"])
def test_a_token_that_is_none_is_refused(trained, token):
    message = refused(trained, TFCNN_TOKEN=token)
    assert message.startswith("error: TFCNN_TOKEN: expected at least 16")
    assert not token or token not in message


def test_insecure_lets_everybody_in_and_a_second_signal_ends_at_once(trained, tmp_path, cell):
    options = ("--host", "0.0.0.0", "--insecure")
    with serving(trained, tmp_path / "log", *options, TFCNN_MAX_MEGAPIXELS="0.0005") as service:
        assert "for everybody who reaches it, without a token" in service.log.read_text()
        response = service.predict(("a.png", cell))
        assert response.status_code == 413  # the decoder keeps its own bound
        assert "TFCNN_MAX_MEGAPIXELS=0.0005" in response.json()["error"]
        with service.connect() as begun:
            begun.sendall(head(10_000) + part(cell)[:50])
            time.sleep(0.3)
            for _ in range(2):
                service.process.send_signal(signal.SIGINT)
                time.sleep(0.5)
            assert service.process.wait(10) == 0
        assert service.log.read_text().endswith("ended: 1 request was cut off\n")


def test_a_leaky_run_is_not_served(run_copy):
    write_card(run_copy, {**json.loads((run_copy / "model.json").read_text()), "leaky": True})
    assert "received LEAKY, a demonstration" in refused(run_copy, code=3)


def test_a_changed_model_is_not_served(run_copy):
    content = bytearray((run_copy / "model.tflite").read_bytes())
    content[-1] ^= 1
    (run_copy / "model.tflite").write_bytes(content)
    refused(run_copy, code=3)


def test_a_taken_port_is_told_before_the_model_is_loaded(trained):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        result = run_tfcnn("serve", trained, "--port", port)
    assert result.returncode == 2 and f"127.0.0.1:{port} (Address already in use)" in result.stderr


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("--max-images", 0), "--max-images"),
        (("--timeout", -1), "--timeout"),
        (("--timeout", "inf"), "--timeout"),
        (("--max-image-mb", "nan"), "--max-image-mb"),
        (("--max-image-mb", 100), "--max-request-mb"),
        (("--max-held-mb", 32), "--max-held-mb"),
        (("--host", "nowhere.invalid"), "--host"),
    ],
)
def test_settings_that_are_none_are_refused(trained, words, named):
    assert refused(trained, *words).startswith(f"error: {named}: expected ")


def test_a_port_that_is_none_is_refused(trained):
    result = run_tfcnn("serve", trained, "--port", 70_000)
    assert result.returncode == 2 and "--port: expected 0 to 65535" in result.stderr


def test_a_package_that_is_lacking_is_named(trained, monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        service_settings.importlib.util,
        "find_spec",
        lambda name, *rest: None if name == "uvicorn" else find(name, *rest),
    )
    assert "received none of the name uvicorn; try pip install 'tfcnn[serve]'" in refused(trained)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_what_is_being_answered_is_answered_before_the_end(run_copy, tmp_path, cell, number):
    body = part(cell) + END
    with serving(run_copy, tmp_path / "log") as service, contextlib.ExitStack() as stack:
        shutil.rmtree(run_copy)  # the service has read it
        idle, half_head, begun = (stack.enter_context(service.connect()) for _ in range(3))
        half_head.sendall(b"POST /v1")
        begun.sendall(head(len(body)) + body[:50])
        time.sleep(0.3)
        service.process.send_signal(number)
        assert idle.recv(10) == b"" and half_head.recv(10) == b""
        with pytest.raises(ConnectionRefusedError):
            service.connect()
        assert service.process.poll() is None
        begun.sendall(body[50:])
        status, answer = received(begun)
        assert status == 200 and answer["predictions"][0]["decision"] == "round"
        assert service.process.wait(30) == 0
        assert service.log.read_text().endswith("ended: every request was answered\n")
