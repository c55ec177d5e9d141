"""What `check` finds before a training: unreadable and doubled images, groups, imbalance, size."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from tfcnn.base import naming
from tfcnn.base.errors import TfcnnError
from tfcnn.base.progress import Reporter
from tfcnn.datasets import LayoutError, Source
from tfcnn.datasets.folder import open_any
from tfcnn.display.panel import Grid, Panel, Shown
from tfcnn.manifest import groups, splits
from tfcnn.manifest.rows import IMBALANCED, LossError, Manifest, Row, build, contradiction_notes
from tfcnn.recipes import DataSettings

RARE = 4  # a class is rare where the commonest has so many times its images
FEW_IMAGES = 20  # of a class: fewer leave about three in test
MAX_EXAMPLES = 5  # printed of a finding
NOTHING = "nothing found that would spoil a result"
MAX_CLASSES = 20  # printed with their counts


@dataclass(frozen=True)
class Finding:
    """A fact about the data; a blocking one would spoil a result."""

    what: str
    is_blocking: bool
    examples: tuple[str, ...] = ()


@dataclass(frozen=True, repr=False)
class Audit(Shown):
    """All findings on a source."""

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

    def panel(self) -> Panel:
        """Return what a notebook shows."""
        counts = Grid(["class", "images"], [[k, f"{n:,}"] for k, n in self.counts.items()])
        rows = [
            ["BLOCKING" if one.is_blocking else "note", one.what, _named(one.examples)]
            for one in self.findings
        ]
        findings = Grid(["", "finding", "such as"], rows, num_texts=3)
        if not any(row[-1] for row in rows):
            findings = Grid(["", "finding"], [row[:-1] for row in rows], num_texts=2)
        lines = [] if rows else [NOTHING]
        grids = [grid for grid in (counts, findings) if grid.rows]
        return Panel(self.summary, lines, grids=grids)

    def __repr__(self) -> str:
        return "\n".join(map(naming.visible, self.lines()))

    def lines(self) -> list[str]:
        """Return what a person reads."""
        counts = [f"{name} {count:,}" for name, count in self.counts.items()]
        if len(counts) > MAX_CLASSES:
            counts[MAX_CLASSES:] = [f"{len(counts) - MAX_CLASSES:,} more classes"]
        lines = [f"{self.summary}: {', '.join(counts)}" if counts else self.summary]
        for finding in self.findings:
            lines.append(f"{'BLOCKING' if finding.is_blocking else 'note'}: {finding.what}")
            lines += [f"    {example}" for example in finding.examples[:MAX_EXAMPLES]]
            num_more = len(finding.examples) - MAX_EXAMPLES
            if num_more > 0:
                lines.append(f"    and {num_more} more (--json lists all)")
        return lines + ([] if self.findings else [NOTHING])


def _named(examples: Sequence[str]) -> str:
    more = len(examples) - MAX_EXAMPLES
    rest = [f"and {more:,} more"] if more > 0 else []
    return "; ".join([*examples[:MAX_EXAMPLES], *rest])


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
        manifest = build(
            source,
            group_regex=data.group_regex,
            group_csv=data.group_csv,
            columns=(data.path_column, data.group_column),
            progress=reporter.stage(f"reading {source.name}"),
            verify=True,
            background=data.background,
        )
    except LossError as error:
        loss = Finding(str(error), True, _reasons(error.unreadable))
        return Audit(source.name, {}, (loss, *_left_out(source)))
    counts = Counter(row.label for row in manifest.rows)
    findings = [*_unreadable(manifest), *_left_out(source), *_copies(manifest)]
    findings += [*_groups(manifest, data), *_classes(counts)]
    if positive is None and data.positive is None and len(counts) == 2:
        findings.append(_no_positive(counts))
    findings += _notes(manifest, findings)
    findings += _split(manifest, data)
    labels = f", labels from {source.labels_csv}" if source.labels_csv else ""
    return Audit(manifest.summary() + labels, dict(sorted(counts.items())), tuple(findings))


def _notes(manifest: Manifest, findings: Sequence[Finding]) -> list[Finding]:
    """Return a manifest's notes, without those that the findings say already."""
    texts = {finding.what for finding in findings} | set(contradiction_notes(manifest))
    notes = [*manifest.notes, *filter(None, [manifest.rehash_note])]
    return [Finding(note, False) for note in notes if note not in texts]


