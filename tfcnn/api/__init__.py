"""The verbs: what the command line and a notebook both call.

Everything heavy is imported inside the verb that needs it, so that `tfcnn --help` stays quick and
`predict` answers without TensorFlow.
"""

from tfcnn.api.learning import open_lab
from tfcnn.api.new_runs import crossval, reproduce, train
from tfcnn.api.own_model import adopt, data
from tfcnn.api.sources import check, data_for, download, list_all, recipe_for
from tfcnn.api.use import explain_images, export, load, predict, stream
from tfcnn.api.verdict import (
    checklist,
    compare,
    evaluate,
    label_errors,
    plan,
    report,
    set_threshold,
)

__all__ = [
    "adopt", "check", "checklist", "compare", "crossval", "data", "data_for", "download",
    "evaluate", "explain_images", "export", "label_errors", "list_all", "load", "open_lab", "plan",
    "predict", "recipe_for", "report", "reproduce", "set_threshold", "stream", "train",
]  # fmt: skip
