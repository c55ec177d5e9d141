"""On drawn cells, whose parasites are known: does the map show them?"""

import csv
from pathlib import Path

import numpy as np
import pytest
from conftest import run_tfcnn
from PIL import Image

import tfcnn
from tfcnn.explain import Explainer, ModelExplainer
from tfcnn.explain.map_checks import randomised


def found_share(maps: np.ndarray, masks: list[np.ndarray], explainer: ModelExplainer) -> float:
    """Return in how many images the peak is within half a cell of the feature map of a parasite.

    Masks stay at their native size: the peak is carried there, and a cell is as large there as
    it is in the model's image. Distances are measured in half cells along each axis.
    """
    size = maps.shape[1:]
    hits = []
    for cam, mask in zip(maps, masks, strict=True):
        peak = np.unravel_index(cam.argmax(), size)
        apart = []
        for axis, pixels in enumerate(np.nonzero(mask)):
            scale = mask.shape[axis] / size[axis]
            half = explainer.cell[axis] * scale / 2
            apart.append((pixels + 0.5 - (peak[axis] + 0.5) * scale) / half)
        hits.append(cam.max() > 0 and np.hypot(*apart).min() <= 1)
    return float(np.mean(hits))


@pytest.mark.slow
@pytest.mark.parametrize("method", ["grad-cam", "layer-cam"])
def test_the_peak_is_on_the_parasite(smears_run, method):
    run = tfcnn.load(smears_run)
    data = smears_run.parents[1] / "data" / "smears"
    with (smears_run / "predictions.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == "test"]
    rows = [row for row in rows if row["label"] == row["predicted"] == "Parasitized"]
    assert len(rows) > 100
    files = [data / "cell_images" / row["path"] for row in rows]
    images = np.stack([run.decoder.decode(path.read_bytes(), path) for path in files])
    masks = [np.asarray(Image.open(data / "masks" / path.name)) > 0 for path in files]
    asked = np.full(len(images), run.positive)
    explainer = Explainer(run, method)
    share = found_share(explainer.maps(images, asked), masks, explainer)
    by_chance = [
        found_share(randomised(explainer, seed).maps(images, asked), masks, explainer)
        for seed in range(5)
    ]
    assert share >= 0.8
    assert share >= 2 * max(by_chance), by_chance


@pytest.fixture(scope="module")
def smears_run(tmp_path_factory) -> Path:
    """The default recipe on the default drawings."""
    home = tmp_path_factory.mktemp("smears")
    for words in (("download", "smears"), ("train", "smears")):
        result = run_tfcnn(*words, home=home)
        assert result.returncode == 0, result.stderr
    return home / "models" / "smears"
