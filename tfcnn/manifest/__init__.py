"""Who is in the data, who belongs together, and who is in which split."""

from tfcnn.manifest.rows import Manifest, Row, build

__all__ = ["Manifest", "Row", "build"]
