"""What nothing runs rots: the README's commands and code are run here, in order."""

import os
import shutil
import subprocess
import sys

import pytest
from conftest import QUICK, run_tfcnn, write_tree
from documents import ROOT, blocks, commands

README = ROOT / "README.md"


def test_readme_is_short():
    lines = README.read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 150
    assert max(map(len, lines)) <= 120


def test_make_says_what_it_would_do():
    result = subprocess.run(
        ["make", "-n", "demo"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert "train smears" in result.stdout


@pytest.fixture
def folder(tmp_path, monkeypatch, trained):
    """A working folder with `cells/`, as the README supposes, and no setting of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TFCNN_HOME", str(tmp_path))
    write_tree(tmp_path / "cells", groups=12)
    for name in ("new_cells", "other_hospital"):
        tree = write_tree(tmp_path / name, groups=3, seed=5)
        for path in sorted(tree.rglob("*.png")):
            path.rename(path.with_name(path.name.replace("P", "P9")))
    shutil.copy(tmp_path / "new_cells/round/P90_0.png", tmp_path / "cell.png")
    return tmp_path


def test_tfcnn_commands_run(folder):
    lines = commands(README, "tfcnn")
    assert len(lines) >= 4
    for words in lines:
        quick = [w for s in QUICK for w in ("--set", s)] if words[1] == "train" else []
        result = run_tfcnn(*words[1:], *quick, home=folder)
        assert result.returncode == 0, f"{' '.join(words)}\n{result.stderr}"


def test_python_blocks_run(folder, monkeypatch):
    import tfcnn

    train = tfcnn.train
    monkeypatch.setattr(tfcnn, "train", lambda source: train(source, settings=QUICK))
    texts = blocks(README, "python")
    assert texts
    for text in texts:
        exec(compile(text, "README.md", "exec"), {})


def test_scripts_are_short():
    scripts = sorted((ROOT / "scripts").glob("*.py"))
    assert scripts
    for script in scripts:
        assert len(script.read_text(encoding="utf-8").splitlines()) < 40, script.name


def test_evaluate_and_predict_scripts_run(trained, folder):
    for name, words in (("evaluate", []), ("predict", [str(folder / "new_cells")])):
        result = subprocess.run(
            [sys.executable, str(ROOT / "scripts" / f"{name}.py"), str(trained), *words],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ},
        )
        assert result.returncode == 0, result.stderr
        assert result.stdout.count("\n") >= 5
