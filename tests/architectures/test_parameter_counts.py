"""Parameter counts derived by hand, layer by layer, from the papers' tables and the notebooks."""

import importlib

import keras
import pytest

from tfcnn.architectures import build


def conv(side: int, maps_in: int, filters: int, bias: bool = True) -> int:
    return side * side * maps_in * filters + filters * bias


def dense(inputs: int, units: int) -> int:
    return inputs * units + units


def trained_of(model: keras.Model) -> int:
    return sum(weight.value.shape.num_elements() for weight in model.trainable_weights)


def docstring(name: str) -> str:
    return importlib.import_module(f"tfcnn.architectures.{name}").__doc__ or ""


def check(name, shape, classes, options, expected):
    assert build(name, shape, classes, options).count_params() == expected
    assert f"{expected:,}" in docstring(name)


def test_mlp():
    by_hand = dense(28 * 28, 120) + dense(120, 84) + dense(84, 10)
    assert by_hand == 105_214  # the slides: "over 100,000"
    check("mlp", (28, 28, 1), 10, {}, by_hand)


def test_course_mnist():
    side = (28 - 3) // 2  # a 4x4 kernel, then a 2x2 pool
    by_hand = conv(4, 1, 32) + dense(side * side * 32, 128) + dense(128, 10)
    assert by_hand == 591_786  # as the notebook prints
    check("course_mnist", (28, 28, 1), 10, {}, by_hand)


