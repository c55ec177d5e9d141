"""Maps of every network, before and after reload, of nested models and of flipped views."""

import functools
import importlib

import keras
import numpy as np
import pytest

from tfcnn.architectures import build, names
from tfcnn.base.errors import InputError
from tfcnn.explain import METHODS, ModelExplainer, feature_maps, filters
from tfcnn.explain.gradients import View, find_views
from tfcnn.explain.map_checks import randomised
from tfcnn.training.form import VIEWS, averaged

OPTIONS = {"pretrained": {"weights": None}, "alexnet": {"groups": 2}}
LARGE = ("alexnet", "googlenet", "pretrained")
every_network = pytest.mark.parametrize("name", [name for name in names() if name != "mlp"])


def pixels(shape: tuple[int, ...], count: int = 3) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, *shape), dtype=np.uint8)


@functools.cache
def small(name: str) -> keras.Model:
    module = importlib.import_module(f"tfcnn.architectures.{name}")
    keras.utils.set_random_seed(1)
    shape = (*module.MIN_SIZE, getattr(module, "CHANNELS", 3))
    return build(name, shape, 3, OPTIONS.get(name))


def reloaded(model: keras.Model, folder) -> keras.Model:
    model.save(folder / "model.keras")
    return keras.saving.load_model(folder / "model.keras", compile=False)


@every_network
def test_every_network_gives_maps_in_0_to_1(name):
    model = small(name)
    images = pixels(model.input_shape[1:])
    for method, asked in (("grad-cam", None), ("layer-cam", np.array([0, 1, 2]))):
        explainer = ModelExplainer(model, method)
        maps, logits = explainer.maps_and_logits(images, asked)
        assert maps.shape == images.shape[:3] and maps.dtype == np.float32
        highest = maps.max(axis=(1, 2))
        assert maps.min() >= 0 and set(np.round(highest, 6)) <= {0, 1}
    # the logits are those of the model itself
    probs = np.asarray(model(images.astype(np.float32)))
    np.testing.assert_allclose(explainer.probs(logits), probs, atol=1e-5)


@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=[pytest.mark.slow] * (n in LARGE)) for n in names() if n != "mlp"],
)
def test_the_map_is_the_same_after_reload(name, tmp_path):
    model = small(name)
    images = pixels(model.input_shape[1:], 2)
    before = ModelExplainer(model, "layer-cam").maps(images, np.array([2, 0]))
    after = ModelExplainer(reloaded(model, tmp_path), "layer-cam").maps(images, np.array([2, 0]))
    assert before.max() == 1
    np.testing.assert_allclose(after, before, atol=1e-5)


@every_network
def test_all_that_the_network_sees_passes_the_layer_chosen(name):
    """Ones in place of the layer's output leave nothing of the image in the answer."""
    model = small(name)
    layer = ModelExplainer(model).layer
    target, images = model.get_layer(layer), pixels(model.input_shape[1:], 2).astype(np.float32)
    original = target.call
    target.call = lambda *inputs, **options: keras.ops.ones_like(original(*inputs, **options))
    try:
        probs = np.asarray(model(images, training=False))
    finally:
        del target.call
    np.testing.assert_allclose(probs[0], probs[1], atol=1e-5)


def test_a_network_without_convolutions_is_refused():
    with pytest.raises(InputError, match="convolutions"):
        ModelExplainer(build("mlp", (8, 8, 1), 3))


def test_a_sigmoid_unit_counts_for_one_class_and_against_the_other():
    keras.utils.set_random_seed(3)
    model = build("course_malaria", (32, 32, 3), 2)
    images = pixels((32, 32, 3), 4)
    explainer = ModelExplainer(model, "grad-cam")
    maps, logits = explainer.maps_and_logits(images)
    np.testing.assert_array_equal(logits[:, 0], -logits[:, 1])
    prob = np.asarray(model(images.astype(np.float32)))[:, 0]
    np.testing.assert_allclose(explainer.probs(logits)[:, 1], prob, atol=1e-6)
    ones = explainer.maps(images, np.ones(4, int))
    zeros = explainer.maps(images, np.zeros(4, int))
    predicted = (prob > 0.5)[:, None, None]
    np.testing.assert_array_equal(maps, np.where(predicted, ones, zeros))
    assert not ((ones > 0) & (zeros > 0)).any()  # evidence is for one of the two


