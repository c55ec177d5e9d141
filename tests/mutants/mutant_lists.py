"""The three lists: which tests guard a module, changes by hand, and changes that change nothing."""

import tomllib
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


@dataclass(frozen=True)
class Named:
    """A change that is always tried: `old` occurs once in the module, and becomes `new`."""

    module: str
    old: str
    new: str
    why: str


@dataclass(frozen=True)
class Equivalent:
    """A change after which the module does what it did: its diff, and the reason."""

    module: str
    diff: str
    why: str


def guards() -> dict[str, list[str]]:
    """Return the paths of the tests that guard each module, the cheapest first."""
    rooms = _read("modules.toml")
    lists = rooms.pop("lists")
    return {
        f"tfcnn/{room}/{name}.py": [
            f"tests/{path}" for words in paths for path in lists.get(words, [words])
        ]
        for room, modules in rooms.items()
        for name, paths in modules.items()
    }


def named() -> list[Named]:
    """Return the changes that are always tried."""
    return [Named(**entry) for entry in _read("named.toml")["mutant"]]


def equivalents() -> list[Equivalent]:
    """Return the changes that change nothing."""
    entries = _read("equivalent.toml").get("mutant", [])
    return [Equivalent(one["module"], one["diff"].strip("\n"), one["why"]) for one in entries]


def _read(name: str) -> dict:  # type: ignore[type-arg]
    return tomllib.loads((HERE / name).read_text(encoding="utf-8"))
