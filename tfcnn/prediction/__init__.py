"""What a run answers."""

from tfcnn.prediction.predictor import (
    ABSTAIN,
    NO_ANSWER,
    NO_NUMBERS,
    OUT_OF_DOMAIN,
    UNREADABLE,
    Image,
    Note,
    Prediction,
    Predictor,
    Stream,
    abstains,
    decide,
    expand,
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
    "two_columns",
]
