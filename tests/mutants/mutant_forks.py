"""Tests of a changed module, in a process forked from one that has imported all libraries.

The parent has imported nothing of tfcnn, so each child imports it anew, with the change. All happens
in a copy of the repository: what a change breaks is broken there.
"""

import compileall
import contextlib
import gc
import importlib
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

LIBRARIES = (
    "numpy", "scipy.stats", "scipy.special", "scipy.ndimage", "scipy.optimize", "PIL.Image",
    "sklearn.metrics", "sklearn.linear_model", "sklearn.model_selection", "sklearn.datasets",
    "sklearn.calibration", "hypothesis", "hypothesis.extra.numpy", "pydantic", "typer.main",
    "rich.console", "requests", "tomli_w", "jinja2", "matplotlib.figure", "tensorflow", "keras",
)  # fmt: skip
MEMORY_BYTES = 24 * 2**30  # of addresses; TensorFlow alone asks for half
WAITS = 10  # seconds in which a busy machine gives one of a processor
OPTIONS = (
    "-x", "-q", "-p", "no:cacheprovider", "-W", "ignore:Module already imported",
    "-p", "pytest_timeout", "-p", "xdist.plugin", "-p", "_hypothesis_pytestplugin",
)  # fmt: skip
KEEP = "def test_keep(trained):\n    assert trained.is_dir()\n"


@dataclass(frozen=True)
class Outcome:
    """What the tests said.

    Attributes:
        result: `killed`, `survived` or `timeout`.
        test: the first that failed, or what stopped them.
        seconds: how long they took.
        cpu_seconds: of a processor.
    """

    result: str
    test: str
    seconds: float
    cpu_seconds: float


class FirstFailure:
    """A plugin of pytest: notes the first failure, and gives each test the one trained run."""

    def __init__(self, trained: Path | None) -> None:
        self.trained = trained
        self.failure = ""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed and not self.failure:
            self.failure = report.nodeid

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed and not self.failure:
            self.failure = f"{report.nodeid} (not imported)"

    def pytest_fixture_setup(self, fixturedef: Any, request: Any) -> Path | None:
        if fixturedef.argname != "trained" or self.trained is None:
            return None
        fixturedef.cached_result = (self.trained, fixturedef.cache_key(request), None)
        return self.trained


