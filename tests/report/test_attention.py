"""Where a model looked, in a report: the maps of `tfcnn.explain` over the images they are of."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tfcnn import runs
from tfcnn.base.errors import CheckError
from tfcnn.base.records import sha256_of
from tfcnn.report.attention import overlays
from tfcnn.runs import Run


def images(run: Run, size: tuple[int, int]) -> list[Image.Image]:
    rng = np.random.default_rng(4)
    shape = (*size, 3)
    return [Image.fromarray(rng.integers(0, 255, shape, dtype=np.uint8)) for _ in range(3)]


def changed(run: Run, folder: Path, **card: object) -> Run:
    """A run of the same model with another contract."""
    folder.mkdir()
    (folder / "model.keras").hardlink_to(run.path / "model.keras")
    return Run(folder, {**json.loads(json.dumps(run.card)), **card})


@pytest.mark.parametrize(("fit", "expected"), [("stretch", (20, 40)), ("pad", (32, 32))])
def test_each_picture_is_the_map_of_its_image_and_class(
    trained: Path, tmp_path: Path, fit: str, expected: tuple[int, int]
) -> None:
    from tfcnn.explain import Explainer, overlay

    run = runs.open_run(trained)
    run = changed(run, tmp_path / "run", decoder={**run.card["decoder"], "fit": fit})
    given = images(run, (20, 40))
    made = overlays(run, given, [0, 1, 0])
    assert made is not None and len(made) == 3
    all_decoded = np.stack([run.decoder.decode(np.asarray(image)) for image in given])
    # three at once, for one alone is rounded otherwise, and the colours of a map are steep
    cams = Explainer(run, "layer-cam").maps(all_decoded, np.array([0, 1, 0]))
    for image, picture, decoded, cam in zip(given, made, all_decoded, cams, strict=True):
        shown = np.asarray(image) if fit == "stretch" else decoded
        difference = np.asarray(picture).astype(int) - overlay(shown, cam)
        assert np.asarray(picture).shape[:2] == expected
        assert np.abs(difference).max() <= 2


def test_a_network_without_places_has_no_maps(trained: Path, tmp_path: Path) -> None:
    from tfcnn.architectures import mlp

    run = runs.open_run(trained)
    mlp.build((32, 32, 3), 2).save(tmp_path / "model.keras")
    hashes = {"model.keras": sha256_of(tmp_path / "model.keras")}
    dense = Run(tmp_path, {**run.card, "sha256": hashes})
    reasons: list[str] = []
    assert overlays(dense, images(run, (32, 32)), [0, 1, 0], reasons.append) is None
    assert len(reasons) == 1 and "a network with convolutions" in reasons[0]


def test_without_a_model_or_images_there_is_nothing_to_show(trained: Path, tmp_path: Path) -> None:
    run = runs.open_run(trained)
    assert overlays(run, [], []) is None
    assert overlays(Run(tmp_path, run.card), images(run, (32, 32)), [0, 1, 0]) is None


def test_another_model_is_refused(trained: Path, tmp_path: Path) -> None:
    run = changed(runs.open_run(trained), tmp_path / "run")
    (tmp_path / "run/model.keras").unlink()
    (tmp_path / "run/model.keras").write_bytes(b"another")
    with pytest.raises(CheckError, match=r"model\.keras"):
        overlays(run, images(run, (32, 32)), [0, 1, 0])
