"""Commands of tfcnn in processes that a warm parent forks: each is real, and its start is cheap.

The parent has imported tfcnn, with or without TensorFlow, and has run nothing of it. Each command
is a child of its own, with its own standard streams, limits and environment.
"""

import contextlib
import json
import os
import resource
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from fault_hooks import Fault, install, never_wait

LONGEST_SECONDS = 1500  # of a child; a machine with other work takes ten times as long as alone
KILLED = -signal.SIGKILL


@dataclass(frozen=True)
class Ended:
    """A command that has ended.

    Attributes:
        words: what was typed after `tfcnn`.
        code: its exit code; a negative one is a signal.
        out: what it wrote to standard output.
        err: what it wrote to standard error.
        cpu_seconds: that it took.
    """

    words: tuple[str, ...]
    code: int
    out: str
    err: str
    cpu_seconds: float

    def __str__(self) -> str:
        return f"tfcnn {shlex.join(self.words)}: {self.code}\n{self.out}\n{self.err}"


@dataclass
class Forks:
    """A warm parent.

    Attributes:
        process: the parent.
        folder: for the standard streams of the children.
    """

    process: subprocess.Popen[str]
    folder: Path
    cpu_seconds: float = 0.0
    pending: list[dict[str, Any]] = field(default_factory=list)

    def run(
        self,
        *words: object,
        home: Path,
        fault: Fault | None = None,
        limits: dict[str, int] | None = None,
        cwd: Path | None = None,
        **environment: str,
    ) -> Ended:
        """Run a command in a child and wait for its end.

        Args:
            words: what a person types after `tfcnn`.
            home: its TFCNN_HOME.
            fault: what happens to it.
            limits: of the system, such as `{"RLIMIT_FSIZE": 1000}`.
            cwd: where it runs; the home if None.
            environment: more variables.
        """
        self.start(*words, home=home, fault=fault, limits=limits, cwd=cwd, **environment)
        return self.wait()

    def start(
        self,
        *words: object,
        home: Path,
        fault: Fault | None = None,
        limits: dict[str, int] | None = None,
        cwd: Path | None = None,
        **environment: str,
    ) -> None:
        """Start a command; `wait` gives its end."""
        home.mkdir(parents=True, exist_ok=True)
        request = {
            "words": [*map(str, words)],
            "environment": {"TFCNN_HOME": str(home), "COLUMNS": "200", **environment},
            "fault": None if fault is None else asdict(fault),
            "limits": limits or {},
            "cwd": str(cwd or home),
            "streams": tempfile.mkdtemp(dir=self.folder),
        }
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        self.pending.append(request)

    def wait(self) -> Ended:
        """Wait for the command that was started first of those that are awaited."""
        request = self.pending.pop(0)
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, "the warm parent has ended"
        answer = json.loads(line)
        streams = Path(request["streams"])
        out, err = ((streams / name).read_text(errors="replace") for name in ("out", "err"))
        self.cpu_seconds += answer["cpu_seconds"]
        return Ended(tuple(request["words"]), answer["code"], out, err, answer["cpu_seconds"])


@contextlib.contextmanager
def warm(folder: Path, *, with_keras: bool) -> Iterator[Forks]:
    """Start a warm parent; it ends with the block."""
    folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, __file__, "keras" if with_keras else ""]
    with (folder / "parent.err").open("w") as errors:
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True
        )
    try:
        yield Forks(process, folder)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        process.wait(30)


def _serve(with_keras: bool) -> None:
    """Fork a child for each line of standard input; write a line when it has ended."""
    from tfcnn.base import quiet

    quiet.silence()
    if with_keras:
        import keras  # noqa: F401
        import tensorflow  # noqa: F401

        import tfcnn.training.adopt
        import tfcnn.training.choose
        import tfcnn.training.measure
    import sklearn.model_selection  # noqa: F401

    import tfcnn.evaluation.scoring
    import tfcnn.explain
    import tfcnn.export
    import tfcnn.lab.site
    import tfcnn.prediction.predictor
    import tfcnn.report.page
    import tfcnn.training.train  # noqa: F401

    for line in sys.stdin:
        request = json.loads(line)
        child = os.fork()
        if not child:
            _work(request)
        print(json.dumps(_ended(child)), flush=True)


def _ended(child: int) -> dict[str, Any]:
    end = time.monotonic() + LONGEST_SECONDS
    while True:
        process, status, used = os.wait4(child, os.WNOHANG)
        if process:
            return {
                "code": os.waitstatus_to_exitcode(status),
                "cpu_seconds": used.ru_utime + used.ru_stime,
            }
        if time.monotonic() > end:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return {"code": -signal.SIGALRM, "cpu_seconds": float(LONGEST_SECONDS)}
        time.sleep(0.005)


def _work(request: dict[str, Any]) -> None:
    """Be the command of a request; never returns."""
    code = 1
    try:
        streams = Path(request["streams"])
        for number, name in ((1, "out"), (2, "err")):
            file = os.open(streams / name, os.O_WRONLY | os.O_CREAT)
            os.dup2(file, number)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.environ.update(request["environment"])
        os.chdir(request["cwd"])
        for name, most in request["limits"].items():
            resource.setrlimit(getattr(resource, name), (most, most))
        sys.argv = ["tfcnn", *request["words"]]
        never_wait()
        if request["fault"]:
            install(Fault(**request["fault"]))
        from tfcnn.__main__ import main

        main()
        code = 0
    except SystemExit as end:
        code = int(end.code or 0)
    finally:
        with contextlib.suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def words_of(line: str) -> Sequence[str]:
    """Return what follows `tfcnn` in a line that a person is to type."""
    return shlex.split(line)[1:]


if __name__ == "__main__":
    _serve(with_keras=sys.argv[1] == "keras")
