"""The code blocks and commands of a Markdown page, for the tests that follow the pages."""

import re
import shlex
from pathlib import Path

ROOT = Path(__file__).parents[1]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`(tfcnn [a-z][^`]*|make [a-z][^`]*)`")
LINK = re.compile(r"\]\(([^)#\s]+?)(?:#([^)]*))?\)")


def blocks(page: Path, language: str) -> list[str]:
    """Return the contents of the fenced code blocks of one language, in order."""
    text = page.read_text(encoding="utf-8")
    return [content for name, content in BLOCK.findall(text) if name == language]


def commands(page: Path, program: str) -> list[list[str]]:
    """Return the words of each command of a program in the `sh` blocks of a page."""
    lines = [line for text in blocks(page, "sh") for line in text.splitlines()]
    words = [shlex.split(line, comments=True) for line in lines]
    return [line for line in words if line and line[0] == program]


def named_commands(page: Path, program: str) -> list[list[str]]:
    """Return the words of each command of a program that the text of a page names."""
    text = BLOCK.sub("", page.read_text(encoding="utf-8"))
    words = [shlex.split(match.replace("\n", " ")) for match in INLINE.findall(text)]
    return [line for line in words if line[0] == program]
