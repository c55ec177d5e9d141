"""Who is in the data: one row per image, with its label, its group and its hashes."""

import contextlib
import csv
import hashlib
import io
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tfcnn.base import atomic, naming, threads
from tfcnn.base.errors import InputError
from tfcnn.datasets import Progress, Source
from tfcnn.decode import (
    Background,
    Content,
    Opened,
    TooLargeError,
    UnreadableImageError,
    content_sha256,
    histogram_of_16_bits,
    in_memory,
    open_image,
    remarks,
)
from tfcnn.decode.opened import strips
from tfcnn.decode.samples import Samples, blocks
from tfcnn.manifest import groups as grouping

__all__ = [
    "DIM_NOTE",
    "LossError",
    "Manifest",
    "Row",
    "allowed_losses",
    "build",
    "hash_pixels",
    "remarked",
]

FILE = "manifest.csv"
VOW = "# sha256"  # of all lines above, in the last
FORGOTTEN = "damaged, or written by another tfcnn: not believed, every file is hashed again"
SAMPLE = 20  # images whose bits are looked at
DIM = 65536 // 8  # 12-bit cameras end at 4095
DIM_SHARE = 0.995  # of the sample's values: one hot pixel of 16 x 16 is no light
DIM_NOTE = (
    f"the 16-bit images hold next to no value over {DIM:,} of 65,535, so in 8 bits they are nearly "
    "black: scale them to 16 bits, or save them as 8"
)
# which of 1 to 4 channels make RGB or RGBA: grey saved as RGB is the same picture
CHANNELS = {1: [0, 0, 0], 2: [0, 0, 0, 1], 3: [0, 1, 2], 4: [0, 1, 2, 3]}


class LossError(InputError):
    """So many images are unreadable that a result would not be of this data; `lost` are these."""

    def __init__(self, manifest: "Manifest", expected: str, received: str, hint: str) -> None:
        super().__init__(manifest.source.root, expected, received, hint)
        self.lost = manifest.quarantined


@dataclass(frozen=True)
class Row:
    """One image.

    `unreadable` holds the reason where it could not be decoded; `remarks` what is not seen of it
    where it was (`tfcnn.decode.remarks.join`).
    """

    path: str
    label: str
    group: str
    official: str
    sha256: str
    pixels_sha256: str
    size_bytes: int
    mtime_ns: int
    unreadable: str = ""
    remarks: str = ""


Seen = Callable[[Row, Opened], None]


@dataclass(frozen=True)
class Manifest:
    """All readable images of a source, sorted by path, and those set aside.

    Attributes:
        source: the listing the rows came from.
        rows: one per readable image.
        quarantined: one per unreadable image, with the reason.
        notes: what a reader of any result must know.
        group_rule: how the groups were read, in words; "" where none are known.
        forgotten: why what was remembered of the files was not believed, "" where it was; it
            changes no result.
    """

    source: Source
    rows: tuple[Row, ...]
    quarantined: tuple[Row, ...]
    notes: tuple[str, ...]
    group_rule: str = ""
    forgotten: str = ""

    @property
    def class_names(self) -> tuple[str, ...]:
        """The classes, sorted by name; a label is an index into them."""
        return tuple(sorted({row.label for row in self.rows}))

    @property
    def has_groups(self) -> bool:
        """Whether images are known to belong together (patients, slides)."""
        return any(row.group for row in self.rows)

    def copies(self) -> list[list[Row]]:
        """Return the pictures that are there more than once: the rows of each."""
        by_pixels: dict[str, list[Row]] = defaultdict(list)
        for row in self.rows:
            by_pixels[row.pixels_sha256].append(row)
        return [rows for rows in by_pixels.values() if len(rows) > 1]

    def said(self) -> list[str]:
        """Return what a person must know: the notes, the files left out, the unreadable images."""
        return [*self.notes, *self.left_out_lines(), *filter(None, [self.forgotten])]

    def left_out_lines(self) -> list[str]:
        """Say which files were left out, by class and kind, and which images are unreadable."""
        unreadable = (f"{row.path} ({row.unreadable})" for row in self.quarantined)
        aside = [f"set aside, unreadable: {text}" for text in unreadable]
        return [*self.source.left_out_lines(), *aside]

    def summary(self) -> str:
        """Say how much there is: "9,065 cells of 140 patients"."""
        images, groups = self.source.nouns
        count = len({row.group for row in self.rows if row.group})
        return f"{len(self.rows):,} {images}" + (f" of {count:,} {groups}" if count else "")


