"""Who is in the data, who belongs together, and who is in which split."""

from tfcnn.manifest.rows import IMBALANCED, Manifest, Row, build

__all__ = ["IMBALANCED", "Manifest", "Row", "build"]
