"""What a run answers."""

from tfcnn.prediction.answers import (
    ABSTAIN,
    NO_ANSWER,
    NO_NUMBERS,
    OUT_OF_DOMAIN,
    UNREADABLE,
    Prediction,
)
from tfcnn.prediction.engines import Model, ModelFiles, Note, two_columns
from tfcnn.prediction.paths import Image, expand, groups_of
from tfcnn.prediction.predictions import Predictions
from tfcnn.prediction.predictor import Decoded, Predictor, Stream, abstains, decide, flags

__all__ = [
    "ABSTAIN",
    "NO_ANSWER",
    "NO_NUMBERS",
    "OUT_OF_DOMAIN",
    "UNREADABLE",
    "Decoded",
    "Image",
    "Model",
    "ModelFiles",
    "Note",
    "Prediction",
    "Predictions",
    "Predictor",
    "Stream",
    "abstains",
    "decide",
    "expand",
    "flags",
    "groups_of",
    "two_columns",
]
