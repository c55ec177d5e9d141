"""A training that learnt nothing says so, and what of its recipe may be why."""

import numpy as np
import pytest
from conftest import QUICK, write_tree
from PIL import Image

import tfcnn

SMALL = [*QUICK, "model.network=mlp", "model.options.units=[8]"]


def noise(root, counts):
    rng = np.random.default_rng(0)
    for name, count in counts.items():
        (root / name).mkdir(parents=True)
        for i in range(count):
            pixels = rng.integers(0, 256, (16, 16, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(root / name / f"{i:03d}.png")
    return root


@pytest.mark.parametrize(
    ("counts", "settings", "named"),
    [
        ({"left": 30, "right": 30}, ["inputs.augment.flip_horizontal=true"],
         "--set inputs.augment.flip_horizontal=false"),
        ({"a": 30, "b": 30}, ["inputs.augment=none", "inputs.generator.vertical_flip=true"],
         "--set inputs.generator.vertical_flip=false"),
        ({"big": 190, "small": 10}, [], "--set train.class_weights=balanced"),
        ({"big": 50, "small": 6}, ["data.positive=small"], "--set train.class_weights=balanced"),
    ],
)  # fmt: skip
def test_what_is_no_better_than_luck_is_a_warning(tmp_path, counts, settings, named):
    settings = [*SMALL, "train.epochs=1", *settings]
    report = tfcnn.evaluate(tfcnn.train(noise(tmp_path / "noise", counts), settings=settings))
    said = [text for text in report.warnings if "no better than luck" in text]
    assert len(said) == 1 and named in said[0] and "always saying" in said[0]
    if "big" in counts:
        assert "always saying big" in report.sentence
        assert any("no image is called small" in text for text in report.warnings)
    else:
        assert "not shown to be better than always saying" in report.sentence


def test_what_is_learnt_is_none(tmp_path):
    root = write_tree(tmp_path / "shapes", groups=12)
    report = tfcnn.evaluate(tfcnn.train(root, settings=QUICK))
    assert not any("luck" in text for text in report.warnings)


def test_the_wish_is_kept_on_the_card(tmp_path):
    settings = [*SMALL, "train.epochs=1", "data.positive=small", "evaluation.sensitivity=0.9"]
    run = tfcnn.train(noise(tmp_path / "noise", {"big": 40, "small": 40}), settings=settings)
    assert run.card["asked"] == {"sensitivity": 0.9}
    report = tfcnn.evaluate(run)
    assert report.operating_point["asked"] == 0.9 and "sensitivity asked 90 %" in report.sentence
    assert any("too small to promise a sensitivity of 90 %" in text for text in report.warnings)
    if run.threshold > 0.5:
        assert "stricter than .5" in run.card["threshold_reason"]
