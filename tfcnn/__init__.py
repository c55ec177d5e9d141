"""tfcnn: the shortest honest way from a folder of images to a CNN that can be trusted.

    import tfcnn
    run = tfcnn.train("cells/")            # or tfcnn.load("malaria")
    tfcnn.predict(run, "cell.png")         # -> [Prediction(path, predicted, probs, ...)]
    tfcnn.evaluate(run)                    # -> Report

Importing it does not import TensorFlow.
"""

from tfcnn.api import (
    adopt,
    compare,
    crossval,
    data,
    evaluate,
    explain_images,
    label_errors,
    load,
    predict,
    set_threshold,
    train,
)
from tfcnn.base.errors import CheckError, InputError, TfcnnError

__all__ = [
    "CheckError", "InputError", "TfcnnError",
    "adopt", "compare", "crossval", "data", "evaluate", "explain_images", "label_errors", "load",
    "predict", "set_threshold", "train",
]  # fmt: skip
__version__ = "0.1.0"
