"""`tfcnn doctor` names what would fail, also where TensorFlow is broken, and a fix for each."""

import importlib.metadata
import json
import os
import shutil
import sys
from pathlib import Path

import pytest
from conftest import run_tfcnn, start_tfcnn

from tfcnn import datasets
from tfcnn.base import processor
from tfcnn.cli import diagnosis, examine_folders, examine_libraries, examine_machine
from tfcnn.cli.diagnosis import Diagnosis, Finding

WORKING = {
    "images": {"formats": dict.fromkeys(("PNG", "JPEG", "WEBP"), "")},
    "litert": {"versions": {"ai-edge-litert": "2.1.0"}, "works": True, "seconds": 0.5},
    "tensorflow": {"versions": {"tensorflow": "2.21.0", "keras": "3.15.1"}, "works": True,
                   "seconds": 3.0, "gpus": [], "precisions": ["float32"]},
}  # fmt: skip


def broken(folder: Path, code: str) -> str:
    """Write a package tensorflow that does this when it is imported; return the path for Python."""
    package = folder / "broken" / "tensorflow"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(code)
    return os.pathsep.join([str(package.parent), *filter(None, sys.path)])


def test_a_broken_tensorflow_is_a_finding(tmp_path: Path) -> None:
    path = broken(
        tmp_path, "raise ImportError('libcudart.so.12: cannot open\\nshared object file')"
    )
    done = start_tfcnn("doctor", "--json", home=tmp_path / "home", PYTHONPATH=path)
    assert done.returncode == 3, done.stderr
    told = json.loads(done.stdout)
    (found,) = [one for one in told["findings"] if one["state"] == "fails"]
    assert found["name"] == "TensorFlow" and told["fails"]
    assert "ImportError: libcudart.so.12: cannot open shared object file" in found["found"]
    assert "so train, evaluate and export would fail" in found["found"]
    assert found["fix"].startswith("pip install -U --force-reinstall tensorflow")
    assert "1 thing would fail" in told["sentence"]
    (other,) = [one for one in told["findings"] if one["name"] == "LiteRT"]
    assert other["state"] == "ok", "a prediction needs no TensorFlow"


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import os; os.abort()", "its process ended with an abort"),
        ("import os, signal; os.kill(os.getpid(), 4)", "an illegal instruction"),
        ("import sys; sys.exit(5)", "its process ended with exit code 5"),
        ("import time; time.sleep(600)", "no answer within 3 s"),
        ("print('hello')\nraise ModuleNotFoundError('No module named numpy')", "No module named"),
    ],
)
def test_a_library_may_end_its_own_process_only(
    code: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", broken(tmp_path, code))
    found = examine_libraries.probe("tensorflow", 3.0 if "sleep" in code else 120.0)
    assert said in found["error"]


@pytest.fixture
def probed(monkeypatch: pytest.MonkeyPatch) -> dict[str, dict]:
    """What the probes say, which a test may change."""
    answers = {name: dict(found) for name, found in WORKING.items()}
    monkeypatch.setattr(examine_libraries, "probe", lambda name: answers[name])
    return answers


def findings(look) -> dict[str, Finding]:
    return {one.name: one for one in look()}


def test_where_everything_works_nothing_fails(probed, home: Path) -> None:
    home.mkdir()
    done = run_tfcnn("doctor")
    assert done.returncode == 0, done.stdout
    assert done.stdout.splitlines()[-1].startswith("Nothing here would fail")
    for words in ("Python", "LiteRT 2.1.0", "TensorFlow 2.21.0, Keras 3.15.1", "Data sets",
                  "train.precision=auto trains in float32", str(home)):  # fmt: skip
        assert words in done.stdout
    told = json.loads(run_tfcnn("doctor", "--json").stdout)
    assert not told["fails"] and len(told["findings"]) > 20
    for one in told["findings"]:
        assert one["fix"] or one["state"] == "ok", "a finding without a fix"
    assert not list(home.rglob("*")), "nothing was written"


def test_an_answer_that_is_wrong_is_no_answer(probed) -> None:
    probed["tensorflow"]["works"] = False
    found = findings(examine_libraries.look)["TensorFlow"]
    assert found.state == "fails" and "it gives wrong numbers" in found.found


def test_pillow_without_a_format(probed) -> None:
    probed["images"]["formats"] |= {"WEBP": "KeyError: WEBP"}
    found = findings(examine_libraries.look)["Pillow"]
    assert found.state == "note" and "not WEBP" in found.found and "pillow" in found.fix
    probed["images"]["formats"] |= {"JPEG": "encoder jpeg not available"}
    assert findings(examine_libraries.look)["Pillow"].state == "fails"


def test_gpus_and_precision(probed, monkeypatch) -> None:
    monkeypatch.setattr(examine_libraries, "_driver", lambda: "a card, driver 550")
    unseen = findings(examine_libraries.look)["GPU"]
    assert unseen.state == "note" and "TensorFlow sees none" in unseen.found
    assert "tfcnn[gpu]" in unseen.fix
    probed["tensorflow"] |= {"gpus": ["A100"], "precisions": ["mixed_bfloat16"]}
    found = findings(examine_libraries.look)
    assert found["GPU"].found == "A100, a card, driver 550" and found["GPU"].state == "ok"
    assert "trains in bfloat16 mixed" in found["precision"].found
    probed["tensorflow"] |= {"gpus": [], "precisions": ["float32", "mixed_bfloat16"]}
    assert "a step of a network's first training is measured" in (
        findings(examine_libraries.look)["precision"].found
    )


def test_the_driver_is_asked(tmp_path: Path, monkeypatch) -> None:
    program = tmp_path / "nvidia-smi"
    program.write_text(
        "#!/bin/sh\necho 'NVIDIA T4, 550.54, 15360 MiB'\necho 'NVIDIA T4, 550.54, 1'\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    assert examine_libraries._driver() == "2 x NVIDIA T4 with 15360 MiB, driver 550.54"
    program.write_text("#!/bin/sh\nexit 9\n")
    assert examine_libraries._driver() == ""


def test_packages_that_are_missing_or_old(probed, monkeypatch) -> None:
    real = importlib.metadata.version
    monkeypatch.setattr(
        examine_libraries.metadata, "requires",
        lambda _: ["scipy<2,>=1.14", "numpy>=2.1", "marimo>=0.20; extra == 'lab'",
                   "openpyxl>=3.1 ; extra == 'excel'", "tensorflow[and-cuda]>=2.21; extra == 'gpu'",
                   "onnx>=1.23; extra == 'export'", "tf2onnx>=1.17; extra == 'export'"],
    )  # fmt: skip
    versions = {"scipy": "1.9.3", "openpyxl": "3.1.5", "onnx": "1.24", "tfcnn": "0.1.0"}

    def version(name: str) -> str:
        if name in ("numpy", "marimo", "tf2onnx"):
            raise importlib.metadata.PackageNotFoundError(name)
        return versions.get(name) or real(name)

    monkeypatch.setattr(examine_libraries.metadata, "version", version)
    found = findings(examine_libraries.look)
    assert found["scipy"].state == found["numpy"].state == "fails"
    assert found["scipy"].found == "1.9.3, where <2,>=1.14 is needed"
    assert found["numpy"].fix == "pip install 'numpy>=2.1'"
    assert found["lab"].state == "note" and found["lab"].fix == "pip install 'tfcnn[lab]'"
    assert found["excel"].found == "openpyxl 3.1.5" and found["excel"].state == "ok"
    assert found["export"].found.startswith("without tf2onnx; it is for: export")
    assert "gpu" not in found


def test_every_extra_has_a_purpose() -> None:
    import tomllib

    text = (Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8")
    extras = tomllib.loads(text)["project"]["optional-dependencies"]
    assert set(examine_libraries.FOR) == set(extras) - {"dev", "mutants"}
    assert set(examine_folders.ROOM_MB) == set(datasets.names())


def test_folders_that_cannot_be_written(home: Path, monkeypatch) -> None:
    home.mkdir()
    (home / "models").write_text("a file")
    found = findings(examine_folders.look)
    assert found["models"].state == "fails" and "a file is in its place" in found["models"].found
    assert found["models"].fix == f"moving {home / 'models'} elsewhere"
    assert found["data"].state == "ok"

    def refuse(**_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(examine_folders.tempfile, "NamedTemporaryFile", refuse)
    found = findings(examine_folders.look)
    assert found["data"].state == found["temporary"].state == "fails"
    assert "Permission denied" in found["data"].found and "TFCNN_HOME" in found["data"].fix
    assert "TMPDIR" in found["temporary"].fix


def test_a_full_disk(home: Path, monkeypatch) -> None:
    home.mkdir()
    (home / "data" / "smears").mkdir(parents=True)
    (home / "data" / "smears" / "labels.csv").write_text("x")
    usage = shutil.disk_usage(home)._replace(free=200_000_000)
    monkeypatch.setattr(examine_folders.shutil, "disk_usage", lambda _: usage)
    found = findings(examine_folders.look)
    assert found["data"].state == "note" and "0.2 GB free" in found["data"].found
    assert "tfcnn clean" in found["data"].fix
    assert found["malaria"].state == "note" and "200 MB are free" in found["malaria"].found
    assert found["mnist"].state == "ok" and "tfcnn download mnist" in found["mnist"].found
    assert found["smears"].found == "there"


CPU = "model name\t: Fast 9\nflags\t\t: fpu {}\n"


def test_processor_and_memory(tmp_path: Path, monkeypatch) -> None:
    cpu, memory, cgroup = (tmp_path / name for name in ("cpu", "memory", "cgroup"))
    monkeypatch.setattr(processor, "CPUINFO", cpu)
    for name, path in (("MEMINFO", memory), ("CGROUP", cgroup)):
        monkeypatch.setattr(examine_machine, name, path)
    monkeypatch.setattr(examine_machine.platform, "machine", lambda: "x86_64")
    cpu.write_text(CPU.format("sse2 avx avx2 avx512f avx512_bf16 amx_bf16"))
    memory.write_text("MemTotal: 16000000 kB\nMemAvailable: 8000000 kB\n")
    found = findings(examine_machine.look)
    assert "Fast 9" in found["processor"].found
    assert found["processor"].found.endswith(
        ": AVX, AVX2, AVX-512, AVX-512 for bfloat16, AMX for bfloat16"
    )
    assert found["memory"].found == "8.2 GB free of 16.4 GB" and found["memory"].state == "ok"
    cgroup.write_text("3000000000\n")
    cpu.write_text(CPU.format("sse2"))
    found = findings(examine_machine.look)
    assert found["processor"].state == "fails" and "no AVX" in found["processor"].found
    assert found["memory"].found == "3.0 GB free of 3.0 GB" and found["memory"].state == "note"
    for path in (cpu, memory, cgroup):
        path.unlink()
    found = findings(examine_machine.look)
    assert found["memory"].state == found["processor"].state == "ok", "another system"


def test_settings_and_threads(monkeypatch) -> None:
    monkeypatch.setattr(examine_machine.threads, "cores", lambda: 8)
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    monkeypatch.setenv("TFCNN_MAX_MEGAPIXELS", "much")
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    found = list(examine_machine.look())
    (threads,) = [one for one in found if one.name == "threads"]
    assert threads.found == "OMP_NUM_THREADS=2" and threads.state == "note"
    settings = [one for one in found if one.name == "settings"]
    assert [one.state for one in settings] == ["fails", "fails"]
    assert "expected a number of megapixels" in settings[0].found and settings[0].fix
    assert settings[1].found == "KERAS_BACKEND=jax"
    monkeypatch.setattr(sys, "version_info", (3, 14, 0))
    python = next(one for one in examine_machine.look() if one.name == "Python")
    assert python.state == "fails" and python.fix == "Python 3.11 to 3.13"


def test_lines_fit_the_terminal() -> None:
    found = Diagnosis((
        Finding("Machine", "memory", "1 GB " * 30, "note", "closing programs"),
        Finding("Machine", "Python", "3.9", "fails", "Python 3.11 to 3.13"),
        Finding("Folders", "home", "/" + "x" * 90),
    ))  # fmt: skip
    styled = list(found.lines(60))
    lines = [line for line, _ in styled]
    assert lines[0] == "Machine" and lines[-1].startswith("1 thing would fail")
    assert max(map(len, lines[:7])) <= 60
    assert any("x" * 90 in line for line in lines), "a path is not broken"
    place = lines.index("  FAILS  Python  3.9")
    assert styled[place][1] == "bold red" and styled[1][1] == "yellow"
    assert lines[place + 1].strip() == "try Python 3.11 to 3.13"
    assert diagnosis.Diagnosis(found.findings[:1]).sentence.endswith("; 1 line is a note.")
