"""The formulas against NumPy, the grid against gradients, and the pictures."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from tfcnn.explain import ModelExplainer, overlay
from tfcnn.explain.feature_layers import Grid, enlarge, stages
from tfcnn.explain.overlays import beside, feature_sheet, filter_sheet, save

RNG = np.random.default_rng(0)


def averaging_network() -> keras.Model:
    keras.utils.set_random_seed(2)
    return keras.Sequential(
        [
            keras.Input((20, 24, 1)),
            keras.layers.Conv2D(6, 3, strides=2, padding="same", activation="relu", name="conv"),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(4, activation="softmax", name="head"),
        ]
    )


@pytest.mark.parametrize("method", ["grad-cam", "layer-cam"])
def test_of_averages_it_is_the_class_activation_map_of_zhou(method):
    """Zhou et al., CVPR 2016, equation 2, computed from the weights without any gradient."""
    model = averaging_network()
    images, classes = RNG.integers(0, 256, (3, 20, 24, 1), dtype=np.uint8), np.array([0, 3, 1])
    features = np.asarray(model.get_layer("conv")(images.astype(np.float32)))
    weights = model.get_layer("head").get_weights()[0][:, classes].T[:, None, None, :]
    if method == "layer-cam":
        weights = np.maximum(weights, 0)
    cam = (weights * features).sum(-1)
    explainer = ModelExplainer(model, method, "conv")
    maps = explainer.maps(images, classes)
    # at even sizes "same" padding adds its pixel after the image: centres at 1, 3, 5 ...
    sampled = maps[:, 1::2, 1::2]
    expected = np.maximum(cam, 0) / cam.max(axis=(1, 2), keepdims=True)
    np.testing.assert_allclose(sampled, expected, atol=1e-5)
    assert explainer.cell == (2, 2)


STACKS = {
    "valid": [("conv", 5, 1, "valid"), ("pool", 2, 2, "valid"), ("conv", 3, 2, "valid")],
    "same, even": [("conv", 3, 2, "same"), ("pool", 3, 2, "same")],
    "same, odd kernel": [("conv", 7, 2, "same"), ("conv", 3, 1, "same")],
    "alexnet": [("conv", 11, 4, "valid"), ("pool", 3, 2, "valid")],
    "padded": [("pad", 3, 1, ""), ("conv", 7, 2, "valid"), ("pool", 2, 2, "valid")],
    "dilated": [("dilated", 3, 1, "valid"), ("conv", 2, 1, "valid")],
}


ONES = {"kernel_initializer": "ones"}
LAYERS = {  # the mean of a window depends on all of it; a maximum would not
    "conv": lambda size, stride, padding: keras.layers.Conv2D(1, size, stride, padding, **ONES),
    "dilated": lambda size, *_: keras.layers.Conv2D(1, size, dilation_rate=2, **ONES),
    "pool": keras.layers.AveragePooling2D,
    "pad": lambda size, *_: keras.layers.ZeroPadding2D(size),
}


@pytest.mark.parametrize("stack", STACKS.values(), ids=list(STACKS))
def test_a_cell_lies_in_the_middle_of_what_it_sees(stack):
    """With positive weights a cell's gradient is positive exactly on its receptive field."""
    layers = [keras.Input((45, 38, 1)), *(LAYERS[kind](*rest) for kind, *rest in stack)]
    model = keras.Sequential(layers)
    stage = stages(model)[-1]
    row, column = stage.size[0] // 2, stage.size[1] // 2
    image = tf.ones((1, 45, 38, 1))
    with tf.GradientTape() as tape:
        tape.watch(image)
        cell = model(image)[0, row, column, 0]
    rows, columns = np.nonzero(tape.gradient(cell, image)[0, :, :, 0].numpy())
    middle = (rows.min() + rows.max()) / 2, (columns.min() + columns.max()) / 2
    start, step = stage.grid.start, stage.grid.step
    assert middle == (start[0] + row * step[0], start[1] + column * step[1])


