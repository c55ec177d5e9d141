"""What the README of a shipped model says: what the model is for, and how good it is."""

from pathlib import Path
from typing import NamedTuple


class About(NamedTuple):
    """A sentence on the purpose of a shipped model, and one on its result."""

    purpose: str
    result: str


def read_about(folder: Path) -> About | None:
    """Return what a model was shipped for; None for a run that was not shipped."""
    path = folder / "README.md"
    if not path.is_file():
        return None
    text = path.read_text(encoding="utf-8")
    purpose = text.split("\n\n")[1].partition(" in images")[0]
    result = text.partition("## How good\n\n")[2].partition("\n")[0]
    return About(f"{purpose}.", result.partition(". ")[0].rstrip(".") + ".")
