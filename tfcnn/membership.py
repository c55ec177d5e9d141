"""The group of a predicted image, read by the same rule as the groups of the run's images."""

import re
from collections.abc import Callable, Iterable
from pathlib import Path, PurePath

from tfcnn.datasets.folder import owners
from tfcnn.runs import Run

__all__ = ["reader", "rule"]


def rule(run: Run) -> str:
    """Return what a run reads groups from, in words; "" where it knows none."""
    data = run.card["data"]
    if data.get("group_regex"):
        return f"the regex {data['group_regex']!r}"
    words = {"folder": "the folder inside a class folder", "folder-above": "the folder above it"}
    return words.get(data.get("group_from", "name"), "")


def reader(run: Run, given: Iterable[str | Path]) -> Callable[[str], str]:
    """Return a function that reads an image's group from its path; it returns "" for no group.

    A run's regex is searched in the file's name; where it does not match there, in the name with
    the folder above it, and so on up to the folder or archive that was given. Where the run's
    groups were folders, the group is the folder inside, or above, a class folder; without a class
    folder on the way it is the first folder in what was given.

    Args:
        run: an opened run.
        given: the files, folders and archives that are predicted.
    """
    if not rule(run):
        return lambda _: ""
    regex = run.card["data"].get("group_regex")
    pattern = re.compile(regex) if regex else None
    known = {str(Path(one)) for one in given}
    is_above = run.card["data"].get("group_from") == "folder-above"
    class_names = {name.casefold() for name in run.class_names}

    def read(path: str) -> str:
        parts = _below(path, known)
        if pattern:
            return _searched(pattern, parts)
        return _folder(parts[1:-1], is_above, class_names)

    return read


def _below(path: str, given: set[str]) -> tuple[str, ...]:
    """Return the parts of a path below what was given; for a single file its folder and name."""
    whole = PurePath(path)
    base = next((one for one in whole.parents if str(one) in given), None)
    if path in given or base is None:
        return ("", *whole.parts[-2:]) if len(whole.parts) > 1 else ("", whole.name)
    return (base.name, *whole.relative_to(base).parts)


def _searched(pattern: re.Pattern[str], parts: tuple[str, ...]) -> str:
    for start in reversed(range(len(parts))):
        match = pattern.search("/".join(parts[start:]))
        group = match[pattern.groups and 1] if match else ""
        if group:
            return str(group)
    return ""


def _folder(folders: tuple[str, ...], is_above: bool, class_names: set[str]) -> str:
    place = next((i for i, name in enumerate(folders) if name.casefold() in class_names), None)
    if place is not None:
        folders = owners(folders[:place])[-1:] if is_above else folders[place + 1 :]
    return folders[0] if folders else ""
