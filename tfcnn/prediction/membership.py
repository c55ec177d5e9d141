"""The group of a predicted image, read by the same rule as the groups of the run's images."""

from collections.abc import Callable, Iterable
from pathlib import Path, PurePath

from tfcnn.base import patterns
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


def reader(
    run: Run, given: Iterable[str | Path], paths: Iterable[str] = ()
) -> Callable[[str], str]:
    """Return a function that reads an image's group from its path; it returns "" for no group.

    A run's regex is searched in the file's name; where it does not match there, in the name with
    the folder above it, and so on up to the folder or archive that was given. Where the run's
    groups were folders, the group is the folder inside, or above, a class folder; without a class
    folder on the way it is the first folder in what was given.

    Args:
        run: an opened run.
        given: the files, folders and archives that are predicted.
        paths: images that will be asked for; a regex is searched in all of them at once.

    Raises:
        InputError: if the run's regex is none, or is not done soon with these paths.
    """
    if not rule(run):
        return lambda _: ""
    regex = run.card["data"].get("group_regex")
    known = {str(Path(one)) for one in given}
    is_above = run.card["data"].get("group_from") == "folder-above"
    class_names = {name.casefold() for name in run.class_names}

    found = _searched(regex, {path: _below(path, known) for path in paths}) if regex else {}

    def read(path: str) -> str:
        if path in found:
            return found[path]
        parts = _below(path, known)
        if regex:
            return _searched(regex, {path: parts})[path]
        return _folder(parts[1:-1], is_above, class_names)

    return read


def _below(path: str, given: set[str]) -> tuple[str, ...]:
    """Return the parts of a path below what was given; for a single file its folder and name."""
    whole = PurePath(path)
    base = next((one for one in whole.parents if str(one) in given), None)
    if path in given or base is None:
        return ("", *whole.parts[-2:]) if len(whole.parts) > 1 else ("", whole.name)
    return (base.name, *whole.relative_to(base).parts)


def _searched(regex: str, images: dict[str, tuple[str, ...]]) -> dict[str, str]:
    """Return the group of each image, from the parts of its path; "" where the regex fits none."""
    found = dict.fromkeys(images, "")
    for length in range(1, max(map(len, images.values()), default=0) + 1):
        left = [path for path, parts in images.items() if not found[path] and len(parts) >= length]
        ends = ["/".join(images[path][-length:]) for path in left]
        groups = patterns.search(regex, ends, "the run's data.group_regex") if left else []
        found |= zip(left, groups, strict=True)
    return found


def _folder(folders: tuple[str, ...], is_above: bool, class_names: set[str]) -> str:
    place = next((i for i, name in enumerate(folders) if name.casefold() in class_names), None)
    if place is not None:
        folders = owners(folders[:place])[-1:] if is_above else folders[place + 1 :]
    return folders[0] if folders else ""
