"""Does what a map calls strongest carry the answer? Blur it, and see how far the logit falls.

    python benchmarks/deletion.py models/malaria data/malaria/cell_images --images 250

Of test images that the run rightly calls positive, the tenth of the pixels that a map calls
strongest is replaced by those of the blurred image; beside it a square as large, at a random place.
Prints the mean fall of the positive class's logit for each method and layer.
"""

import argparse
from pathlib import Path

import numpy as np
from scipy import ndimage

import tfcnn
from tfcnn.evaluation import table
from tfcnn.explain import Explainer

SHARE = 0.1
BLUR = 6.0  # standard deviation in px


def strongest(maps: np.ndarray) -> np.ndarray:
    """Return bool `(images, height, width)`: the tenth of each map with the highest values."""
    flat = maps.reshape(len(maps), -1)
    rank = flat.argsort(axis=1, kind="stable").argsort(axis=1, kind="stable")
    return (rank >= (1 - SHARE) * flat.shape[1]).reshape(maps.shape)


def squares(shape: tuple[int, int, int], rng: np.random.Generator) -> np.ndarray:
    """Return bool `(images, height, width)`: a square of the same area somewhere in each."""
    side = round((SHARE * shape[1] * shape[2]) ** 0.5)
    places = np.zeros(shape, bool)
    for place in places:
        top, left = rng.integers(0, [shape[1] - side, shape[2] - side])
        place[top : top + side, left : left + side] = True
    return places


parser = argparse.ArgumentParser()
parser.add_argument("run")
parser.add_argument("folder", type=Path, help="the class folders that the run was trained on")
parser.add_argument("--images", type=int, default=250)
arguments = parser.parse_args()
run, rng = tfcnn.load(arguments.run), np.random.default_rng(0)
test = table.read(run).part("test")
paths = test.paths[(test.labels == run.positive) & (test.probs.argmax(axis=1) == run.positive)]
chosen = [arguments.folder / path for path in rng.permutation(paths)[: arguments.images]]
images = np.stack([run.decoder.decode(path.read_bytes(), path) for path in chosen])
blurred = np.stack([ndimage.gaussian_filter(image, (BLUR, BLUR, 0)) for image in images])
asked = np.full(len(images), run.positive)
print(f"{len(images)} images")
print("| method | layer | fall of the logit | random squares |\n|---|---|---|---|")
for method in ("grad-cam", "layer-cam"):
    for layer in ("relu2", "relu3", "relu4"):
        explainer = Explainer(run, method, layer)
        maps, logits = explainer.maps_and_logits(images, asked)
        falls = []
        for places in (strongest(maps), squares(maps.shape, rng)):
            changed = np.where(places[..., None], blurred, images)
            after = explainer.maps_and_logits(changed, asked)[1]
            falls.append(np.mean((logits - after)[:, run.positive]))
        print(f"| {method} | {layer} | {falls[0]:.2f} | {falls[1]:.2f} |")
print(f"mean logit: {logits[:, run.positive].mean():.2f}")
