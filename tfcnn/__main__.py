"""The entry point: runs the command line and turns every error into one line and an exit code."""

import errno
import gc
import os
import shlex
import signal
import sys
import tempfile
import traceback
from pathlib import Path
from typing import Any

from tfcnn.errors import TfcnnError

__all__ = ["main"]

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # HDF5 has the number in its text only


class _Interrupted(BaseException):
    """Raised by SIGINT and SIGTERM; unlike KeyboardInterrupt no library on the way takes it."""


def main() -> None:
    """Run the command line: exit 0 done, 1 internal fault, 2 bad input, 3 a check failed.

    An interrupted command (exit 130) prints the line that continues it.
    """
    import typer

    from tfcnn.cli import app

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    try:
        words = sys.argv[1:] or ["--help"]
        sys.exit(app(words, prog_name="tfcnn", standalone_mode=False))
    except typer.TyperException as error:
        _fail(_misused(error), 2)
    except TfcnnError as error:
        _fail(str(error), error.exit_code)
    except _Interrupted:
        _fail(f"interrupted; to continue: {_continuation()}", 130)
    except OSError as error:
        if error.errno in FULL or "No space left" in str(error) or "errno = 28" in str(error):
            _fail(f"{error.filename or 'disk'}: expected free space; received a full disk; "
                  "try removing files, or TFCNN_HOME on another disk", 2)  # fmt: skip
        if error.filename is None:
            _internal(error)
        _fail(f"{error.filename}: expected a file to read or write; received {error.strerror}; "
              "try its permissions, or another path", 2)  # fmt: skip
    except Exception as error:
        _internal(error)
    finally:
        gc.freeze()  # at its end Python looks for garbage in all that TensorFlow made: a second


def _continuation() -> str:
    words = [word for word in sys.argv[1:] if word != "--fresh"]
    if words[:1] in (["train"], ["crossval"]) and "--resume" not in words:
        words.append("--resume")
    return shlex.join(["tfcnn", *words])


def _misused(error: Any) -> str:
    """Return in one line, and in our words, what Typer says in a box of several."""
    context = getattr(error, "ctx", None)
    command = context.command_path if context else "tfcnn"
    said = error.format_message().replace("Value error, ", "").rstrip(".")
    received = f"something else: {said[:1].lower()}{said[1:]}"
    return f"{command}: expected what its help lists; received {received}; try {command} -h"


def _interrupt(*_: object) -> None:
    raise _Interrupted


def _fail(message: str, code: int) -> None:
    print(f"error: {message}", file=sys.stderr)  # noqa: T201
    sys.exit(code)


def _internal(error: Exception) -> None:
    if os.environ.get("TFCNN_DEBUG"):
        raise error
    path = Path(tempfile.gettempdir()) / f"tfcnn-{os.getuid()}-traceback.txt"
    path.write_text(traceback.format_exc(), encoding="utf-8")
    summary = f"{type(error).__name__}: {error}".splitlines()[0][:300]
    _fail(f"a fault in tfcnn: {summary} (details in {path}; TFCNN_DEBUG=1 shows them)", 1)


if __name__ == "__main__":
    main()
