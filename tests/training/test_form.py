"""Test-time views: the mean of the logits of what a model sees, in plain Keras layers."""

import keras
import numpy as np
import pytest

from tfcnn import recipes
from tfcnn.architectures import build
from tfcnn.base.errors import InputError
from tfcnn.base.progress import Reporter
from tfcnn.explain.gradients import top_inputs
from tfcnn.training import form, twin
from tfcnn.training.form import VIEWS, averaged
from tfcnn.training.prepare import survey


def test_turned_views_of_images_that_are_not_square_are_refused_at_once(make_tree, home):
    settings = ["model.views=turned", "data.image_size=[32, 24]"]
    recipe = recipes.override(recipes.for_folder(make_tree()), settings)
    with pytest.raises(InputError, match=r"model\.views: .*square"):
        survey(recipe, Reporter())


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    return build("compact", (16, 16, 3), 3, {"widths": (4, 8)})


@pytest.fixture
def images():
    return np.random.default_rng(0).integers(0, 256, (5, 16, 16, 3), dtype=np.uint8)


def logits(model, images):
    probs = np.asarray(model(images.astype(np.float32)), dtype=np.float64)
    return np.log(probs) - np.log(probs).mean(axis=1, keepdims=True)


def seen(images, kind):
    """Return the views in NumPy."""
    mirrored = [images, images[:, :, ::-1]]
    if kind == "mirrored":
        return mirrored
    if kind == "turned":
        return [np.rot90(view, k, axes=(1, 2)) for view in mirrored for k in range(4)]
    padded = np.pad(images, [(0, 0), (1, 1), (1, 1), (0, 0)], mode="reflect")
    moved = [padded[:, :-2, :-2], padded[:, 2:, 2:]]
    return 2 * mirrored + [view for each in moved for view in (each, each[:, :, ::-1])]


@pytest.mark.parametrize("kind", VIEWS)
def test_the_logits_are_the_mean_over_the_views(model, images, kind):
    expected = np.mean([logits(model, view) for view in seen(images, kind)], axis=0)
    np.testing.assert_allclose(logits(averaged(model, kind), images), expected, atol=1e-4)


@pytest.mark.parametrize(("kind", "passes"), [("mirrored", 2), ("turned", 8), ("shifted", 6)])
def test_each_distinct_view_is_computed_once(model, images, kind, passes):
    whole = averaged(model, kind)
    trunk = next(layer for layer in whole.layers if hasattr(layer, "layers"))
    inputs = [call for call in top_inputs(whole, images) if len(call) > 1]
    assert [len(views) for views in inputs] == [passes]
    assert len({view.tobytes() for view in inputs[0]}) == passes
    assert trunk.count_params() + whole.get_layer("head").count_params() == whole.count_params()


@pytest.mark.parametrize("kind", VIEWS)
def test_temperature_folds_and_both_files_agree(model, images, kind, tmp_path):
    whole = averaged(model, kind)
    before = logits(whole, images)
    form.fold_temperature(whole, 2.0)
    np.testing.assert_allclose(logits(whole, images), before / 2, atol=1e-4)
    whole.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(logits(again, images), before / 2, atol=1e-4)
    probs = np.asarray(whole(images.astype(np.float32)))
    assert twin.write(whole, tmp_path / "model.tflite", images, probs) < 1e-4
    assert twin.write(whole, tmp_path / "model.tflite", images, 1 - probs) is None
    assert not (tmp_path / "model.tflite").exists()
