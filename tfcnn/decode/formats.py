"""Image files: their kinds, and what Pillow drops of them or gets wrong."""

from tfcnn.decode import jpeg, jpeg2000, png, pnm, tiff, webp
from tfcnn.decode.kinds import Kind
from tfcnn.decode.samples import Deep

__all__ = ["deep", "is_deep", "without_metadata"]


def deep(content: bytes, kind: Kind | None) -> Deep | None:
    """Return the samples of a file of more than 8 bits, or None where Pillow gives all there is.

    Raises:
        NotReadError: if it is sound and of a layout that is not read.
        ValueError: if it is broken.
    """
    name = kind.pillow if kind else ""
    if name == "JPEG2000":
        jpeg2000.refuse_misread(content)
    found = {"PNG": png.deep, "TIFF": tiff.deep, "PPM": pnm.deep}.get(name)
    return found(content) if found else None


def is_deep(content: bytes, kind: Kind | None) -> bool:
    """Say whether `deep` has samples of a file, by its header."""
    found = {"PNG": png.is_deep, "TIFF": tiff.is_deep, "PPM": pnm.is_deep}
    return bool(kind and kind.pillow in found and found[kind.pillow](content))


def without_metadata(content: bytes, kind: Kind | None) -> bytes | None:
    """Return a file reduced to what its pixels depend on, or None where none can be made.

    Raises:
        ValueError: if what pixels depend on is damaged.
    """
    found = {
        "PNG": png.without_metadata,
        "JPEG": jpeg.without_metadata,
        "WEBP": webp.without_metadata,
    }.get(kind.pillow if kind else "")
    return found(content) if found else None
