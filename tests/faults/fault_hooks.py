"""Count what a process does to a folder, and end the process, or fill the disk, at the N-th.

Python tells an audit hook of every file that is opened, renamed or removed. What it does not tell
(each write to a file, each wait for the disk) is counted by functions in place of its own. A kill
before event N leaves what events 1 to N - 1 did, exactly, as often as it is repeated.
"""

import builtins
import errno
import io
import os
import signal
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

COUNT = "count"  # write the name of each event to a file; the default
KILL = "kill"  # SIGKILL before the event
TORN = "torn"  # SIGKILL after half of what a write was to write
INTERRUPT = "interrupt"  # SIGINT, as Ctrl-C, before the event
FULL = "full"  # the disk is full from the event on
BROKEN = "broken"  # the disk gives errors from the event on, also to what removes a file
HOLD = "hold"  # the process waits there until it is sent SIGCONT; its number is in the log
KINDS = (KILL, TORN, INTERRUPT, FULL, BROKEN, HOLD)

WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
GROWS = {"open", "write", "mkdir", "fallocate", "truncate", "fsync"}
RENAMES = {"os.rename": "rename", "os.link": "link", "os.symlink": "symlink"}
CHANGES = {
    "os.remove": "remove", "os.mkdir": "mkdir", "os.rmdir": "rmdir", "os.truncate": "truncate",
}  # fmt: skip


@dataclass(frozen=True)
class Fault:
    """What is to happen, and when.

    Attributes:
        folder: only what is done below it counts.
        kind: one of `KINDS`, or `COUNT`.
        at: the number of the event, from 1.
        log: the file that `COUNT` and `HOLD` write to.
        reads: count each file that is opened to be read there, and nothing else.
    """

    folder: str
    kind: str = COUNT
    at: int = 0
    log: str = ""
    reads: bool = False