def test_course_cifar10():
    side = ((32 - 3) // 2 - 3) // 2
    by_hand = conv(4, 3, 32) + conv(4, 32, 32) + dense(side * side * 32, 256) + dense(256, 10)
    assert by_hand == 225_610  # as the notebook prints
    check("course_cifar10", (32, 32, 3), 10, {}, by_hand)


def test_course_malaria():
    side = (((130 - 2) // 2 - 2) // 2 - 2) // 2
    convolutions = conv(3, 3, 32) + conv(3, 32, 64) + conv(3, 64, 64)
    by_hand = convolutions + dense(side * side * 64, 128) + dense(128, 1)
    assert by_hand == 1_662_209  # as the notebook prints
    check("course_malaria", (130, 130, 3), 2, {}, by_hand)


@pytest.mark.parametrize("side", [28, 32])
def test_lenet5_with_the_published_connections(side):
    c1 = conv(5, 1, 6)
    c3 = 6 * conv(5, 3, 1) + 9 * conv(5, 4, 1) + 1 * conv(5, 6, 1)
    c5, f6, head = conv(5, 16, 120), dense(120, 84), dense(84, 10)
    by_hand = c1 + c3 + c5 + f6 + head
    assert (c1, c3, c5, f6) == (156, 1_516, 48_120, 10_164)  # as the paper says of each layer
    assert by_hand == 60_806
    s2, s4 = 2 * 6, 2 * 16  # the paper's pools have a coefficient and a bias per map
    assert by_hand - head + s2 + s4 == 60_000  # "only 60,000 trainable free parameters"
    check("lenet5", (side, side, 1), 10, {}, by_hand)


def test_lenet5_with_all_connections():
    by_hand = conv(5, 1, 6) + conv(5, 6, 16) + conv(5, 16, 120) + dense(120, 84) + dense(84, 10)
    assert by_hand == 61_706
    check("lenet5", (32, 32, 1), 10, {"connections": "full"}, by_hand)


@pytest.mark.slow
@pytest.mark.parametrize(("groups", "published"), [(2, 60_965_224), (1, 62_378_344)])
def test_alexnet(groups, published):
    convolutions = (
        conv(11, 3, 96)
        + conv(5, 96 // groups, 256)
        + conv(3, 256, 384)  # the layer where the towers meet
        + conv(3, 384 // groups, 384)
        + conv(3, 384 // groups, 256)
    )
    side = (227 - 11) // 4 + 1
    for _ in range(3):  # pools of 3x3 at stride 2
        side = (side - 3) // 2 + 1
    by_hand = convolutions + dense(side * side * 256, 4096) + dense(4096, 4096) + dense(4096, 1000)
    assert by_hand == published  # the paper: 60 million
    check("alexnet", (227, 227, 3), 1000, {"groups": groups}, by_hand)


INCEPTION = [  # table 1: 1x1, 3x3 reduce, 3x3, 5x5 reduce, 5x5, pool projection
    (64, 96, 128, 16, 32, 32),
    (128, 128, 192, 32, 96, 64),
    (192, 96, 208, 16, 48, 64),
    (160, 112, 224, 24, 64, 64),
    (128, 128, 256, 24, 64, 64),
    (112, 144, 288, 32, 64, 64),
    (256, 160, 320, 32, 128, 128),
    (256, 160, 320, 32, 128, 128),
    (384, 192, 384, 48, 128, 128),
]


def googlenet_convolutions() -> list[tuple[int, int, int]]:
    """Return (side of the kernel, maps in, filters) of every convolution."""
    convolutions = [(7, 3, 64), (1, 64, 64), (3, 64, 192)]
    maps = 192
    for a, b, c, d, e, f in INCEPTION:
        convolutions += [(1, maps, a), (1, maps, b), (3, b, c)]
        convolutions += [(1, maps, d), (5, d, e), (1, maps, f)]
        maps = a + c + e + f
    assert maps == 1024
    return convolutions


def test_googlenet():
    by_hand = sum(conv(*c) for c in googlenet_convolutions()) + dense(1024, 1000)
    assert by_hand == 6_998_552  # the rows of the paper's table 1 add up to 6.8 million
    check("googlenet", (224, 224, 3), 1000, {}, by_hand)


def test_googlenet_with_batch_normalisation():
    convolutions = googlenet_convolutions()
    without_bias = sum(conv(*c, bias=False) for c in convolutions)
    filters = sum(c[2] for c in convolutions)
    by_hand = without_bias + 4 * filters + dense(1024, 1000)  # scale, shift, mean, variance
    assert by_hand == 7_020_392
    model = build("googlenet", (32, 32, 3), 1000, {"batch_norm": True})
    assert model.count_params() == by_hand
    assert trained_of(model) == by_hand - 2 * filters == 7_005_832


def test_googlenet_with_auxiliary_classifiers():
    def helper(maps: int) -> int:  # 14x14 maps pooled to 4x4
        return conv(1, maps, 128) + dense(4 * 4 * 128, 1024) + dense(1024, 1000)

    by_hand = 6_998_552 + helper(512) + helper(528)
    assert by_hand == 13_378_280
    check("googlenet", (224, 224, 3), 1000, {"auxiliary": True}, by_hand)


def normalised(side: int, maps_in: int, filters: int) -> tuple[int, int]:
    """Return the trained parameters of a convolution with BatchNorm, and its moving averages."""
    return conv(side, maps_in, filters, bias=False) + 2 * filters, 2 * filters


def resnet_by_hand(depth: int, classes: int, project: bool) -> tuple[int, int]:
    """Return all parameters and the trained ones, from table 1 and section 4.2."""
    blocks = {
        **{18: [2, 2, 2, 2], 34: [3, 4, 6, 3], 50: [3, 4, 6, 3]},
        **{20: [3] * 3, 32: [5] * 3, 56: [9] * 3},
    }[depth]
    imagenet = len(blocks) == 4
    parts = [normalised(7, 3, 64) if imagenet else normalised(3, 3, 16)]
    maps = width = 64 if imagenet else 16
    for count in blocks:
        for _ in range(count):
            if depth == 50:
                out = 4 * width
                parts += [normalised(1, maps, width), normalised(3, width, width)]
                parts += [normalised(1, width, out)]
            else:
                out = width
                parts += [normalised(3, maps, width), normalised(3, width, width)]
            if out != maps and project:
                parts += [normalised(1, maps, out)]
            maps = out
        width *= 2
    trained = sum(part[0] for part in parts) + dense(maps, classes)
    return trained + sum(part[1] for part in parts), trained


@pytest.mark.parametrize(
    ("depth", "classes", "shortcut", "pinned"),
    [
        (18, 1000, "published", (11_699_112, 11_689_512)),
        pytest.param(34, 1000, "published", (21_814_696, 21_797_672), marks=pytest.mark.slow),
        (50, 1000, "published", (25_610_152, 25_557_032)),  # cited as 25.6 million
        (20, 10, "published", (271_098, 269_722)),  # table 6: 0.27 million
        (32, 10, "published", (466_426, 464_154)),  # table 6: 0.46 million
        # table 6: 0.85 million
        pytest.param(56, 10, "published", (857_082, 853_018), marks=pytest.mark.slow),
        (20, 10, "projection", (274_042, 272_474)),
        (18, 1000, "padding", (11_523_496, 11_515_688)),  # 173,824 fewer: three projections
    ],
)
def test_resnet(depth, classes, shortcut, pinned):
    imagenet = depth in (18, 34, 50)
    project = imagenet if shortcut == "published" else shortcut == "projection"
    assert resnet_by_hand(depth, classes, project) == pinned
    options = {"depth": depth, "shortcut": shortcut}
    model = build("resnet", (32, 32, 3), classes, options)
    assert (model.count_params(), trained_of(model)) == pinned
    if shortcut == "published":
        assert f"{pinned[0]:,} ({pinned[1]:,})" in docstring("resnet")
    # the paper counts the layers with weights but for projections: convolutions and the head
    convolutions = [x.name for x in model.layers if isinstance(x, keras.layers.Conv2D)]
    assert len([name for name in convolutions if not name.endswith("project")]) + 1 == depth


def test_pretrained_is_the_backbone_and_a_head():
    backbone = keras.applications.MobileNetV2(include_top=False, weights=None)
    by_hand = backbone.count_params() + dense(1280, 1000)
    assert by_hand == 3_538_984  # the paper's table 4: 3.4 million
    check("pretrained", (96, 96, 3), 1000, {"weights": None}, by_hand)


def test_speedrun():
    widths, maps, by_hand = (64, 256, 256), 24, 2 * 2 * 3 * 24  # both signs of 12 components
    for width in widths:
        by_hand += conv(3, maps, width, bias=False) + conv(3, width, width, bias=False)
        by_hand += 2 * 3 * width  # shift, moving mean and variance of two normalisations
        maps = width
    by_hand += dense(256, 10)
    assert by_hand == 1_973_930
    check("speedrun", (32, 32, 3), 10, {}, by_hand)
