"""What `tfcnn doctor` looks at of the machine: Python, processor, memory, threads, settings."""

import os
import platform
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from tfcnn.base import processor, threads
from tfcnn.base.errors import InputError
from tfcnn.cli.diagnosis import Finding, State
from tfcnn.decode import limits

TOPIC = "Machine"
PYTHONS = ((3, 11), (3, 13))  # the first and the last that are tested
LEAST_MEMORY_GB = 4.0  # a training of the recipes takes 2 to 3
# sets of instructions that make networks faster, the best last
FLAGS = {"avx": "AVX", "avx2": "AVX2", "avx512f": "AVX-512",
         "avx512_bf16": "AVX-512 for bfloat16", "amx_bf16": "AMX for bfloat16"}  # fmt: skip
THREADS = ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS",
           "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")  # fmt: skip
MEMINFO = Path("/proc/meminfo")
CGROUP = Path("/sys/fs/cgroup/memory.max")  # what a container may take


def look() -> Iterator[Finding]:
    """Yield what is found."""
    yield _python()
    yield Finding(
        TOPIC, "system", f"{platform.system()} {platform.release()}, {platform.machine()}"
    )
    yield _processor()
    yield _memory()
    yield from _threads()
    yield from _settings()


def _python() -> Finding:
    version = sys.version_info[:2]
    found = f"{platform.python_version()} in {sys.prefix}"
    if not PYTHONS[0] <= version <= PYTHONS[1]:
        wanted = " to ".join(f"{one[0]}.{one[1]}" for one in PYTHONS)
        return Finding(TOPIC, "Python", found, "fails", f"Python {wanted}")
    return Finding(TOPIC, "Python", found)


def _processor() -> Finding:
    flags = processor.flags()
    known = [title for flag, title in FLAGS.items() if flag in flags]
    cores = threads.cores()
    all_cores = os.cpu_count() or cores
    count = f"{cores} cores" if cores == all_cores else f"{cores} of {all_cores} cores"
    found = f"{processor.name()}, {count}{': ' + ', '.join(known) if known else ''}"
    if flags and platform.machine() == "x86_64" and "avx" not in flags:
        found += "; no AVX, without which TensorFlow stops with an illegal instruction"
        return Finding(TOPIC, "processor", found, "fails", "another machine")
    return Finding(TOPIC, "processor", found)


def _memory() -> Finding:
    numbers = dict(re.findall(r"^(\w+):\s+(\d+) kB", _read(MEMINFO), re.MULTILINE))
    if "MemAvailable" not in numbers:
        return Finding(TOPIC, "memory", "unknown on this system")
    total, free = (int(numbers[key]) * 1024 for key in ("MemTotal", "MemAvailable"))
    most = _read(CGROUP).strip()
    if most.isdecimal() and int(most) < total:
        total, free = int(most), min(free, int(most))
    found = f"{free / 1e9:.1f} GB free of {total / 1e9:.1f} GB"
    if free < LEAST_MEMORY_GB * 1e9:
        hint = f"closing programs: a training takes up to {LEAST_MEMORY_GB:g} GB"
        return Finding(TOPIC, "memory", found, "note", hint)
    return Finding(TOPIC, "memory", found)


def _threads() -> Iterator[Finding]:
    found = {name: os.environ[name] for name in THREADS if os.environ.get(name)}
    if not found:
        yield Finding(TOPIC, "threads", f"as many as cores, {threads.cores()}")
    for name, text in found.items():
        state: State = "ok"
        fix = ""
        if not text.isdecimal():
            state, fix = "note", f"unsetting {name}"
        elif 0 < int(text) < threads.cores():
            state, fix = "note", f"unsetting {name}, unless other work needs the other cores"
        yield Finding(TOPIC, "threads", f"{name}={text}", state, fix)


def _settings() -> Iterator[Finding]:
    """Look at variables that a verb would refuse, or that change what Keras may open."""
    try:
        limits.megapixels()
    except InputError as error:
        yield Finding(TOPIC, "settings", error.problem, "fails", error.hint)
    backend = os.environ.get("KERAS_BACKEND", "tensorflow")
    if backend != "tensorflow":
        fix = "unsetting it: tfcnn's networks compute with TensorFlow"
        yield Finding(TOPIC, "settings", f"KERAS_BACKEND={backend}", "fails", fix)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:  # another system
        return ""
