"""The errors a person can act on, each with the exit code it ends a command with."""

import re
from collections.abc import Iterable

from tfcnn.base import naming

__all__ = ["CheckError", "InputError", "TfcnnError", "did_you_mean"]


class TfcnnError(Exception):
    """Something tfcnn can explain in one line.

    Args:
        subject: the file, option or key that is wrong.
        expected: what would have been right.
        received: what was there instead.
        hint: what to do about it; follows the word "try".
    """

    exit_code = 1

    def __init__(self, subject: object, expected: str, received: str, hint: str) -> None:
        message = f"{subject}: expected {expected}; received {received}; try {hint}"
        # one line, and nothing that acts on a terminal, whatever a file's name or a library says
        super().__init__(naming.visible(re.sub(r"\s*[\r\n]\s*", " ", message)))


class InputError(TfcnnError):
    """The input or the usage is wrong: exit code 2."""

    exit_code = 2


class CheckError(TfcnnError):
    """The input can be read, but a check that guards the result failed: exit code 3."""

    exit_code = 3


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return " (did you mean NEAR?)" for the known name that is most like one, "" without any."""
    import difflib  # late: most commands make no such mistake

    near = difflib.get_close_matches(name, list(known), n=1)
    return f" (did you mean {near[0]}?)" if near else ""
