"""Who belongs together: groups (patients, slides, videos) from names, tables or folders."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from tfcnn.base import patterns, tables
from tfcnn.base.errors import InputError
from tfcnn.datasets import Item, Source

MAX_LENGTH = 255  # of a group's name that is compared with others
MIN_GROUPS = 3  # for train, val and test


@dataclass(frozen=True)
class Groups:
    """The groups of a source's images.

    Attributes:
        by_path: the group of each image for which one is known.
        rule: how they were read, in words; "" where no groups are known.
        notes: remarks on the table they came from.
        refusal: for an error about an image without a group: what was expected, and what to try.
        subject: what that error names; the image itself if "".
    """

    by_path: dict[str, str]
    rule: str = ""
    notes: tuple[str, ...] = ()
    refusal: tuple[str, str] = ("", "")
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
            expected, hint = self.refusal
            received = f"none for {len(missing):,} images"
            received += f", first {missing[0]}" if self.subject else ", this one first"
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
        source: the listing; a table of its labels may name the groups too.
        regex: its first bracket, or the whole match, is the group; see `search`. None means the
            source's own regex, "" no groups.
        table: a CSV that names image and group, instead of a regex.
        columns: the names of its columns `path` and `group`, where it has others.

    Raises:
        InputError: if two ways to read groups are given, columns without a table, or a regex or a
            table that cannot be read.
    """
    if regex and table:
        raise InputError("--group-regex", "it or --group-csv", "both", "one of them")
    if source.group_from != "name" and (regex or table):
        other = "--group-regex" if regex else "--group-csv"
        raise InputError("--group-from", f"it or {other}", "both", "one of them")
    if any(columns) and table is None and not source.labels_csv:
        expected = "--group-csv beside --path-column and --group-column, which name its columns"
        raise InputError(source.name, expected, "none", "--group-csv groups.csv")
    groups = _find(source, regex, table, columns)
    notes = [*groups.notes, *_alike(groups.by_path.values())]
    if (regex is not None or table) and any(item.group for item in source.items):
        other = "--group-csv" if table else "--group-regex"
        notes.append(f"{source.labels_csv}: its column group is not used, as {other} is given")
    return replace(groups, notes=tuple(notes))


def _find(
    source: Source, regex: str | None, table: str | None, columns: tuple[str | None, str | None]
) -> Groups:
    if table is not None:
        return _from_table(source, Path(table), columns)
    if source.group_from != "name":
        return _from_folders(source)
    if regex is None and any(item.group for item in source.items):
        named = {item.path: item.group for item in source.items}
        return _named(named, source.labels_csv, "a value in its column group for each image")
    regex = source.group_regex if regex is None else regex
    return search(source, regex) if regex else Groups({})


def _alike(names: Iterable[str]) -> list[str]:
    """Return a note on names that may mean one group: a spreadsheet writes 007 as 7, 7 as 7.0."""
    spellings: dict[str, set[str]] = defaultdict(set)
    for name in set(names):
        is_short = len(name) <= MAX_LENGTH  # the time grows with the square of the length
        number = re.fullmatch(r"(\D*)0*(\d+?)(?:\.0+)?", name.strip()) if is_short else None
        plain = "".join(number.groups()) if number else name.strip()
        spellings[plain.casefold()].add(name)
    alike = sorted(" = ".join(sorted(same)) for same in spellings.values() if len(same) > 1)
    if not alike:
        return []
    more = f" and {len(alike) - 1:,} more" if alike[1:] else ""
    return [f"groups that are written in several ways, taken for several: {alike[0]}{more}"]


