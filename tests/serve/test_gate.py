"""A fault of the service itself: told to the client, and to who runs it."""

import json

import pytest
from served import finished

from tfcnn.base import quiet
from tfcnn.serve import Settings
from tfcnn.serve.gate import Gate
from tfcnn.serve.metering import Meter

SCOPE = {
    "type": "http", "method": "POST", "path": "/v1/predict", "headers": [(b"host", b"localhost")],
}  # fmt: skip


def ask(app) -> tuple[list[dict], list[str]]:
    """Return what is sent to the client and what is said."""
    sent, said = [], []

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message):
        sent.append(message)

    async def main():
        await Gate(app, Settings(), Meter(), said.append)(dict(SCOPE), receive, send)

    finished(main())
    return sent, said


async def fail(scope, receive, send):
    await receive()
    raise RuntimeError("secret\x1b[2J")


@pytest.mark.parametrize("is_full", [False, True])
def test_a_fault_has_the_status_500_and_a_line_in_the_log(monkeypatch, tmp_path, is_full):
    def write(text):
        if is_full:
            raise OSError(28, "No space left on device")
        (tmp_path / "details").write_text(text)
        return tmp_path / "details"

    monkeypatch.setattr(quiet, "write_details", write)
    sent, said = ask(fail)
    assert sent[0]["status"] == 500
    assert json.loads(sent[1]["body"])["error"].startswith("expected an answer; received a fault")
    assert "secret" not in str(sent) and len(said) == 1 and "\x1b" not in said[0]
    if is_full:
        assert "cannot be written (No space left on device): RuntimeError: secret" in said[0]
    else:
        assert said[0].endswith(f"details in {tmp_path / 'details'}")
        assert "RuntimeError: secret" in (tmp_path / "details").read_text()
