"""What memory hostile images take: the peak of check, train and predict with and without them.

    python benchmarks/memory.py

Draws 1,100 small images in two classes. Beside them it lays ten files, most of a few hundred kB,
that ask for gigabytes (`hostile.py`): such that are refused by their header, small images under a
heap of text or pages, and four as large as TFCNN_MAX_MEGAPIXELS=100 allows. Each command runs in a
process of its own, whose largest resident memory the system tells. About 3 minutes on 2 cores.
"""

import os
import resource
import shutil
import sys
import tempfile
from itertools import islice
from pathlib import Path

import hostile

EACH = 550
CHOSEN = ("column.png", "deep.png", "bomb.tif", "canvas.webp", "text.png", "pages.tif", "large.png",
          "large_deep.png", "large_alpha.png", "large.tif")  # fmt: skip
FILES = {**hostile.TOO_LARGE, **hostile.READABLE, **hostile.LARGE}
TRAIN = ("--epochs", "1", "--image-size", "32", "--set", "train.precision=float32")


def peak_mb(*words: object) -> float:
    """Run tfcnn in a child; return its largest resident memory."""
    command = [sys.executable, "-m", "tfcnn", *map(str, words)]
    child = os.posix_spawn(sys.executable, command, os.environ, file_actions=QUIET)
    _, status, usage = os.wait4(child, 0)
    if os.waitstatus_to_exitcode(status) not in (0, 3):
        raise SystemExit(f"failed: {' '.join(command)}")
    return usage.ru_maxrss / 1000


def measured(folder: Path, name: str) -> dict[str, float]:
    """Return the peak of each command over a folder, in MB."""
    return {
        "check": peak_mb("check", folder),
        "train": peak_mb("train", folder, "--run", name, "--fresh", *TRAIN),
        "predict": peak_mb("predict", name, folder, "--output", folder.parent / f"{name}.csv"),
    }


QUIET = [(os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_WRONLY, 0) for number in (1, 2)]
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
with tempfile.TemporaryDirectory() as scratch:
    os.environ["TFCNN_HOME"] = scratch
    plain, mixed = Path(scratch) / "plain", Path(scratch) / "mixed"
    for class_name in ("one", "two"):
        (plain / class_name).mkdir(parents=True)
    for number, content in enumerate(islice(hostile.pixels(), 2 * EACH)):
        (plain / ("one", "two")[number % 2] / f"{number:04}.png").write_bytes(content)
    shutil.copytree(plain, mixed)
    for number, name in enumerate(CHOSEN):
        (mixed / ("one", "two")[number % 2] / f"x_{name}").write_bytes(FILES[name]())
    without, with_them = measured(plain, "plain"), measured(mixed, "mixed")
    print("| | without | with ten hostile images | more |\n|---|---|---|---|")
    for verb, base in without.items():
        more = with_them[verb] - base
        print(f"| {verb} | {base:,.0f} MB | {with_them[verb]:,.0f} MB | {more:,.0f} MB |")
