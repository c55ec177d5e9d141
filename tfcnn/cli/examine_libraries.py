"""What `tfcnn doctor` looks at of libraries: those that must work, devices, and extras."""

import json
import re
import shutil
import subprocess
import sys
import webbrowser
from collections import defaultdict
from collections.abc import Iterator
from importlib import metadata
from typing import Any

from tfcnn.cli.diagnosis import Finding

LIBRARIES, DEVICES, EXTRAS = "Libraries", "Devices", "Extras"
MOST_SECONDS = 180  # of the clock: TensorFlow takes 3, on a network drive a minute
PROBED = {"tensorflow": "TensorFlow", "keras": "Keras", "ai-edge-litert": "LiteRT"}
TRIED = ("ai-edge-litert", "pillow", "tensorflow")
NEEDS = {"tensorflow": "train, evaluate and export", "litert": "predict", "images": "every verb"}
OFTEN = ("PNG", "JPEG", "TIFF", "BMP", "GIF")  # without which no folder is read
# what each extra is for; one that is missing fails nothing else
FOR = {
    "backbones": "larger networks that have learnt before", "excel": "predict --output F.xlsx",
    "export": "export --format onnx, litert-int8", "fast": "predict many images sooner",
    "gpu": "train on an NVIDIA GPU", "heif": "telephones' HEIC images",
    "lab": "lab --lesson", "labels": "labels",
    "ray": "predict on a Ray cluster", "serve": "serve",
    "tensorboard": "curves while training",
}  # fmt: skip
REQUIREMENT = re.compile(
    r"(?P<name>[\w.-]+)(?:\[[^]]*\])?\s*(?P<bounds>[^;]*)(?:;.*extra\s*==\s*['\"](?P<extra>[\w-]+)['\"])?"
)
SIGNALS = {-4: "an illegal instruction, as on a processor that it was not built for",
           -6: "an abort", -9: "a kill, as where memory is not enough", -11: "a crash"}  # fmt: skip


def look() -> Iterator[Finding]:
    """Yield what is found."""
    needed = _needed()
    yield from _installed(needed[""])
    probed = {name: probe(name) for name in ("images", "litert", "tensorflow")}
    yield _images(probed["images"])
    yield _works("litert", "LiteRT", probed["litert"])
    yield _works("tensorflow", "TensorFlow", probed["tensorflow"])
    yield from _devices(probed["tensorflow"])
    yield from _extras(needed)
    yield _browser()


def probe(name: str, most_seconds: float = MOST_SECONDS) -> dict[str, Any]:
    """Try a library in a process of its own; return what that found, or the `error`."""
    command = [sys.executable, "-m", "tfcnn.api.probe", name]
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            timeout=most_seconds,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired:
        return {"error": f"no answer within {most_seconds:g} s"}
    from tfcnn.api.probe import MARK

    for line in reversed(done.stdout.decode(errors="replace").splitlines()):
        if line.startswith(MARK):
            found: dict[str, Any] = json.loads(line.removeprefix(MARK))
            return found
    last = done.stderr.decode(errors="replace").strip().splitlines()[-1:] or ["nothing"]
    ended = SIGNALS.get(done.returncode, f"exit code {done.returncode}")
    return {"error": f"its process ended with {ended}: {last[0][:200]}"}


def _needed() -> dict[str, dict[str, str]]:
    """Return the packages that each extra needs, with their bounds; "" is no extra."""
    found: dict[str, dict[str, str]] = defaultdict(dict)
    try:
        lines = metadata.requires("tfcnn") or []
    except metadata.PackageNotFoundError:  # run from a checkout without installation
        lines = []
    for line in lines:
        match = REQUIREMENT.match(line)
        if match and match["name"] != "tfcnn":
            found[match["extra"] or ""][match["name"]] = match["bounds"].strip()
    return found


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _is_older(version: str, bounds: str) -> bool:
    """Say whether a version is below the least one that is wanted."""
    least = re.search(r">=\s*([\d.]+)", bounds)
    return least is not None and _numbers(version) < _numbers(least[1])


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"\d+", version)[:3]))


def _installed(needed: dict[str, str]) -> Iterator[Finding]:
    """Look for packages that are missing or too old; one line for all that are there."""
    if not needed:
        fix = "pip install tfcnn, or make install in a checkout"
        yield Finding(LIBRARIES, "tfcnn", "not installed as a package", "note", fix)
        return
    wrong = 0
    for package, bounds in sorted(needed.items()):
        version = _version(package)
        if version is None and package in TRIED:
            wrong += 1  # their own line says it
        elif version is None or _is_older(version, bounds):
            wrong += 1
            found = "not installed" if version is None else f"{version}, where {bounds} is needed"
            fix = f"pip install '{package}{bounds.replace(' ', '')}'"
            yield Finding(LIBRARIES, package, found, "fails", fix)
    found = f"{_version('tfcnn')}, with {len(needed) - wrong} of {len(needed)} packages it needs"
    yield Finding(LIBRARIES, "tfcnn", found)


