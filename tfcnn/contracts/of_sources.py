"""What every source of images must do, wherever its file lies."""

import contextlib
import functools
import io
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from tfcnn import datasets, manifest
from tfcnn.base.errors import InputError, TfcnnError
from tfcnn.datasets import Source
from tfcnn.decode import Decoder, open_image

SAMPLE = 40  # images that are decoded
SIZE = (20, 24)  # to which, in px


def lists_labelled_images(source: Source) -> str:
    """Say what is wrong with the listing."""
    return datasets.listing_fault(source)


def finds_every_image(source: Source) -> str:
    """Say which image, of some, cannot be found or decoded."""
    decoder = Decoder(SIZE)
    for item in source.items[:: max(1, len(source.items) // SAMPLE)]:
        try:
            size_bytes, mtime_ns = source.stat(item.path)
            content = source.read(item.path)
            size = open_image(content, item.path).image.size
            pixels = decoder.decode(content, item.path)
        except (TfcnnError, OSError, LookupError, ValueError) as error:
            return f"{item.path}: {error}"
        if size_bytes <= 0 or mtime_ns <= 0:
            return f"{item.path}: stat says {size_bytes} bytes, changed at {mtime_ns} ns"
        height, width = source.size(item.path) or (0, 0)
        if size != (width, height):
            return f"{item.path}: size says {height}x{width} px of {size[1]}x{size[0]} px"
        if pixels.shape != (*SIZE, 3) or pixels.dtype != np.uint8 or not pixels.any():
            return f"{item.path}: decoded to {pixels.dtype} {pixels.shape}, or to black"
    return ""


def has_a_manifest(source: Source) -> str:
    """Say what is wrong with the manifest of the images, or with remembering it."""
    made = manifest.build(source)
    images, groups = source.nouns
    if lost := {item.path for item in source.items} - {row.path for row in made.rows}:
        return f"{len(lost)} images that cannot be read, such as {min(lost)}"
    if manifest.build(source).rows != made.rows:
        return "another manifest the second time"
    if not (source.store / "manifest.csv").is_file():
        return "no manifest.csv in its folder"
    if images not in made.summary() or (groups in made.summary()) != bool(source.group_regex):
        return f"{made.summary()!r} with {source.group_regex!r} as group_regex"
    return ""


def is_the_same_again(name: str, mirror: str | None) -> str:
    """Say what differs where the source is opened twice."""
    folder = datasets.folder_of(name)
    first, second = (datasets.find(name).open_source(folder).items for _ in range(2))
    return "" if first == second else "another listing the second time"


def is_downloaded_once(name: str, mirror: str | None) -> str:
    """Say what a second download does or says, where it should do and say nothing."""
    folder = datasets.download(name, mirror=mirror)
    before, said, calls = stamps(folder), io.StringIO(), list[int]()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        for place in (mirror, None):
            datasets.download(name, mirror=place, progress=lambda done, total: calls.append(done))
    if stamps(folder) != before:
        return "files written anew by a second download"
    return "" if not calls and not said.getvalue() else "a second download that says something"


def tells_its_progress(name: str, mirror: str | None) -> str:
    """Say what is wrong with a first download, or with what it tells of its progress."""
    calls: list[tuple[int, int | None]] = []
    with tempfile.TemporaryDirectory() as parent:
        folder = Path(parent) / "new"
        module = datasets.find(name)
        module.download(folder, mirror=mirror, progress=lambda *call: calls.append(call))
        if not folder.is_dir():
            return "no folder, after a download into it"
        items = module.open_source(folder).items
    wrong = [call for call in calls if call[1] is not None and not 0 <= call[0] <= call[1]]
    if wrong:
        return f"{wrong[0][0]} of {wrong[0][1]} as progress"
    return "" if items else "no images in a new folder"


def takes_no_mirror(name: str, mirror: str | None) -> str:
    """Say what becomes of a mirror, where nothing is fetched."""
    folder = datasets.folder_of(name)
    before = stamps(folder) if folder.exists() else None
    with tempfile.TemporaryDirectory() as place:
        try:
            datasets.download(name, mirror=place)
        except InputError as error:
            if "--from" not in str(error):
                return f"a mirror is refused without naming --from: {error.received}"
        else:
            return "a mirror is taken, though IS_LOCAL says that nothing is fetched"
    after = stamps(folder) if folder.exists() else None
    return "" if after == before else "files written, though the mirror was refused"


def stamps(folder: Path) -> dict[str, tuple[int, int, int]]:
    """Return what changes when a file or folder is written or replaced; reading it does not."""
    found = {}
    for path in [folder, *folder.rglob("*")]:
        status = path.stat()
        found[str(path)] = (status.st_ino, status.st_size, status.st_mtime_ns)
    return found


LISTING: tuple[tuple[str, Callable[[Source], str]], ...] = (
    ("lists images by sorted paths, each with a label", lists_labelled_images),
    (f"finds and decodes its images ({SAMPLE} of them)", finds_every_image),
    ("has a manifest, which is remembered", has_a_manifest),
)
AGAIN = ("lists the same when it is opened again", is_the_same_again)
DOWNLOAD: tuple[tuple[str, Callable[[str, str | None], str]], ...] = (
    ("does nothing in a second download", is_downloaded_once),
    ("makes its images in a new folder, and tells its progress", tells_its_progress),
)
LOCAL = ("refuses --from, as nothing is fetched", takes_no_mirror)


def of(name: str) -> list[tuple[str, Callable[[], str]]]:
    """Return the promises of a user's own source, each with what tells why it is not kept.

    One that is fetched is not fetched again.

    Args:
        name: the path of its file.
    """
    opened: list[Source] = []

    def is_opened() -> str:
        opened.append(datasets.open_named(name))
        return ""

    promises: list[tuple[str, Callable[[], str]]] = [("opens its images", is_opened)]
    promises += [(text, functools.partial(_of_first, check, opened)) for text, check in LISTING]
    others = [AGAIN, *DOWNLOAD, LOCAL] if datasets.is_local(name) else [AGAIN]
    return promises + [(text, functools.partial(check, name, None)) for text, check in others]


def _of_first(check: Callable[[Source], str], opened: list[Source]) -> str:
    return check(opened[0])