def search(source: Source, regex: str) -> Groups:
    """Search a regex in each image's name, or in its path.

    It is searched in the file names, then in the paths below the class folders, then in the paths
    below the data folder, with forward slashes. The first of the three in which it matches all
    images counts, so that `^` means the beginning of a name or of a path.

    Raises:
        InputError: if it is no regular expression, or takes too long.
    """
    best: dict[str, str] = {}
    best_place = "file names"
    for place, text in (
        ("file names", lambda item: PurePosixPath(item.path).name),
        ("the paths below the class folders", _below_class),
        ("paths", lambda item: item.path),
    ):
        names = patterns.search(regex, [*map(text, source.items)], "data.group_regex")
        pairs = zip(source.items, names, strict=True)
        groups = {item.path: name for item, name in pairs if name}
        if len(groups) > len(best):
            best, best_place = groups, place
        if len(groups) == len(source.items):
            break
    expected = f"a name or path that the group regex {regex!r} matches"
    hint = "another data.group_regex, or data.group_csv with columns path,group"
    return Groups(best, f"read from {best_place} by {regex}", refusal=(expected, hint))


def propose_regex(rows: Sequence[tuple[str, str]]) -> str | None:
    """Propose a group regex where file names look grouped: many files share a first part.

    Args:
        rows: path and label of each image; a part that only repeats the label is no group.
    """
    stems = [Path(path).stem for path, _ in rows]
    for regex in (r"^([A-Za-z]*\d+)[A-Za-z_\-]", r"^([^_\-]+)[_\-]"):
        matches = [re.search(regex, stem) for stem in stems]
        prefixes = Counter(match[1] for match in matches if match)
        pairs = {(m[1], label) for m, (_, label) in zip(matches, rows, strict=True) if m}
        repeats_labels = len(pairs) == len(prefixes) == len({label for _, label in rows})
        is_complete = prefixes.total() == len(stems)
        if is_complete and not repeats_labels and MIN_GROUPS <= len(prefixes) <= len(stems) / 2:
            return regex
    return None


def propose_folder(source: Source) -> str | None:
    """Return a hint at folders below the class folders that look like groups, or None.

    They hold most of the images and some of every class, and there are enough of them to split.
    """
    inside = {item.path: _below_class(item).split("/")[:-1] for item in source.items}
    inside = {path: parts for path, parts in inside.items() if parts}
    folders = {item.folder for item in source.items if item.folder}
    deepest = max(map(len, inside.values()), default=0)
    has_each = {item.label for item in source.items if item.path in inside}
    if 2 * len(inside) <= len(source.items) or has_each != set(source.class_names):
        return None
    if len(folders) >= MIN_GROUPS and deepest == 1:
        return (
            f"{len(folders):,} folders below the class folders ({min(folders)} and others) look "
            "like groups: --set data.group_from=folder keeps each on one side"
        )
    if len({tuple(parts) for parts in inside.values()}) < MIN_GROUPS or not folders:
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
        refusal=(f"a folder {where} the class folder for each image", hint),
        subject=source.root,
    )


def _from_table(source: Source, path: Path, columns: tuple[str | None, str | None]) -> Groups:
    headers = dict(zip(("path", "group"), columns, strict=True))
    hint = "adding a header line, or --path-column and --group-column to name its columns"
    table = tables.read(path, ("path", "group"), hint, headers)
    paths = [item.path for item in source.items]
    rows, strangers = tables.by_path(table, ("group",), paths, source.root)
    notes = table.notes
    if strangers:
        count = f"{len(strangers):,} of {len(table.rows):,} rows"
        notes = (*notes, f"{path}: {count} name no image of the data, such as {strangers[0]}")
    hint = "a row for each, with paths relative to the data folder and forward slashes"
    groups = _named({name: row["group"].strip() for name, row in rows.items()}, path, hint)
    return replace(groups, notes=(*notes, *groups.notes))


def _named(names: dict[str, str], table: str | Path, hint: str) -> Groups:
    """Return the groups that a table names; what stands for a missing value is none."""
    missing = sorted({name for name in names.values() if name and tables.is_missing(name)})
    return Groups(
        {path: name for path, name in names.items() if not tables.is_missing(name)},
        f"from {table}",
        (f"{table}: {', '.join(missing)} is no group",) if missing else (),
        ("a group for every image", f"{hint}, or --ignore PATTERN"),
        table,
    )
