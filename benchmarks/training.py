"""Training from folder to tested model: tfcnn and its rivals, one after the other, on one split.

    python benchmarks/training.py --repeats 3
    python benchmarks/training.py --repeats 3 --first 2 --only tfcnn --only "Keras, float32"
    python benchmarks/training.py --draw

Needs the rivals' environments (`sh benchmarks/rivals/install.sh`) and the data set. A contestant
is a process of its own that starts with image files and ends with an accuracy on the test split;
the clock runs from its start to its end. A repeat runs them all, so that a busy machine is busy
for all, with its number as the seed of training. Each finished one is a line in
`benchmarks/results/training_amx.csv`, in `training_gpu.csv` where there is a GPU, or in
`training_no_amx.csv` on a processor without AMX, where bfloat16 would be slower than float32 and is
left out; what is there is not run again, so a cut benchmark goes on. The run `bench-0` has the
split; all use it.
"""

import argparse
import csv
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import tfcnn
from tfcnn.base.errors import InputError

HERE = Path(__file__).parent
DATA = Path("data", "malaria")
CPU = Path("/proc/cpuinfo")
HAS_AMX = CPU.exists() and "amx_bf16" in CPU.read_text(encoding="utf-8")
HAS_GPU = Path("/dev/nvidia0").exists() and os.environ.get("CUDA_VISIBLE_DEVICES") != ""
HAS_BFLOAT16 = HAS_AMX or HAS_GPU
MACHINE = "gpu" if HAS_GPU else "amx" if HAS_AMX else "no_amx"
RESULTS = HERE / "results" / f"training_{MACHINE}.csv"
PICTURE = HERE.parent / "docs" / "pictures" / f"benchmark_{MACHINE}.png"
COLUMNS = ("repeat", "contestant", "accuracy", "auc", "seconds", "cpu_seconds")
SHOWN = {"accuracy": 4, "auc": 4, "seconds": 0, "cpu_seconds": 0}  # with how many digits
PRECISION = () if HAS_BFLOAT16 else ("--float32",)
FAST = ("--side", "32", "--first-width", "16", "--epochs", "12", *PRECISION)
MALARIA = ("--side", "40", "--first-width", "24", "--epochs", "16", *PRECISION)
RIVALS = {  # name: environment, program and its words
    "PyTorch, bfloat16": ("torch", "torch_compact.py"),
    "PyTorch, bfloat16, 5 epochs": ("torch", "torch_compact.py", "--epochs", "5"),
    "PyTorch, float32": ("torch", "torch_compact.py", "--float32"),
    "PyTorch, float32, 5 epochs": ("torch", "torch_compact.py", "--float32", "--epochs", "5"),
    "PyTorch, malaria-fast's network": ("torch", "torch_compact.py", *FAST),
    "PyTorch, as recipe malaria": ("torch", "torch_compact.py", *MALARIA, "--muon"),
    "PyTorch, as recipe malaria-fast": ("torch", "torch_compact.py", *FAST, "--muon"),
    "Keras, bfloat16": ("", "keras_io.py", "--mixed"),
    "Keras, float32": ("", "keras_io.py"),
    "fastai ResNet-18": ("classify", "fastai_classify.py"),
    "Ultralytics yolo11n-cls": ("classify", "ultralytics_classify.py"),
    "the course's notebook": ("", "course_notebook.py"),
}
ADAMW = ("train.optimizer=adamw", "train.learning_rate=3e-3", "train.weight_decay=0.02")
WIDE = ("malaria", "data.image_size=48", "model.options.widths=[32, 64, 128, 256]", *ADAMW)
OURS = {  # name: recipe and settings
    "tfcnn": ("malaria",),
    "tfcnn, 5 epochs": ("malaria", "train.epochs=5"),
    "tfcnn, float32": ("malaria", "train.precision=float32"),
    "tfcnn, malaria-fast": ("malaria-fast",),
}
FORMER = {  # the recipes as they were; run only where they are asked for
    "tfcnn, AdamW": (*WIDE, "train.epochs=20"),
    "tfcnn, AdamW, 10 epochs": (*WIDE, "train.epochs=10"),
    "tfcnn, AdamW, 5 epochs": (*WIDE, "train.epochs=5"),
    "tfcnn, AdamW, float32, 5 epochs": (*WIDE, "train.epochs=5", "train.precision=float32"),
    "tfcnn, malaria-fast, AdamW": ("malaria-fast", *ADAMW),
    "tfcnn, malaria-fast, AdamW, 5 epochs": ("malaria-fast", "train.epochs=5", *ADAMW),
}
TFCNN = OURS | FORMER
OURS_AT = (7, 5, "left") if HAS_AMX else (-7, 5, "right")  # where a label stands beside its dot
THEIRS_AT = (7, -13, "left")
CROWDED = {  # machine: name: and where else
    "amx": {
        "tfcnn, malaria-fast, AdamW": (9, 29, "right"),
        "tfcnn, AdamW, 10 epochs": (8, 4, "left"),
        "tfcnn, AdamW, 5 epochs": (18, -46, "center"),
        "tfcnn, AdamW, float32, 5 epochs": (9, -17, "left"),
        "PyTorch, bfloat16": (9, -13, "left"),
        "PyTorch, bfloat16, 5 epochs": (-10, -13, "right"),
        "PyTorch, float32": (8, 3, "left"),
        "PyTorch, malaria-fast's network": (0, 48, "center"),
        "Ultralytics yolo11n-cls": (-7, 5, "right"),
        "the course's notebook": (-7, -13, "right"),
    },
    "no_amx": {
        "tfcnn": (9, -14, "left"),
        "tfcnn, malaria-fast": (6, -18, "left"),
        "PyTorch, as recipe malaria": (9, 4, "left"),
        "PyTorch, as recipe malaria-fast": (0, 24, "center"),
        "PyTorch, malaria-fast's network": (-12, -34, "center"),
        "the course's notebook": (-7, -13, "right"),
    },
}
LABELS_AT = {
    **dict.fromkeys(TFCNN, OURS_AT),
    **dict.fromkeys(RIVALS, THEIRS_AT),
    **CROWDED.get(MACHINE, {}),
}
ONLY_WITH_BFLOAT16 = {
    "PyTorch, bfloat16",
    "PyTorch, bfloat16, 5 epochs",
    "Keras, bfloat16",
    "tfcnn, float32",
    "tfcnn, AdamW, float32, 5 epochs",
}


