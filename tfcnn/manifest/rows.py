"""Who is in the data: one row per image, with its label, its group and its hashes."""

import contextlib
import csv
import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tfcnn.base import atomic, memory, naming, threads
from tfcnn.base.errors import InputError
from tfcnn.datasets import Progress, Source, allowed_losses
from tfcnn.decode import (
    Background,
    Content,
    Samples,
    TooLargeError,
    UnreadableImageError,
    UprightImage,
    blocks,
    content_sha256,
    histogram_of_16_bits,
    in_memory,
    open_image,
    remarks,
    strips,
)
from tfcnn.manifest import groups as grouping
from tfcnn.manifest.findings import pictures_are

FILE = "manifest.csv"
# begins the last line, which holds the hash of all lines above it; 2 is the way pixels are hashed
CHECKSUM = "# sha256 2"
REHASHED = "damaged, or written by another tfcnn: every file is hashed again"
IMBALANCED = 0.6  # a class with a larger share of the images makes accuracy say little
SAMPLE = 20  # images whose bits are looked at
DIM = 65536 // 8  # 12-bit cameras end at 4095
DIM_SHARE = 0.995  # of the sample's values: a single hot pixel in 16 x 16 does not count
DIM_NOTE = (
    f"the 16-bit images hold next to no value over {DIM:,} of 65,535, so in 8 bits they are nearly "
    "black: scale them to 16 bits, or save them as 8"
)
# what a large JPEG is hashed at, whatever a recipe needs of it: a network sees no more by default
HASHED_PX = (320, 320)
# which of 1 to 4 channels make RGB or RGBA: grey saved as RGB is the same picture
CHANNELS = {1: [0, 0, 0], 2: [0, 0, 0, 1], 3: [0, 1, 2], 4: [0, 1, 2, 3]}


class LossError(InputError):
    """So many images are unreadable that a result would not be of this data.

    Attributes:
        manifest: of all images.
    """

    def __init__(self, manifest: "Manifest", expected: str, received: str, hint: str) -> None:
        super().__init__(manifest.source.root, expected, received, hint)
        self.manifest = manifest


