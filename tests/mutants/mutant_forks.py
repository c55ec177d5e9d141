"""Tests of changed modules, in processes forked from one that has imported all libraries.

The parent has imported nothing of tfcnn. All happens in a copy of the repository: what a change
breaks is broken there. Where only the body of a function changes, the tests and tfcnn are imported
once, and each child gets the changed body; else a child imports all anew.
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
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pytest
from mutants.mutant_bodies import changed_functions, put_in_place

LIBRARIES = (
    "numpy", "scipy.stats", "scipy.special", "scipy.ndimage", "scipy.optimize", "PIL.Image",
    "sklearn.metrics", "sklearn.linear_model", "sklearn.model_selection", "sklearn.datasets",
    "sklearn.calibration", "hypothesis", "hypothesis.extra.numpy", "pydantic", "typer.main",
    "rich.console", "requests", "tomli_w", "jinja2", "matplotlib.figure", "tensorflow", "keras",
)  # fmt: skip
MEMORY_BYTES = 24 * 2**30  # of addresses; TensorFlow alone asks for half
WAITS = 10  # seconds in which a busy machine gives one of a processor
OPTIONS = (
    "-x", "-q", "--tb=no", "-p", "no:cacheprovider", "-W", "ignore:Module already imported",
    "-p", "pytest_timeout", "-p", "xdist.plugin", "-p", "_hypothesis_pytestplugin",
)  # fmt: skip
NOT_FOUND = "?"  # says a child that does not find what to change
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


class Plugin:
    """A plugin of pytest: notes the first failure, and gives each test the one trained run.

    With `fork`, tests are collected once, and a child of this process runs them for each change.
    """

    def __init__(self, trained: Path | None, answers: int) -> None:
        self.trained, self.answers, self.failure = trained, answers, ""
        self.forks: Iterator[tuple[int, Sequence[str]]] = iter(())

    def pytest_runtestloop(self, session: pytest.Session) -> bool | None:
        if session.testsfailed:
            return None
        has_forked = False
        for answers, paths in self.forks:
            has_forked = True
            if answers:  # this is the child: pytest runs the tests
                self.answers = answers
                session.items = [
                    item for path in paths for item in session.items
                    if path in (item.nodeid.partition("::")[0], item.nodeid.partition("[")[0])
                ]  # fmt: skip
                return None
        return has_forked or None

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
        shutil.rmtree(self.repository, ignore_errors=True)
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
        """Train the run that tests share, with the unchanged code, where the folder has none."""
        base, spare = self.folder / "kept", self.folder / "spare"
        if not spare.exists():
            self._train(base)
            shutil.copytree(base, spare)
        self.trained = base / "trained" / "home" / "models" / "cells"
        self._written = _state(spare)
        self._restore()

    def _train(self, base: Path) -> None:
        test = self.repository / "tests" / "test_keep.py"
        test.write_text(KEEP)
        outcome = self._test(["tests/test_keep.py"], 900, base=base)
        if outcome.result != "survived":
            raise SystemExit(f"error: the shared run: {outcome.test}; see {self.folder}/output.txt")
        test.unlink()

    def test(self, paths: Sequence[str], limit: int) -> Outcome:
        """Run tests on the code as it is in the copy.

        Args:
            paths: of test files, or of tests in them, in the order in which they run.
            limit: seconds of a processor; what takes more counts as a hang.
        """
        outcome = self._test(paths, limit)
        self._restore()
        return outcome

    def test_each(
        self, changes: Sequence[tuple[str, str, Sequence[str]]], limit: int
    ) -> Iterator[tuple[int, Outcome]]:
        """Run tests on each change that only changes bodies of functions.

        The tests are imported once. A child of that process gets the changed bodies.

        Args:
            changes: of each the module, its changed text, and the tests.
            limit: seconds of a processor for each.

        Yields:
            The number of a change, and its outcome; nothing for a change of something else.
        """
        scratch = self._scratch()
        reading, writing = os.pipe()
        child = os.fork()
        if not child:
            os.close(reading)
            plugin = Plugin(self.trained, os.open(os.devnull, os.O_WRONLY))
            plugin.forks = self._forks(changes, limit, writing)
            paths = dict.fromkeys(path for _, _, own in changes for path in own)
            self._run(list(paths), scratch, scratch / "tests", plugin)
        os.close(writing)
        with os.fdopen(reading) as answers:
            for line in answers:
                number, outcome = json.loads(line)
                yield number, Outcome(**outcome)
        os.waitpid(child, 0)

    def _forks(
        self, changes: Sequence[tuple[str, str, Sequence[str]]], limit: int, answers: int
    ) -> Iterator[tuple[int, Sequence[str]]]:
        """Fork a child for each change; in the child, yield the pipe of its answer, and end."""
        for number, (module, source, paths) in enumerate(changes):
            path = self.repository / module
            functions = changed_functions(path.read_text(encoding="utf-8"), source, str(path))
            if functions is None:
                continue
            with self.changed(module, source):
                start, (reading, writing) = time.monotonic(), os.pipe()
                child = os.fork()
                if not child:
                    os.setpgid(0, 0)
                    resource.setrlimit(resource.RLIMIT_CPU, (limit, limit))
                    if not put_in_place(functions, module):
                        os.write(writing, NOT_FOUND.encode())
                        os._exit(1)
                    yield writing, paths
                    return
                os.close(writing)
                outcome = _outcome(child, reading, start, limit)
            self._restore()
            if outcome.test == NOT_FOUND:
                continue
            os.write(answers, (json.dumps([number, asdict(outcome)]) + "\n").encode())
            yield 0, ()

    def _restore(self) -> None:
        """Bring the trained run back where a change has damaged it."""
        if self.trained and _state(self.folder / "kept") != self._written:
            shutil.rmtree(self.folder / "kept", ignore_errors=True)
            shutil.copytree(self.folder / "spare", self.folder / "kept")

    def _scratch(self) -> Path:
        scratch = self.folder / "scratch"
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir()
        return scratch

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
        scratch = self._scratch()
        start, (reading, writing) = time.monotonic(), os.pipe()
        child = os.fork()
        if not child:
            os.close(reading)
            resource.setrlimit(resource.RLIMIT_CPU, (limit, limit))
            plugin = Plugin(self.trained, writing)
            self._run(paths, scratch, base or scratch / "tests", plugin)
        os.close(writing)
        outcome = _outcome(child, reading, start, limit)
        if outcome.test in ("exit 4", "exit 5"):  # a wrong path, or nothing collected
            text = (self.folder / "output.txt").read_text(errors="replace")
            raise SystemExit(f"error: {' '.join(paths)}: expected tests; received: {text[-2000:]}")
        return outcome

    def _run(self, paths: Sequence[str], scratch: Path, base: Path, plugin: Plugin) -> None:
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
            options = [*OPTIONS, f"--basetemp={base}"]
            code = int(pytest.main([*options, *paths], plugins=[plugin]))
            os.write(plugin.answers, plugin.failure.encode())
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
    import hypothesis

    # to make a failing case small takes longer than to find it
    phases = (hypothesis.Phase.explicit, hypothesis.Phase.generate)
    hypothesis.settings.register_profile("mutants", phases=phases, deadline=None, database=None)
    hypothesis.settings.load_profile("mutants")
    gc.collect()
    gc.freeze()  # a child's collector leaves these objects alone, and so their memory shared


def _outcome(child: int, reading: int, start: float, limit: int) -> Outcome:
    """Wait for the tests of a child, and for the first failure in its pipe."""
    code, cpu_seconds = _end_of(child, start + WAITS * limit)
    with os.fdopen(reading) as answers:
        failure = answers.read() if code is not None else ""
    hangs = code is None or code == -signal.SIGXCPU or code == -signal.SIGKILL
    result = "timeout" if hangs else "survived" if code == 0 else "killed"
    seconds = round(time.monotonic() - start, 2)
    return Outcome(result, failure or f"exit {code}", seconds, cpu_seconds)


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