def timed(command: list[str], home: Path) -> tuple[str, float, float]:
    """Run a process; return what it printed, its seconds and its seconds of processor time."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    environment = {**os.environ, "TFCNN_HOME": str(home), "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(command, check=True, env=environment, capture_output=True, text=True)
    seconds, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return done.stdout, seconds, cpu


def ours(words: tuple[str, ...], seed: int, split: Path, scratch: Path) -> dict[str, float]:
    """Train with the command line in a home that has the images and nothing else."""
    recipe, *settings = words
    home = Path(tempfile.mkdtemp(dir=scratch))
    data = home / DATA
    data.mkdir(parents=True)
    for name in ("cell_images", "origin.json"):  # not the manifest, which it is to make
        (data / name).symlink_to(split.parents[2] / DATA / name)
    command = [sys.executable, "-m", "tfcnn", "train", recipe, "--split", str(split)]
    for setting in (*settings, f"train.seed={seed}"):
        command += ["--set", setting]
    _, seconds, cpu = timed(command, home)
    report = json.loads((home / "models" / recipe / "report.json").read_text())["splits"]["test"]
    shutil.rmtree(home)
    return {
        "accuracy": report["accuracy"]["value"],
        "auc": report["roc_auc"]["value"],
        "seconds": seconds,
        "cpu_seconds": cpu,
    }


def rival(words: tuple[str, ...], seed: int, folders: Path) -> dict[str, float]:
    environment, program, *rest = words
    python = HERE / "rivals" / "environments" / environment / "bin" / "python"
    executable = str(python) if environment else sys.executable
    command = [executable, str(HERE / "rivals" / program), str(folders), *rest, "--seed", str(seed)]
    printed, seconds, cpu = timed(command, folders)
    found = json.loads(printed.strip().splitlines()[-1])
    return {**found, "seconds": seconds, "cpu_seconds": cpu}


def class_folders(split: Path, images: Path, target: Path) -> None:
    """Lay out a split as folders of links, `target/<split>/<class>/<file>`."""
    with split.open(newline="") as file:
        for row in csv.DictReader(file):
            link = target / row["split"] / row["path"]
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(images / row["path"])


def measured() -> list[dict[str, str]]:
    if not RESULTS.exists():
        return []
    with RESULTS.open(newline="") as file:
        return list(csv.DictReader(file))


def measure(repeats: range, only: list[str]) -> None:
    try:
        run = tfcnn.load("bench-0")
    except InputError:
        run = tfcnn.train("malaria", run="bench-0", settings=["train.epochs=1"])  # for its split
    split = (run.path / "split.csv").resolve()
    done = {(row["repeat"], row["contestant"]) for row in measured()}
    with tempfile.TemporaryDirectory() as text:
        scratch = Path(text)
        images = split.parents[2] / DATA / "cell_images"
        class_folders(split, images, scratch / "split")
        for repeat, name in contests(repeats, only):
            if (str(repeat), name) in done:
                continue
            if name in TFCNN:
                found = ours(TFCNN[name], repeat, split, scratch)
            else:
                found = rival(RIVALS[name], repeat, scratch / "split")
            rounded = {key: round(value, 4) for key, value in found.items()}
            row = {"repeat": repeat, "contestant": name, **rounded}
            is_new = not RESULTS.exists()
            with RESULTS.open("a", newline="") as file:
                writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
                if is_new:
                    writer.writeheader()
                writer.writerow(row)
            print(row, flush=True)


def contests(repeats: range, only: list[str]) -> Iterator[tuple[int, str]]:
    for repeat in repeats:
        for name in only or (*OURS, *RIVALS):
            if HAS_BFLOAT16 or name not in ONLY_WITH_BFLOAT16:
                yield repeat, name


def table() -> str:
    """Return Markdown: medians, and each contestant's time over tfcnn's in the same repeat."""
    rows = measured()
    names = {row["contestant"] for row in rows}
    first = next((name for name in TFCNN if name in names), "")
    base = {row["repeat"]: float(row["seconds"]) for row in rows if row["contestant"] == first}
    lines = ["| | accuracy | ROC AUC | s | CPU s | seconds over tfcnn's |", "|---" * 6 + "|"]
    for name in (*TFCNN, *RIVALS):
        own = [row for row in rows if row["contestant"] == name]
        if own:
            cells = [_middle([float(r[key]) for r in own], digits) for key, digits in SHOWN.items()]
            shared = [row for row in own if row["repeat"] in base]
            ratios = [float(row["seconds"]) / base[row["repeat"]] for row in shared]
            lines.append(f"| {name} | " + " | ".join([*cells, _middle(ratios, 2)]) + " |")
    return "\n".join(lines)


def _middle(values: list[float], digits: int) -> str:
    if not values:
        return "–"
    median = f"{statistics.median(values):.{digits}f}"
    if len(values) == 1:
        return median
    return f"{median} ({min(values):.{digits}f} to {max(values):.{digits}f})"


def draw() -> None:
    """Draw accuracy against seconds: medians, and between the least and the greatest a line."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(8, 4.5), layout="constrained")
    rows = measured()
    names = {row["contestant"] for row in rows}
    for name in (*(OURS if names & OURS.keys() else FORMER), *RIVALS):
        own = [row for row in rows if row["contestant"] == name]
        if not own:
            continue
        seconds = [float(row["seconds"]) for row in own]
        accuracy = [100 * float(row["accuracy"]) for row in own]
        is_ours = name in TFCNN
        colour = "#0b6e4f" if is_ours else "#8a8f98"
        place = statistics.median(seconds), statistics.median(accuracy)
        axes.plot([place[0]] * 2, [min(accuracy), max(accuracy)], color=colour, lw=1.5, alpha=0.6)
        axes.plot([min(seconds), max(seconds)], [place[1]] * 2, color=colour, lw=1.5, alpha=0.6)
        axes.scatter(*place, s=42, color=colour, zorder=3)
        right, up, side = LABELS_AT[name]
        axes.annotate(
            name, place, xytext=(right, up), fontsize=9, textcoords="offset points",
            color=colour if is_ours else "#4a4f57", weight="bold" if is_ours else "normal",
            horizontalalignment=side,
        )  # fmt: skip
    axes.set_xscale("log")
    axes.set_xticks([30, 60, 120, 240, 480, 960, 1920])
    axes.xaxis.set_major_formatter("{x:.0f}")
    axes.minorticks_off()
    times = [float(row["seconds"]) for row in rows]
    axes.set_xlim(min(times) / 2.8, max(times) * 2.4)  # room for the names
    axes.set_xlabel("seconds from the start of the process to a tested model")
    axes.set_ylabel("accuracy on unseen patients, %")
    axes.margins(y=0.1)
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(PICTURE, dpi=150)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--first", type=int, default=0, help="the repeat to begin with")
    parser.add_argument(
        "--only",
        action="append",
        default=[],
        choices=(*TFCNN, *RIVALS),
        metavar="NAME",
        help="a contestant; again",
    )
    parser.add_argument("--draw", action="store_true", help="only print the table and draw")
    arguments = parser.parse_args()
    if not arguments.draw:
        repeats = range(arguments.first, arguments.repeats)
        measure(repeats, arguments.only)
    print(table())
    draw()
