"""What `check` finds before a training, in files, copies, groups, classes and the split."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tfcnn.base import files, naming
from tfcnn.base.disk import disk_errors
from tfcnn.base.errors import TfcnnError
from tfcnn.base.progress import Reporter
from tfcnn.datasets import LayoutError, Source
from tfcnn.datasets.folder import add_to_ignore_list, ignore_list, open_any
from tfcnn.display.panel import Grid, Panel, Shown
from tfcnn.manifest import copies, corrections, groups, odd_files, splits, unfit
from tfcnn.manifest.findings import Finding, Gravity, by_gravity, counted
from tfcnn.manifest.looks import Looks
from tfcnn.manifest.near import MOST_IMAGES
from tfcnn.manifest.rows import IMBALANCED, LossError, Manifest, Row, build, contradiction_notes
from tfcnn.recipes import DataSettings

RARE = 4  # a class is rare where the commonest has so many times its images
FEW_IMAGES = 20  # of a class: fewer leave about three in test
MAX_EXAMPLES = 5  # printed of a finding
NOTHING = "nothing found that would spoil a result"
MAX_CLASSES = 20  # printed with their counts
MENDED = "Fetch them again, or save them anew. Training goes on without them."
SHOWN = {"blocking": "BLOCKING"}  # another word for a gravity
GROUPED = (
    "If several images are of one patient, slide or video, say so with --group-regex, --group-csv "
    "or --group-from."
)
MORE_IMAGES = "A figure on so few images says little: add images of it."


@dataclass(frozen=True, repr=False)
class Audit(Shown):
    """All findings on a source.

    Attributes:
        summary: how much there is.
        counts: images of each class.
        findings: the gravest first.
        unfit: images that training should leave out, with the reason of each.
        ignore_csv: the file that lists such images, or would; None where nothing could be opened.
        source: of the images; None likewise.
        data: what was audited.
    """

    summary: str
    counts: dict[str, int]
    findings: tuple[Finding, ...]
    unfit: Mapping[str, str] = field(default_factory=dict)
    ignore_csv: Path | None = None
    source: Source | None = None
    data: DataSettings | None = None

    @property
    def is_blocking(self) -> bool:
        """Whether training would refuse, or should not be believed."""
        return any(finding.is_blocking for finding in self.findings)

    def fix(self) -> int:
        """List the unfit images in `ignore_csv`, so that training leaves them out.

        Returns:
            How many of them are new in the list.

        Raises:
            InputError: if the file is there and is no list, or cannot be written, or if no image of
                a class would be left.
        """
        if self.source is None or self.ignore_csv is None:
            return 0
        with disk_errors(self.ignore_csv):
            return add_to_ignore_list(self.source, self.ignore_csv, self.unfit)

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        return {
            "summary": self.summary,
            "counts": self.counts,
            "findings": [finding.to_dict() for finding in self.findings],
            "unfit": [{"path": path, "reason": why} for path, why in self.unfit.items()],
            "blocking": self.is_blocking,
        }

    def panel(self) -> Panel:
        """Return what a notebook shows."""
        counts = Grid(["class", "images"], [[k, f"{n:,}"] for k, n in self.counts.items()])
        rows = [
            [SHOWN.get(one.gravity, one.gravity), one.what, _named(one.examples)]
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
            lines.append(f"{SHOWN.get(finding.gravity, finding.gravity)}: {finding.what}")
            lines += [f"    {example}" for example in finding.examples[:MAX_EXAMPLES]]
            num_more = len(finding.examples) - MAX_EXAMPLES
            if num_more > 0:
                lines.append(f"    and {num_more} more (--json lists all)")
            if finding.advice and finding.gravity != "note":
                lines.append(f"    what to do: {finding.advice}")
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
    listed = data.ignore_csv
    is_new_list = bool(listed) and files.what(files.own_path(str(listed))) == files.NOTHING
    opened = data.model_copy(update={"ignore_csv": ""}) if is_new_list else data
    try:
        source = open_any(opened, reporter)
    except LayoutError as error:  # a question that only a person can answer
        return Audit(data.source, {}, (Finding("layout", str(error), "blocking"),), data=data)
    positive = source.positive_class(data.positive)
    listing = ignore_list(source, listed)
    looks = Looks(has_thumbs=len(source.items) <= MOST_IMAGES)
    manifest, findings = _read(source, data, looks, reporter)
    findings += _left_out(source)
    if {row.label for row in manifest.rows} < set(source.class_names):  # a class is lost
        return Audit(source.name, {}, tuple(findings), {}, listing, source, data)
    counts = Counter(row.label for row in manifest.rows)
    likeness = copies.compare(manifest, looks.by_path, reporter.stage("comparing each with each"))
    findings += copies.find(manifest, likeness)
    findings += odd_files.find(manifest, looks.by_path, data.background)
    findings += [*_groups(manifest, data), *_classes(counts)]
    if positive is None and data.positive is None and len(counts) == 2:
        findings.append(_no_positive(counts))
    findings += _notes(manifest, findings)
    if is_new_list:
        findings.append(Finding("left-out", f"{listing} is not there yet: --fix writes it"))
    findings += [*_split(manifest, data), *_corrections(manifest, data)]
    labels = f", labels from {source.labels_csv}" if source.labels_csv else ""
    return Audit(
        manifest.summary() + labels, dict(sorted(counts.items())), by_gravity(findings),
        unfit.propose(manifest, looks.by_path, likeness), listing, source, data,
    )  # fmt: skip


def _read(
    source: Source, data: DataSettings, looks: Looks, reporter: Reporter
) -> tuple[Manifest, list[Finding]]:
    """Read every image; return a finding on those that cannot be read, too many ones too."""
    try:
        manifest = build(
            source,
            group_regex=data.group_regex,
            group_csv=data.group_csv,
            columns=(data.path_column, data.group_column),
            progress=reporter.stage(f"reading {source.name}"),
            verify=True,
            on_image=looks.see,
            background=data.background,
        )
    except LossError as error:
        return error.manifest, [
            _of_rows("unreadable", str(error), error.manifest.quarantined, "blocking")
        ]
    return manifest, _unreadable(manifest)


def _notes(manifest: Manifest, findings: Sequence[Finding]) -> list[Finding]:
    """Return a manifest's notes, without those that the findings say already."""
    texts = {finding.what for finding in findings} | set(contradiction_notes(manifest))
    notes = [*manifest.notes, *filter(None, [manifest.rehash_note])]
    return [Finding("note", note) for note in notes if note not in texts]


