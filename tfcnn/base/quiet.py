"""Keep TensorFlow's start-up chatter out of a user's sight, and in a log where it can be found.

Some of it is written by C++ to file descriptor 2 before any logging is set up, so that no Python
setting reaches it. The log, and the details of a fault, lie in a folder that only its user can
write to: in the system's temporary folder anyone may have laid a link under a name that is known.
"""

import contextlib
import functools
import gc
import os
import stat
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from tfcnn.base import naming
from tfcnn.base.progress import Reporter

_REDIRECTING = threading.RLock()
_user_stderr: list[int] = []  # where it is kept, while it goes to the log
SHOW = "TFCNN_SHOW_TENSORFLOW_LOG"  # set it to see everything
LOG_BYTES = 1_000_000  # the log begins anew when it is longer


def log_path() -> Path:
    """Return the file that holds what was kept out of sight."""
    return _own_folder() / "tensorflow.log"


def _own_folder() -> Path:
    """Return a folder for temporary files that nobody else can write to; it is made if absent.

    Raises:
        OSError: if none can be made.
    """
    folder = Path(tempfile.gettempdir()) / f"tfcnn-{os.getuid()}"
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    status = folder.lstat()  # of a link itself, not of what it leads to
    is_own = stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid()
    if is_own and not stat.S_IMODE(status.st_mode) & 0o022:
        return folder
    return _fresh_folder(tempfile.gettempdir())


@functools.cache  # so that what is written to a log lies where a message says that it does
def _fresh_folder(parent: str) -> Path:
    return Path(tempfile.mkdtemp(prefix=f"tfcnn-{os.getuid()}-", dir=parent))


def write_details(text: str) -> Path:
    """Write the details of a fault to a file of their own, in place of the last ones.

    Raises:
        OSError: if they cannot be written.
    """
    path = _own_folder() / "traceback.txt"
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:
        file.write(naming.visible(text, is_one_line=False))
    return path


def silence() -> None:
    """Ask TensorFlow and LiteRT for errors only, and TensorFlow for no more of a GPU than it needs.

    A user's own setting wins.
    """
    os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")  # else it takes all, at once
    if not os.environ.get(SHOW):
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")


@contextlib.contextmanager
def stderr_to_log() -> Iterator[None]:
    """Send what is written to file descriptor 2 to the log, and put it back.

    One thread at a time: another would take the log for what is to be put back.
    """
    if os.environ.get(SHOW):
        yield
        return
    with _REDIRECTING:
        sys.stderr.flush()
        kept, log = os.dup(2), _open_log()
        _user_stderr.append(kept)
        try:
            os.dup2(log, 2)
            yield
        finally:
            sys.stderr.flush()
            _user_stderr.pop()
            os.dup2(kept, 2)
            os.close(kept)
            os.close(log)


def say(text: str) -> None:
    """Write a line to the user's standard error, also while it goes to the log."""
    sys.stderr.flush()
    os.write(_user_stderr[0] if _user_stderr else 2, f"{naming.visible(text)}\n".encode())


def write_log(text: str) -> None:
    """Add a line to the log, where that can be written."""
    log = _open_log()
    try:
        os.write(log, f"{naming.visible(text, is_one_line=False)}\n".encode())
    finally:
        os.close(log)


def _open_log() -> int:
    """Return a descriptor of the log, or of nothing where it cannot be written."""
    try:  # without NONBLOCK a named pipe would wait for a reader
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK
        log = os.open(log_path(), flags, 0o600)
        if os.fstat(log).st_size > LOG_BYTES:
            os.ftruncate(log, 0)
        return log
    except OSError:
        return os.open(os.devnull, os.O_WRONLY)


def load_tensorflow(
    reporter: Reporter | None = None, first: Callable[[], object] | None = None
) -> None:
    """Import TensorFlow and Keras (about 3 s), once, without their greetings.

    Args:
        reporter: hears that it takes a while.
        first: what TensorFlow must do before anything else; nothing in particular if None.
    """
    if "keras" in sys.modules and "tensorflow" in sys.modules:
        return
    if reporter:
        reporter.stage("starting TensorFlow")
    silence()
    with stderr_to_log(), _uncollected():
        import keras  # noqa: F401
        import tensorflow as tf

        if first:
            first()
        tf.constant(0)  # the devices are looked for, and greeted, at the first operation
        tf.get_logger().setLevel("ERROR")
    cached = tf.__spec__.cached
    if reporter and cached and not Path(cached).exists():  # as in many containers
        reporter.note(
            "note: Python keeps no bytecode of TensorFlow here, so that each start takes three "
            f"times as long; once for all: python -m compileall -q {Path(tf.__file__).parents[1]}"
        )


@contextlib.contextmanager
def _uncollected() -> Iterator[None]:
    """Look for no garbage meanwhile: modules are none, and it takes a tenth of their import."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