def test_a_sure_network_has_a_map_too():
    """The probability's gradient is 0 in float32 where the logits are 200 apart."""
    model = build("compact", (16, 16, 3), 2, {"widths": (4, 8)})
    kernel = np.zeros((8, 2), np.float32)
    kernel[:, 1] = 1e4
    model.get_layer("head").set_weights([kernel, np.array([0, 200], np.float32)])
    images = pixels((16, 16, 3), 2)
    assert np.asarray(model(images.astype(np.float32)))[:, 1].tolist() == [1, 1]
    assert ModelExplainer(model).maps(images).max(axis=(1, 2)).tolist() == [1, 1]


def trunk_and_head() -> tuple[keras.Model, keras.layers.Layer]:
    keras.utils.set_random_seed(5)
    whole = build("compact", (24, 24, 3), 3, {"widths": (6, 8)})
    trunk = keras.Model(whole.inputs[0], whole.get_layer("average").output, name="trunk")
    return trunk, keras.layers.Dense(3, activation="softmax", name="head")


def test_a_nested_model_gives_the_map_of_the_flat_one(tmp_path):
    trunk, head = trunk_and_head()
    outer = keras.Input((24, 24, 3))
    nested = keras.Model(outer, head(keras.Sequential([trunk])(outer)))
    flat = keras.Model(trunk.inputs[0], head(trunk.outputs[0]))
    images = pixels((24, 24, 3))
    for method in METHODS:
        expected = ModelExplainer(flat, method).maps(images)
        for model in (nested, reloaded(nested, tmp_path)):
            explainer = ModelExplainer(model, method)
            np.testing.assert_allclose(explainer.maps(images), expected, atol=1e-5)
            assert explainer.layer == ModelExplainer(flat, method).layer


def views_model(trunk: keras.Model, head: keras.layers.Layer, views: list) -> keras.Model:
    image = keras.Input((24, 24, 3))
    features = [trunk(view(image)) for view in views]
    return keras.Model(image, head(keras.layers.Average()(features)))


LYING = [
    (lambda x: x, lambda a: a),
    (lambda x: keras.ops.flip(x, axis=2), lambda a: a[:, :, ::-1]),
    (lambda x: keras.ops.flip(x, axis=1), lambda a: a[:, ::-1]),
    (lambda x: keras.ops.transpose(x, (0, 2, 1, 3)), lambda a: np.swapaxes(a, 1, 2)),
    (lambda x: keras.ops.rot90(x, axes=(1, 2)), lambda a: np.rot90(a, axes=(1, 2))),
]


def test_maps_of_flipped_views_are_laid_back_before_they_are_added(tmp_path):
    """The logit is the mean over the views, so the map is the sum of theirs, laid back."""
    from tfcnn.explain.explainer import grad_cam
    from tfcnn.explain.feature_layers import enlarge, find
    from tfcnn.explain.gradients import logit_gradients

    trunk, head = trunk_and_head()
    several = views_model(trunk, head, [view for view, _ in LYING])
    single = views_model(trunk, head, [LYING[0][0], LYING[0][0]])
    images, asked = pixels((24, 24, 3), 2), np.array([0, 2])
    back = [LYING[i][1] for i in range(4)] + [lambda a: np.rot90(a, -1, axes=(1, 2))]
    stage = find(single, "relu2")
    total = 0
    for (_, turn), undo in zip(LYING, back, strict=True):
        activations, slopes, _ = logit_gradients(single, stage.layer, turn(images), asked)
        raw = grad_cam(activations[0], slopes[0])
        total = total + undo(enlarge(raw, stage.grid, (24, 24)))
    expected = np.maximum(total, 0) / total.max(axis=(1, 2), keepdims=True)
    for model in (several, reloaded(several, tmp_path)):
        maps = ModelExplainer(model, "grad-cam", "relu2").maps(images, asked)
        np.testing.assert_allclose(maps, expected, atol=1e-4)
    once = ModelExplainer(single, "grad-cam", "relu2").maps(images, asked)
    assert not np.allclose(once, expected)


