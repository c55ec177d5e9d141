"""The errors a person can act on, each with the exit code it ends a command with."""

import errno
import re
from collections.abc import Iterable
from pathlib import Path

from tfcnn.base import naming

READ_ONLY = (errno.EACCES, errno.EPERM, errno.EROFS)
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # HDF5 has the number in its text only


class TfcnnError(Exception):
    """Something tfcnn can explain in one line.

    Attributes:
        subject: the file, option or key that is wrong.
        expected: what would have been right.
        received: what was there instead.
        hint: what to do about it; follows the word "try".
        problem: the text of the error without the hint.
    """

    exit_code = 1

    def __init__(self, subject: object, expected: str, received: str, hint: str) -> None:
        self.subject, self.expected, self.received, self.hint = subject, expected, received, hint
        self.problem = _one_line(f"{subject}: expected {expected}; received {received}")
        super().__init__(f"{self.problem}; try {_one_line(hint)}")


class InputError(TfcnnError):
    """The input or the usage is wrong: exit code 2."""

    exit_code = 2


class CheckError(TfcnnError):
    """The input can be read, but a check that guards the result failed: exit code 3."""

    exit_code = 3


class UnfitValueError(ValueError):
    """A value that is refused by code that does not know which setting or network it belongs to.

    The caller knows, and makes an `InputError` of it.

    Attributes:
        expected: what would have been right.
        received: what was there instead; "" for the value as it was given.
        hint: what to do about it; "" where the caller knows better.
    """

    def __init__(self, expected: str, received: str = "", hint: str = "") -> None:
        self.expected, self.received, self.hint = expected, received, hint
        text = f"expected {expected}; received {received or 'another value'}"
        super().__init__(f"{text}; try {hint}" if hint else text)


def of_system(error: OSError) -> InputError | None:
    """Return what an error of the system means for a user; None where it names no file."""
    if error.errno in FULL or "No space left" in str(error) or "errno = 28" in str(error):
        hint = "removing files, or TFCNN_HOME on another disk"
        return InputError(error.filename or "disk", "free space", "a full disk", hint)
    if error.filename is None:
        return None
    hint = "its permissions, or another path"
    if error.errno in READ_ONLY:  # where no path is typed, runs and caches are meant
        hint += "; TFCNN_HOME names the folder of runs and decoded images"
    path = Path(str(error.filename)).absolute()
    return InputError(path, "a file to read or write", str(error.strerror), hint)


def _one_line(text: str) -> str:
    """Return a text without line ends and control characters, which a name or a library may add."""
    return naming.visible(re.sub(r"\s*[\r\n]\s*", " ", text))


def did_you_mean(name: str, choices: Iterable[str]) -> str:
    """Return " (did you mean NEAR?)" for the choice that is most like a name, "" without any."""
    near = nearest(name, choices)
    return f" (did you mean {near}?)" if near else ""


def nearest(name: str, choices: Iterable[str]) -> str:
    """Return the choice that is most like a name, "" where none is."""
    import difflib  # late: most commands make no such mistake

    near = difflib.get_close_matches(name, list(choices), n=1)
    return near[0] if near else ""
