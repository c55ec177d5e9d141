"""A stranger follows docs/extend.md to the letter: the files, the changes, the commands."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from documents import ROOT

PAGE = ROOT / "docs" / "extend.md"
# a block, and the file that is named right before it
STEP = re.compile(r"(?:`([\w./]+)`:\n\n)?^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
COPIED = ("tfcnn", "tests", "docs", "pyproject.toml", "Makefile")


def section(title: str) -> str:
    """Return the text of one section of the page."""
    text = PAGE.read_text(encoding="utf-8")
    return text.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Return a copy of the checkout that may be changed, with a command `tfcnn` of its own."""
    folder = tmp_path / "checkout"
    folder.mkdir()
    for name in COPIED:
        if (ROOT / name).is_dir():
            ignored = shutil.ignore_patterns("__pycache__", "*.keras", "*.tflite")
            shutil.copytree(ROOT / name, folder / name, ignore=ignored)
        else:
            shutil.copy(ROOT / name, folder / name)
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, words in (("tfcnn", "-m tfcnn"), ("python", "")):
        (programs / name).write_text(f'#!/bin/sh\nexec {sys.executable} {words} "$@"\n')
        (programs / name).chmod(0o755)
    return folder


def run(checkout: Path, command: str) -> str:
    """Run one command line in the copy; return what it prints."""
    path = f"{checkout.parent / 'bin'}:{os.environ['PATH']}"
    changed = {"PATH": path, "PYTHONPATH": str(checkout), "TFCNN_HOME": str(checkout)}
    done = subprocess.run(
        command,
        shell=True,
        cwd=checkout,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **changed},
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def change(path: Path, diff: str) -> None:
    """Make the changes of a block, each at the one place that its lines show."""
    text = path.read_text(encoding="utf-8")
    for hunk in diff.split("@@\n"):
        lines = hunk.splitlines(keepends=True)
        old = "".join(line[1:] or line for line in lines if not line.startswith("+"))
        new = "".join(line[1:] or line for line in lines if not line.startswith("-"))
        assert text.count(old) == 1, f"{path.name}: expected these lines once:\n{old}"
        text = text.replace(old, new)
    path.write_text(text, encoding="utf-8")


def follow(checkout: Path, title: str) -> str:
    """Do all that a section says, in order; return what its commands print."""
    printed = ""
    for name, kind, content in STEP.findall(section(title)):
        if kind == "sh":
            printed += "".join(run(checkout, command) for command in content.splitlines())
        elif kind == "diff":
            change(checkout / name, content)
        else:
            assert not (checkout / name).exists(), f"{name}: expected a new file"
            (checkout / name).write_text(content, encoding="utf-8")
    return printed


def test_a_network_is_added(checkout):
    printed = follow(checkout, "Add a network")
    assert "two_conv" in printed
    assert re.search(r"\b1\d passed", printed)
    recipe = (checkout / "models" / "digits" / "recipe.toml").read_text()
    assert 'network = "two_conv"' in recipe and "filters = 8" in recipe
    card = json.loads((checkout / "models" / "digits-frozen" / "model.json").read_text())
    assert card["network"]["start"] == "frozen"


def test_a_data_set_is_added(checkout):
    printed = follow(checkout, "Add a data set")
    assert "10 groups" in printed
    assert re.search(r"\b\d+ passed", printed)
    assert (checkout / "models" / "shapes" / "DONE").is_file()


def test_a_metric_is_added(checkout):
    printed = follow(checkout, "Add a metric")
    report = json.loads((checkout / "models" / "digits" / "report.json").read_text())
    metric = report["splits"]["test"]["lowest_recall"]
    assert 0 <= metric["low"] <= metric["value"] <= metric["high"] <= 1
    assert "lowest recall" in printed
    assert "lowest recall" in (checkout / "models" / "digits" / "report.html").read_text()