class Copy:
    """A copy of the repository, where tests run with one module changed.

    Attributes:
        root: of the repository that is copied, which is not changed.
        folder: of the copy, `repository`, and of what the tests write.
        trained: the run that tests share.
    """

    def __init__(self, root: Path, folder: Path) -> None:
        self.root = root
        self.folder = folder
        self.repository = folder / "repository"
        self.trained: Path | None = None
        self._written: dict[str, tuple[int, int]] = {}
        shutil.rmtree(folder, ignore_errors=True)
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=root, capture_output=True, text=True, check=True,
        )  # fmt: skip
        for name in filter(None, listed.stdout.split("\0")):
            if (root / name).is_file():
                (self.repository / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(root / name, self.repository / name)
        compileall.compile_dir(self.repository / "tfcnn", quiet=1)

    def train(self) -> None:
        """Train the run that tests share, once, with the unchanged code."""
        test = self.repository / "tests" / "test_keep.py"
        test.write_text(KEEP)
        base = self.folder / "kept"
        outcome = self._test(["tests/test_keep.py"], 900, base=base)
        if outcome.result != "survived":
            raise SystemExit(f"error: the shared run: {outcome.test}; see {self.folder}/output.txt")
        test.unlink()
        self.trained = base / "trained" / "home" / "models" / "cells"
        shutil.copytree(base, self.folder / "spare")
        self._written = _state(base)

    def test(self, paths: Sequence[str], limit: int) -> Outcome:
        """Run tests on the code as it is in the copy.

        Args:
            paths: of test files, or of tests in them, in the order in which they run.
            limit: seconds of a processor; what takes more counts as a hang.
        """
        outcome = self._test(paths, limit)
        if self.trained and _state(self.folder / "kept") != self._written:
            shutil.rmtree(self.folder / "kept")
            shutil.copytree(self.folder / "spare", self.folder / "kept")
        return outcome

    @contextlib.contextmanager
    def changed(self, module: str, source: str) -> Iterator[None]:
        """Have a module changed within the block."""
        path = self.repository / module
        before, status = path.read_text(encoding="utf-8"), path.stat()
        _remove_compiled(path)
        path.write_text(source, encoding="utf-8")
        try:
            yield
        finally:
            _remove_compiled(path)
            path.write_text(before, encoding="utf-8")
            os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))

    def _test(self, paths: Sequence[str], limit: int, base: Path | None = None) -> Outcome:
        scratch = self.folder / "scratch"
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir()
        start = time.monotonic()
        reading, writing = os.pipe()
        child = os.fork()
        if not child:
            os.close(reading)
            resource.setrlimit(resource.RLIMIT_CPU, (limit, limit))
            self._run(paths, scratch, base or scratch / "tests", writing)
        os.close(writing)
        code, cpu_seconds = _end_of(child, start + WAITS * limit)
        with open(reading) as answers:  # noqa: PTH123
            failure = answers.read() if code is not None else ""
        hangs = code is None or code == -signal.SIGXCPU or code == -signal.SIGKILL
        result = "timeout" if hangs else "survived" if code == 0 else "killed"
        if code in (pytest.ExitCode.USAGE_ERROR, pytest.ExitCode.NO_TESTS_COLLECTED):
            text = (self.folder / "output.txt").read_text(errors="replace")
            raise SystemExit(f"error: {' '.join(paths)}: expected tests; received: {text[-2000:]}")
        return Outcome(
            result, failure or f"exit {code}", round(time.monotonic() - start, 2), cpu_seconds
        )

    def _run(self, paths: Sequence[str], scratch: Path, base: Path, answers: int) -> None:
        """Be pytest in the copy; never returns."""
        code = 3
        try:
            os.setpgid(0, 0)
            resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
            output = os.open(
                self.folder / "output.txt", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644
            )
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            os.dup2(output, 1)
            os.dup2(output, 2)
            os.chdir(self.repository)
            own = ("", str(self.root), str(self.root / "tests"))
            sys.path[:] = [str(self.repository), *(path for path in sys.path if path not in own)]
            os.environ |= {
                "PYTHONPATH": str(self.repository),
                "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",  # the others take as long as a test
                "HYPOTHESIS_STORAGE_DIRECTORY": str(scratch / "hypothesis"),
                "TMPDIR": str(scratch),
            }
            plugin = FirstFailure(self.trained)
            options = [*OPTIONS, f"--basetemp={base}"]
            code = int(pytest.main([*options, *paths], plugins=[plugin]))
            os.write(answers, plugin.failure.encode())
        except BaseException:
            traceback.print_exc()
        finally:
            with contextlib.suppress(Exception):
                sys.stdout.flush()
            os._exit(code)


def import_libraries(root: Path) -> None:
    """Import what tests import, but tfcnn itself, so that a child need not."""
    sys.path.insert(0, str(root))
    importlib.import_module("tfcnn.base.quiet").silence()
    for name in LIBRARIES:
        importlib.import_module(name)
    for name in [name for name in sys.modules if name.partition(".")[0] == "tfcnn"]:
        del sys.modules[name]
    sys.path.remove(str(root))
    gc.collect()
    gc.freeze()  # a child's collector leaves these objects alone, and so their memory shared


def _end_of(child: int, deadline: float) -> tuple[int | None, float]:
    """Wait for a child; end it and its own children at the deadline, where the code is None."""
    code: int | None = None
    while time.monotonic() < deadline:
        process, status, used = os.wait4(child, os.WNOHANG)
        if process:
            code = os.waitstatus_to_exitcode(status)
            break
        time.sleep(0.01)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    if code is None:
        _, _, used = os.wait4(child, 0)
    return code, round(used.ru_utime + used.ru_stime, 2)


def _remove_compiled(path: Path) -> None:
    """Remove what Python would find by time and size, which two changes may share."""
    for compiled in (path.parent / "__pycache__").glob(f"{path.stem}.*.pyc"):
        compiled.unlink()


def _state(folder: Path) -> dict[str, tuple[int, int]]:
    """Return the size and the time of each file."""
    return {
        str(path.relative_to(folder)): (path.stat().st_size, path.stat().st_mtime_ns)
        for path in folder.rglob("*") if path.is_file() and not path.is_symlink()
    }  # fmt: skip


def as_line(record: dict[str, Any]) -> str:
    """Return a record as one line of JSON."""
    return json.dumps(record, ensure_ascii=False) + "\n"
