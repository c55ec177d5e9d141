"""Without a cache, images are decoded in each epoch, and the batches are the same."""

import numpy as np
import pytest
import tensorflow as tf
from conftest import NARROW, Heard, recipe_of, run_tfcnn
from PIL import Image

import tfcnn
from tfcnn import recipes
from tfcnn.base.errors import InputError
from tfcnn.datasets import data_home
from tfcnn.inputs import pipeline, tfdata
from tfcnn.inputs.streamed import Streamed
from tfcnn.training import prepare

# SciPy 1: Keras reaches for a name that SciPy 2 is to drop
pytestmark = pytest.mark.filterwarnings("ignore:Please import `affine_transform`")

CHANGES = {"flip_horizontal": True, "rotate90": True, "rotation_degrees": 20.0}


def prepared_of(root, cache, **inputs):
    recipe = recipe_of(root, image_size=24, group_regex="^(P[0-9]+)_")
    settings = recipes.InputSettings(cache=cache, **inputs)
    recipe = recipe.model_copy(update={"inputs": settings})
    return prepare.prepare(recipe, None, False, Heard())


def batches_of(prepared):
    rows = prepared.rows["train"]
    training = pipeline.training(
        prepared.recipe.inputs, prepared.images, prepared.labels, rows,
        seed=3, batch_size=8, first_epoch=0, epochs=2,
    )  # fmt: skip
    val = tfdata.in_order(prepared.images, prepared.labels, prepared.rows["val"], 5)
    return [(one.numpy(), labels.numpy()) for part in (training, val) for one, labels in part]


@pytest.mark.parametrize(
    "inputs",
    [
        {"augment": CHANGES},
        {"pipeline": "generator", "generator": {"rotation_range": 20, "zoom_range": 0.1}},
    ],
)
def test_the_batches_are_those_of_the_cache_bit_for_bit(make_tree, inputs):
    root = make_tree(groups=8)
    cached, streamed = (prepared_of(root, kind, **inputs) for kind in ("disk", "none"))
    assert isinstance(streamed.images, Streamed) and not isinstance(cached.images, Streamed)
    assert streamed.early == (), "nothing is decoded before it is needed"
    pairs = [*zip(batches_of(cached), batches_of(streamed), strict=True)]
    assert len(pairs) > 8
    for (images, labels), (other_images, other_labels) in pairs:
        assert images.tobytes() == other_images.tobytes()
        assert labels.tobytes() == other_labels.tobytes()


def test_it_is_indexed_as_the_array_is(make_tree):
    root = make_tree()
    cached, streamed = (prepared_of(root, kind).images for kind in ("disk", "none"))
    assert (streamed.shape, streamed.dtype, len(streamed)) == (cached.shape, cached.dtype, 48)
    for index in (
        0,
        -1,
        slice(3, 9),
        slice(40, 99),
        np.array([7, 7, 2]),
        [5, 1],
        np.array([], int),
    ):
        np.testing.assert_array_equal(streamed[index], cached[index])
    np.testing.assert_array_equal(np.asarray(streamed), cached)
    with pytest.raises(IndexError):
        streamed[48]


def test_an_image_that_changed_after_it_was_hashed_is_refused(make_tree):
    root = make_tree()
    images = prepared_of(root, "none").images
    Image.new("RGB", (9, 9)).save(root / "round" / "P0_0.png")
    with pytest.raises(InputError, match=r"round/P0_0.png: expected the image whose hash"):
        images[:4]


class Loses(Heard):
    """Loses an image at the end of the first epoch."""

    def __init__(self, image):
        super().__init__()
        self.image = image

    def epoch(self, epoch, epochs, logs):
        self.image.unlink(missing_ok=True)


def test_an_image_that_is_lost_while_it_is_learnt_is_named(make_tree):
    root = make_tree()
    lost = Loses(root / "round" / "P0_0.png")
    settings = (*NARROW, "inputs.cache=none")
    with pytest.raises(InputError, match=r"^round/P0_0.png: expected .*No such file"):
        tfcnn.train(root, settings=settings, reporter=lost)


def test_other_errors_of_tensorflow_stay_what_they_are():
    def fails(_):
        raise ValueError("no error of tfcnn")

    numbers = tf.data.Dataset.range(1)
    failing = numbers.map(tfdata.as_written(lambda one: tfdata.call(fails, [one], tf.int64)))
    with pytest.raises(tf.errors.InvalidArgumentError), tfdata.plain_errors():
        next(iter(failing))


def test_a_training_without_a_cache_gives_the_same_run(trained, tmp_path):
    words = ["train", trained.parents[2] / "cells", "--run", "streamed"]
    recipe = recipes.load(str(trained / "recipe.toml"), is_record=True)
    settings = ["model.start=scratch", "train.epochs=4", "train.batch_size=16"]
    settings += ["data.image_size=32", "train.precision=float32", "inputs.cache=none"]
    settings += ["data.group_regex='^(P[0-9]+)_'", "data.positive=round"]
    result = run_tfcnn(*words, *(word for one in settings for word in ("--set", one)))
    assert result.returncode == 0, result.stderr
    assert recipe.inputs.cache == "disk"
    run = tmp_path / "home" / "models" / "streamed"
    for name in ("history.csv", "predictions.csv"):
        ours, theirs = ((folder / name).read_text() for folder in (run, trained))
        assert ours.splitlines()[0] == theirs.splitlines()[0]
        np.testing.assert_allclose(*(numbers_of(text) for text in (ours, theirs)), atol=1e-5)
    assert not [*(data_home() / "cache").glob("*.npy")]


def numbers_of(text):
    """Return all numbers of a CSV but those of time."""
    header, *lines = (line.split(",") for line in text.splitlines())
    kept = [i for i, name in enumerate(header) if name.startswith(("prob", "loss", "val_loss"))]
    return np.array([[float(line[i]) for i in kept] for line in lines])