def _unreadable(manifest: Manifest) -> list[Finding]:
    if not manifest.quarantined:
        return []
    total = f"{len(manifest.quarantined):,} of {len(manifest.source.items):,} images"
    what = f"{total} are unreadable, set aside"
    return [replace(_of_rows("unreadable", what, manifest.quarantined), advice=MENDED)]


def _of_rows(kind: str, what: str, rows: Sequence[Row], gravity: Gravity = "note") -> Finding:
    return Finding(kind, what, gravity, tuple(f"{row.path}: {row.unreadable}" for row in rows))


def _left_out(source: Source) -> Iterator[Finding]:
    """Yield a finding per class on the files that are no images; the examples name them."""
    lost: dict[str, list[str]] = defaultdict(list)
    for one in source.left_out:
        lost[one.label].append(f"{one.path}: {one.kind}")
    examples = (lost[label] for label in sorted(lost, key=lambda name: (not name, name)))
    for line, paths in zip(source.left_out_lines(), examples, strict=True):
        yield Finding("left-out", line, examples=tuple(paths))


def _groups(manifest: Manifest, data: DataSettings) -> list[Finding]:
    if manifest.has_groups or manifest.source.is_benchmark:
        return []
    if data.group_regex == "":
        what = "no groups, as data.group_regex is empty: a split is by image"
        return [Finding("groups", what, advice=GROUPED)]
    regex = groups.propose_regex([(row.path, row.label) for row in manifest.rows])
    hints = [f"file names look grouped: --group-regex '{regex}'"] if regex else []
    hints += [hint for hint in [groups.propose_folder(manifest.source)] if hint]
    is_split = any(row.official for row in manifest.rows)
    what = "no groups known" if is_split else "no groups known: a split is by image"
    return [Finding("groups", "; ".join([what, *hints]), advice=GROUPED)]


def _corrections(manifest: Manifest, data: DataSettings) -> list[Finding]:
    """Match the corrected labels with the images; what else is found is of the labels as given."""
    try:
        found = corrections.find(data, manifest)
        everywhere = ["train"] * len(manifest.rows)
        corrected, _ = corrections.apply(found, manifest, everywhere, with_test=False)
    except TfcnnError as error:
        return [Finding("corrections", str(error), "blocking")]
    new = [note for note in corrected.notes if note not in manifest.notes]
    return [Finding("corrections", note) for note in new]


def _split(manifest: Manifest, data: DataSettings) -> list[Finding]:
    """Try the split that training would make; a benchmark's official split is known to pass."""
    if manifest.source.is_benchmark:
        return []
    try:
        assigned = splits.assign(manifest, data.split)
        splits.gate(manifest, assigned, unit=data.split.unit)
    except TfcnnError as error:
        return [Finding("split", str(error), "blocking")]
    official = Counter(row.official for row in manifest.rows if row.official)
    if not official:
        return []
    sizes = ", ".join(f"{name} {official[name]:,}" for name in splits.NAMES if official[name])
    new = [name for name in splits.NAMES if name in assigned and not official[name]]
    rest = f"; {' and '.join(new)} is drawn from train" if new else ""
    return [Finding("split", f"split already: {sizes}{rest}")]


def _classes(counts: Counter[str]) -> list[Finding]:
    few = [
        f"only {counted(count)} of class {name}"
        for name, count in sorted(counts.items())
        if count < FEW_IMAGES
    ]
    findings = [Finding("few", what, advice=MORE_IMAGES) for what in few]
    if len(few) > MAX_EXAMPLES:
        what = f"{len(few):,} of {len(counts):,} classes have fewer than {FEW_IMAGES} images"
        findings = [Finding("few", what, examples=tuple(few), advice=MORE_IMAGES)]
    (common, most), least = counts.most_common(1)[0], min(counts.values())
    share = most / counts.total()
    if share > IMBALANCED or most >= RARE * least:
        rare = min(counts, key=counts.__getitem__)
        what = f"imbalance: {common} has {most / least:.1f} times as many images as {rare}"
        if share > IMBALANCED:
            what += f"; always saying {common} is right for {100 * share:.1f} %"
        what += ": look at balanced accuracy, and try --set train.class_weights=balanced"
        findings.append(Finding("balance", what))
    return findings


def _no_positive(counts: Counter[str]) -> Finding:
    first, second = sorted(counts)
    return Finding(
        "positive",
        "no positive class, so neither sensitivity nor specificity is known: "
        f"--set data.positive={first}, or ={second}, says which is looked for",
    )
