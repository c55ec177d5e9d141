"""What `check` finds before a training: unreadable and doubled images, groups, imbalance, size."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from tfcnn.base.errors import TfcnnError
from tfcnn.base.progress import Reporter
from tfcnn.datasets import Source
from tfcnn.datasets.folder import LayoutError, open_any
from tfcnn.manifest import groups, rows, splits
from tfcnn.manifest.rows import LossError, Manifest, Row
from tfcnn.recipes.schema import DataSettings

__all__ = ["Audit", "Finding", "audit"]

COMMON = 0.6  # share of one class from which on accuracy says little
RARE = 4  # times less than the commonest class
FEW_IMAGES = 20  # of a class, below which a test split holds about three
SHOWN = 5
CLASSES_SHOWN = 20


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
        counts = [f"{name} {count:,}" for name, count in self.counts.items()]
        if len(counts) > CLASSES_SHOWN:
            counts[CLASSES_SHOWN:] = [f"{len(counts) - CLASSES_SHOWN:,} more classes"]
        lines = [f"{self.summary}: {', '.join(counts)}" if counts else self.summary]
        for finding in self.findings:
            lines.append(f"{'BLOCKING' if finding.is_blocking else 'note'}: {finding.what}")
            lines += [f"    {example}" for example in finding.examples[:SHOWN]]
            if len(finding.examples) > SHOWN:
                lines.append(f"    and {len(finding.examples) - SHOWN} more (--json lists all)")
        return lines + ([] if self.findings else ["nothing found that would spoil a result"])


def audit(data: DataSettings, reporter: Reporter) -> Audit:
    """Audit what a recipe's `[data]` names; every image is read and hashed anew.

    Raises:
        InputError: if there is nothing to audit, or a setting does not fit the data.
    """
    try:
        source = open_any(data, reporter)
    except LayoutError as error:  # a question that only a person can answer
        return Audit(data.source, {}, (Finding(str(error), True),))
    positive = source.positive_class(data.positive)
    try:
        listed = rows.build(
            source,
            group_regex=data.group_regex,
            group_csv=data.group_csv,
            columns=(data.path_column, data.group_column),
            progress=reporter.stage(f"reading {source.name}"),
            verify=True,
            background=data.background,
        )
    except LossError as error:  # what `check` is there to report
        found = [Finding(str(error), True, _reasons(error.lost)), *_left_out(source)]
        return Audit(source.name, {}, tuple(found))
    counts = Counter(row.label for row in listed.rows)
    found = [*_unreadable(listed), *_left_out(source), *_doubles(listed)]
    found += [*_groups(listed, data), *_classes(counts)]
    if positive is None and data.positive is None and len(counts) == 2:
        found.append(_no_positive(counts))
    told = {finding.what for finding in found}
    found += [Finding(note, False) for note in _notes(listed) if note not in told]
    found += _split(listed, data)
    return Audit(listed.summary(), dict(sorted(counts.items())), tuple(found))


def _notes(listed: Manifest) -> list[str]:
    """Return the notes of a manifest without those that are findings of their own."""
    notes = [*listed.notes, *filter(None, [listed.forgotten])]
    return [note for note in notes if " in two classes at once" not in note]


def _unreadable(listed: Manifest) -> list[Finding]:
    if not listed.quarantined:
        return []
    examples = _reasons(listed.quarantined)
    total = f"{len(examples):,} of {len(listed.source.items):,} images"
    return [Finding(f"{total} are unreadable, set aside", False, examples)]


def _left_out(source: Source) -> list[Finding]:
    """Say what is not among the images, by class; the examples name the files."""
    lost: dict[str, list[str]] = defaultdict(list)
    for one in source.left_out:
        lost[one.label].append(f"{one.path}: {one.kind}")
    examples = (lost[label] for label in sorted(lost, key=lambda name: (not name, name)))
    lines = zip(source.left_out_lines(), examples, strict=True)
    return [Finding(line, False, tuple(files)) for line, files in lines]


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


def _groups(listed: Manifest, data: DataSettings) -> list[Finding]:
    if listed.has_groups or listed.source.is_benchmark:
        return []
    if data.group_regex == "":
        return [Finding("no groups, as data.group_regex is empty: a split is by image", False)]
    regex = groups.propose_regex([(row.path, row.label) for row in listed.rows])
    hints = [f"file names look grouped: --group-regex '{regex}'"] if regex else []
    hints += [hint for hint in [groups.propose_folder(listed.source)] if hint]
    is_split = any(row.official for row in listed.rows)
    known = "no groups known" if is_split else "no groups known: a split is by image"
    return [Finding("; ".join([known, *hints]), False)]


def _split(listed: Manifest, data: DataSettings) -> list[Finding]:
    """Try what training does first: a benchmark's official split is known to pass."""
    if listed.source.is_benchmark:
        return []
    try:
        assigned = splits.assign(listed, data.split)
        splits.gate(listed, assigned, unit=data.split.unit)
    except TfcnnError as error:
        return [Finding(str(error), True)]
    official = Counter(row.official for row in listed.rows if row.official)
    if not official:
        return []
    given = ", ".join(f"{name} {official[name]:,}" for name in splits.NAMES if official[name])
    drawn = [name for name in splits.NAMES if name in assigned and not official[name]]
    rest = f"; {' and '.join(drawn)} is drawn from train" if drawn else ""
    return [Finding(f"split already: {given}{rest}", False)]


def _classes(counts: Counter[str]) -> list[Finding]:
    few = [
        f"only {count} images of class {name}"
        for name, count in sorted(counts.items())
        if count < FEW_IMAGES
    ]
    found = [Finding(what, False) for what in few]
    if len(few) > SHOWN:
        what = f"{len(few):,} of {len(counts):,} classes have fewer than {FEW_IMAGES} images"
        found = [Finding(what, False, tuple(few))]
    (common, most), least = counts.most_common(1)[0], min(counts.values())
    share = most / counts.total()
    if share > COMMON or most >= RARE * least:
        rare = min(counts, key=counts.__getitem__)
        what = f"imbalance: {common} has {most / least:.1f} times as many images as {rare}"
        if share > COMMON:
            what += f"; always saying {common} is right for {100 * share:.1f} %"
        what += ": look at balanced accuracy, and try --set train.class_weights=balanced"
        found.append(Finding(what, False))
    return found


def _no_positive(counts: Counter[str]) -> Finding:
    first, second = sorted(counts)
    return Finding(
        "no positive class, so neither sensitivity nor specificity is known: "
        f"--set data.positive={first}, or ={second}, says which is looked for",
        False,
    )
