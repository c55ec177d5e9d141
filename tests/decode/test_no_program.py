"""No image starts a program: for EPS Pillow calls Ghostscript, whatever the file is called."""

import contextlib
import os
import shutil
import zipfile

import pytest
from conftest import run_tfcnn

EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 32 32\n%%EndComments\nshowpage\n%%EOF\n"
DOS = b"\xc5\xd0\xd3\xc6" + (30).to_bytes(4, "little") + len(EPS).to_bytes(4, "little")
FILES = {
    "a.png": EPS,
    "b.jpg": DOS.ljust(30, b"\0") + EPS,
    "c.tif": b"\n" + EPS,  # no mark where it is looked for: each reader that is meant is asked
    "d.eps": EPS,
    "e.heic": EPS,
}


@pytest.fixture
def said(tmp_path, monkeypatch):
    """Return what programs were started that a picture might ask for: each leaves a line."""
    programs, log = tmp_path / "bin", tmp_path / "started"
    programs.mkdir()
    for name in ("gs", "gswin32c", "gswin64c", "djpeg", "xdg-open", "magick", "convert"):
        (programs / name).write_text(f"#!/bin/sh\necho {name} >> {log}\nexit 1\n")
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    assert shutil.which("gs") == str(programs / "gs")
    return lambda: log.read_text() if log.exists() else ""


def test_the_programs_would_be_seen(said, tmp_path):
    from PIL import EpsImagePlugin

    (tmp_path / "x.eps").write_bytes(EPS)
    EpsImagePlugin.gs_binary = None
    with contextlib.suppress(Exception):  # the program fails, as it should here
        EpsImagePlugin.EpsImageFile(tmp_path / "x.eps").load()
    assert "gs" in said()


def test_no_verb_starts_a_program(said, make_tree, trained, tmp_path):
    root = make_tree(groups=12)
    for name, content in FILES.items():
        (root / "round" / f"P1_{name}").write_bytes(content)
    with zipfile.ZipFile(tmp_path / "images.zip", "w") as archive:
        for name, content in FILES.items():
            archive.writestr(name, content)
    for words in (
        ("check", root),
        ("train", root, "--epochs", 1, "--image-size", 32, "--set", "model.start=scratch",
         "--set", "model.network=mlp"),
        ("predict", trained, root / "round", tmp_path / "images.zip"),
        ("explain", trained, root / "round" / "P1_a.png", "--output", tmp_path / "maps"),
        ("kernel", root / "round" / "P1_b.jpg", "--kernel", "blur"),
    ):  # fmt: skip
        done = run_tfcnn(*words, home=tmp_path / "home")
        told = "unreadable" if words[0] == "predict" else "PostScript"
        assert told in done.stdout + done.stderr, words
    assert said() == ""