@dataclass(frozen=True)
class Row:
    """One image.

    Attributes:
        path: relative to the source's folder, with forward slashes.
        label: the name of its class.
        group: the name of its group, "" where none is known.
        official: the split that the source gives it, "" for none.
        sha256: of the file; "" where it was not read.
        pixels_sha256: see `hash_pixels`; "" where it was not decoded.
        size_bytes: of the file.
        mtime_ns: when the file was changed last.
        unreadable: why it could not be decoded, "" where it was.
        remarks: what of the image is not used (`tfcnn.decode.remarks.join`).
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


OnImage = Callable[[Row, UprightImage, Content], None]


@dataclass(frozen=True)
class Manifest:
    """All readable images of a source, in its order, and those set aside.

    Attributes:
        source: the listing the rows came from.
        rows: one per readable image.
        quarantined: one per unreadable image, with the reason.
        notes: what a reader of any result must know.
        group_rule: how the groups were read, in words; "" where none are known.
        rehash_note: why the remembered hashes were not used, "" where they were; it changes no
            result.
        corrections: by which table labels were corrected, and how many (`corrections.apply`);
            empty where none were.
    """

    source: Source
    rows: tuple[Row, ...]
    quarantined: tuple[Row, ...]
    notes: tuple[str, ...]
    group_rule: str = ""
    rehash_note: str = ""
    corrections: dict[str, Any] = field(default_factory=dict)

    @property
    def class_names(self) -> tuple[str, ...]:
        """The classes, sorted by name; a label is an index into them."""
        return tuple(sorted({row.label for row in self.rows}))

    @property
    def has_groups(self) -> bool:
        """Whether it is known which images belong together."""
        return any(row.group for row in self.rows)

    def copies(self) -> list[list[Row]]:
        """Return for each picture that is there more than once its rows."""
        by_pixels: dict[str, list[Row]] = defaultdict(list)
        for row in self.rows:
            by_pixels[row.pixels_sha256].append(row)
        return [rows for rows in by_pixels.values() if len(rows) > 1]

    def messages(self) -> list[str]:
        """Return what a person must know: the notes, the files left out, the unreadable images."""
        return [*self.notes, *self.left_out_lines(), *filter(None, [self.rehash_note])]

    def set_aside(self) -> dict[str, Any]:
        """Return what `report.json` says of the files that are not among the images."""
        return {
            "quarantined": [
                {"path": row.path, "reason": row.unreadable} for row in self.quarantined
            ],
            "ignored_files": self.source.ignored,
            "left_out": self.source.left_out_lines(),
            **({"corrections": self.corrections} if self.corrections else {}),
        }

    def left_out_lines(self) -> list[str]:
        """Return which files were left out, by class and kind, and which are unreadable."""
        unreadable = (f"{row.path} ({row.unreadable})" for row in self.quarantined)
        lines = [f"set aside, unreadable: {text}" for text in unreadable]
        return [*self.source.left_out_lines(), *lines]

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
    on_image: OnImage | None = None,
    background: Background = "black",
) -> Manifest:
    """Read every image once, remember its hashes, and set the unreadable ones aside.

    Args:
        source: what to list.
        group_regex: overrides the source's own, "" for no groups; see `groups.search`.
        group_csv: a CSV with columns `path, group`, instead of a regex.
        columns: the names of its columns `path` and `group`, where it has others.
        progress: called with (images done, of how many).
        verify: hash again even where size and modification time are unchanged.
        on_image: called with the row, the opened image and the content of each file that is read,
            from several threads, so that it need not be opened once more; of a JPEG at least
            `HASHED_PX` was opened.
        background: shows through transparent pixels; a note says where it hides pictures.

    Raises:
        InputError: if a regex and a CSV are given, or a group cannot be read for every image
            that can be read.
        LossError: if too many images, or all of a class, are unreadable.
    """
    groups = grouping.find(source, group_regex, group_csv, columns)
    ungrouped = [item.path for item in source.items if not groups.by_path.get(item.path)]
    if len(ungrouped) > allowed_losses(len(source.items)):  # refused before every image is read
        groups.require(ungrouped)
    remembered, rehash_note = read(source.store / FILE)
    rows = _hash_all(source, {} if verify else remembered, progress, on_image)
    rows = [replace(row, group=groups.by_path.get(row.path, "")) for row in rows]
    write(rows, source.store / FILE)
    manifest = Manifest(
        source,
        tuple(row for row in rows if not row.unreadable),
        tuple(row for row in rows if row.unreadable),
        (*source.notes, *groups.notes),
        groups.rule,
        rehash_note,
    )
    _check_losses(manifest)
    groups.require(row.path for row in manifest.rows)
    return replace(manifest, notes=(*manifest.notes, *_notes(manifest, background)))


def hash_pixels(opened: UprightImage) -> str:
    """Return the sha256 of an image's values, the same for every file format.

    Of a JPEG that was reduced while it was read, it is that of these values and of the whole size.
    """
    samples, image = opened.samples, opened.image
    size = f"{image.size}"
    if opened.reduced:
        size += f" of {opened.size}"
    digest = hashlib.sha256(size.encode())
    if samples is not None and _is_finer(samples):
        channels = CHANNELS[samples.shape[2]]
        for rows in blocks(len(samples), samples.shape[1] * len(channels)):
            digest.update(_visible(samples[rows][..., channels]))
        return digest.hexdigest()
    for strip in strips(image):  # of a large image, so that little is copied at once
        if strip.mode == "RGBA":
            digest.update(_visible(np.array(strip)))
        else:  # `convert` would copy an image that is in RGB already
            digest.update((strip if strip.mode == "RGB" else strip.convert("RGB")).tobytes())
    return digest.hexdigest()


def _is_finer(samples: Samples) -> bool:
    """Return whether 8 bits cannot hold every sample."""
    parts = blocks(len(samples), samples.shape[1] * samples.shape[2])
    return any(bool((samples[rows] % 257).any()) for rows in parts)


def _visible(values: npt.NDArray[Any]) -> bytes:
    """Return values as bytes, black where a pixel is transparent."""
    if values.shape[2] == 4:
        values[values[..., 3] == 0] = 0
    return values.tobytes()


def _notes(manifest: Manifest, background: Background) -> Iterator[str]:
    """Yield what the images themselves show that a reader of any result must know."""
    yield from contradiction_notes(manifest)
    yield from remarks.notes({row.path: row.remarks for row in manifest.rows}, background)
    if _is_dim(manifest):
        yield DIM_NOTE


def contradiction_notes(manifest: Manifest) -> list[str]:
    """Return a note on the pictures that are in two classes, none where there are no such."""
    pictures = [rows for rows in manifest.copies() if len({row.label for row in rows}) > 1]
    if not pictures:
        return []
    first = " = ".join(row.path for row in pictures[0])
    return [f"{pictures_are(len(pictures))} in two classes at once, such as {first}"]


def _is_dim(manifest: Manifest) -> bool:
    """Return whether nearly all values of a sample of the 16-bit images are dark."""
    rows = manifest.rows
    counts = np.zeros(DIM * 8, dtype=np.int64)
    for row in rows[:: max(1, len(rows) // SAMPLE)]:
        # all images were read already: a sample may lack one that cannot be read again
        with contextlib.suppress(OSError, UnreadableImageError):
            histogram = histogram_of_16_bits(manifest.source.read(row.path))
            counts += 0 if histogram is None else histogram
    return bool(counts.any() and counts[:DIM].sum() >= DIM_SHARE * counts.sum())


def _hash_all(
    source: Source,
    remembered: dict[str, Row],
    progress: Progress | None,
    on_image: OnImage | None,
) -> list[Row]:
    """Return a row per item; only files that are new or changed are opened.

    A remembered hash fits a file of the same path, size and modification time.
    """
    rows: dict[str, Row] = {}
    to_hash = []
    for item in source.items:
        stat = source.stat(item.path)
        row = remembered.get(item.path)
        # a row without a hash was never read: its file may be readable now
        if row and row.sha256 and (row.size_bytes, row.mtime_ns) == stat:
            rows[item.path] = replace(row, label=item.label, official=item.official, group="")
        else:
            to_hash.append(Row(item.path, item.label, "", item.official, "", "", *stat))
    new_rows = threads.ordered(lambda row: _hash(source, row, on_image), to_hash)
    for count, row in enumerate(new_rows, start=1):
        rows[row.path] = row
        if progress:
            progress(count, len(to_hash))
    return [rows[item.path] for item in source.items]


def _hash(source: Source, row: Row, on_image: OnImage | None) -> Row:
    try:
        with in_memory(row.path):
            content = source.read(row.path)
            row = replace(row, sha256=content_sha256(content))
            return _open(content, row, on_image)
    except TooLargeError as error:  # without a hash, so that it is looked at again
        return replace(row, sha256="", unreadable=error.reason)
    except UnreadableImageError as error:
        return replace(row, unreadable=error.reason)
    except OSError as error:
        return replace(row, unreadable=error.strerror or str(error))


def _open(content: Content, row: Row, on_image: OnImage | None) -> Row:
    """Return the row of an image; the image itself is freed on return."""
    image = open_image(content, row.path, HASHED_PX)
    if on_image:
        on_image(row, image, content)
    return replace(row, pixels_sha256=hash_pixels(image), remarks=remarks.join(image.remarks))


def _check_losses(manifest: Manifest) -> None:
    """Refuse data of which too much is unreadable."""
    unreadable = manifest.quarantined
    if not unreadable:
        return
    allowed = allowed_losses(len(manifest.source.items))
    first = f"{unreadable[0].path} ({unreadable[0].unreadable})"
    lost_classes = sorted({row.label for row in unreadable} - {row.label for row in manifest.rows})
    if lost_classes:
        received = f"no readable image of class {lost_classes[0]}, first {first}"
        raise LossError(manifest, "readable images", received, "mending the files")
    if len(unreadable) > allowed:
        raise LossError(
            manifest,
            f"at most {allowed} unreadable images",
            f"{len(unreadable)}, first {first}",
            "`tfcnn check --json` for all of them",
        )


def read(path: Path) -> tuple[dict[str, Row], str]:
    """Return the rows of the last manifest by path, and why it was not used, or ""."""
    damage: tuple[dict[str, Row], str] = {}, f"{path}: {REHASHED}"
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return {}, ""  # this is the first manifest
    except OSError:
        return damage
    text, _, last = data.removesuffix(b"\n").rpartition(b"\n")
    if last + b"\n" != _checksum(text + b"\n"):
        return damage
    try:
        with memory.adding():
            lines = naming.iterate_csv(text.decode("utf-8"))
            names = [one.name for one in fields(Row)]
            if next(lines, []) != names:
                raise ValueError
            size, time = names.index("size_bytes"), names.index("mtime_ns")
            rows: dict[str, Row] = {}
            for line in lines:
                if len(line) != len(names):
                    raise ValueError
                values: list[Any] = line
                values[size], values[time] = int(line[size]), int(line[time])
                row = Row(*values)
                rows[row.path] = row
    except (TypeError, ValueError, csv.Error):  # the last: a cell of over 131,072 letters
        return damage
    return rows, ""


def _checksum(text: bytes) -> bytes:
    """Return the last line of a manifest, which shows any change of the lines above it."""
    return f"{CHECKSUM} {hashlib.sha256(text).hexdigest()}\n".encode()


def write(rows: Iterable[Row], path: Path) -> None:
    """Write the rows of a manifest, if they are not those of the file."""
    header = (one.name for one in fields(Row))
    text = atomic.csv_text(header, (vars(row).values() for row in rows)).encode()
    data = text + _checksum(text)
    if not path.exists() or path.read_bytes() != data:
        atomic.write_bytes(path, data)
