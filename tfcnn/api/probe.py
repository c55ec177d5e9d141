"""Try a library in a process of its own, which it may end: `python -m tfcnn.api.probe NAME`.

It prints a line of JSON. `tfcnn doctor` starts it, so that a broken TensorFlow breaks nothing else.
"""

import json
import sys
import time
from typing import Any

from tfcnn.base import quiet

MARK = "probed: "  # begins the line of JSON: a library may print others


def tensorflow() -> dict[str, Any]:
    """Return versions, devices and precision, after a network has computed something."""
    quiet.load_tensorflow()
    import keras
    import numpy as np
    import tensorflow as tf

    from tfcnn.training import precision

    layers = [keras.Input((8, 8, 3)), keras.layers.Conv2D(2, 3), keras.layers.Flatten()]
    answers = keras.Sequential(layers)(np.zeros((1, 8, 8, 3), np.float32))
    gpus = tf.config.list_physical_devices("GPU")
    details = [tf.config.experimental.get_device_details(gpu) for gpu in gpus]
    return {
        "versions": {"tensorflow": tf.__version__, "keras": keras.__version__},
        "backend": keras.config.backend(),
        "works": bool((np.asarray(answers) == 0).all()),
        "gpus": [str(detail.get("device_name", "GPU")) for detail in details],
        "is_built_for_gpus": bool(tf.test.is_built_with_cuda()),
        "precisions": precision.choices(),
    }


def litert() -> dict[str, Any]:
    """Return the version of LiteRT, after a shipped model has answered."""
    from importlib.metadata import version

    import numpy as np

    from tfcnn import runs
    from tfcnn.prediction import Predictor

    twin = next(path.parent for path in sorted(runs.ZOO.glob(f"*/{runs.TWIN}")))
    run = runs.read(twin)
    probs = Predictor(run, engine="litert").probs(np.zeros((1, *run.decoder.shape), np.uint8))
    return {
        "versions": {"ai-edge-litert": version("ai-edge-litert")},
        "works": bool(abs(float(np.asarray(probs).sum()) - 1) < 1e-3),
    }


def images() -> dict[str, Any]:
    """Return which formats Pillow reads and writes here, each tried on a small image."""
    import io

    import numpy as np
    from PIL import Image

    from tfcnn.decode import Decoder

    formats: dict[str, str] = {}
    pixels = np.arange(192, dtype=np.uint8).reshape(8, 8, 3)
    for name in ("PNG", "JPEG", "TIFF", "BMP", "GIF", "WEBP", "JPEG2000", "AVIF"):
        file = io.BytesIO()
        try:
            Image.fromarray(pixels).save(file, name)
            Decoder((8, 8)).decode(file.getvalue())
        except Exception as error:  # KeyError, OSError: as the library lacks it
            formats[name] = str(error) or type(error).__name__
        else:
            formats[name] = ""
    return {"formats": formats}


def main() -> None:
    """Print what the probe of a name finds, or why it cannot."""
    begin = time.monotonic()
    try:
        found = {"tensorflow": tensorflow, "litert": litert, "images": images}[sys.argv[1]]()
    except Exception as error:  # ImportError and whatever a broken library raises
        found = {"error": " ".join(f"{type(error).__name__}: {error}".split())[:300]}
    found["seconds"] = round(time.monotonic() - begin, 1)
    print(MARK + json.dumps(found, allow_nan=False), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
