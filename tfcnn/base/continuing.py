"""The line that continues what was cut."""

import shlex
import sys
from pathlib import Path


def line(can_resume: bool) -> str:
    """Return the line that continues a command; the same line if there is no run to resume.

    A program that calls tfcnn is told the argument of `tfcnn.train`.
    """
    if Path(sys.argv[0]).name not in ("tfcnn", "__main__.py", "-m"):
        return "resume=True" if can_resume else "the same call"
    words = sys.argv[1:]
    if can_resume:
        words = [*(word for word in words if word not in ("--fresh", "--resume")), "--resume"]
    return shlex.join(["tfcnn", *words])