def build(
    source: Source,
    *,
    group_regex: str | None = None,
    group_csv: str | None = None,
    columns: tuple[str | None, str | None] = (None, None),
    progress: Progress | None = None,
    verify: bool = False,
    seen: Seen | None = None,
    background: Background = "black",
) -> Manifest:
    """Read every image once, remember its hashes, and set the unreadable ones aside.

    Args:
        source: what to list.
        group_regex: overrides the source's own, "" for no groups; see `groups.search`.
        group_csv: a CSV with columns `path, group`, instead of a regex.
        columns: what that CSV calls them.
        progress: called with (images done, of how many).
        verify: hash again even where size and modification time are unchanged.
        seen: given the row and the opened image of each file that is read, from several threads,
            so that it need not be opened once more.
        background: what is seen through transparent pixels, for a note where it hides pictures.

    Raises:
        InputError: if a regex and a CSV are given, or a group cannot be read for every image
            that can be read.
        LossError: if too many images, or all of a class, are unreadable.
    """
    groups = grouping.find(source, group_regex, group_csv, columns)
    unknown = [item.path for item in source.items if not groups.by_path.get(item.path)]
    if len(unknown) > allowed_losses(source):  # more than may be unreadable: that is known already
        groups.require(unknown)
    known, forgotten = _remembered(source.store / FILE)
    known = {} if verify else known
    rows = _hashed(source, known, progress, seen)
    rows = [replace(row, group=groups.by_path.get(row.path, "")) for row in rows]
    _write(rows, source.store / FILE)
    manifest = Manifest(
        source,
        tuple(row for row in rows if not row.unreadable),
        tuple(row for row in rows if row.unreadable),
        (*source.notes, *groups.notes),
        groups.rule,
        forgotten,
    )
    _check_losses(manifest)
    groups.require(row.path for row in manifest.rows)
    return replace(manifest, notes=(*manifest.notes, *_found(manifest, background)))


def hash_pixels(opened: Opened) -> str:
    """Return the sha256 of an image's own values, whatever file format held them."""
    samples, image = opened.samples, opened.image
    found = hashlib.sha256(f"{image.size}".encode())
    if samples is not None and _is_finer(samples):
        channels = CHANNELS[samples.shape[2]]
        for rows in blocks(len(samples), samples.shape[1] * len(channels)):
            found.update(_seen_values(samples[rows][..., channels]))
        return found.hexdigest()
    for strip in strips(image):  # of a large image, so that little is copied at once
        is_clear = strip.mode == "RGBA"
        found.update(_seen_values(np.array(strip)) if is_clear else strip.convert("RGB").tobytes())
    return found.hexdigest()


def _is_finer(samples: Samples) -> bool:
    """Say whether any sample is none of those that 8 bits can tell apart."""
    parts = blocks(len(samples), samples.shape[1] * samples.shape[2])
    return any(bool((samples[rows] % 257).any()) for rows in parts)


def _seen_values(values: npt.NDArray[Any]) -> bytes:
    """Return values as bytes; nobody sees the colour of a transparent pixel."""
    if values.shape[2] == 4:
        values[values[..., 3] == 0] = 0
    return values.tobytes()


def _found(manifest: Manifest, background: Background) -> Iterator[str]:
    """Yield what the images themselves show that a reader of any result must know."""
    twice = [rows for rows in manifest.copies() if len({row.label for row in rows}) > 1]
    if twice:
        first = " = ".join(row.path for row in twice[0])
        yield f"{len(twice)} pictures are in two classes at once, such as {first}"
    yield from remarked(manifest.rows, background)
    if _is_dim(manifest):
        yield DIM_NOTE


def remarked(rows: Sequence[Row], background: Background) -> Iterator[str]:
    """Yield how many images each remark is on: "7 images with several pages, …"."""
    return remarks.notes({row.path: row.remarks for row in rows}, background)


