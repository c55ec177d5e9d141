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

from tfcnn import api as _api  # noqa: E402
from tfcnn.base.calls import verb as _verb  # noqa: E402
from tfcnn.base.errors import CheckError, InputError, TfcnnError  # noqa: E402

adopt = _verb(_api.adopt)
check = _verb(_api.check)
checklist = _verb(_api.checklist)
compare = _verb(_api.compare)
crossval = _verb(_api.crossval)
data = _verb(_api.data)
download = _verb(_api.download)
evaluate = _verb(_api.evaluate)
explain_images = _verb(_api.explain_images)
export = _verb(_api.export)
label_errors = _verb(_api.label_errors)
list = _verb(_api.list_all)
load = _verb(_api.load)
open_lab = _verb(_api.open_lab)
plan = _verb(_api.plan)
predict = _verb(_api.predict)
report = _verb(_api.report)
reproduce = _verb(_api.reproduce)
set_threshold = _verb(_api.set_threshold)
train = _verb(_api.train)

__all__ = [
    "CheckError", "InputError", "TfcnnError",
    "adopt", "check", "checklist", "compare", "crossval", "data", "download", "evaluate",
    "explain_images", "export", "label_errors", "list", "load", "open_lab", "plan", "predict",
    "report", "reproduce", "set_threshold", "train",
]  # fmt: skip
__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    if name == "lab":  # when it is asked for: a training has no use for it
        return importlib.import_module("tfcnn.lab")
    raise AttributeError(f"module 'tfcnn' has no attribute {name!r}")
