"""Finding networks and refusing what they cannot take, without importing Keras for it."""

import subprocess
import sys

import pytest

import tfcnn.architectures
from tfcnn.architectures import build, check_options, describe, find, names
from tfcnn.base.errors import InputError

NETWORKS = {"mlp", "course_mnist", "course_cifar10", "course_malaria", "lenet5", "alexnet"} | {
    *("googlenet", "resnet", "pretrained")
}

NEW_NETWORK = '''"""linear: the smallest network there is.

More.
"""

import keras

MIN_SIZE = (1, 1)


def build(
    input_shape: tuple[int, int, int],
    num_classes: int,
    *,
    scale: float = 1 / 255,
    sides: tuple[int, ...] = (),
    kind: "str | None" = None,
    mode: Literal["a", 2] = "a",
    bias: bool = True,
) -> keras.Model:
    return keras.Sequential(
        [keras.Input(input_shape), keras.layers.Flatten(), keras.layers.Dense(num_classes)]
    )
'''.replace('"str | None"', "str | None").replace(
    "import keras\n", "from typing import Literal\n\nimport keras\n", 1
)


@pytest.fixture
def new_network(tmp_path, monkeypatch):
    """A folder of networks beside the package's own, with one new file and a private one."""
    (tmp_path / "linear_new.py").write_text(NEW_NETWORK)
    (tmp_path / "_private.py").write_text(NEW_NETWORK)
    monkeypatch.setattr(
        tfcnn.architectures, "__path__", [*tfcnn.architectures.__path__, str(tmp_path)]
    )
    yield "linear_new"
    sys.modules.pop("tfcnn.architectures.linear_new", None)


def test_all_networks_are_found_sorted():
    assert set(names()) >= NETWORKS
    assert names() == sorted(names())


def test_a_new_file_is_a_new_network_at_once_and_a_private_one_is_not(new_network):
    assert new_network in names()
    assert not any("private" in name for name in names())
    assert describe("linear-new") == "linear: the smallest network there is."
    assert build("linear-new", (4, 4, 1), 3, {"scale": 1, "mode": 2}).output_shape == (None, 3)


def test_nothing_of_keras_is_imported_until_a_network_is_built():
    program = (
        "import sys, tfcnn.architectures as a\n"
        "a.names(), a.describe('resnet'), a.check_options('resnet', {'depth': 18})\n"
        "try: a.build('resnet', (32, 32, 3), 10, {'dpeth': 18})\n"
        "except a.InputError: pass\n"
        "assert not {'keras', 'tensorflow', 'numpy'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_a_name_may_be_spelt_with_dashes():
    assert find("course-mnist") == find("course_mnist") == "course_mnist"


def test_an_unknown_network_is_refused_with_those_there_are():
    for ask in (find, describe, lambda name: build(name, (32, 32, 3), 2)):
        with pytest.raises(InputError, match=r"alexnet, .*resnet.*; received 'vgg'"):
            ask("vgg")


@pytest.mark.parametrize("name", names())
def test_each_network_describes_itself_in_a_line(name):
    assert describe(name).startswith(f"{name}: ")
    assert len(describe(name)) > len(name) + 20


@pytest.mark.parametrize(
    ("options", "fits"),
    [
        ({"scale": 0.5}, True),
        ({"scale": 2}, True),
        ({"scale": "2"}, False),
        ({"scale": True}, False),
        ({"scale": float("nan")}, False),
        ({"sides": [1, 2]}, True),
        ({"sides": (1,)}, True),
        ({"sides": [1, 2.5]}, False),
        ({"sides": 3}, False),
        ({"kind": None}, True),
        ({"kind": "x"}, True),
        ({"kind": 1}, False),
        ({"mode": "a"}, True),
        ({"mode": 2}, True),
        ({"mode": "b"}, False),
        ({"mode": [2]}, False),
        ({"bias": False}, True),
        ({"bias": 1}, False),
        ({"scael": 1.0}, False),
        ({"num_classes": 3}, False),
    ],
)
def test_options_are_checked_by_name_and_type(new_network, options, fits):
    if fits:
        check_options(new_network, options)
        return
    with pytest.raises(InputError, match=next(iter(options))) as refusal:
        check_options(new_network, options)
    assert "\n" not in str(refusal.value)


def test_an_unknown_option_is_refused_with_those_there_are():
    with pytest.raises(InputError, match="one of: depth, shortcut; received 'dpeth'"):
        build("resnet", (32, 32, 3), 10, {"dpeth": 18})
    with pytest.raises(InputError, match="one of: none; received 'depth'"):
        build("course-mnist", (28, 28, 1), 10, {"depth": 18})


def test_a_choice_is_refused_with_those_there_are():
    with pytest.raises(InputError, match=r"Literal\[18, 20, 32, 34, 50, 56\]; received 19"):
        build("resnet", (32, 32, 3), 10, {"depth": 19})


def test_a_size_too_small_for_an_option_is_refused_with_the_smallest():
    with pytest.raises(InputError, match="at least 32x32; received 8x9"):
        build("resnet", (8, 9, 3), 10, {"depth": 18})
    with pytest.raises(InputError, match="at least 65x65; received 64x64"):
        build("googlenet", (64, 64, 3), 10, {"auxiliary": True})


def test_what_keras_refuses_is_said_in_one_line():
    with pytest.raises(InputError, match=r"network alexnet: .*between 0 and 1") as refusal:
        build("alexnet", (67, 67, 3), 10, {"dropout": 1.5})
    assert "\n" not in str(refusal.value)


def test_one_class_is_refused():
    with pytest.raises(InputError, match="at least 2 classes; received 1"):
        build("mlp", (8, 8, 1), 1)
