"""The command line. Each command parses, calls one verb, and shows what came back."""

from tfcnn.cli import data, training, use, explain  # noqa: I001, in the order of --help
from tfcnn.cli.app import app

__all__ = ["app", "data", "explain", "training", "use"]
