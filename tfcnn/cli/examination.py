"""All that `tfcnn doctor` looks at, in the order in which it is shown."""

from tfcnn.cli import examine_folders, examine_libraries, examine_machine
from tfcnn.cli.diagnosis import Diagnosis


def examine() -> Diagnosis:
    """Look at everything; TensorFlow, LiteRT and Pillow are tried in processes of their own."""
    parts = (examine_machine.look(), examine_libraries.look(), examine_folders.look())
    return Diagnosis(tuple(finding for part in parts for finding in part))
