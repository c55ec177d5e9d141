"""The command line. Each command parses, calls one verb, and prints what came back."""

from tfcnn.cli import (  # noqa: I001, order of --help
    commands_data,
    commands_training,
    commands_runs,
    commands_evidence,
    commands_serve,
    commands_lab,
)
from tfcnn.cli.options import app

__all__ = [
    "app", "commands_data", "commands_evidence", "commands_lab", "commands_runs", "commands_serve",
    "commands_training",
]  # fmt: skip