def _is_dim(manifest: Manifest) -> bool:
    """Say whether nearly all values of a sample of the 16-bit images are dark."""
    rows = manifest.rows
    counts = np.zeros(DIM * 8, dtype=np.int64)
    for row in rows[:: max(1, len(rows) // SAMPLE)]:
        # it was read before: a sample does without it
        with contextlib.suppress(OSError, UnreadableImageError):
            found = histogram_of_16_bits(manifest.source.read(row.path))
            counts += 0 if found is None else found
    return bool(counts.any() and counts[:DIM].sum() >= DIM_SHARE * counts.sum())


def _hashed(
    source: Source, known: dict[str, Row], progress: Progress | None, seen: Seen | None
) -> list[Row]:
    """Return a row per item; only files that are new or changed are opened.

    A remembered hash fits a file of the same path, size and modification time.
    """
    rows: dict[str, Row] = {}
    unknown = []
    for item in source.items:
        stat = source.stat(item.path)
        row = known.get(item.path)
        # without a hash it was never read: what kept it from being read may have passed
        if row and row.sha256 and (row.size_bytes, row.mtime_ns) == stat:
            rows[item.path] = replace(row, label=item.label, official=item.official, group="")
        else:
            unknown.append(Row(item.path, item.label, "", item.official, "", "", *stat))
    hashed = threads.ordered(lambda row: _hash(source, row, seen), unknown)
    for done, row in enumerate(hashed, start=1):
        rows[row.path] = row
        if progress:
            progress(done, len(unknown))
    return [rows[item.path] for item in source.items]


def _hash(source: Source, row: Row, seen: Seen | None) -> Row:
    try:
        with in_memory(row.path):
            content = source.read(row.path)
            row = replace(row, sha256=content_sha256(content))
            return _opened(content, row, seen)
    except TooLargeError as error:  # without a hash, so that it is looked at again
        return replace(row, sha256="", unreadable=error.reason)
    except UnreadableImageError as error:
        return replace(row, unreadable=error.reason)
    except OSError as error:
        return replace(row, unreadable=error.strerror or str(error))


def _opened(content: Content, row: Row, seen: Seen | None) -> Row:
    """Return the row of an image, which is no longer in memory then."""
    image = open_image(content, row.path)
    if seen:
        seen(row, image)
    return replace(row, pixels_sha256=hash_pixels(image), remarks=remarks.join(image.remarks))


def allowed_losses(source: Source) -> int:
    """Return how many images may be unreadable before training is refused."""
    return max(len(source.items) // 100, 5)


def _check_losses(manifest: Manifest) -> None:
    """Refuse where what is left is no longer the data that was given."""
    lost = manifest.quarantined
    if not lost:
        return
    allowed = allowed_losses(manifest.source)
    first = f"{lost[0].path} ({lost[0].unreadable})"
    gone = sorted({row.label for row in lost} - {row.label for row in manifest.rows})
    if gone:
        received = f"no readable image of class {gone[0]}, first {first}"
        raise LossError(manifest, "readable images", received, "mending the files")
    if len(lost) > allowed:
        raise LossError(
            manifest,
            f"at most {allowed} unreadable images",
            f"{len(lost)}, first {first}",
            "`tfcnn check --json` for all of them",
        )


def _remembered(path: Path) -> tuple[dict[str, Row], str]:
    """Return the rows that were written by path, and why none of them is believed, or ""."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return {}, ""  # nothing is remembered yet
    except OSError:
        return {}, f"{path}: {FORGOTTEN}"
    text, _, last = data.removesuffix(b"\n").rpartition(b"\n")
    if last + b"\n" != _vow(text + b"\n"):
        return {}, f"{path}: {FORGOTTEN}"
    try:
        lines = csv.reader(io.StringIO(text.decode("utf-8"), newline=""))
        header, *rest = naming.from_cells(lines) or [[]]
        if header != [field.name for field in fields(Row)]:
            raise ValueError
        rows = [_from_csv(dict(zip(header, line, strict=True))) for line in rest]
    except (KeyError, TypeError, ValueError):
        return {}, f"{path}: {FORGOTTEN}"
    return {row.path: row for row in rows}, ""


def _from_csv(row: dict[str, Any]) -> Row:
    numbers = {key: int(row[key]) for key in ("size_bytes", "mtime_ns")}
    return Row(**{**row, **numbers})


def _vow(text: bytes) -> bytes:
    """Return the last line of a manifest, by which a changed bit of it is seen."""
    return f"{VOW} {hashlib.sha256(text).hexdigest()}\n".encode()


def _write(rows: Iterable[Row], path: Path) -> None:
    header = (field.name for field in fields(Row))
    text = atomic.csv_text(header, (vars(row).values() for row in rows)).encode()
    data = text + _vow(text)
    if not path.exists() or path.read_bytes() != data:
        atomic.write_bytes(path, data)