class Hooks:
    """The events of this process, counted from the moment it is made; it cannot be undone."""

    def __init__(self, fault: Fault) -> None:
        self.fault, self.count = fault, 0
        self._inside = os.fsencode(fault.folder)
        self._lock = threading.RLock()
        self._log = os.open(fault.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND) if fault.log else -1
        self._open, self._write = io.open, os.write
        sys.addaudithook(self._audit)
        io.open = builtins.open = self._opened  # type: ignore[assignment]
        for name, event in (("fsync", "fsync"), ("posix_fallocate", "fallocate")):
            self._count_calls(os, name, event)

    def happens(self, name: str, path: object, torn: Callable[[], object] = lambda: None) -> None:
        """Count an event on a path; raise or die where it is the one."""
        whole = self._place(path)
        if whole is None:
            return
        with self._lock:
            self.count += 1
            at, kind = self.fault.at, self.fault.kind
            if kind == COUNT:
                self._write(self._log, name.encode() + b" " + whole + b"\n")
            elif kind in (KILL, TORN) and self.count == at:
                if kind == TORN:
                    torn()
                os.kill(os.getpid(), signal.SIGKILL)
            elif kind == INTERRUPT and self.count == at:
                os.kill(os.getpid(), signal.SIGINT)
            elif kind == HOLD and self.count == at:
                self._write(self._log, f"{os.getpid()}\n".encode())
                os.kill(os.getpid(), signal.SIGSTOP)
            elif kind == FULL and self.count >= at and name in GROWS:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), os.fsdecode(whole))
            elif kind == BROKEN and self.count >= at and not name.startswith("moment"):
                raise OSError(errno.EIO, os.strerror(errno.EIO), os.fsdecode(whole))

    def moment(self, name: str) -> None:
        """Count a moment that changes no file, such as a batch that has been learnt."""
        self.happens(f"moment {name}", self.fault.folder)

    def _place(self, path: object) -> bytes | None:
        """Return a path in whole, or None where it is not below the folder."""
        try:
            if isinstance(path, int):
                path = Path(f"/proc/self/fd/{path}").readlink()
            whole = os.path.abspath(os.fsencode(path))  # type: ignore[call-overload] # noqa: PTH100
        except (OSError, TypeError):
            return None
        return whole if whole.startswith(self._inside) else None

    def _audit(self, event: str, args: tuple[Any, ...]) -> None:
        if self.fault.reads:
            if event == "open" and isinstance(args[2], int) and not args[2] & WRITES:
                self.happens("read", args[0])
        elif event == "open":
            if isinstance(args[2], int) and args[2] & WRITES:
                self.happens("open", args[0])
        elif event in CHANGES:
            self.happens(CHANGES[event], self._at(args[0], args[-1] if len(args) > 1 else -1))
        elif event in RENAMES:
            self.happens(RENAMES[event], args[1])

    def _at(self, path: Any, folder: Any) -> Any:
        """Return the path of a name in a folder that is given by its descriptor."""
        if not isinstance(folder, int) or folder < 0 or isinstance(path, int):
            return path
        if os.path.isabs(path):  # noqa: PTH117
            return path
        return Path(f"/proc/self/fd/{folder}").readlink() / os.fsdecode(path)

    def _count_calls(self, module: Any, name: str, event: str) -> None:
        own = getattr(module, name)

        def counted(descriptor: int, *args: Any) -> Any:
            self.happens(event, descriptor)
            return own(descriptor, *args)

        setattr(module, name, counted)

    def _opened(
        self, file: Any, mode: str = "r", buffering: int = -1, encoding: str | None = None,
        errors: str | None = None, newline: str | None = None, closefd: bool = True,
        opener: Any = None,
    ) -> Any:  # fmt: skip
        """Open a file as Python does, with a raw file whose writes are counted."""
        is_own = isinstance(file, str | os.PathLike) and opener is None
        if not (is_own and set("wax+") & set(mode) and self._place(file)):
            return self._open(file, mode, buffering, encoding, errors, newline, closefd, opener)
        raw = _Raw(file, mode.replace("b", "").replace("t", ""))
        raw.hooks = self
        if buffering == 0:
            return raw
        buffered = io.BufferedRandom(raw) if "+" in mode else io.BufferedWriter(raw)
        if "b" in mode:
            return buffered
        text = io.TextIOWrapper(buffered, encoding or "utf-8", errors, newline)
        text.mode = mode  # type: ignore[misc]
        return text


class _Raw(io.FileIO):
    hooks: Hooks

    def write(self, content: Any) -> int:
        half = memoryview(content).cast("B")
        write = super().write
        self.hooks.happens("write", self.name, lambda: write(half[: len(half) // 2]))
        return write(content)


def never_wait() -> None:
    """Let nothing wait for the disk: what a killed process has written is there all the same."""
    os.fsync = lambda descriptor: None  # type: ignore[assignment]
    os.sync = lambda: None


def install(fault: Fault) -> Hooks:
    """Begin to count; where Keras has been imported, the batches that are learnt count too."""
    hooks = Hooks(fault)
    if "keras" in sys.modules:
        import keras

        own = keras.callbacks.CallbackList.on_train_batch_end

        def counted(self: Any, *args: Any, **options: Any) -> None:
            hooks.moment("in an epoch")
            own(self, *args, **options)

        keras.callbacks.CallbackList.on_train_batch_end = counted
    from tfcnn.display.console import TerminalReporter

    stage = TerminalReporter.stage

    def counted_stage(self: Any, text: str) -> Any:
        hooks.moment(f"before {text}")
        return stage(self, text)

    TerminalReporter.stage = counted_stage  # type: ignore[method-assign]
    return hooks


def named(line: str, folder: Path) -> str:
    """Return an event in words that do not depend on chance: without the number of a part."""
    import re

    text = line.replace(str(folder), "").strip()
    return re.sub(r"-[0-9a-f]{8}(?=\.part)", "", text)
