"""Small pictures inside a page: as data URIs, so that the page needs no other file."""

import base64
import io
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image

QUALITY = 75


def data_uri(image: "Image", max_px: int) -> str:
    """Return an image of at most `max_px` a side as a data URI; a small one is not enlarged."""
    small = image.convert("RGB")
    small.thumbnail((max_px, max_px))
    file = io.BytesIO()
    small.save(file, "WEBP", quality=QUALITY)
    return "data:image/webp;base64," + base64.b64encode(file.getvalue()).decode("ascii")


def of_file(path: str | Path, max_px: int) -> str:
    """Return a picture that tfcnn wrote, as `data_uri` does; "" where it is not there any more."""
    from PIL import Image

    if not path or not Path(path).is_file():
        return ""
    with Image.open(path) as image:
        return data_uri(image, max_px)
