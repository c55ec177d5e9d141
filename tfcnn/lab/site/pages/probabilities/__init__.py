"""What a probability means: calibration, temperature and threshold, on a run's own val."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tfcnn.runs import Run

TITLE = "What a probability means"
LEAD = (
    "Of all images that a network calls 80 % sure, 80 in 100 should be right. See whether "
    "they are, and where to draw the line."
)
ORDER = 95
SLIDES = ("CNN on Custom Images",)


def data(run: "Run | None") -> dict[str, Any]:
    """Return labels and probabilities of val."""
    from tfcnn.lab.inside.val_answers import val_answers

    return val_answers(run)