def _unreadable(manifest: Manifest) -> list[Finding]:
    if not manifest.quarantined:
        return []
    examples = _reasons(manifest.quarantined)
    total = f"{len(examples):,} of {len(manifest.source.items):,} images"
    return [Finding(f"{total} are unreadable, set aside", False, examples)]


def _left_out(source: Source) -> list[Finding]:
    """Return a finding per class on the files that are no images; the examples name them."""
    files: dict[str, list[str]] = defaultdict(list)
    for one in source.left_out:
        files[one.label].append(f"{one.path}: {one.kind}")
    examples = (files[label] for label in sorted(files, key=lambda name: (not name, name)))
    lines = zip(source.left_out_lines(), examples, strict=True)
    return [Finding(line, False, tuple(paths)) for line, paths in lines]


def _reasons(rows: Sequence[Row]) -> tuple[str, ...]:
    return tuple(f"{row.path}: {row.unreadable}" for row in rows)


def _copies(manifest: Manifest) -> list[Finding]:
    contradictions: list[str] = []
    same: list[str] = []
    for rows in manifest.copies():
        paths = " = ".join(row.path for row in rows)
        (same if len({row.label for row in rows}) == 1 else contradictions).append(paths)
    findings = []
    if contradictions:
        what = f"{len(contradictions)} pictures are in two classes at once"
        findings.append(Finding(what, True, tuple(contradictions)))
    if same:
        what = f"{len(same)} pictures are there more than once; copies stay in one split"
        findings.append(Finding(what, False, tuple(same)))
    return findings


def _groups(manifest: Manifest, data: DataSettings) -> list[Finding]:
    if manifest.has_groups or manifest.source.is_benchmark:
        return []
    if data.group_regex == "":
        return [Finding("no groups, as data.group_regex is empty: a split is by image", False)]
    regex = groups.propose_regex([(row.path, row.label) for row in manifest.rows])
    hints = [f"file names look grouped: --group-regex '{regex}'"] if regex else []
    hints += [hint for hint in [groups.propose_folder(manifest.source)] if hint]
    is_split = any(row.official for row in manifest.rows)
    what = "no groups known" if is_split else "no groups known: a split is by image"
    return [Finding("; ".join([what, *hints]), False)]


def _split(manifest: Manifest, data: DataSettings) -> list[Finding]:
    """Try the split that training would make; a benchmark's official split is known to pass."""
    if manifest.source.is_benchmark:
        return []
    try:
        assigned = splits.assign(manifest, data.split)
        splits.gate(manifest, assigned, unit=data.split.unit)
    except TfcnnError as error:
        return [Finding(str(error), True)]
    official = Counter(row.official for row in manifest.rows if row.official)
    if not official:
        return []
    sizes = ", ".join(f"{name} {official[name]:,}" for name in splits.NAMES if official[name])
    new = [name for name in splits.NAMES if name in assigned and not official[name]]
    rest = f"; {' and '.join(new)} is drawn from train" if new else ""
    return [Finding(f"split already: {sizes}{rest}", False)]


def _classes(counts: Counter[str]) -> list[Finding]:
    few = [
        f"only {count} images of class {name}"
        for name, count in sorted(counts.items())
        if count < FEW_IMAGES
    ]
    findings = [Finding(what, False) for what in few]
    if len(few) > MAX_EXAMPLES:
        what = f"{len(few):,} of {len(counts):,} classes have fewer than {FEW_IMAGES} images"
        findings = [Finding(what, False, tuple(few))]
    (common, most), least = counts.most_common(1)[0], min(counts.values())
    share = most / counts.total()
    if share > IMBALANCED or most >= RARE * least:
        rare = min(counts, key=counts.__getitem__)
        what = f"imbalance: {common} has {most / least:.1f} times as many images as {rare}"
        if share > IMBALANCED:
            what += f"; always saying {common} is right for {100 * share:.1f} %"
        what += ": look at balanced accuracy, and try --set train.class_weights=balanced"
        findings.append(Finding(what, False))
    return findings


def _no_positive(counts: Counter[str]) -> Finding:
    first, second = sorted(counts)
    return Finding(
        "no positive class, so neither sensitivity nor specificity is known: "
        f"--set data.positive={first}, or ={second}, says which is looked for",
        False,
    )
