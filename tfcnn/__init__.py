"""tfcnn: the shortest honest way from a folder of images to a CNN that can be trusted.

    import tfcnn
    run = tfcnn.train("cells/")            # or tfcnn.load("malaria")
    tfcnn.predict(run, "cell.png")         # -> [Prediction(path, predicted, probs, ...)]
    tfcnn.evaluate(run)                    # -> Report

Importing it does not import TensorFlow.
"""

import importlib

for _room in ("report", "export"):  # now, or the room would later take the verb's place
    importlib.import_module(f"tfcnn.{_room}")

from tfcnn.api import (  # noqa: E402
    adopt,
    check,
    compare,
    crossval,
    data,
    download,
    evaluate,
    explain_images,
    export,
    label_errors,
    load,
    open_lab,
    predict,
    report,
    set_threshold,
    train,
)
from tfcnn.api import list_all as list  # noqa: E402
from tfcnn.base.errors import CheckError, InputError, TfcnnError  # noqa: E402

__all__ = [
    "CheckError", "InputError", "TfcnnError",
    "adopt", "check", "compare", "crossval", "data", "download", "evaluate", "explain_images",
    "export", "label_errors", "list", "load", "open_lab", "predict", "report", "set_threshold",
    "train",
]  # fmt: skip
__version__ = "0.1.0"
