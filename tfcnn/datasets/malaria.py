"""NIH malaria cells: 27,558 photographs of single red blood cells from 200 patients (NLM).

Reference:
    Rajaraman et al., *Pre-trained convolutional neural networks as feature extractors toward
    improved malaria parasite detection in thin blood smear images*, PeerJ 6:e4568 (2018).
"""

import hashlib
import re
import shutil
from dataclasses import replace
from pathlib import Path, PurePosixPath

from tfcnn.base.disk import require_disk_space
from tfcnn.base.errors import InputError
from tfcnn.base.records import sha256_of
from tfcnn.datasets import Item, Progress, Source, _install, _parasites
from tfcnn.datasets import folder as class_folders
from tfcnn.datasets._fetch import FROM_HINT, fetch, locate
from tfcnn.datasets._install import Origin

ADDRESS = "https://data.lhncbc.nlm.nih.gov/public/Malaria/cell_images.zip"
ARCHIVE = "cell_images.zip"
SIZE_BYTES = 353_452_851
# tensorflow_datasets, url_info/malaria/checksums.tsv
ARCHIVE_SHA256 = "0a949556b2414159b5100192609805376654c4266d8d187be9b1922fad43c668"
CONTENT_SHA256 = "bbf8e97d0a8b42fbbd16af1938174da47bf37cf2e16469acfb327471ee8d2b04"
NUM_CELLS = 27_558
NUM_PATIENTS = 200
IMAGES = "cell_images"
CLASSES = ("Parasitized", "Uninfected")
# C47 was photographed on two microscopes under two longer prefixes; only this much is the patient
GROUP_REGEX = r"^(C\d+)"
POSITIVE = "Parasitized"
# what a reader of results must know; see `datasets.part`
LIMITS = (
    "About 5 % of the labels are disputed by a later review by experts (Fuhad et al. 2020, "
    "Diagnostics 10:329); an accuracy near 100 % would mean a leak or cleaned labels.",
)
positive_limit = _parasites.positive_limit
group_caveat = _parasites.group_caveat


def download(folder: Path, *, mirror: str | None = None, progress: Progress | None = None) -> None:
    """Make `folder` hold the cells, from a mirror if one is named, else from the NLM.

    A mirror is the archive, packed in any way, or its two class folders. Cells that differ from
    the official ones are accepted from a mirror only, and noted.

    Raises:
        InputError: if the address does not answer, or what is there is damaged or something else;
            what was in `folder` is then left as it was.
    """
    origin = _install.read(folder)
    if origin and mirror is None:
        return
    place = ADDRESS if mirror is None else locate(mirror, (ARCHIVE,), class_folders=CLASSES)
    archive = _install.describe(*_parts(place))
    if origin and origin.archive == archive:
        return
    with _install.replacing(folder) as new:
        if isinstance(place, str):
            place = _fetch_archive(place, folder, progress)
        if place.is_dir():
            _copy(place, new / IMAGES, progress)
        else:
            _unpack(place, new, progress)
        new_origin = _examine(new / IMAGES, place, archive)
        if mirror is None and not new_origin.official:
            raise InputError(ADDRESS, "the official archive", new_origin.notes[0], FROM_HINT)
        _install.install(new, (IMAGES,), folder, new_origin)


def open_source(folder: Path) -> Source:
    """List the cells of a finished download.

    Raises:
        InputError: if the download is not finished.
    """
    origin = _install.require(folder, "malaria")
    source = _list_cells(folder / IMAGES)
    notes = origin.notes
    if len(source.items) != origin.num_images:
        changed = f"{len(source.items):,} cells, but {origin.num_images:,} were downloaded"
        notes = (*notes, changed)
    return replace(source, notes=(*source.notes, *notes), store=folder)


def _list_cells(folder: Path) -> Source:
    return class_folders.open_source(
        folder,
        name="malaria",
        group_regex=GROUP_REGEX,
        positive=POSITIVE,
        nouns=("cells", "patients"),
    )


def _parts(place: Path | str) -> list[Path | str]:
    if isinstance(place, Path) and place.is_dir():
        return [place / name for name in CLASSES]
    return [place]


def _fetch_archive(address: str, folder: Path, progress: Progress | None) -> Path:
    """Fetch the archive; a mirror may have packed the same cells differently."""
    target = _install.archive_folder(folder) / ARCHIVE
    if address == ADDRESS:
        sha256, size_bytes = ARCHIVE_SHA256, SIZE_BYTES
        return fetch(address, target, sha256=sha256, size_bytes=size_bytes, progress=progress)
    return fetch(address, target, sha256=None, progress=progress)


def _copy(source: Path, images: Path, progress: Progress | None) -> None:
    """Copy the image files of the two class folders."""
    files = [path for name in CLASSES for path in class_folders.image_files(source / name)[0]]
    require_disk_space(images.parent, sum(path.stat().st_size for path in files))
    for done, path in enumerate(files, start=1):
        target = images / path.relative_to(source)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
        if progress is not None:
            progress(done, len(files))


def _unpack(archive: Path, new: Path, progress: Progress | None) -> None:
    """Unpack the two class folders, which archives hold at different depths, some of them twice."""
    unpacked = new / "archive"
    _install.unpack(archive, unpacked, progress)
    parents = [path.parent for path in unpacked.rglob(CLASSES[0]) if path.is_dir()]
    parents = [path for path in parents if all((path / name).is_dir() for name in CLASSES)]
    if not parents:
        wanted = f"folders {' and '.join(CLASSES)} in it"
        raise InputError(archive, wanted, "an archive without them", FROM_HINT)
    root = min(parents, key=lambda path: (len(path.parts), path))
    (new / IMAGES).mkdir()
    for name in CLASSES:
        (root / name).rename(new / IMAGES / name)


def _examine(images: Path, place: Path, archive: str) -> Origin:
    """Compare the cells with the official ones, and say what they are if they differ."""
    try:
        items = _list_cells(images).items
    except InputError as error:  # it names a folder that will be gone
        wanted = f"images in {' and '.join(CLASSES)}"
        raise InputError(place, wanted, "an empty folder", FROM_HINT) from error
    patients = {_patient(item, place) for item in items}
    content = content_sha256(images)
    is_official = (content, len(items)) == (CONTENT_SHA256, NUM_CELLS)
    note = (
        f"{len(items):,} cells of {len(patients):,} patients; not the official archive "
        f"of {NUM_CELLS:,} cells of {NUM_PATIENTS} patients"
    )
    notes = () if is_official else (note,)
    return Origin(is_official, notes, archive, content, len(items))


def content_sha256(folder: Path) -> str:
    """Return one sha256 for all images of a folder of class folders.

    It is taken over the lines `<sha256 of file>  <Class>/<name>.png`, each ended by a newline,
    sorted by `<Class>/<name>.png` as bytes: the container and the order in it do not matter.
    """
    digest = hashlib.sha256()
    for name in sorted(path.relative_to(folder).as_posix() for path in folder.glob("*/*.png")):
        line = f"{sha256_of(folder / name)}  {name}\n"
        digest.update(line.encode(errors="surrogateescape"))
    return digest.hexdigest()


def _patient(item: Item, place: Path) -> str:
    match = re.match(GROUP_REGEX, PurePosixPath(item.path).name)
    if match is None:
        wanted = "file names that begin with the patient, such as C33P1"
        raise InputError(place, wanted, item.path, FROM_HINT)
    return match.group(1)