@pytest.mark.parametrize("kind", VIEWS)
@pytest.mark.parametrize("is_old", [False, True])
def test_what_stands_in_every_view_is_found_where_it_stands(kind, is_old, tmp_path):
    """Each pixel is a cell: the maps of all views, laid back, are the map of the image alone."""
    image = keras.Input((24, 24, 3))
    spots = keras.layers.Conv2D(2, 1, activation="relu", name="spots")(image)
    pooled = keras.layers.GlobalAveragePooling2D()(spots)
    single = keras.Model(image, keras.layers.Dense(2, activation="softmax", name="head")(pooled))
    weights = [np.full((1, 1, 3, 2), [1.0, 0.5]), np.full(2, -30.0), np.eye(2), np.zeros(2)]
    single.set_weights(weights)
    several = averaged(single, kind)
    if is_old:  # as tfcnn saved it before: a view that counts twice is computed twice
        trunk = next(layer for layer in several.layers if hasattr(layer, "layers"))
        views = [trunk(view) for view in VIEWS[kind](image)]
        several = keras.Model(image, several.get_layer("head")(keras.layers.Average()(views)))
    images = np.zeros((2, 24, 24, 3), np.uint8)
    images[0, 5, 17], images[0, 14:16, 3:9], images[1, 20, 2] = 255, 90, 200
    expected = ModelExplainer(single, "layer-cam", "spots").maps(images)
    for model in (several, reloaded(several, tmp_path)):
        maps = ModelExplainer(model, "layer-cam", "spots").maps(images)
        np.testing.assert_allclose(maps, expected, atol=1e-5)


@pytest.mark.parametrize("shift", [(2, 0), (0, -3), (-1, 2)])
def test_a_shifted_view_of_a_turned_image_is_recognised(shift):
    noise = np.random.default_rng(5).uniform(0, 255, (2, 24, 24, 3)).astype(np.float32)
    image = keras.Input((24, 24, 3))
    (down, across), spare = shift, 3
    padded = keras.ops.pad(keras.ops.rot90(image, axes=(1, 2)), [(0, 0), (3, 3), (3, 3), (0, 0)])
    crop = ((spare - down, spare + down), (spare - across, spare + across))
    moved = keras.layers.Cropping2D(crop)(padded)
    trunk = keras.Sequential([keras.Input((24, 24, 3)), keras.layers.Flatten()])
    model = keras.Model(image, keras.layers.Average()([trunk(image), trunk(moved)]))
    assert model(noise).shape == (2, 24 * 24 * 3)
    assert find_views(model, 2) == [View(), View(1, False, shift)]


def test_a_network_of_views_can_be_randomised():
    explainer = ModelExplainer(views_model(*trunk_and_head(), [view for view, _ in LYING]))
    images = pixels((24, 24, 3))
    other = randomised(explainer)
    assert other.layer == explainer.layer
    assert not np.allclose(other.maps(images), explainer.maps(images))


def test_mixed_precision_gives_nearly_the_same_map():
    model = build("compact", (24, 24, 3), 3, {"widths": (6, 8)})
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        half = build("compact", (24, 24, 3), 3, {"widths": (6, 8)})
    finally:
        keras.config.set_dtype_policy(before)
    half.set_weights(model.get_weights())
    images, asked = pixels((24, 24, 3)), np.array([0, 1, 2])
    maps = [ModelExplainer(one, "grad-cam").maps(images, asked) for one in (model, half)]
    assert maps[1].dtype == np.float32
    np.testing.assert_allclose(maps[1], maps[0], atol=0.1)


