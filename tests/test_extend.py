"""A stranger follows docs/extend.md to the letter: the files, the changes, the commands."""

import contextlib
import hashlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import run_tfcnn
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
def workplace(tmp_path: Path) -> Path:
    """Return an empty folder, with a command `tfcnn` of its own."""
    folder = tmp_path / "workplace"
    folder.mkdir()
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, words in (("tfcnn", "-m tfcnn"), ("python", "")):
        (programs / name).write_text(f'#!/bin/sh\nexec {sys.executable} {words} "$@"\n')
        (programs / name).chmod(0o755)
    return folder


@pytest.fixture
def checkout(workplace: Path) -> Path:
    """Return a copy of the checkout that may be changed."""
    folder = workplace
    for name in COPIED:
        if (ROOT / name).is_dir():
            ignored = shutil.ignore_patterns("__pycache__", "*.keras", "*.tflite")
            shutil.copytree(ROOT / name, folder / name, ignore=ignored)
        else:
            shutil.copy(ROOT / name, folder / name)
    return folder


# what runs the lines of a block, one after another, of which each may be a call in one process
TOGETHER = """
import shlex, sys
import pytest
from conftest import run_tfcnn
for line in sys.argv[1:]:
    name, *words = shlex.split(line)
    if name == "python":
        code = pytest.main(words[2:])
    else:
        told = run_tfcnn(*words)
        code = told.returncode
        print(told.stdout, told.stderr)
    if code:
        sys.exit(f"{line}: {int(code)}")
"""


def run_all(folder: Path, commands: list[str]) -> str:
    """Run the lines of a block; return what they print.

    Where tfcnn is changed, calls of it and of its tests share a process: a start takes seconds.
    """
    together = [one for one in commands if one.startswith(("tfcnn ", "python -m pytest "))]
    first = commands.index(together[0]) if together else len(commands)
    if not (folder / "tfcnn").is_dir() or commands[first:] != together:
        return "".join(run(folder, command) for command in commands)
    printed = "".join(run(folder, command) for command in commands[:first])
    if not together:
        return printed
    paths = f"PYTHONPATH={folder}:{folder / 'tests'}"
    return printed + run(folder, f"{paths} python -c {shlex.join([TOGETHER, *together])}")


def run(folder: Path, command: str) -> str:
    """Run one command line in a folder; return what it prints.

    A command of tfcnn is a call in this process where tfcnn is not changed: a start takes seconds.
    """
    if command.startswith("tfcnn ") and not (folder / "tfcnn").is_dir():
        with contextlib.chdir(folder):
            told = run_tfcnn(*shlex.split(command)[1:], home=folder)
        assert told.returncode == 0, f"{command}\n{told.stdout}\n{told.stderr}"
        return told.stdout
    path = f"{folder.parent / 'bin'}:{os.environ['PATH']}"
    changed = {"PATH": path, "PYTHONPATH": str(folder), "TFCNN_HOME": str(folder)}
    done = subprocess.run(
        command,
        shell=True,
        cwd=folder,
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


def follow(folder: Path, title: str, *, files_only: bool = False) -> str:
    """Do all that a section says, in order; return what its commands print.

    Args:
        folder: to work in.
        title: of the section.
        files_only: write its new files, and leave out the rest.
    """
    printed = ""
    for name, kind, content in STEP.findall(section(title)):
        if kind in ("sh", "diff") and files_only:
            continue
        if kind == "sh":
            printed += run_all(folder, content.splitlines())
        elif kind == "diff":
            change(folder / name, content)
        else:
            assert not (folder / name).exists(), f"{name}: expected a new file"
            (folder / name).write_text(content, encoding="utf-8")
    return printed


def test_a_network_and_images_of_ones_own_are_used_without_a_change_of_tfcnn(workplace):
    printed = follow(workplace, "Use a network of your own")
    assert "FAIL" not in printed and printed.count("\npass  ") == 12
    digits = workplace / "models" / "digits"
    recipe = (digits / "recipe.toml").read_text()
    assert 'network = "network/my_net.py"' in recipe and "filters = 8" in recipe
    copy = (digits / "network" / "my_net.py").read_bytes()
    card = json.loads((digits / "model.json").read_text())
    assert card["sha256"]["network/my_net.py"] == hashlib.sha256(copy).hexdigest()
    card = json.loads((workplace / "models" / "digits-frozen" / "model.json").read_text())
    assert card["network"]["start"] == "frozen"
    printed = follow(workplace, "Use images of your own")
    assert "FAIL" not in printed and "10 groups" in printed
    shapes = workplace / "models" / "my_source"
    names = sorted(path.name for path in shapes.rglob("*.py"))
    assert names == ["my_net.py", "my_source.py"] and (shapes / "DONE").is_file()
    assert not (workplace / "tfcnn").exists()


def test_a_network_is_added(checkout):
    follow(checkout, "Use a network of your own", files_only=True)
    printed = follow(checkout, "Add a network")
    assert "two_conv" in printed
    assert re.search(r"\b1\d passed", printed)


def test_a_data_set_is_added(checkout):
    follow(checkout, "Use images of your own", files_only=True)
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
