"""What a format is: the names that its module must have."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from tfcnn.decode import Pixels
    from tfcnn.export._job import Floats, Job

# uint8 (images, height, width, channels) -> probs (images, classes), features (images, features)
Runner = Callable[["Pixels"], tuple["Floats", "Floats"]]


class Format(Protocol):
    """A format, as a module of this room.

    Attributes:
        FILE: the name of what is written: a file, or a folder if it has no suffix.
        TITLE: what a person calls the format.
        LIBRARIES: by the name with which Python imports it, each library that it takes beyond the
            plain install, and what pip calls it.
        TOLERANCE: the largest difference of a probability from the saved model's that is none;
            None for a format that rounds, which has an `accept` of its own.
        SNIPPET: lines of Python that read `images` and bind `probs`; None where what is written
            needs no program, and stands alone: nothing lies beside it then.
        SNIPPET_LIBRARIES: what pip calls the libraries that these lines import.
    """

    FILE: str
    TITLE: str
    LIBRARIES: dict[str, str]
    TOLERANCE: float | None
    SNIPPET: str | None
    SNIPPET_LIBRARIES: tuple[str, ...]

    def write(self, job: "Job", path: Path) -> None:
        """Write the model to a path, which does not exist yet."""

    def open_file(self, path: Path) -> Runner:
        """Open what was written, as somebody without tfcnn would."""

    def accept(self, job: "Job", runner: Runner) -> dict[str, Any]:
        """Judge a format that rounds; only with `TOLERANCE = None`.

        Returns:
            Figures for the record; `sentence` says them.

        Raises:
            CheckError: if it is not good enough.
        """
