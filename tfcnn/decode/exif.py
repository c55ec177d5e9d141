"""The orientation of an image by its EXIF data, also where these are broken."""

from PIL import Image

from tfcnn.decode import tiff

__all__ = ["orientation"]

ORIENTATION = 0x0112
KNOWN = range(1, 9)


def orientation(image: Image.Image) -> int:
    """Return the orientation in an image's EXIF data, 1 to 8; 1 where they do not say it.

    EXIF data are a TIFF file without pixels. Pillow's reader gives up at the first broken entry,
    but it knows other places where programs write the orientation.
    """
    data = image.info.get("exif")
    tags = tiff.first_tags(data.removeprefix(b"Exif\0\0")) if isinstance(data, bytes) else {}
    said = tags.get(ORIENTATION, (0,))[0]
    if said in KNOWN:
        return said
    try:
        found = image.getexif().get(ORIENTATION)
    except Exception:  # metadata never make an image unreadable
        return 1
    return found if isinstance(found, int) and found in KNOWN else 1
