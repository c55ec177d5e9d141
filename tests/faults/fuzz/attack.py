"""One input after another is made and read; what is neither a result nor a refusal is a fault."""

import os
import random
import resource
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from faults.fuzz.readers import READERS, Reader, one_line

from tfcnn.base.errors import TfcnnError
from tfcnn.decode import apart

MOST_SECONDS = 10.0  # of a processor, for one input
MOST_MB = 1000.0  # of memory, more than before
# what a reader must never do, whatever it reads
FORBIDDEN = ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork", "socket.",
             "pickle.find_class", "ctypes.dlopen")  # fmt: skip
CHANGING = ("os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.symlink", "os.link", "os.chmod",
            "os.chown", "os.truncate", "shutil.")  # fmt: skip
WRITING = 0o1 | 0o2 | 0o100 | 0o1000  # O_WRONLY, O_RDWR, O_CREAT and O_TRUNC of Linux


@dataclass(frozen=True)
class Fault:
    """An input that broke the rule; `--only READER --at NUMBER` repeats it."""

    reader: str
    number: int
    what: str

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


class Watch:
    """Hears what Python does while a reader works: writing elsewhere, programs, connections."""

    def __init__(self) -> None:
        self.folder: str | None = None  # while a reader works
        self.heard: list[str] = []
        sys.addaudithook(self._hear)  # which stays for the whole process

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self.folder is None:
            return
        if event == "subprocess.Popen" and arguments[1][-1] == apart.COMMAND:
            return  # a helper, which opens images
        if event.startswith(FORBIDDEN):
            self.heard.append(f"{event} {arguments!r:.200}")
        elif event == "open":
            path, _, flags = arguments
            if isinstance(path, str | bytes | Path) and isinstance(flags, int) and flags & WRITING:
                self._write(event, path)
        elif event.startswith(CHANGING):
            both = event in ("os.rename", "os.link")
            for path in arguments[event == "os.symlink" :][: 2 if both else 1]:
                self._write(event, path)

    def _write(self, event: str, path: Any) -> None:
        text = path.decode(errors="replace") if isinstance(path, bytes) else str(path)
        # a path that counts from an open folder is one of shutil's below a path that was heard
        if text == os.devnull:  # the standard error of a helper, which opens images
            return
        if self.folder and not text.startswith(self.folder) and "/" in text:
            self.heard.append(f"{event} outside of its folder: {text:.200}")


_watch: Watch | None = None


def attack(
    name: str,
    seed: int,
    numbers: Iterable[int],
    folder: Path,
    on_input: Callable[[int], None] | None = None,
) -> Iterator[Fault | bool]:
    """Read inputs; yield for each a fault, or whether it gave a result and not a refusal.

    Args:
        name: of the reader.
        seed: of all inputs.
        numbers: which inputs.
        folder: an empty one, to write in.
        on_input: hears the number of each input before it is read.
    """
    global _watch
    _watch = _watch or Watch()
    reader = READERS[name]
    for number in numbers:
        content = content_of(name, seed, number)
        path = folder / reader.name
        path.write_bytes(content)
        if on_input:
            on_input(number)
        begin, before = time.process_time(), _peak_mb()
        try:
            what, has_result = _read(reader, path, _watch)
        finally:
            _watch.folder = None
        what = what or _cost(time.process_time() - begin, _peak_mb() - before)
        yield Fault(name, number, what) if what else has_result


def content_of(name: str, seed: int, number: int) -> bytes:
    """Return an input."""
    return READERS[name].make(random.Random(f"{name} {seed} {number}"))


def _read(reader: Reader, path: Path, watch: Watch) -> tuple[str, bool]:
    watch.heard.clear()
    watch.folder = str(path.parent)
    has_result = False
    try:
        reader.read(path)
        has_result = True
    except TfcnnError as error:
        try:
            one_line(error)
        except AssertionError as wrong:
            return str(wrong), False
    except Exception as error:
        return f"{type(error).__name__}: {error!s:.300}", False
    return (watch.heard[0] if watch.heard else ""), has_result


def _cost(seconds: float, megabytes: float) -> str:
    if seconds > MOST_SECONDS:
        return f"{seconds:.1f} s"
    return f"{megabytes:,.0f} MB" if megabytes > MOST_MB else ""


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