def test_views_that_cannot_be_laid_back_are_refused():
    shifted = [LYING[0][0], lambda x: keras.ops.roll(x, 5, axis=1)]
    with pytest.raises(InputError, match="flips or quarter turns"):
        ModelExplainer(views_model(*trunk_and_head(), shifted))


def test_explaining_leaves_the_model_as_it_was(tmp_path):
    model = small("compact")
    images = pixels(model.input_shape[1:]).astype(np.float32)
    before = np.asarray(model(images))
    with pytest.raises(InputError):
        ModelExplainer(model, layer="nothing")
    ModelExplainer(model).maps(images.astype(np.uint8))
    np.testing.assert_array_equal(np.asarray(model(images)), before)
    np.testing.assert_allclose(np.asarray(reloaded(model, tmp_path)(images)), before, atol=1e-6)


def test_layers_by_name():
    model = small("compact")
    images = pixels(model.input_shape[1:])
    assert ModelExplainer(model, layer="conv3").maps(images).shape == images.shape[:3]
    for wrong in ("nothing", "head", "average"):
        with pytest.raises(InputError, match="relu4"):
            ModelExplainer(model, layer=wrong)
    with pytest.raises(InputError, match="grad-cam, layer-cam"):
        ModelExplainer(model, "smoothgrad")


@pytest.mark.parametrize(
    ("images", "classes", "word"),
    [
        (pixels((16, 17, 3)), None, "nx16x16x3"),
        (pixels((16, 16, 3))[0], None, "nx16x16x3"),
        (pixels((16, 16, 3)), np.array([0, 1]), "3 whole numbers"),
        (pixels((16, 16, 3)), np.array([0.0, 1.0, 2.0]), "whole numbers"),
        (pixels((16, 16, 3)), np.array([0, 1, 3]), "0..2"),
        (pixels((16, 16, 3)), np.array([0, 1, -1]), "0..2"),
    ],
)
def test_wrong_images_and_classes_are_refused(images, classes, word):
    with pytest.raises(InputError, match=word):
        ModelExplainer(small("compact")).maps(images, classes)


def test_no_images_give_no_maps():
    assert ModelExplainer(small("compact")).maps(pixels((16, 16, 3), 0)).shape == (0, 16, 16)


def test_many_images_go_in_batches():
    model = small("compact")
    images = pixels((16, 16, 3), 35)
    maps = ModelExplainer(model).maps(images)
    alone = ModelExplainer(model).maps(images[33:34])
    np.testing.assert_allclose(maps[33:34], alone, atol=1e-5)


@every_network
def test_filters_and_feature_maps(name):
    model = small(name)
    layer, kernels = filters(model)
    assert kernels.ndim == 4 and kernels.shape[2] in (1, 3)
    np.testing.assert_array_equal(kernels, model.get_layer(layer).get_weights()[0])
    features = feature_maps(model, pixels(model.input_shape[1:], 1)[0])
    assert features and all(maps.ndim == 3 for maps in features.values())


def test_feature_maps_are_what_the_layer_gives():
    model = small("compact")
    image = pixels((16, 16, 3), 1)[0]
    probe = keras.Model(model.inputs[0], model.get_layer("norm2").output)
    features = feature_maps(model, image, ["norm2"])
    expected = np.asarray(probe(image[None].astype(np.float32)))[0]
    np.testing.assert_allclose(features["norm2"], expected, atol=1e-6)
    with pytest.raises(InputError, match="16x16x3"):
        feature_maps(model, image[1:])
    with pytest.raises(InputError, match="a convolution"):
        filters(model, "relu1")
