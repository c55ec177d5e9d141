"""Who belongs together: groups (patients, slides, videos) from names, tables or folders."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from tfcnn.base import patterns, tables
from tfcnn.base.errors import InputError
from tfcnn.datasets import Item, Source

__all__ = ["Groups", "find", "propose_folder", "propose_regex", "search"]

LONGEST = 255  # letters of a group's name that is compared with others
LEAST = 3  # groups that can be split into train, val and test


@dataclass(frozen=True)
class Groups:
    """The groups of a source's images.

    Attributes:
        by_path: the group of each image for which one is known.
        rule: how they were read, in words; "" where no groups are known.
        notes: what to say of the table they came from.
        faults: for an error about an image without a group: what was expected, and what to try.
        subject: what that error names; the image itself if "".
    """

    by_path: dict[str, str]
    rule: str = ""
    notes: tuple[str, ...] = ()
    faults: tuple[str, str] = ("", "")
    subject: object = ""

    def require(self, paths: Iterable[str]) -> None:
        """Refuse if groups are known, but one of these images has none.

        Raises:
            InputError: naming the first without one.
        """
        if not self.rule:
            return
        missing = [path for path in paths if not self.by_path.get(path)]
        if missing:
            expected, hint = self.faults
            received = f"none for {len(missing):,} images, first {missing[0]}"
            received += "".join(f" ({note})" for note in self.notes)
            raise InputError(self.subject or missing[0], expected, received, hint)


def find(
    source: Source,
    regex: str | None = None,
    table: str | None = None,
    columns: tuple[str | None, str | None] = (None, None),
) -> Groups:
    """Read the groups of a source's images, as far as they can be read.

    Args:
        source: the listing.
        regex: its first bracket, or the whole match, is the group; see `search`. None for the
            source's own, "" for no groups.
        table: a CSV that names image and group, instead.
        columns: what it calls its columns `path` and `group`.

    Raises:
        InputError: if two ways to read groups are given, columns without a table, or a regex or a
            table that cannot be read.
    """
    if regex and table:
        raise InputError("--group-regex", "it or --group-csv", "both", "one of them")
    if source.group_from != "name" and (regex or table):
        other = "--group-regex" if regex else "--group-csv"
        raise InputError("--group-from", f"it or {other}", "both", "one of them")
    if any(columns) and table is None:
        expected = "--group-csv beside --path-column and --group-column, which name its columns"
        raise InputError(source.name, expected, "none", "--group-csv groups.csv")
    found = _find(source, regex, table, columns)
    return replace(found, notes=(*found.notes, *_alike(found.by_path.values())))


def _find(
    source: Source, regex: str | None, table: str | None, columns: tuple[str | None, str | None]
) -> Groups:
    if table is not None:
        return _from_table(source, Path(table), columns)
    if source.group_from != "name":
        return _from_folders(source)
    regex = source.group_regex if regex is None else regex
    return search(source, regex) if regex else Groups({})


def _alike(names: Iterable[str]) -> list[str]:
    """Say which groups may be one: a spreadsheet writes 007 as 7, and 7 as 7.0."""
    spellings: dict[str, set[str]] = defaultdict(set)
    for name in set(names):
        is_short = len(name) <= LONGEST  # else it takes the square of the length
        number = re.fullmatch(r"(\D*)0*(\d+?)(?:\.0+)?", name.strip()) if is_short else None
        plain = "".join(number.groups()) if number else name.strip()
        spellings[plain.casefold()].add(name)
    doubtful = sorted(" = ".join(sorted(same)) for same in spellings.values() if len(same) > 1)
    if not doubtful:
        return []
    more = f" and {len(doubtful) - 1:,} more" if doubtful[1:] else ""
    return [f"groups that are written in several ways, taken for several: {doubtful[0]}{more}"]


def search(source: Source, regex: str) -> Groups:
    """Search a regex in each image's name, or in its path.

    It is searched in the file names, then in the paths below the class folders, then in the paths
    below the data folder, with forward slashes; the first of these in which it fits all images is
    taken, so that `^` means the beginning of a name or of a path.

    Raises:
        InputError: if it is no regular expression, or one that is not done soon.
    """
    best: dict[str, str] = {}
    best_place = "file names"
    for place, text in (
        ("file names", lambda item: PurePosixPath(item.path).name),
        ("the paths below the class folders", _below_class),
        ("paths", lambda item: item.path),
    ):
        groups = patterns.search(regex, [*map(text, source.items)], "data.group_regex")
        named = zip(source.items, groups, strict=True)
        found = {item.path: group for item, group in named if group}
        if len(found) > len(best):
            best, best_place = found, place
        if len(found) == len(source.items):
            break
    expected = f"a name or path that the group regex {regex!r} matches"
    hint = "another data.group_regex, or data.group_csv with columns path,group"
    return Groups(best, f"read from {best_place} by {regex}", faults=(expected, hint))


def propose_regex(rows: Sequence[tuple[str, str]]) -> str | None:
    """Propose a group regex where file names look grouped: many files share a first part.

    Args:
        rows: path and label of each image; a part that only repeats the label is no group.
    """
    stems = [Path(path).stem for path, _ in rows]
    for regex in (r"^([A-Za-z]*\d+)[A-Za-z_\-]", r"^([^_\-]+)[_\-]"):
        found = [re.search(regex, stem) for stem in stems]
        prefixes = Counter(match.group(1) for match in found if match)
        pairs = {(m[1], label) for m, (_, label) in zip(found, rows, strict=True) if m}
        repeats = len(pairs) == len(prefixes) == len({label for _, label in rows})
        is_all = prefixes.total() == len(stems)
        if is_all and not repeats and LEAST <= len(prefixes) <= len(stems) / 2:
            return regex
    return None


def propose_folder(source: Source) -> str | None:
    """Say which folders below the class folders look like groups, or return None.

    They hold most of the images and some of every class, and they are enough to be split.
    """
    inside = {item.path: _below_class(item).split("/")[:-1] for item in source.items}
    inside = {path: parts for path, parts in inside.items() if parts}
    folders = {item.folder for item in source.items if item.folder}
    deepest = max(map(len, inside.values()), default=0)
    has_each = {item.label for item in source.items if item.path in inside}
    if 2 * len(inside) <= len(source.items) or has_each != set(source.class_names):
        return None
    if len(folders) >= LEAST and deepest == 1:
        return (
            f"{len(folders):,} folders below the class folders ({min(folders)} and others) look "
            "like groups: --set data.group_from=folder keeps each on one side"
        )
    if len({tuple(parts) for parts in inside.values()}) < LEAST or not folders:
        return None
    example = max(inside, key=lambda path: (len(inside[path]), path)).rpartition("/")[0]
    return (
        f"images lie in folders below the class folders, such as {example}: where one of these is "
        "a patient, slide or video, --set data.group_regex=REGEX reads it from the path, and "
        "--set data.group_from=folder takes the first"
    )


def _below_class(item: Item) -> str:
    parts = item.path.split("/")
    start = parts.index(item.label) + 1 if item.label in parts[:-1] else 0
    return "/".join(parts[start:])


def _from_folders(source: Source) -> Groups:
    where = "below" if source.group_from == "folder" else "above"
    hint = "moving it into the folder of its group, or --ignore PATTERN"
    return Groups(
        {item.path: item.folder for item in source.items if item.folder},
        f"the folders {where} the class folders",
        faults=(f"a folder {where} the class folder for each image", hint),
        subject=source.root,
    )


def _from_table(source: Source, path: Path, columns: tuple[str | None, str | None]) -> Groups:
    called = dict(zip(("path", "group"), columns, strict=True))
    hint = "adding a header line, or --path-column and --group-column to name its columns"
    table = tables.read(path, ("path", "group"), hint, called)
    paths = [item.path for item in source.items]
    rows, strangers = tables.by_path(table, "group", paths, source.root)
    notes = table.notes
    if strangers:
        count = f"{len(strangers):,} of {len(table.rows):,} rows"
        notes = (*notes, f"{path}: {count} name no image of the data, such as {strangers[0]}")
    found = {name: row["group"].strip() for name, row in rows.items()}
    missing = sorted({group for group in found.values() if group and tables.is_missing(group)})
    if missing:
        notes = (*notes, f"{path}: {', '.join(missing)} is no group")
    return Groups(
        {name: group for name, group in found.items() if not tables.is_missing(group)},
        f"from {path}",
        notes,
        (
            "a group for every image",
            "a row for each, with paths relative to the data folder and forward slashes, or "
            "--ignore PATTERN",
        ),
        path,
    )
