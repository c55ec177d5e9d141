"""What is looked at in part is looked at in every class: rows are sorted by class."""

import numpy as np

from tfcnn import recipes
from tfcnn.architectures import speedrun
from tfcnn.training import fit, save
from tfcnn.training.train import train

QUICK = [
    "model.network=speedrun",
    "model.options.widths=[8]",
    "train.epochs=1",
    "train.batch_size=16",
    "train.precision=float32",
    "data.image_size=16",
]


def test_start_and_checks_see_images_of_every_class(make_tree, home, tmp_path, monkeypatch):
    seen = {}

    def starting(model, images):
        seen["start"] = images

    def writing(model, path, sample):
        seen["twin"] = sample
        return write(model, path, sample)

    write = save.write_twin
    monkeypatch.setattr(speedrun, "initialize", starting)
    monkeypatch.setattr(save, "write_twin", writing)
    monkeypatch.setattr(fit, "START_IMAGES", 8)
    monkeypatch.setattr(save, "TWIN_IMAGES", 4)
    classes = ("high", "low")
    recipe = recipes.for_folder(make_tree(classes=classes, groups=8, per_group=8, side=16))
    train(recipes.override(recipe, QUICK), tmp_path / "run")
    assert [len(seen["start"]), len(seen["twin"])] == [8, 4]
    for images in seen.values():
        is_low = images[:, 8:].mean(axis=(1, 2, 3)) > images[:, :8].mean(axis=(1, 2, 3))
        assert np.bincount(is_low).tolist() == [len(images) // 2] * 2
