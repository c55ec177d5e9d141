"""What a run answers."""

from tfcnn.prediction.paths import Image, expand
from tfcnn.prediction.predictor import (
    ABSTAIN,
    NO_ANSWER,
    NO_NUMBERS,
    OUT_OF_DOMAIN,
    UNREADABLE,
    Note,
    Prediction,
    Predictor,
    Stream,
    abstains,
    decide,
    flags,
    two_columns,
)

__all__ = [
    "ABSTAIN",
    "NO_ANSWER",
    "NO_NUMBERS",
    "OUT_OF_DOMAIN",
    "UNREADABLE",
    "Image",
    "Note",
    "Prediction",
    "Predictor",
    "Stream",
    "abstains",
    "decide",
    "expand",
    "flags",
    "two_columns",
]
