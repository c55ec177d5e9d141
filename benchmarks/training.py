"""Training from folder to tested model: tfcnn and its rivals, one after the other, on one split.

    python benchmarks/training.py --repeats 3
    python benchmarks/training.py --repeats 3 --first 2 --only tfcnn --only "Keras, float32"
    python benchmarks/training.py --draw no_amx

It needs the rivals' environments (`sh benchmarks/rivals/install.sh`) and the data set. Each
contestant of `contestants.toml` is a process of its own. It starts with image files and ends with
an accuracy on the test split; its clock runs from start to end. A repeat runs all of them, so that
a busy machine is busy for all; the number of the repeat is the seed of training. Each result is a
line in `benchmarks/results/training_<machine>.csv`: `gpu`, `amx` or `no_amx`. On a processor
without AMX bfloat16 is slower than float32, so contestants in bfloat16 are left out. What is in
the file does not run again, so a benchmark that was stopped goes on. All use the split of run
`bench-0`.
"""

import argparse
import csv
import json
import math
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterable
from pathlib import Path

from figures import add, read, spread, table

import tfcnn
from tfcnn.base.errors import InputError

HERE = Path(__file__).parent
PICTURES = HERE.parent / "docs" / "pictures"
DATA = Path("data", "malaria")
CPU = Path("/proc/cpuinfo")
HAS_AMX = CPU.exists() and "amx_bf16" in CPU.read_text(encoding="utf-8")
HAS_GPU = Path("/dev/nvidia0").exists() and os.environ.get("CUDA_VISIBLE_DEVICES") != ""
MACHINE = "gpu" if HAS_GPU else "amx" if HAS_AMX else "no_amx"
NEEDS_BFLOAT16 = ("bfloat16", "tfcnn, float32", "AdamW, float32")  # or compare with it
COLUMNS = ("repeat", "contestant", "accuracy", "auc", "seconds", "cpu_seconds")
DIGITS = {"accuracy": 4, "auc": 4, "seconds": 0, "cpu_seconds": 0}
CONTESTANTS = tomllib.loads((HERE / "contestants.toml").read_text(encoding="utf-8"))
TFCNN = CONTESTANTS["tfcnn"] | CONTESTANTS["earlier"]
RIVALS = CONTESTANTS["rivals"]
WORDS = CONTESTANTS["words"] | ({} if MACHINE == "no_amx" else {"PRECISION": []})


def spelt_out(words: list[str]) -> list[str]:
    """Replace the words that stand for several."""
    parts = [spelt_out(WORDS[word]) if word in WORDS else [word] for word in words]
    return [word for part in parts for word in part]


def results(machine: str) -> Path:
    return HERE / "results" / f"training_{machine}.csv"