def _images(probed: dict[str, Any]) -> Finding:
    if "error" in probed:
        return _broken("images", "Pillow", "pillow", probed["error"])
    version = _version("pillow") or "unknown"
    missing = [name for name, why in probed["formats"].items() if why]
    read = ", ".join(name for name, why in probed["formats"].items() if not why)
    if not missing:
        return Finding(LIBRARIES, "Pillow", f"{version}: {read}")
    found = f"{version}: {read}; not {', '.join(missing)}"
    fix = "pip install -U --force-reinstall pillow"
    fails = any(name in OFTEN for name in missing)
    return Finding(LIBRARIES, "Pillow", found, "fails" if fails else "note", fix)


def _works(name: str, title: str, probed: dict[str, Any]) -> Finding:
    package = {"tensorflow": "tensorflow", "litert": "ai-edge-litert"}[name]
    if "error" in probed:
        return _broken(name, title, package, probed["error"])
    versions = ", ".join(f"{PROBED[key]} {value}" for key, value in probed["versions"].items())
    if not probed["works"]:
        return _broken(name, title, package, f"{versions}: it gives wrong numbers")
    found = f"{versions}; starts in {probed['seconds']:.1f} s"
    return Finding(LIBRARIES, title, found)


def _broken(name: str, title: str, package: str, why: str) -> Finding:
    found = f"does not work ({why}), so {NEEDS[name]} would fail"
    if _version(package) is None:
        return Finding(LIBRARIES, title, f"not installed, so {NEEDS[name]} would fail", "fails",
                       f"pip install {package}")  # fmt: skip
    fix = f"pip install -U --force-reinstall {package}, or a new environment"
    return Finding(LIBRARIES, title, found, "fails", fix)


def _devices(probed: dict[str, Any]) -> Iterator[Finding]:
    driver = _driver()
    gpus = probed.get("gpus", [])
    for gpu in gpus:
        yield Finding(DEVICES, "GPU", gpu + (f", {driver}" if driver else ""))
    if not gpus and driver and "error" not in probed:
        fix = "pip install 'tfcnn[gpu]', and a driver as new as its CUDA"
        yield Finding(DEVICES, "GPU", f"{driver}, but TensorFlow sees none", "note", fix)
    elif not gpus:
        yield Finding(DEVICES, "GPU", "none: the processor computes")
    if precisions := probed.get("precisions"):
        why = {"float32": "float32, as nothing here computes faster in fewer bits",
               "mixed_bfloat16": "bfloat16 mixed with float32",
               "mixed_float16": "float16 mixed with float32"}[precisions[0]]  # fmt: skip
        if len(precisions) > 1:
            why = "bfloat16 or float32, as a step of a network's first training is measured"
        yield Finding(DEVICES, "precision", f"train.precision=auto trains in {why}")


def _driver() -> str:
    """Return the NVIDIA driver and its GPUs in words, "" where there are none."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return ""
    query = [program, "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"]
    try:
        done = subprocess.run(query, capture_output=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    lines = done.stdout.decode(errors="replace").strip().splitlines()
    if done.returncode or not lines:
        return ""
    name, version, memory, *_ = [*map(str.strip, lines[0].split(",")), "", ""]
    count = f"{len(lines)} x " if len(lines) > 1 else ""
    return f"{count}{name} with {memory}, driver {version}"


def _extras(needed: dict[str, dict[str, str]]) -> Iterator[Finding]:
    for extra, purpose in FOR.items():
        packages = needed.get(extra, {})
        versions = {package: _version(package) for package in packages}
        if extra == "gpu" or not packages:  # its packages are TensorFlow's own
            continue
        fix = f"pip install 'tfcnn[{extra}]'"
        missing = [package for package, version in versions.items() if version is None]
        old = [
            package
            for package, version in versions.items()
            if version is not None and _is_older(version, packages[package])
        ]
        if missing:
            absent = "not installed" if len(missing) == len(packages) else \
                f"without {', '.join(missing)}"  # fmt: skip
            yield Finding(EXTRAS, extra, f"{absent}; it is for: {purpose}", "note", fix)
        elif old:
            found = ", ".join(f"{name} {versions[name]}, not {packages[name]}" for name in old)
            yield Finding(EXTRAS, extra, f"{found}; it is for: {purpose}", "note", fix)
        else:
            found = ", ".join(f"{name} {version}" for name, version in versions.items())
            yield Finding(EXTRAS, extra, found)


def _browser() -> Finding:
    """Look for a browser, which the lab and exported pages are shown in."""
    try:
        found = webbrowser.get().__class__.__name__
    except webbrowser.Error:
        fix = "--export, and the page on a machine with a browser"
        return Finding(EXTRAS, "browser", "none here, so tfcnn lab prints an address", "note", fix)
    return Finding(EXTRAS, "browser", f"there is one ({found})")
