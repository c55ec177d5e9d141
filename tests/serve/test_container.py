"""The image for containers: what is copied is there, and its command is one of tfcnn."""

import json
import re

from documents import ROOT
from typer.main import get_command

from tfcnn.cli import app


def test_the_image_starts_the_service_as_a_user_without_rights():
    text = (ROOT / "Dockerfile").read_text()
    words = [json.loads(found) for found in re.findall(r"^(?:ENTRYPOINT|CMD) (.*)$", text, re.M)]
    verb = get_command(app).commands[words[0][1]]
    options, rest, _ = verb.make_parser(verb.context_class(verb, info_name="serve")).parse_args(
        [*words[0][2:], *words[1]]
    )
    assert options["host"] == "0.0.0.0" and options["run"] == "malaria" and not rest
    users = re.findall(r"^USER (\d+)$", text, re.M)
    assert users == re.findall(r"--uid (\d+)", text) and users != ["0"]


def test_all_that_the_install_needs_is_copied():
    kept = [line[1:] for line in (ROOT / ".dockerignore").read_text().split() if line[0] == "!"]
    assert all((ROOT / name).exists() for name in kept)
    project = (ROOT / "pyproject.toml").read_text()
    needed = {"pyproject.toml", "tfcnn", "constraints.txt"}
    needed |= {re.search(r'readme = "(.*)"', project)[1]}
    needed |= {re.search(r'license-files = \["(.*)"\]', project)[1]}
    assert set(kept) == needed
