"""NIH malaria cells: 27,558 photographs of single red blood cells from 200 patients (NLM)."""

import json
from pathlib import Path

from tfcnn import atomic
from tfcnn.datasets import Progress, Source, _download, _unpack, folder
from tfcnn.errors import InputError

__all__ = ["download", "open_source"]

ADDRESS = "https://data.lhncbc.nlm.nih.gov/public/Malaria/cell_images.zip"
ARCHIVE = "cell_images.zip"
SIZE_BYTES = 353_452_851
ARCHIVE_SHA256 = "0a949556b2414159b5100192609805376654c4266d8d187be9b1922fad43c668"
CONTENT_SHA256 = "bbf8e97d0a8b42fbbd16af1938174da47bf37cf2e16469acfb327471ee8d2b04"
# C47 was photographed on two microscopes under two longer prefixes; only this much is the patient
GROUP_REGEX = r"^(C\d+)"
POSITIVE = "Parasitized"


def download(folder: Path, *, mirror: str | None = None, progress: Progress | None = None) -> None:
    raise NotImplementedError


def open_source(data_folder: Path) -> Source:
    """List the cells of a finished download."""
    origin = json.loads((data_folder / "origin.json").read_text(encoding="utf-8"))
    return folder.open_source(
        data_folder / "cell_images",
        name="malaria",
        group_regex=GROUP_REGEX,
        positive=POSITIVE,
        notes=tuple(origin["notes"]),
        store=data_folder,
    )
