"""The images of a report: read from where they were, checked to be the same, made small."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest

from PIL import Image

from tfcnn import datasets
from tfcnn.base.errors import TfcnnError
from tfcnn.base.progress import Reporter
from tfcnn.datasets import Source
from tfcnn.datasets.folder import open_any
from tfcnn.decode import Background, content_sha256, open_image
from tfcnn.recipes import DataSettings

__all__ = ["Album", "data_uri", "open_album", "thumbnails"]

THUMBNAIL_PX = 128  # shown at 64 to 128 px of the page
BUDGET = 5_000_000  # characters of all thumbnails, so that a report stays under 8 MB
QUALITY = 75


@dataclass(frozen=True)
class Album:
    """The images that a run was made of, where they still are.

    Attributes:
        source: lists and reads them; None where they are gone.
        hashes: per path the sha256 of the file that was measured.
        background: what the model saw through transparent pixels.
    """

    source: Source | None
    hashes: dict[str, str]
    background: Background = "black"

    def open(self, path: str) -> Image.Image | None:
        """Return an image at its native size, or None where it is gone or no longer the same."""
        if self.source is None:
            return None
        try:
            content = self.source.read(path)
            if content_sha256(content) != self.hashes.get(path):
                return None
            return open_image(content, path).flat(self.background)
        except (OSError, LookupError, ValueError, TfcnnError):
            return None


def open_album(data: DataSettings | str, hashes: dict[str, str]) -> Album:
    """Find the images of a run; nothing is fetched or drawn anew.

    Args:
        data: the recipe's, or a data set's name or a folder.
        hashes: see `Album`.
    """
    data = DataSettings(source=data) if isinstance(data, str) else data
    gone = Album(None, hashes, data.background)
    if data.source in datasets.names() and not (datasets.data_home() / data.source).is_dir():
        return gone
    try:
        return Album(open_any(data, Reporter()), hashes, data.background)
    except (TfcnnError, OSError):
        return gone


def thumbnails(album: Album, queues: Sequence[Sequence[str]]) -> dict[str, str]:
    """Return small images as data URIs, as many as fit into `BUDGET`.

    Args:
        album: where they are.
        queues: paths in order of interest; the first of every queue is taken before the second
            of any.

    Returns:
        A URI per path; without those that are gone, or for which there was no room.
    """
    found: dict[str, str] = {}
    size = 0
    for rank in zip_longest(*queues):
        for path in rank:
            uri = _thumbnail(album, path) if path is not None and path not in found else None
            if uri is None or path is None:
                continue
            size += len(uri)
            if size > BUDGET:
                return found
            found[path] = uri
    return found


def _thumbnail(album: Album, path: str) -> str | None:
    image = album.open(path)
    return None if image is None else data_uri(image, THUMBNAIL_PX)


def data_uri(image: Image.Image, max_px: int) -> str:
    """Return an image of at most `max_px` a side as a data URI; a small one is not enlarged."""
    small = image.convert("RGB")
    small.thumbnail((max_px, max_px))
    file = io.BytesIO()
    small.save(file, "WEBP", quality=QUALITY)
    return "data:image/webp;base64," + base64.b64encode(file.getvalue()).decode("ascii")