def timed(command: list[str], home: Path) -> tuple[str, float, float]:
    """Run a process; return what it printed, its seconds and its seconds of processor time."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    environment = {**os.environ, "TFCNN_HOME": str(home), "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(command, check=True, env=environment, capture_output=True, text=True)
    seconds, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return done.stdout, seconds, cpu


def train(home: Path, what: str, settings: Iterable[str], *words: str) -> tuple[float, ...]:
    """Train by the command line the run `bench` of a home; return the `COLUMNS` from accuracy on.

    Each of the settings is a `--set`; the AUC of more than two classes is NaN.
    """
    command = [sys.executable, "-m", "tfcnn", "train", what, "--run", "bench", *words]
    for setting in settings:
        command += ["--set", setting]
    _, *seconds = timed(command, home)
    report = json.loads((home / "models" / "bench" / "report.json").read_text(encoding="utf-8"))
    metrics = report["splits"]["test"]
    auc = metrics["roc_auc"]["value"] if "roc_auc" in metrics else math.nan
    return metrics["accuracy"]["value"], auc, *seconds


def run_tfcnn(words: list[str], seed: int, split: Path, scratch: Path) -> tuple[float, ...]:
    """Train in a home that has the images and nothing else."""
    recipe, *settings = spelt_out(words)
    home = Path(tempfile.mkdtemp(dir=scratch))
    data = home / DATA
    data.mkdir(parents=True)
    for name in ("cell_images", "origin.json"):  # not the manifest, which tfcnn is to make
        (data / name).symlink_to(split.parents[2] / DATA / name)
    values = train(home, recipe, [*settings, f"train.seed={seed}"], "--split", str(split))
    shutil.rmtree(home)
    return values


def run_rival(words: list[str], seed: int, folders: Path) -> tuple[float, ...]:
    environment, program, *rest = spelt_out(words)
    command = [*rival(environment, program), str(folders), *rest, "--seed", str(seed)]
    printed, *seconds = timed(command, folders)
    answer = json.loads(printed.strip().splitlines()[-1])
    return answer["accuracy"], answer.get("auc", math.nan), *seconds


def rival(environment: str, program: str) -> list[str]:
    """Return the command of a rival's program; the environment "" is tfcnn's."""
    python = HERE / "rivals" / "environments" / environment / "bin" / "python"
    return [str(python) if environment else sys.executable, str(HERE / "rivals" / program)]


def link_class_folders(split: Path, images: Path, target: Path) -> None:
    """Lay out a split as folders of links, `target/<split>/<class>/<file>`."""
    with split.open(newline="") as file:
        for row in csv.DictReader(file):
            link = target / row["split"] / row["path"]
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(images / row["path"])


def measure(repeats: range, only: list[str]) -> None:
    try:
        run = tfcnn.load("bench-0")
    except InputError:
        run = tfcnn.train("malaria", run="bench-0", settings=["train.epochs=1"])  # for its split
    split = (run.path / "split.csv").resolve()
    done = {(row["repeat"], row["contestant"]) for row in read(results(MACHINE))}
    names = only or [*CONTESTANTS["tfcnn"], *RIVALS]
    if MACHINE == "no_amx":
        names = [name for name in names if not any(word in name for word in NEEDS_BFLOAT16)]
    with tempfile.TemporaryDirectory() as text:
        scratch = Path(text)
        link_class_folders(split, split.parents[2] / DATA / "cell_images", scratch / "split")
        for repeat, name in [(repeat, name) for repeat in repeats for name in names]:
            if (str(repeat), name) in done:
                continue
            if name in TFCNN:
                values = run_tfcnn(TFCNN[name], repeat, split, scratch)
            else:
                values = run_rival(RIVALS[name], repeat, scratch / "split")
            row = (repeat, name, *(round(value, 4) for value in values))
            add(results(MACHINE), dict(zip(COLUMNS, row, strict=True)))


def by_name(machine: str) -> dict[str, list[dict[str, str]]]:
    """Return the results of each contestant, in the order of `contestants.toml`."""
    rows = read(results(machine))
    own = {name: [row for row in rows if row["contestant"] == name] for name in (*TFCNN, *RIVALS)}
    return {name: found for name, found in own.items() if found}


def summary(machine: str) -> str:
    """Return Markdown: medians, and each contestant's time over tfcnn's in the same repeat."""
    contests = by_name(machine)
    base = {row["repeat"]: float(row["seconds"]) for row in next(iter(contests.values()), [])}
    lines = []
    for name, rows in contests.items():
        cells = [spread([float(row[key]) for row in rows], n) for key, n in DIGITS.items()]
        shared = [row for row in rows if row["repeat"] in base]
        ratios = [float(row["seconds"]) / base[row["repeat"]] for row in shared]
        lines.append([name, *cells, spread(ratios)])
    header = ["", "accuracy", "ROC AUC", "s", "CPU s", "seconds over tfcnn's"]
    return table(header, lines)


def draw(machine: str) -> None:
    """Draw each contestant's seconds and accuracy: a dot for the median, a line for the range."""
    import matplotlib.pyplot as plt

    contests = by_name(machine)
    today = [name for name in contests if name not in CONTESTANTS["earlier"]]
    names = today if set(today) & set(TFCNN) else list(contests)
    median = {n: statistics.median(float(row["seconds"]) for row in contests[n]) for n in names}
    names.sort(key=lambda name: -median[name])
    size = (9, 0.6 + 0.36 * len(names))
    figure, panels = plt.subplots(1, 2, figsize=size, sharey=True, layout="constrained")
    columns = (
        ("seconds", 1, "seconds from start to tested model"),
        ("accuracy", 100, "accuracy on unseen patients, %"),
    )
    for axes, (key, scale, title) in zip(panels, columns, strict=True):
        for name in names:
            values = [scale * float(row[key]) for row in contests[name]]
            colour = "#0b6e4f" if name in TFCNN else "#8a8f98"
            axes.plot([min(values), max(values)], [name] * 2, color=colour, lw=2)
            axes.plot(statistics.median(values), name, "o", color=colour)
        axes.set_xlabel(title)
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].set_xlim(left=0)
    figure.savefig(PICTURES / f"benchmark_{machine}.png", dpi=150)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--first", type=int, default=0, help="the repeat to begin with")
    names = {"choices": (*TFCNN, *RIVALS), "metavar": "NAME", "help": "a contestant; again"}
    parser.add_argument("--only", action="append", default=[], **names)
    machines = ("amx", "no_amx", "gpu")
    parser.add_argument("--draw", choices=machines, help="print the table and draw, run nothing")
    arguments = parser.parse_args()
    if not arguments.draw:
        measure(range(arguments.first, arguments.repeats), arguments.only)
    print(summary(arguments.draw or MACHINE))
    draw(arguments.draw or MACHINE)
