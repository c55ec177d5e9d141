"""How what was cut goes on: the line that continues it, or begins again."""

import shlex

from tfcnn.base.errors import InputError

_typed: list[str] = []  # the words of the command, where this process is one


def remember(words: list[str]) -> None:
    """Know that this process is the command `tfcnn`, with these words after it."""
    _typed[:] = words


def line(can_resume: bool) -> str:
    """Return the line that continues a command; the same line if there is no run to resume.

    A program that calls `tfcnn.train` is told the argument.
    """
    if not _typed:
        return "resume=True" if can_resume else "the same call"
    words = _typed
    if can_resume:
        words = [*(word for word in words if word not in ("--fresh", "--resume")), "--resume"]
    return shlex.join(["tfcnn", *words])


def refuse_both(command: str, *, resume: bool, fresh: bool) -> None:
    """Raise InputError if a command is to go on and to begin again."""
    if resume and fresh:
        raise InputError(command, "--resume or --fresh", "both", "one of them")
