"""What many tests share: a home of their own, small folders of images, and one trained run."""

import contextlib
import fcntl
import gc
import io
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tfcnn import recipes, runs
from tfcnn.__main__ import main
from tfcnn.base import interrupts, quiet
from tfcnn.base.progress import Reporter
from tfcnn.datasets import smears

quiet.silence()  # before a test imports Keras: its settings change how sums are rounded
gc.set_threshold(20_000, 20, 20)  # Python's own look for garbage takes a tenth of the time
QUICK = (
    "model.start=scratch", "train.epochs=4", "train.batch_size=16", "data.image_size=32",
    "train.precision=float32",
)  # fmt: skip
NARROW = (*QUICK, "model.options.widths=[8, 16]")  # `compact` in half the time

MIRROR = os.environ.get("TFCNN_TEST_MIRROR")

needs_mirror = pytest.mark.skipif(
    not MIRROR, reason="TFCNN_TEST_MIRROR does not name a mirror of the real data sets"
)

# headless, and silent: a test is to see every request that the page makes, and no other
BROWSER_ARGUMENTS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip

LONGEST = (  # over 25 s of a processor, the dearest first
    "test_extend.py",
    "lab/test_lessons.py",
    "report/test_browser.py",
    "test_real.py",
    "cli/test_commands.py",
    "training/test_train.py",
    "training/test_crossval.py",
    "training/test_choose.py",
    "lab/test_network_pages.py",
    "lab/test_lab_pages.py",
    "export/test_page_use.py",
    "test_hostile_names.py",
    "architectures/test_networks.py",
    "test_scripts.py",
    "test_docs.py",
    "training/test_finetune.py",
    "test_benchmarks.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take longest, so that two processes end at about one time."""
    items.sort(key=lambda item: _place(item.path.as_posix()))


def _place(path: str) -> int:
    """Return the place of a test file: in `LONGEST`, or after all of these."""
    places = (i for i, name in enumerate(LONGEST) if path.endswith(f"/tests/{name}"))
    return next(places, len(LONGEST))


def pytest_collection_finish() -> None:
    """Let Python look for garbage no more among all that was imported by now."""
    gc.freeze()


class Heard(Reporter):
    """Keeps the notes that a person would see."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Data and models of a test go to a folder of its own."""
    folder = tmp_path / "home"
    monkeypatch.setenv("TFCNN_HOME", str(folder))
    return folder


def write_tree(
    root: Path,
    classes: tuple[str, ...] = ("round", "square"),
    groups: int = 6,
    per_group: int = 4,
    side: int = 32,
    seed: int = 0,
) -> Path:
    """Write class folders of images that a network can tell apart, named by group."""
    rng = np.random.default_rng(seed)
    for label, class_name in enumerate(classes):
        folder = root / class_name
        folder.mkdir(parents=True)
        for group in range(groups):
            for number in range(per_group):
                pixels = rng.integers(0, 60, (side, side, 3), dtype=np.uint8)
                band = slice(label * side // len(classes), (label + 1) * side // len(classes))
                pixels[band, :, label % 3] += 150
                Image.fromarray(pixels).save(folder / f"P{group}_{number}.png")
    return root


def recipe_of(source: object, **data: object) -> recipes.Recipe:
    """Return a recipe that says which images are meant, and how they are read."""
    return recipes.parse({"name": "own", "data": {"source": str(source), **data}}, "own")


@pytest.fixture
def make_tree(tmp_path: Path) -> Callable[..., Path]:
    """Return `write_tree` into a folder of the test's own."""

    def make(*, name: str = "shapes", **options: object) -> Path:
        return write_tree(tmp_path / name, **options)

    return make


@pytest.fixture(scope="session")
def drawn_cells(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Class folders of about 150 drawn cells; nothing may change them."""
    folder = tmp_path_factory.mktemp("drawn") / "cells"
    smears.generate(folder, num_patients=12, cells_per_patient=14)
    return folder / smears.IMAGES


def run_tfcnn(
    *words: object, home: Path | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run the command line as a user does, but in this process: a start takes seconds."""
    out, err = io.StringIO(), io.StringIO()
    variables = {**environment, **({} if home is None else {"TFCNN_HOME": str(home)})}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        patch.setattr(sys, "argv", ["tfcnn", *map(str, words)])
        patch.setattr(gc, "freeze", lambda: None)
        patch.setattr(interrupts, "listen", lambda: None)
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                main()
            except SystemExit as end:
                code = int(end.code or 0)
    return subprocess.CompletedProcess(words, code, out.getvalue(), err.getvalue())


def start_tfcnn(
    *words: object, home: Path | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run the command line in a process of its own."""
    variables = {**os.environ, **environment}
    if home is not None:
        variables["TFCNN_HOME"] = str(home)
    return subprocess.run(
        [sys.executable, "-m", "tfcnn", *map(str, words)],
        capture_output=True,
        text=True,
        env=variables,
        check=False,
        timeout=300,
    )


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Chromium of the system. Without one the test is skipped, or fails where one is required."""
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        reason = "no Chromium: sh scripts/install_browser.sh"
        if os.environ.get("TFCNN_REQUIRE_BROWSER"):
            pytest.fail(reason)
        pytest.skip(reason)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=program, args=BROWSER_ARGUMENTS)
        yield opened
        opened.close()


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """Return the folder of a finished run on small images of 12 groups, by the command line.

    Nothing may change it: processes of pytest-xdist share it.
    """
    shared = tmp_path_factory.getbasetemp()
    base = (shared if worker_id == "master" else shared.parent) / "trained"
    run = base / "home" / "models" / "cells"
    base.mkdir(exist_ok=True)
    with (base / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # one trains, the others wait
        if runs.state(run) != "finished":
            settings = (*QUICK, "data.group_regex='^(P[0-9]+)_'", "data.positive=round")
            words = [word for setting in settings for word in ("--set", setting)]
            root = write_tree(base / "cells", groups=12)
            result = start_tfcnn("train", root, *words, home=base / "home")
            assert result.returncode == 0, result.stderr
    return run


@pytest.fixture
def run_copy(trained: Path, tmp_path: Path) -> Path:
    """Return a copy of the trained run that a test may change."""
    return Path(shutil.copytree(trained, tmp_path / "copy" / "cells"))


def write_card(folder: Path, card: dict[str, Any]) -> None:
    """Write a run's card as tfcnn does, so that it vouches for itself."""
    runs.write_card(runs.Run(folder, card))


def reseal(folder: Path) -> None:
    """Let a run's card vouch for the files that a test wrote into its folder."""
    card = json.loads((folder / runs.CARD).read_text())
    there = [name for name in card["sha256"] if name != runs.CARD and (folder / name).exists()]
    runs.write_card(runs.Run(folder, card).recorded(*there))
