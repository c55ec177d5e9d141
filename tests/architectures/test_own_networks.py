"""A network in a user's own file: built as tfcnn's own are, and refused where it cannot be used."""

import re

import keras
import pytest
from own_parts import NETWORK, write

from tfcnn import architectures
from tfcnn.base.errors import InputError

SHAPE = (12, 10, 3)
LAYER = 'keras.layers.Dropout(rate, name="drop")'
REGISTERED = "@keras.saving.register_keras_serializable()\nclass Own({}):\n    pass\n\n\nMIN_SIZE ="


def test_it_is_built_by_its_path_with_its_options(tmp_path):
    path = str(write(tmp_path, "mine.py", NETWORK))
    model = architectures.build(path, SHAPE, 3, {"filters": 4, "rate": 0.5})
    assert model.get_layer("conv1").filters == 4 and model.output_shape == (None, 3)
    assert architectures.smallest_size(path) == (4, 4)
    assert architectures.find(path) == path and not architectures.is_backbone(path)
    assert architectures.describe(path).startswith("mine: a convolution")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"filter": 4}, "one of: filters, rate; received 'filter'"),
        ({"filters": "x"}, "expected int; received 'x'"),
        ({"filters": -1}, "ValueError in line 16"),
    ],
)
def test_options_are_compared_with_its_signature(tmp_path, options, said):
    path = write(tmp_path, "mine.py", NETWORK)
    with pytest.raises(InputError, match=re.escape(said)) as refused:
        architectures.build(str(path), SHAPE, 3, options)
    assert str(path) in str(refused.value)


def test_what_takes_any_options_gets_them(tmp_path):
    signature = ("rate=0.0):", "rate=0.0, **more):")
    path = write(tmp_path, "mine.py", NETWORK, signature, ('name="mine"', "**more"))
    assert architectures.build(str(path), SHAPE, 3, {"name": "its"}).name == "its"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"head"', '"end"', "no layer called 'head'"),
        ('"image"', '"img"', "an input called 'img'"),
        ('"rescale"', '"scale"', "no layer called 'rescale'"),
        ("Rescaling(1 / 255,", "Dropout(0.1,", "a Dropout called 'rescale'"),
        ("Input(input_shape,", "Input((9, 9, 3),", "an input of shape (9, 9, 3)"),
        ('num_classes, activation="softmax"', '7, activation="softmax"', "7 outputs, not 3"),
        ('activation="softmax"', 'activation="linear"', "'head' with the activation linear"),
        (LAYER, "keras.layers.Lambda(lambda x: x, name='own')", "own (Lambda)"),
        (LAYER, "keras.Sequential([keras.layers.Lambda(lambda x: x, name='in')])", "in (Lambda)"),
        ("return keras.Sequential(", "return dict(a=", "received dict, no keras.Model"),
        ("    return keras", "    1 / 0\n    return keras", "ZeroDivisionError in line 12"),
        ("def build", "def construct", "no such function"),
    ],
)
def test_what_cannot_be_used_is_refused_in_a_line_that_names_it(tmp_path, old, new, said):
    path = write(tmp_path, "mine.py", NETWORK, (old, new))
    with pytest.raises(InputError, match=re.escape(said)) as refused:
        architectures.build(str(path), SHAPE, 3)
    assert str(path) in str(refused.value) and "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("base", "old", "new", "said"),
    [
        ("keras.layers.Dropout", "keras.layers.Dropout", "Own", "drop (Own)"),
        ("keras.initializers.Zeros", '"relu"', '"relu", kernel_initializer=Own()', "Own"),
    ],
)
def test_classes_of_its_own_are_refused_as_no_other_program_knows_them(
    tmp_path, base, old, new, said
):
    registered = ("MIN_SIZE =", REGISTERED.format(base))
    path = write(tmp_path, "mine.py", NETWORK, (old, new), registered)
    with pytest.raises(InputError, match=re.escape(f"without Lambda; received {said}")):
        architectures.build(str(path), SHAPE, 3)
    keras.saving.get_custom_objects().clear()


def test_functions_of_its_own_are_refused_too(tmp_path):
    own = ("MIN_SIZE =", "def bend(x):\n    return x * x\n\n\nMIN_SIZE =")
    path = write(tmp_path, "mine.py", NETWORK, own, ('"relu"', "bend"))
    with pytest.raises(InputError, match="received the function bend"):
        architectures.build(str(path), SHAPE, 3)


def test_a_model_of_its_own_class_is_refused(tmp_path):
    text = "import keras\n\n\ndef build(s, n):\n    class Own(keras.Model):\n        pass\n"
    path = write(tmp_path, "mine.py", text + "\n    return Own(name='it')\n")
    with pytest.raises(InputError, match=r"it \(Own\), which is not made of one keras.Input"):
        architectures.build(str(path), SHAPE, 3)


def test_it_refuses_small_images_as_tfcnns_own_do_and_need_not_say_which(tmp_path):
    path = write(tmp_path, "mine.py", NETWORK)
    with pytest.raises(InputError, match="images of at least 4x4; received 3x8"):
        architectures.build(str(path), (3, 8, 3), 3)
    size = ("MIN_SIZE = (4, 4)\n", ""), ("    require_size(input_shape, MIN_SIZE)\n", "")
    path = write(tmp_path, "other.py", NETWORK, *size)
    assert architectures.smallest_size(str(path)) == (1, 1)
    assert not architectures.has_constant(str(path), "MIN_SIZE")
    path = write(tmp_path, "third.py", NETWORK, ("(4, 4)", "(2 * 2, SIDE)"))
    with pytest.raises(InputError, match=r"MIN_SIZE written out; received \(2 \* 2, SIDE\)"):
        architectures.smallest_size(str(path))


def test_auxiliary_classifiers_need_both_of_their_parts(tmp_path):
    text = NETWORK.replace("return keras.Sequential(", "model = keras.Sequential(") + (
        "    average = model.get_layer('average').output\n"
        "    more = keras.layers.Dense(num_classes, name='more_head')(average)\n"
        "    return keras.Model(model.inputs, [model.outputs[0], more])\n"
    )
    path = write(tmp_path, "mine.py", text)
    with pytest.raises(InputError, match="1 more, without LOSS_WEIGHTS and without_auxiliary"):
        architectures.build(str(path), SHAPE, 3)
    parts = (
        "\nLOSS_WEIGHTS = (1.0, 0.3)\n\n\ndef without_auxiliary(model):\n"
        "    return keras.Model(model.inputs, model.outputs[0])\n"
    )
    path = write(tmp_path, "mine.py", text + parts)
    assert len(architectures.build(str(path), SHAPE, 3).outputs) == 2
    assert architectures.part(str(path), "LOSS_WEIGHTS") == (1.0, 0.3)


def test_a_backbone_is_one_by_its_option(tmp_path):
    option = ("rate=0.0)", "rate=0.0, weights: str | None = 'its own')")
    sides = ("MIN_SIZE =", "IMAGE_SIDES = ('filters', {8: 16, None: 24})\nMIN_SIZE =")
    path = str(write(tmp_path, "mine.py", NETWORK, option, sides))
    assert architectures.is_backbone(path)
    assert architectures.weights(path, {}) == "its own"
    assert architectures.weights(path, {"weights": "none"}) is None
    assert architectures.image_size(path, {}) == (16, 16)
    assert architectures.image_size(path, {"filters": 4}) == (24, 24)