@settings(deadline=None, max_examples=30)
@given(
    size=st.tuples(st.integers(1, 6), st.integers(1, 6)),
    start=st.floats(-3, 8),
    step=st.floats(0.5, 9),
    seed=st.integers(0, 99),
)
def test_enlarging_interpolates_between_centres_and_never_beyond_the_values(
    size, start, step, seed
):
    maps = np.random.default_rng(seed).normal(size=(2, *size)).astype(np.float32)
    enlarged = enlarge(maps, Grid((start, start), (step, step)), (17, 13))
    assert enlarged.shape == (2, 17, 13)
    assert enlarged.min() >= maps.min() - 1e-5 and enlarged.max() <= maps.max() + 1e-5
    flat = enlarge(np.full((1, *size), 3.5, np.float32), Grid((start, 0), (step, 1)), (5, 5))
    np.testing.assert_allclose(flat, 3.5, rtol=1e-6)


def test_enlarging_keeps_a_value_at_its_centre():
    maps = RNG.normal(size=(1, 3, 4)).astype(np.float32)
    enlarged = enlarge(maps, Grid((2, 1), (5, 3)), (15, 12))
    np.testing.assert_allclose(enlarged[:, 2::5, 1::3], maps, rtol=1e-6)


@pytest.mark.parametrize("channels", [1, 3])
def test_an_overlay_is_grey_where_there_is_no_evidence(channels):
    image = RNG.integers(0, 256, (30, 20, channels), dtype=np.uint8)
    cam = np.zeros((6, 4), np.float32)
    bare = overlay(image, cam)
    assert bare.shape == (30, 20, 3) and bare.dtype == np.uint8
    assert (bare[..., 0] == bare[..., 1]).all() and (bare[..., 1] == bare[..., 2]).all()
    cam[1, 2] = 1
    marked = overlay(image, cam)
    np.testing.assert_array_equal(marked[20:], bare[20:])
    saturation = np.ptp(marked.astype(int), axis=-1)
    row, column = np.unravel_index(saturation.argmax(), saturation.shape)
    assert 5 <= row < 10 and 10 <= column < 15
    np.testing.assert_array_equal(overlay(image, cam, strength=0), bare)


def test_the_page_of_an_image_holds_both_and_wraps_its_caption():
    image = RNG.integers(0, 256, (256, 256, 3), dtype=np.uint8)
    cam = RNG.random((48, 48)).astype(np.float32)
    short = beside(image, cam, "one line")
    pixels = np.asarray(short)
    np.testing.assert_array_equal(pixels[12:268, 12:268], image)
    np.testing.assert_array_equal(pixels[12:268, 280:536], overlay(image, cam))
    assert beside(image, cam, "many words " * 40).size[1] > short.size[1] + 50


def test_sheets_are_pictures_of_what_they_are_given(tmp_path):
    save(filter_sheet(RNG.normal(size=(3, 3, 3, 10)).astype(np.float32), "a"), tmp_path / "a.png")
    save(filter_sheet(np.zeros((5, 5, 1, 70), np.float32), "b"), tmp_path / "b.png")
    image = RNG.integers(0, 256, (16, 16, 1), dtype=np.uint8)
    features = {
        "conv1": RNG.permutation(192).reshape(8, 8, 3).astype(np.float32),
        "conv2": np.zeros((1, 1, 12), np.float32),
    }
    figure = feature_sheet(image, features, "c")
    save(figure, tmp_path / "c.png")
    source, first, second = (axis.images[0].get_array() for axis in figure.axes)
    assert source.shape[:2] == (96 + 9, 8 * (96 + 9))
    # 3 maps, the strongest first, each on a scale of its own; 8 of 12 flat ones
    strongest = features["conv1"][..., features["conv1"].mean(axis=(0, 1)).argmax()]
    greens = first[6:96:12, 6:96:12, 1].ravel()  # viridis grows in green
    assert (np.diff(greens[np.argsort(strongest, axis=None)]) >= 0).all()
    assert (first[:, 3 * 105 :] == 1).all() and np.ptp(second[:96, :96]) < 1
    assert [len(axis.get_xticks()) for axis in figure.axes] == [0, 3, 8]
    for name in "abc":
        assert (tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG")
