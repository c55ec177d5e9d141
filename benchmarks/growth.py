"""What more images cost: processor time per image, and memory, of check, train and predict.

`stream` is a training with `inputs.cache = "none"`.

    python benchmarks/growth.py IMAGES --base 500
    python benchmarks/growth.py --manifest 1000000

Takes so many images of a folder of class folders, and lays 1, 4 and 16 copies of each into folders
of their own: each copy is shifted by another pixel, and keeps its name, so that there are more
images of the same groups. Each command runs in a process of its own. Its processor time is that of
all cores, less that of the same command over a quarter of the base, by which the start drops out.
Its memory is the most anonymous memory it ever had, read 20 times a second: pages of files, which
the system takes back whenever it likes, do not count.

With `--manifest` it makes a manifest of so many images in 10,000 groups, without files, and splits,
checks, writes and reads it. It prints a row as soon as it is measured.
"""

import argparse
import hashlib
import os
import resource
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tfcnn.datasets import Source
from tfcnn.datasets.folder import image_files
from tfcnn.manifest import Manifest, Row, rows, splits
from tfcnn.recipes import SplitSettings

COPIES = (1, 4, 16)
GROUPS = 10_000
PAUSE_SECONDS = 0.05
TRAIN = ("--epochs", "1", "--image-size", "32", "--set", "train.precision=float32",
         "--set", "model.start=scratch", "--set", "model.network=compact")  # fmt: skip
STREAMED = ("--set", "inputs.cache=none")
QUIET = [(os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_WRONLY, 0) for number in (1, 2)]


def lay(images: list[Path], root: Path, folder: Path, copies: int) -> int:
    """Write copies of images, each shifted by another pixel; return how many there are."""
    for path in images:
        pixels = np.asarray(Image.open(path))
        for copy in range(copies):
            shifted = np.roll(pixels, (copy % 4, copy // 4), axis=(0, 1))
            target = folder / path.relative_to(root).with_suffix("")
            target.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(shifted).save(f"{target}_{copy:02}.png", compress_level=1)
    return len(images) * copies


def measured(*words: object) -> tuple[float, float]:
    """Run tfcnn in a child; return its processor time in s and its most anonymous memory in MB."""
    command = [sys.executable, "-m", "tfcnn", *map(str, words)]
    child = os.posix_spawn(sys.executable, command, os.environ, file_actions=QUIET)
    most, is_done = [0.0], threading.Event()

    def watch() -> None:
        while not is_done.wait(PAUSE_SECONDS):
            try:
                lines = Path(f"/proc/{child}/status").read_text().splitlines()
            except OSError:
                return
            found = [int(line.split()[1]) for line in lines if line.startswith("RssAnon")]
            most[0] = max(most[0], *found, 0)

    thread = threading.Thread(target=watch)
    thread.start()
    _, status, usage = os.wait4(child, 0)
    is_done.set()
    thread.join()
    if os.waitstatus_to_exitcode(status) not in (0, 3):
        raise SystemExit(f"failed: {' '.join(command)}")
    return usage.ru_utime + usage.ru_stime, most[0] / 1000


def commands(folder: Path, name: str) -> dict[str, tuple[object, ...]]:
    """Return the words of each command over a folder."""
    output = folder.parent / f"{name}.csv"
    every = {
        "check": ("check", folder),
        "train": ("train", folder, "--run", name, "--fresh", *TRAIN),
        "stream": ("train", folder, "--run", name, "--fresh", *TRAIN, *STREAMED),
        "predict": ("predict", arguments.run, folder, "--output", output, "--engine", "litert"),
    }
    return {verb: words for verb, words in every.items() if verb in arguments.only}


def grow(root: Path, base: int) -> None:
    """Print a table of processor time and memory of each command, by the number of images."""
    every = image_files(root)[0]
    images = every[:: max(1, len(every) // base)][:base]
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["TFCNN_HOME"] = scratch
        start = Path(scratch) / "start"
        few = lay(images[::4], root, start, 1)
        base_seconds = {verb: measured(*words)[0] for verb, words in commands(start, "few").items()}
        print("| | images | processor time per image | anonymous memory |\n|---|---|---|---|")
        for copies in COPIES:
            folder = Path(scratch) / f"times{copies}"
            count = lay(images, root, folder, copies)
            for verb, words in commands(folder, f"run{copies}").items():
                seconds, memory_mb = measured(*words)
                each = (seconds - base_seconds[verb]) / (count - few) * 1000
                print(f"| {verb} | {count:,} | {each:.2f} ms | {memory_mb:,.0f} MB |", flush=True)
            shutil.rmtree(folder)


def manifest_of(count: int, store: Path) -> Manifest:
    """Return a manifest of so many images in 10,000 groups, without files."""
    made = []
    for i in range(count):
        group = i * 7919 % GROUPS
        label = "pos" if (group * 31 + i) % 10 < 4 else "neg"
        sha256 = hashlib.sha256(str(i).encode()).hexdigest()
        name = f"{label}/P{group:05}_{i:07}.png"
        made.append(Row(name, label, f"P{group:05}", "", sha256, sha256[::-1], 1000, i))
    return Manifest(Source("many", store, (), store=store), tuple(made), (), ())


def manifest(count: int) -> None:
    """Print how long each step over a manifest takes."""
    with tempfile.TemporaryDirectory() as scratch:
        whole = manifest_of(count, Path(scratch))
        file, split_csv = Path(scratch) / rows.FILE, Path(scratch) / "split.csv"
        total = 0.0
        print("| step | processor time |\n|---|---|")

        def step(name: str, do: Callable[[], Any]) -> Any:
            nonlocal total
            start = time.process_time()
            result = do()
            seconds = time.process_time() - start
            total += seconds
            print(f"| {name} | {seconds:.1f} s |", flush=True)
            return result

        drawn = step("draw the split", lambda: splits.assign(whole, SplitSettings()))
        step("pass the gate", lambda: splits.gate(whole, drawn))
        step("write split.csv", lambda: splits.write(whole, drawn, split_csv))
        if step("read split.csv", lambda: splits.read(split_csv, whole)) != drawn:
            raise SystemExit("failed: the split that was read is another one")
        step("write manifest.csv", lambda: rows.write(whole.rows, file))
        if len(step("read manifest.csv", lambda: rows.read(file)[0])) != count:
            raise SystemExit("failed: the manifest that was read is another one")
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
        print(f"| all, {count:,} images of {GROUPS:,} groups, {peak:.1f} GB | {total:.1f} s |")


parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("images", type=Path, nargs="?")
parser.add_argument("--base", type=int, default=500)
parser.add_argument("--run", default="malaria")
parser.add_argument("--only", nargs="+", default=["check", "train", "stream", "predict"])
parser.add_argument("--manifest", type=int)
arguments = parser.parse_args()
if arguments.manifest:
    manifest(arguments.manifest)
if arguments.images:
    grow(arguments.images, arguments.base)
