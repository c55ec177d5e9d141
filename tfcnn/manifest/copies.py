"""Findings on pictures that are there more than once: the same pixels, or nearly the same."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from tfcnn.datasets import Progress
from tfcnn.manifest import near
from tfcnn.manifest.findings import Finding, Gravity, counted, named, pictures_are
from tfcnn.manifest.looks import THUMB_PX, Look
from tfcnn.manifest.rows import Manifest, Row

NEAR = "saved again, resized, brighter, darker, mirrored or turned"
FIX = "`tfcnn check --fix` lists {}, and training leaves out what is listed."
ONE_STAYS = FIX.format("all but one of them")
TESTED = ("val", "test")
SPOILING = 0.01  # of a split's images have near copies in another one
BOTH = "Look which class is right. " + FIX.format("them all")


@dataclass(frozen=True)
class Likeness:
    """Which pictures are near copies of which.

    Attributes:
        of: for each sha256 of pixels those of its near copies, with their likeness in [0, 1].
        skipped: why near copies were not, or not all, looked for; "" where they were.
    """

    of: Mapping[str, Mapping[str, float]]
    skipped: str = ""


def compare(
    manifest: Manifest, looks: Mapping[str, Look], progress: Progress | None = None
) -> Likeness:
    """Look for near copies among the different pictures of a manifest."""
    if len(manifest.source.items) > near.MOST_IMAGES:
        most = f"{len(manifest.source.items):,} images, more than {near.MOST_IMAGES:,}"
        return Likeness({}, f"near copies were not looked for among {most}")
    pictures: dict[str, Look] = {}
    for row in manifest.rows:
        pictures.setdefault(row.pixels_sha256, looks[row.path])
    hashes = list(pictures)
    is_small = np.array([min(look.size) <= THUMB_PX for look in pictures.values()])
    of: dict[str, dict[str, float]] = defaultdict(dict)
    thumbs = [look.thumb for look in pictures.values()]
    pairs, are_all = near.pairs(thumbs, is_small, progress)
    for pair in pairs:
        first, second = hashes[pair.first], hashes[pair.second]
        of[first][second] = of[second][first] = pair.likeness
    most = (
        f"over {near.MOST_PAIRS:,} pairs of images are alike: not all near copies were looked for"
    )
    return Likeness(of, "" if are_all else most)


def find(manifest: Manifest, likeness: Likeness) -> Iterator[Finding]:
    """Yield the findings on exact copies, then those on near copies, gravest first."""
    yield from _exact(manifest)
    if likeness.skipped:
        yield Finding("near-copies", likeness.skipped)
    sets: dict[str, list[list[Row]]] = defaultdict(list)
    for rows in _sets(manifest, likeness):
        sets[_reach(rows, manifest)].append(rows)
    for reach, where, gravity, advice in REACHES:
        if not sets[reach]:
            continue
        if reach == "splits":
            where += f" ({_tested_in_words(sets[reach], manifest)})"
            gravity = "blocking" if _spoils(sets[reach], manifest) else "warning"
        verb = "has near copies" if len(sets[reach]) == 1 else "have near copies"
        what = f"{counted(len(sets[reach]), 'picture')} {verb} {where}: {NEAR}"
        yield _of_sets("near-copies", what, gravity, sets[reach], " ~ ", advice)


def _tested(sets: list[list[Row]], manifest: Manifest) -> dict[str, tuple[int, int]]:
    """Return for val and test how many of their images are in these sets, and of how many."""
    totals = Counter(row.official for row in manifest.rows)
    near_ones = Counter(row.official for rows in sets for row in rows)
    return {split: (near_ones[split], totals[split]) for split in TESTED if near_ones[split]}


def _tested_in_words(sets: list[list[Row]], manifest: Manifest) -> str:
    parts = _tested(sets, manifest).items()
    return ", ".join(f"{count:,} of {total:,} {split} images" for split, (count, total) in parts)


def _spoils(sets: list[list[Row]], manifest: Manifest) -> bool:
    """Say whether a result may change by as much as a point; a benchmark's split is as it is."""
    shares = [count / total for count, total in _tested(sets, manifest).values()]
    return not manifest.source.is_benchmark and max(shares, default=0.0) >= SPOILING


REACHES: tuple[tuple[str, str, Gravity, str], ...] = (
    ("splits", "in two of the given splits", "blocking",
     "What is tested was trained on, so the result is too good. " + ONE_STAYS),
    ("labels", "in two classes", "warning", BOTH),
    ("groups", "in two groups, which may be in two splits", "warning",
     "The result may be too good. " + ONE_STAYS),
    ("images", "which may be in two splits", "warning",
     "The result may be too good. " + ONE_STAYS),
    ("inside", "in one group or one split", "note", "They count more than others. " + ONE_STAYS),
)  # fmt: skip


def _reach(rows: list[Row], manifest: Manifest) -> str:
    """Return how far near copies reach; the gravest that holds."""
    splits = {row.official for row in rows}
    if len(splits) > 1:
        return "splits"
    if len({row.label for row in rows}) > 1:
        return "labels"
    if splits in ({"val"}, {"test"}):
        return "inside"
    if manifest.has_groups:
        return "groups" if len({row.group for row in rows}) > 1 else "inside"
    return "images"


def _sets(manifest: Manifest, likeness: Likeness) -> Iterator[list[Row]]:
    """Yield the rows that hang together by near copies, in the order of the manifest."""
    rows_of: dict[str, list[Row]] = defaultdict(list)
    for row in manifest.rows:
        rows_of[row.pixels_sha256].append(row)
    place = {row.path: number for number, row in enumerate(manifest.rows)}
    seen: set[str] = set()
    for start in rows_of:
        if start in seen or not likeness.of.get(start):
            continue
        reached, waiting = {start}, [start]
        while waiting:
            new = likeness.of[waiting.pop()].keys() - reached
            reached |= new
            waiting += new
        seen |= reached
        rows = [row for one in reached for row in rows_of[one]]
        yield sorted(rows, key=lambda row: place[row.path])


def _exact(manifest: Manifest) -> Iterator[Finding]:
    contradictions: list[list[Row]] = []
    same: list[list[Row]] = []
    for rows in manifest.copies():
        (same if len({row.label for row in rows}) == 1 else contradictions).append(rows)
    if contradictions:
        what = f"{pictures_are(len(contradictions))} in two classes at once"
        yield _of_sets("copies", what, "blocking", contradictions, " = ", BOTH)
    if same:
        what = f"{pictures_are(len(same))} there more than once; copies stay in one split"
        yield _of_sets("copies", what, "note", same, " = ", ONE_STAYS)


def _of_sets(
    kind: str, what: str, gravity: Gravity, sets: list[list[Row]], between: str, advice: str
) -> Finding:
    paths = [tuple(row.path for row in rows) for rows in sets]
    examples = tuple(named(one, between) for one in paths)
    return Finding(kind, what, gravity, examples, advice, tuple(paths))
