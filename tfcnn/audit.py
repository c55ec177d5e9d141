"""What `check` finds before a training: unreadable and doubled images, groups, imbalance, size."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tfcnn import manifest, splits
from tfcnn.datasets.folder import open_any
from tfcnn.errors import TfcnnError
from tfcnn.manifest import LossError, Manifest, Row
from tfcnn.progress import Reporter
from tfcnn.recipe import SplitSettings

__all__ = ["Audit", "Finding", "audit", "propose_regex"]

FEW_IMAGES = 20  # of a class, below which a test split holds about three
SHOWN = 5


@dataclass(frozen=True)
class Finding:
    """One thing found; a blocking one would spoil a result."""

    what: str
    is_blocking: bool
    examples: tuple[str, ...] = ()


@dataclass(frozen=True)
class Audit:
    """All that was found in a source."""

    summary: str
    counts: dict[str, int]
    findings: tuple[Finding, ...]

    @property
    def is_blocking(self) -> bool:
        """Whether training would refuse, or should not be believed."""
        return any(finding.is_blocking for finding in self.findings)

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        return {**asdict(self), "blocking": self.is_blocking}

    def lines(self) -> list[str]:
        """Return what a person reads."""
        counts = ", ".join(f"{name} {count:,}" for name, count in self.counts.items())
        lines = [f"{self.summary}: {counts}"]
        for finding in self.findings:
            lines.append(f"{'BLOCKING' if finding.is_blocking else 'note'}: {finding.what}")
            lines += [f"    {example}" for example in finding.examples[:SHOWN]]
            if len(finding.examples) > SHOWN:
                lines.append(f"    and {len(finding.examples) - SHOWN} more (--json lists all)")
        return lines + ([] if self.findings else ["nothing found that would spoil a result"])


def audit(name: str, group_regex: str | None, group_csv: str | None, reporter: Reporter) -> Audit:
    """Audit a data set's name or a folder; every image is read and hashed anew."""
    source = open_any(name, reporter)
    try:
        listed = manifest.build(
            source,
            group_regex=group_regex,
            group_csv=group_csv,
            progress=reporter.stage(f"reading {source.name}"),
            verify=True,
        )
    except LossError as error:  # what `check` is there to report
        return Audit(source.name, {}, (Finding(str(error), True, _reasons(error.lost)),))
    counts = Counter(row.label for row in listed.rows)
    found = [*_unreadable(listed), *_doubles(listed), *_groups(listed), *_classes(counts)]
    found += [Finding(note, False) for note in listed.notes if note == manifest.DIM_NOTE]
    found += [Finding(note, False) for note in manifest.remarked(listed.rows, "black")]
    found += _split(listed)
    return Audit(listed.summary(), dict(sorted(counts.items())), tuple(found))


def propose_regex(paths: Sequence[str]) -> str | None:
    """Propose a group regex where file names look grouped: many files share a first part."""
    stems = [Path(path).stem for path in paths]
    for regex in (r"^([A-Za-z]*\d+)[A-Za-z_\-]", r"^([^_\-]+)[_\-]"):
        found = [re.search(regex, stem) for stem in stems]
        prefixes = Counter(match.group(1) for match in found if match)
        is_all = sum(prefixes.values()) == len(stems)
        if is_all and 3 <= len(prefixes) <= len(stems) / 2:
            return regex
    return None


def _unreadable(listed: Manifest) -> list[Finding]:
    found = []
    if listed.quarantined:
        examples = _reasons(listed.quarantined)
        found.append(Finding(f"{len(examples)} unreadable images, set aside", False, examples))
    if listed.source.ignored:
        found.append(Finding(f"{listed.source.ignored} files that are no images, ignored", False))
    return found


def _reasons(rows: Sequence[Row]) -> tuple[str, ...]:
    return tuple(f"{row.path}: {row.unreadable}" for row in rows)


def _doubles(listed: Manifest) -> list[Finding]:
    doubles = listed.copies()
    contradictions = tuple(
        " = ".join(row.path for row in rows) for rows in doubles if len({r.label for r in rows}) > 1
    )
    same = tuple(
        " = ".join(row.path for row in rows)
        for rows in doubles
        if len({r.label for r in rows}) == 1
    )
    found = []
    if contradictions:
        what = f"{len(contradictions)} pictures are in two classes at once"
        found.append(Finding(what, True, contradictions))
    if same:
        what = f"{len(same)} pictures are there more than once; copies stay in one split"
        found.append(Finding(what, False, same))
    return found


def _groups(listed: Manifest) -> list[Finding]:
    found = []
    if not listed.has_groups and not listed.source.is_benchmark:
        regex = propose_regex([row.path for row in listed.rows])
        hint = f"; file names look grouped: --group-regex '{regex}'" if regex else ""
        found.append(Finding(f"no groups known: a split is by image{hint}", False))
    return found


def _split(listed: Manifest) -> list[Finding]:
    """Try what training does first: a benchmark's official split is known to pass."""
    if listed.source.is_benchmark:
        return []
    try:
        splits.gate(listed, splits.assign(listed, SplitSettings()))
    except TfcnnError as error:
        return [Finding(str(error), True)]
    return []


def _classes(counts: Counter[str]) -> list[Finding]:
    return [
        Finding(f"only {count} images of class {name}", False)
        for name, count in sorted(counts.items())
        if count < FEW_IMAGES
    ]
