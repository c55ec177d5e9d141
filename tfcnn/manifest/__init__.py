"""Who is in which split."""

from tfcnn.manifest.rows import DIM_NOTE, FORGOTTEN, Manifest, Row, build, hash_pixels

__all__ = [
    "DIM_NOTE",
    "FORGOTTEN",
    "Manifest",
    "Row",
    "build",
    "hash_pixels",
]
